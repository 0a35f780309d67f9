"""Results of the benchmark, as tables for people and as data for programs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LABEL_WIDTH = 60


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    label: str
    value: float | None
    """None: not measured; `unit` then says why."""
    unit: str
    ratio: float | None = None
    """Relative to the table's reference, usually its first measured row."""
    spread: tuple[float, float] | None = None
    """Smallest and largest measurement behind a median."""


@dataclass(frozen=True)
class Table:
    """Related figures, with notes."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def timings(measured: Mapping[str, Sequence[float]]) -> tuple[Row, ...]:
    """Rows of medians in milliseconds from seconds; ratios are to the first entry."""
    first = statistics.median(next(iter(measured.values())))
    rows = []
    for label, seconds in measured.items():
        median = statistics.median(seconds)
        spread = min(seconds) * 1e3, max(seconds) * 1e3
        rows.append(Row(label, median * 1e3, "ms", median / first, spread))
    return tuple(rows)


def sizes(counted: Mapping[str, float]) -> tuple[Row, ...]:
    """Rows in MB (10^6 bytes) from bytes; ratios are to the first entry."""
    first = next(iter(counted.values()))
    return tuple(Row(label, n / 1e6, "MB", n / first) for label, n in counted.items())


def missing(label: str, why: str = "needs a CUDA device") -> Row:
    """A row that this machine cannot measure."""
    return Row(label, None, why)


def as_text(table: Table) -> str:
    """The table as text for a terminal."""
    lines = [table.title, *map(_line, table.rows), *(f"    {note}" for note in table.notes)]
    return "\n".join(lines)


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:7.3f} x"
    spread = "" if row.spread is None else f"  ({' to '.join(map(_number, row.spread))})"
    value = f"{_number(row.value):>7} {row.unit:<2}" if row.value is not None else _unknown(row)
    return f"  {row.label:<{LABEL_WIDTH}} {value} {ratio:>9}{spread}".rstrip()


def _unknown(row: Row) -> str:
    return f"not measured: {row.unit}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def as_markdown(machine: Mapping[str, str], tables: Sequence[Table]) -> str:
    """The tables as a Markdown page."""
    lines = ["# Speed", "", *(f"- {name}: {value}" for name, value in machine.items())]
    for table in tables:
        lines += ["", f"## {table.title}", "", "| what | measured | ratio |", "|---|---|---|"]
        lines += [_cells(row) for row in table.rows]
        lines += ["", " ".join(table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> str:
    value = _unknown(row) if row.value is None else f"{_number(row.value)} {row.unit}".strip()
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    return f"| {row.label} | {value} | {ratio} |"


def as_data(machine: dict[str, str], tables: Sequence[Table]) -> dict[str, Any]:
    """The tables as JSON values."""
    return {"machine": machine, "tables": [asdict(table) for table in tables]}
