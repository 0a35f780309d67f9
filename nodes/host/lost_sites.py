"""Sites that another pack took from an identity: found in a run's first calls, reported once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...instantid_core.adapter import Applied, Region, SamplingRows, about_lost_region
from .identity_attention import IdentityAttention
from .neighbours import packs_of
from .row_conds import APPLIED, ROWS


class Installed(NamedTuple):
    """An identity on a model, and the keys of its sites in ComfyUI's table of replacements."""

    applied: Applied
    keys: tuple[tuple[Any, ...], ...]


def about_lost_sites(options: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on identities that act at fewer sites than they were put at, after a call.

    options: the call's transformer options, with its rows. Each identity is judged once in a run,
    after the first call inside its window.
    """
    rows: SamplingRows = options[ROWS]
    reach = rows.run.reach
    installed: Sequence[Installed] = options.get(APPLIED, ())
    for applied, keys in installed:
        if reach.is_judged(applied) or not rows.active(applied.window):
            continue
        present = options.get("patches_replace", {}).get("attn2", {})
        silent = [keys[position] for position in reach.judge(applied)]
        lost = [key for key in silent if not _holds(present.get(key), applied)]
        if isinstance(applied.region, Region):
            yield from about_lost_region(applied.region, rows.run)
        if lost:
            takers = (_below_ours(present[key]) for key in lost if key in present)
            yield _sentence(packs_of(takers), lost, keys)


def _holds(patch: Any, applied: Applied) -> bool:
    """Whether an identity is still installed at a site. Packs that make their own options call it
    without the run's memory."""
    while isinstance(patch, IdentityAttention):
        if patch.identity.applied is applied:
            return True
        patch = patch.previous
    return False


def _below_ours(patch: Any) -> Any:
    while isinstance(patch, IdentityAttention):
        patch = patch.previous
    return patch


def _sentence(takers: Sequence[str], lost: Sequence[Any], keys: Sequence[Any]) -> str:
    found = f"{len(lost)} of {len(keys)} places at which InstantID acts"
    if not takers:
        return f"The model leaves out {found}, so the identity is weaker there or absent."
    return (
        f"A node of {', '.join(takers)} took {found} and does not call what was there before. Put "
        "it before InstantID's node, which keeps what it finds."
    )
