"""The project's targets for speed and memory, with the measured figures."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .counts import ADAPTER, BASELINE, BOTH, NET, PLAIN, TWO, TWO_NETS, Means
from .operations import StepCounts
from .report import Row, Table, missing

BASELINE_BYTES = 846e6
"""Bytes in fp16 of a published adapter that stays on the GPU, resampler included."""


@dataclass
class Findings:
    """Figures from the other tables."""

    device: torch.device
    counts: dict[str, StepCounts] = field(default_factory=dict)
    reused: dict[int, Means] = field(default_factory=dict)
    held: int = 0
    sites: list[Table] = field(default_factory=list)
    steps: list[Table] = field(default_factory=list)
    photo: float = 0.0
    file: Table | None = None


def targets_table(findings: Findings) -> Table:
    """Table with one row per target, which is part of the label."""
    rows = [
        *_shares(findings),
        *_two_people(findings),
        _ratio(
            "step with both parts at reuse 2 / plain: operations (target: 1.23)",
            findings.reused[2].operations / findings.counts[PLAIN].operations,
        ),
        Row(
            "held on the device per identity (target: 11 MB; baseline: 846 MB)",
            findings.held / 1e6,
            "MB",
            findings.held / BASELINE_BYTES,
        ),
        *_change_of_photo(findings),
        *_file(findings),
    ]
    return Table("Targets", tuple(rows))


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
            "adapter's launches / the baseline's (target: half)",
            (ours.launches - plain.launches) / (counts[BASELINE].launches - plain.launches),
        ),
    ]
    for table in findings.sites:
        added = next(row for row in table.rows if row.label == "added by an identity")
        title = table.title.removeprefix("70 cross-attention sites, ")
        rows.append(_ratio(f"adapter's time / the baseline's (target: half), {title}", added.ratio))
    label = "adapter's share of a step"
    if not findings.steps:
        return [*rows, missing(label)]
    times, where = _times(findings), findings.steps[0].title.removeprefix("One step, ")
    ours_added, baseline_added = (times[name] - times[PLAIN] for name in (ADAPTER, BASELINE))
    return [
        *rows,
        _ratio(f"{label}, {where}", ours_added / times[PLAIN]),
        _ratio(
            f"adapter's part of a step / the baseline's (target: half), {where}",
            ours_added / baseline_added,
        ),
    ]


def _two_people(findings: Findings) -> list[Row]:
    operations = {name: count.operations for name, count in findings.counts.items()}
    one, two = (operations[name] - operations[PLAIN] for name in (NET, TWO_NETS))
    unet = (operations[TWO] - two) / (operations[BOTH] - one)
    rows = [
        _ratio("two people / one: UNet's operations (target: 1.05)", unet),
        _ratio("two people / one: IdentityNet's operations (target: 2)", two / one),
    ]
    label = "two people / one: time of a step with both"
    if not findings.steps:
        return [*rows, missing(label)]
    times = _times(findings)
    return [*rows, _ratio(f"{label}, {findings.device.type}", times[TWO] / times[BOTH])]


def _change_of_photo(findings: Findings) -> list[Row]:
    on_gpu = findings.device.type == "cuda"
    label = "change of photo to the first step's network, analysis apart (target: {})"
    measured = Row(label.format("0.5 s" if on_gpu else "2 s on 2 cores"), findings.photo, "s")
    return [measured] if on_gpu else [measured, missing(label.format("0.5 s on a GPU"))]


def _file(findings: Findings) -> list[Row]:
    rows = findings.file.rows if findings.file else ()
    return [
        Row(f"peak memory / file (target: 1.3), {row.label}", row.value, row.unit, row.ratio)
        for row in rows
        if "projected" in row.label
    ]


def _times(findings: Findings) -> dict[str, float]:
    return {row.label: row.value or 0.0 for row in findings.steps[0].rows}


def _ratio(label: str, ratio: float | None) -> Row:
    return Row(label, ratio, "x", ratio)
