"""IdentityNet's network with the identity built in, for packs that copy its parts.

Packs such as Advanced-ControlNet turn a ControlNet into a type of their own: they take its network
and call `copy_to`. The method that hands IdentityNet its tokens does not come along, so the tokens
go with the network, and the rows' polarity with the conditioning that it asks for.
"""

from __future__ import annotations

from typing import Any

import torch

from ...instantid_core.adapter import BatchRows, Run, read_rows
from ...instantid_core.types import IdentityTokens
from .identity_net_check import Widths
from .row_conds import PLACE, TAG, place_in


class TokenConditionedNetwork(torch.nn.Module):
    """Calls a ControlNet's network with identity tokens in place of the context it is given."""

    def __init__(self, network: Any, tokens: IdentityTokens) -> None:
        super().__init__()
        self.network = network
        self.tokens = tokens
        self.widths = Widths.of(network)

    @property
    def dtype(self) -> torch.dtype:
        """Number format to which the host casts the network's input."""
        return self.network.dtype

    def forward(self, x: torch.Tensor, context: torch.Tensor, **given: Any) -> Any:
        """Residuals of IdentityNet. Raises IncompatibleModelError for another base model."""
        self.widths.require(Widths.given(context, given.get("y")))
        read = read_rows(given.pop(TAG, None), len(x), (), place_in(given, x))
        given.pop(PLACE, None)
        rows = BatchRows(read, Run())
        tokens = self.tokens.stacked().flatten(0, 1)
        entries = rows.entries(self.tokens.identities)
        return self.network(x=x, context=tokens[list(entries)].to(context), **given)
