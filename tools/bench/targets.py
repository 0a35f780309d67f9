"""The project's own bars for speed and memory, each with what was found."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .counts import ADAPTER, BOTH, NET, PLAIN, TWO, TWO_NETS, USUAL
from .operations import StepCounts
from .report import Row, Table, missing

USUAL_WAY_HOLDS = 846e6
"""Bytes in fp16 of a published adapter that stays on the GPU, resampler and all."""


@dataclass
class Findings:
    """What the tables before found."""

    device: torch.device
    counts: dict[str, StepCounts] = field(default_factory=dict)
    held: int = 0
    sites: list[Table] = field(default_factory=list)
    steps: list[Table] = field(default_factory=list)
    photo: float = 0.0
    file: Table | None = None


def bars_table(findings: Findings) -> Table:
    """One row per bar; the bar stands in its label."""
    rows = [
        *_shares(findings),
        *_two_people(findings),
        Row(
            "held on the device per identity (bar: 11 MB; the usual way: 846 MB)",
            findings.held / 1e6,
            "MB",
            findings.held / USUAL_WAY_HOLDS,
        ),
        *_change_of_photo(findings),
        *_file(findings),
    ]
    return Table("Bars", tuple(rows))


def _shares(findings: Findings) -> list[Row]:
    counts = findings.counts
    plain, ours = counts[PLAIN], counts[ADAPTER]
    rows = [
        Row(
            "adapter / plain step: operations",
            (ours.operations - plain.operations) / 1e9,
            "GFLOP more",
            ours.operations / plain.operations,
        ),
        _ratio(
            "adapter's launches / the usual way's (bar: half)",
            (ours.launches - plain.launches) / (counts[USUAL].launches - plain.launches),
        ),
    ]
    for table in findings.sites:
        added = next(row for row in table.rows if row.label == "added by an identity")
        title = table.title.removeprefix("70 cross-attention sites, ")
        rows.append(_ratio(f"adapter's time / the usual way's (bar: half), {title}", added.ratio))
    label = "adapter's share of a step"
    if not findings.steps:
        return [*rows, missing(label)]
    times, where = _times(findings), findings.steps[0].title.removeprefix("One step, ")
    more, usual = (times[name] - times[PLAIN] for name in (ADAPTER, USUAL))
    return [
        *rows,
        _ratio(f"{label}, {where}", more / times[PLAIN]),
        _ratio(f"adapter's part of a step / the usual way's (bar: half), {where}", more / usual),
    ]


def _two_people(findings: Findings) -> list[Row]:
    operations = {name: count.operations for name, count in findings.counts.items()}
    one, two = (operations[name] - operations[PLAIN] for name in (NET, TWO_NETS))
    unet = (operations[TWO] - two) / (operations[BOTH] - one)
    rows = [
        _ratio("two people / one: UNet's operations (bar: 1.05)", unet),
        _ratio("two people / one: IdentityNet's operations (bar: 2)", two / one),
    ]
    label = "two people / one: time of a step with both"
    if not findings.steps:
        return [*rows, missing(label)]
    times = _times(findings)
    return [*rows, _ratio(f"{label}, {findings.device.type}", times[TWO] / times[BOTH])]


def _change_of_photo(findings: Findings) -> list[Row]:
    on_gpu = findings.device.type == "cuda"
    label = "change of photo to the first step's network, analysis apart (bar: {})"
    measured = Row(label.format("0.5 s" if on_gpu else "2 s on 2 cores"), findings.photo, "s")
    return [measured] if on_gpu else [measured, missing(label.format("0.5 s on a GPU"))]


def _file(findings: Findings) -> list[Row]:
    rows = findings.file.rows if findings.file else ()
    return [
        Row(f"peak memory / file (bar: 1.3), {row.label}", row.value, row.unit, row.ratio)
        for row in rows
        if "projected" in row.label
    ]


def _times(findings: Findings) -> dict[str, float]:
    return {row.label: row.value or 0.0 for row in findings.steps[0].rows}


def _ratio(label: str, ratio: float | None) -> Row:
    return Row(label, ratio, "x", ratio)
