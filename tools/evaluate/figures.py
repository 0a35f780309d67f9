"""Results of an evaluation: estimates with intervals, tables, charts, grids and criteria."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NOT_AVAILABLE = "n/a"


class EvaluationError(Exception):
    """The evaluation cannot continue; the message says why and what to do."""


@dataclass(frozen=True)
class Estimate:
    """A mean or other statistic over people."""

    value: float
    low: float
    """Lower end of the 95 % interval; the value itself for a single person."""
    high: float
    n: int
    """Number of people or pairs."""

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
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
    """One line of a chart, with its intervals as a band."""

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
class Mark:
    """A point of a plane, with an interval on either axis."""

    label: str
    x: Estimate
    y: Estimate


@dataclass(frozen=True)
class Series:
    """Marks of one kind."""

    label: str
    marks: Sequence[Mark]
    joined: bool = True
    """Whether a line leads through them, in their order."""

    @property
    def known(self) -> list[Mark]:
        """The marks that have both figures."""
        return [mark for mark in self.marks if mark.x.known and mark.y.known]


@dataclass(frozen=True)
class Plane:
    """Two figures of each mark against each other."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]


@dataclass(frozen=True)
class Tile:
    """A picture with a caption."""

    image: np.ndarray
    """[H, W, 3] uint8 RGB."""
    caption: str


@dataclass(frozen=True)
class Grid:
    """Rows of pictures, each with a label."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Tile]]]


@dataclass(frozen=True)
class Criterion:
    """An estimate that should reach a threshold."""

    name: str
    found: Estimate
    wanted: float
    meaning: str
    strictly: bool = False
    """Whether the estimate has to exceed the threshold."""

    @property
    def passed(self) -> bool:
        return self.found.known and self._reaches(self.found.value)

    def _reaches(self, value: float) -> bool:
        return value > self.wanted if self.strictly else value >= self.wanted

    @property
    def threshold(self) -> str:
        """The threshold as text."""
        return f"{'more than' if self.strictly else 'at least'} {self.wanted:g}"

    @property
    def verdict(self) -> str:
        """`pass` or `fail`, and whether the threshold lies within the interval."""
        if not self.found.known:
            return "not measured"
        word = "pass" if self.passed else "fail"
        certain = self._reaches(self.found.low) == self._reaches(self.found.high)
        return word if certain else f"{word}, within the interval"


@dataclass(frozen=True)
class Section:
    """Results of one experiment."""

    name: str
    title: str
    about: str
    tables: Sequence[Table] = ()
    charts: Sequence[Chart | Plane] = ()
    grids: Sequence[Grid] = ()
    criteria: Sequence[Criterion] = ()
    parts: Sequence[Section] = ()
    """Sections below this one."""

    @property
    def every_criterion(self) -> list[Criterion]:
        """Its own and those of its parts."""
        return [*self.criteria, *(one for part in self.parts for one in part.every_criterion)]


@dataclass(frozen=True)
class Report:
    """Contents of the page."""

    title: str
    facts: Mapping[str, str]
    """Settings, versions and times, as shown at the top."""
    sections: Sequence[Section]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def criteria(self) -> list[Criterion]:
        return [one for section in self.sections for one in section.every_criterion]


def as_data(report: Report) -> dict[str, Any]:
    """All figures as JSON values, without pictures."""
    return {
        "title": report.title,
        "facts": dict(report.facts),
        "bars": [_criterion(criterion) for criterion in report.criteria],
        "sections": {section.name: _section(section) for section in report.sections},
        "notes": list(report.notes),
    }


def _criterion(criterion: Criterion) -> dict[str, Any]:
    found = _entry(criterion.found)
    return {
        "name": criterion.name,
        "found": found,
        "wanted": criterion.wanted,
        "verdict": criterion.verdict,
    }


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
                "lines": _lines(chart) if isinstance(chart, Chart) else _marks(chart),
            }
            for chart in section.charts
        ],
        "parts": {part.name: _section(part) for part in section.parts},
    }


def _lines(chart: Chart) -> dict[str, Any]:
    return {
        line.label: {"x": list(line.x), "y": [_entry(one) for one in line.y]}
        for line in chart.lines
    }


def _marks(plane: Plane) -> dict[str, Any]:
    return {
        series.label: [
            {"label": mark.label, "x": _entry(mark.x), "y": _entry(mark.y)} for mark in series.marks
        ]
        for series in plane.series
    }


def _entry(entry: Entry) -> Any:
    if isinstance(entry, Estimate):
        if not entry.known:
            return None
        return {"value": entry.value, "low": entry.low, "high": entry.high, "n": entry.n}
    return None if isinstance(entry, float) and not math.isfinite(entry) else entry
