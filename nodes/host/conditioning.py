"""Attach an IdentityNet to conditioning without changing what came in."""

from __future__ import annotations

from typing import Any

from ...instantid_core.types import Polarity
from .identity_net import IdentityNet, chain
from .row_conds import TAG, RowCond

Conditioning = list[list[Any]]


def attach(
    positive: Conditioning, negative: Conditioning, net: IdentityNet
) -> tuple[Conditioning, Conditioning]:
    """Copies of both, each entry with the net behind the ControlNets it already has.

    Entries with the same previous net share one copy, which lets the host run them in one batch.
    """
    by_previous: dict[int, IdentityNet] = {}

    def attached(entry: list[Any], polarity: Polarity) -> list[Any]:
        context, options = entry
        previous = options.get("control")
        if id(previous) not in by_previous:
            by_previous[id(previous)] = chain(net, previous)
        tag = {**options.get("model_conds", {}), TAG: RowCond.unplaced(polarity)}
        control = {
            "control": by_previous[id(previous)],
            "control_apply_to_uncond": False,
            "model_conds": tag,
        }
        return [context, {**options, **control}]

    return (
        [attached(entry, Polarity.POSITIVE) for entry in positive],
        [attached(entry, Polarity.NEGATIVE) for entry in negative],
    )
