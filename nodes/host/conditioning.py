"""Attach an IdentityNet to conditioning without changing what came in."""

from __future__ import annotations

from typing import Any

from comfy.controlnet import ControlNet

from ...instantid_core.types import Polarity
from .identity_net import chain
from .row_conds import TAG, RowCond

Conditioning = list[list[Any]]


class Entry(dict[str, Any]):
    """Options of an entry whose copies own their model conds.

    Every pack copies an entry before it writes into it, and some then write into `model_conds`,
    which such a copy would share with us and with every other branch of the graph.
    """

    def copy(self) -> Entry:
        twin = Entry(self)
        if "model_conds" in twin:
            twin["model_conds"] = dict(twin["model_conds"])
        return twin


def attach(
    positive: Conditioning, negative: Conditioning, net: ControlNet
) -> tuple[Conditioning, Conditioning]:
    """Copies of both, each entry with the net behind the ControlNets it already has.

    Entries with the same previous net share one copy, which lets the host run them in one batch.
    """
    by_previous: dict[int, ControlNet] = {}

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
        return [context, Entry({**options, **control})]

    return (
        [attached(entry, Polarity.POSITIVE) for entry in positive],
        [attached(entry, Polarity.NEGATIVE) for entry in negative],
    )
