"""What an evaluation found: figures with intervals, in tables, curves, grids and bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MISSING = "n/a"


class EvaluationError(Exception):
    """The evaluation cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Estimate:
    """A figure over people."""

    value: float
    low: float
    """Lower end of the 95 % interval; the value itself where there is a single person."""
    high: float
    n: int
    """People (or pairs of people) behind it."""

    @property
    def known(self) -> bool:
        """Whether there was anything to measure."""
        return self.n > 0 and math.isfinite(self.value)


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
Entry = Estimate | str | int | float


@dataclass(frozen=True)
class Table:
    """Rows of entries under column titles; the first entry of a row is its label."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Line:
    """One line of a chart; the band around it is its intervals."""

    label: str
    x: Sequence[float]
    y: Sequence[Estimate]


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Tile:
    """A picture with words under it."""

    image: np.ndarray
    """[H, W, 3] uint8 RGB."""
    caption: str


@dataclass(frozen=True)
class Grid:
    """Rows of pictures; the first of each row may be what the others are compared with."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Tile]]]


@dataclass(frozen=True)
class Bar:
    """A figure that should reach a threshold."""

    name: str
    found: Estimate
    wanted: float
    meaning: str
    strictly: bool = False
    """Whether the threshold itself is not enough."""

    @property
    def passed(self) -> bool:
        return self.found.known and self._reaches(self.found.value)

    def _reaches(self, value: float) -> bool:
        return value > self.wanted if self.strictly else value >= self.wanted

    @property
    def threshold(self) -> str:
        """In words."""
        return f"{'more than' if self.strictly else 'at least'} {self.wanted:g}"

    @property
    def verdict(self) -> str:
        """`pass`, `fail`, or that the interval reaches to the other side."""
        if not self.found.known:
            return "not measured"
        word = "pass" if self.passed else "fail"
        sure = self._reaches(self.found.low) == self._reaches(self.found.high)
        return word if sure else f"{word}, within the interval"


@dataclass(frozen=True)
class Section:
    """What one experiment found."""

    name: str
    title: str
    about: str
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    grids: Sequence[Grid] = ()
    bars: Sequence[Bar] = ()


@dataclass(frozen=True)
class Report:
    """Everything on the page."""

    title: str
    facts: Mapping[str, str]
    """Settings, versions and times, as shown at the top."""
    sections: Sequence[Section]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def bars(self) -> list[Bar]:
        return [bar for section in self.sections for bar in section.bars]


def as_data(report: Report) -> dict[str, Any]:
    """All figures as JSON can hold them; pictures are left out."""
    return {
        "title": report.title,
        "facts": dict(report.facts),
        "bars": [_bar(bar) for bar in report.bars],
        "sections": {section.name: _section(section) for section in report.sections},
        "notes": list(report.notes),
    }


def _bar(bar: Bar) -> dict[str, Any]:
    found = _entry(bar.found)
    return {"name": bar.name, "found": found, "wanted": bar.wanted, "verdict": bar.verdict}


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [[_entry(entry) for entry in row] for row in table.rows],
            }
            for table in section.tables
        ],
        "charts": [
            {
                "title": chart.title,
                "x": chart.x_label,
                "y": chart.y_label,
                "lines": {
                    line.label: {"x": list(line.x), "y": [_entry(one) for one in line.y]}
                    for line in chart.lines
                },
            }
            for chart in section.charts
        ],
    }


def _entry(entry: Entry) -> Any:
    if isinstance(entry, Estimate):
        if not entry.known:
            return None
        return {"value": entry.value, "low": entry.low, "high": entry.high, "n": entry.n}
    return None if isinstance(entry, float) and not math.isfinite(entry) else entry
