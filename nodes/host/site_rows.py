"""Rows of a UNet call, passed to its cross-attention sites.

They lie in the transformer options from before the call; a site finds them there, whatever another
pack has done to the queries in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from comfy.model_sampling import ModelSamplingDiscrete

from ...instantid_core.adapter import Run, SamplingRows, read_rows, select_frames
from .neighbours import packs_of
from .notices import warn_in
from .row_conds import ROWS, RUN, TAG, place_in

BY_BRANCHES = (
    "Another pack runs the model by itself, so InstantID goes by ComfyUI's list of positive and "
    "negative sides. Should the picture be wrong, take that pack's node out of the graph."
)


def announced(
    options: Mapping[str, Any],
    conds: Mapping[str, Any],
    x: torch.Tensor,
    sigma: torch.Tensor,
    run: Run,
) -> dict[str, Any]:
    """A copy of the transformer options with the rows of a call.

    conds: what the call is given by name; the rows' tags are among them. x: its latent. sigma: used
    where the options do not say.
    """
    branches = tuple(options.get("cond_or_uncond", ()))
    rows = read_rows(conds.get(TAG), len(x), branches, place_in(conds, x))
    rows = select_frames(rows, (options.get("ad_params") or {}).get("sub_idxs"))
    before = options.get("patches", {}).get("attn2_patch", ())
    known = options.get("sigmas", sigma)
    return {**options, ROWS: SamplingRows(rows, run, known, branches, packs_of(before))}


def rows_at(q: torch.Tensor, options: dict[str, Any]) -> SamplingRows:
    """The rows of a site's queries [B, L, C]. Without an announcement the branches decide.

    Raises IncompatibleModelError where another pack gave rows that are nobody's.
    """
    known: SamplingRows | None = options.get(ROWS)
    if known is not None:
        return known.at_site(len(q))
    run = options.get(RUN) or Run(ModelSamplingDiscrete().percent_to_sigma)
    warn_in(run, (BY_BRANCHES,))
    branches = tuple(options.get("cond_or_uncond", ()))
    sigma = options.get("sigmas", q.new_ones(1))
    return SamplingRows(read_rows(None, len(q), branches), run, sigma, branches)


def with_branches(options: dict[str, Any], rows: SamplingRows) -> dict[str, Any]:
    """The same options for patches that go by the branches, which are more where rows are."""
    branches: Sequence[int] = options.get("cond_or_uncond", ())
    if len(branches) == len(rows.branches):
        return options
    return {**options, "cond_or_uncond": list(rows.branches)}
