"""The page of an evaluation: one self-contained HTML file."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from .charts import drawn
from .figures import (
    NOT_AVAILABLE,
    Criterion,
    Entry,
    Estimate,
    Grid,
    Report,
    Section,
    Table,
    Tile,
    as_data,
)

PAGE, FIGURES = "report.html", "report.json"
LARGEST_TILE = 160
"""Pixels of the longer side of a picture on the page."""
QUALITY = 88
STYLE = """
:root { color-scheme: light; --ink: #1d2430; --soft: #5b6675; --rule: #dde2e8; --paper: #ffffff }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1080px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { margin-top: 2.6rem; font-size: 1.25rem }
h3 { margin-top: 1.8rem; font-size: 1.05rem }
table { border-collapse: collapse; margin: .6rem 0 1rem; font-variant-numeric: tabular-nums }
caption { text-align: left; font-weight: 600; padding: .4rem 0 }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--rule); text-align: right }
th { color: var(--soft); font-weight: 600 } th:first-child, td:first-child { text-align: left }
td small, .note, dt { color: var(--soft) } .note { font-size: .9rem; margin: .2rem 0 }
.bars { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.2rem 0 }
.bar { border: 1px solid var(--rule); border-left: 6px solid #8b95a3; border-radius: 6px;
  padding: .7rem 1rem; flex: 1 1 240px }
.bar.pass { border-left-color: #2f7d4f } .bar.fail { border-left-color: #b8322a }
.bar b { font-size: 1.5rem; display: block }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; font-size: .9rem }
dd { margin: 0 } .charts { display: flex; flex-wrap: wrap; gap: 1rem }
svg { width: 460px; max-width: 100% } svg text { font: 12px system-ui, sans-serif; fill: #5b6675 }
svg .title { font-weight: 600; fill: #1d2430 } svg .rule { stroke: #e7ebef }
svg .small { font-size: 9px }
svg polyline { fill: none; stroke-width: 2 }
.grid { overflow-x: auto } .grid td, .grid th { text-align: center; border: 0; padding: 2px 4px }
.grid th:first-child, .grid td:first-child { text-align: left; max-width: 9rem }
.grid img { display: block; margin: auto; border-radius: 3px; image-rendering: auto }
"""


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Writes page and figures into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page, figures = folder / PAGE, folder / FIGURES
    page.write_text(html(report), encoding="utf-8")
    figures.write_text(json.dumps(as_data(report), indent=1, allow_nan=False) + "\n", "utf-8")
    return page, figures


def html(report: Report) -> str:
    """The whole page."""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(report.title)}</h1>",
            '<div class="bars">',
            *(_criterion(criterion) for criterion in report.criteria),
            "</div>",
            _facts(report),
            *(part for section in report.sections for part in _section(section)),
            *_notes(report.notes),
            "</body></html>",
        ]
    )


def as_text(entry: Entry) -> str:
    """An entry as plain text."""
    if isinstance(entry, Estimate):
        if not entry.known:
            return NOT_AVAILABLE
        interval = f" ({number(entry.low)} to {number(entry.high)})" if entry.n > 1 else ""
        return number(entry.value) + interval
    return number(entry) if isinstance(entry, float) else str(entry)


def number(value: float) -> str:
    """A number with about three digits."""
    if not math.isfinite(value):
        return NOT_AVAILABLE
    if abs(value) < 0.0005:
        return "0"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    return f"{value:.3f}" if abs(value) < 0.0995 else f"{value:.2f}"


def _criterion(criterion: Criterion) -> str:
    kind = criterion.verdict.split(",")[0] if criterion.found.known else "open"
    interval = f"{number(criterion.found.low)} to {number(criterion.found.high)}"
    return (
        f'<div class="bar {kind}">{escape(criterion.name)}<b>{number(criterion.found.value)}</b>'
        f'<span class="note">{escape(criterion.meaning)}; 95 % interval {interval}, wanted '
        f"{criterion.threshold}: {escape(criterion.verdict)}</span></div>"
    )


def _facts(report: Report) -> str:
    rows = (
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.facts.items()
    )
    return f"<dl>{''.join(rows)}</dl>"


def _section(section: Section) -> Iterator[str]:
    yield from _titled(section, 2)


def _titled(section: Section, level: int) -> Iterator[str]:
    """The section under a heading of this level, its parts under lower ones."""
    yield f'<h{level} id="{escape(section.name)}">{escape(section.title)}</h{level}>'
    yield f"<p>{escape(section.about)}</p>"
    yield from map(_table, section.tables)
    if section.charts:
        yield f'<div class="charts">{"".join(map(drawn, section.charts))}</div>'
    yield from (_grid(grid) for grid in section.grids if grid.rows)
    for part in section.parts:
        yield from _titled(part, level + 1)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    notes = "".join(_notes(table.notes))
    return f"<table><caption>{escape(table.title)}</caption><tr>{head}</tr>{rows}</table>{notes}"


def _cell(entry: Entry) -> str:
    if isinstance(entry, Estimate) and entry.known and entry.n > 1:
        interval = f"{number(entry.low)} to {number(entry.high)}"
        return f"<td>{number(entry.value)} <small>{interval}</small></td>"
    return f"<td>{escape(as_text(entry))}</td>"


def _grid(grid: Grid) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *grid.columns))
    rows = "".join(
        f"<tr><td>{escape(label)}</td>{''.join(map(_tile, tiles))}</tr>"
        for label, tiles in grid.rows
    )
    title = f"<caption>{escape(grid.title)}</caption>"
    return f'<div class="grid"><table>{title}<tr>{head}</tr>{rows}</table></div>'


def _tile(tile: Tile) -> str:
    image = Image.fromarray(np.ascontiguousarray(tile.image))
    image.thumbnail((LARGEST_TILE, LARGEST_TILE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    size = f'width="{image.width}" height="{image.height}"'
    words = escape(tile.caption, quote=True)
    source = f"data:image/jpeg;base64,{data}"
    return f'<td><img {size} alt="{words}" src="{source}"><small>{words}</small></td>'


def _notes(notes: Sequence[str]) -> Iterator[str]:
    return (f'<p class="note">{escape(note)}</p>' for note in notes)
