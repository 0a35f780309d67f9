"""Charts of an evaluation's page, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from .figures import Chart, Estimate, Line, Mark, Plane, Series

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 44
"""Margins of the plot, in pixels."""
COLOURS = ("#2563a8", "#c2571a", "#2f7d4f", "#8a3fa0", "#b8322a", "#0f8a94", "#8b7500")
ROW = 16
"""Height of a row of the legend below a plane, in pixels."""
ENTRY = 74
"""Width of a legend entry, in pixels."""
STEPS = (1, 2, 2.5, 5, 10)
TICKS = 5
"""Approximate number of ticks on an axis."""


def drawn(chart: Chart | Plane) -> str:
    """Either kind of chart as an SVG element."""
    return svg(chart) if isinstance(chart, Chart) else plane_svg(chart)


def svg(chart: Chart) -> str:
    """The chart as an SVG element."""
    xs = [x for line in chart.lines for x in line.x]
    ys = [y for line in chart.lines for one in line.y if one.known for y in (one.low, one.high)]
    if not ys:
        return f"<p>{escape(chart.title)}: nothing was measured.</p>"
    plot = _Plot(ticks(min(xs), max(xs)), ticks(min(0.0, *ys), max(ys)))
    parts = [
        *plot.frame(chart),
        *plot.legend(chart.lines),
        *(p for n, one in enumerate(chart.lines) for p in plot.line(n, one)),
    ]
    return _element(chart.title, HEIGHT, parts)


def plane_svg(plane: Plane) -> str:
    """The plane as an SVG element: whiskers are intervals, the legend stands below."""
    marks = [mark for series in plane.series for mark in series.known]
    if not marks:
        return f"<p>{escape(plane.title)}: nothing was measured.</p>"
    plot = _Plot(*(_ticks_of([getattr(mark, side) for mark in marks]) for side in ("x", "y")))
    parts = [*plot.frame(plane)]
    for number, series in enumerate(plane.series):
        parts += [*plot.series(number, series), *_entry(number, series.label)]
    height = HEIGHT + ROW * math.ceil(len(plane.series) / 2) + 4
    return _element(plane.title, height, parts)


def _element(title: str, height: int, parts: Sequence[str]) -> str:
    label = escape(title, quote=True)
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
    return "\n".join([head, *parts, "</svg>"])


def _ticks_of(estimates: Sequence[Estimate]) -> list[float]:
    return ticks(min(one.low for one in estimates), max(one.high for one in estimates))


def _entry(number: int, label: str) -> Iterator[str]:
    """An entry of the legend below a plane, two in a row."""
    left, top = LEFT + number % 2 * (WIDTH - LEFT) / 2, HEIGHT + ROW * (number // 2)
    yield f'<rect x="{left}" y="{top}" width="10" height="10" fill="{_colour(number)}"/>'
    yield _text(left + 16, top + 9, label, "start")


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(power * one for one in STEPS if power * one * TICKS >= span * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


class _Plot:
    """Conversion from values to pixels, and the parts of a plot."""

    def __init__(self, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> None:
        self.x_ticks, self.y_ticks = x_ticks, y_ticks

    def x(self, value: float) -> float:
        low, high = self.x_ticks[0], self.x_ticks[-1]
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    def frame(self, chart: Chart | Plane) -> Iterator[str]:
        """Title, axes and their numbers."""
        yield _text(LEFT, 16, chart.title, "start", "title")
        for value in self.y_ticks:
            y = self.y(value)
            yield f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield _text(LEFT - 6, y + 4, f"{value:g}", "end")
        for value in self.x_ticks:
            yield _text(self.x(value), HEIGHT - BOTTOM + 16, f"{value:g}", "middle")
        yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, chart.x_label, "middle")
        middle = (TOP + HEIGHT - BOTTOM) / 2
        words = escape(chart.y_label)
        place = f'transform="translate(12 {middle}) rotate(-90)"'
        yield f'<text text-anchor="middle" {place}>{words}</text>'

    def legend(self, lines: Sequence[Line]) -> Iterator[str]:
        """Labels of the lines, right-aligned beside the title, if there are several."""
        for number, line in enumerate(lines if len(lines) > 1 else ()):
            left = WIDTH - RIGHT - ENTRY * (len(lines) - number)
            yield f'<rect x="{left}" y="7" width="10" height="10" fill="{_colour(number)}"/>'
            yield _text(left + 16, 16, line.label, "start")

    def line(self, number: int, line: Line) -> Iterator[str]:
        """The interval band, the line, and its points."""
        colour = _colour(number)
        known = [(x, one) for x, one in zip(line.x, line.y, strict=True) if one.known]
        above = [f"{self.x(x)},{self.y(one.high)}" for x, one in known]
        below = [f"{self.x(x)},{self.y(one.low)}" for x, one in reversed(known)]
        middle = [f"{self.x(x)},{self.y(one.value)}" for x, one in known]
        yield f'<polygon points="{" ".join(above + below)}" fill="{colour}" opacity="0.16"/>'
        yield f'<polyline points="{" ".join(middle)}" stroke="{colour}"/>'
        for x, one in known:
            yield f'<circle cx="{self.x(x)}" cy="{self.y(one.value)}" r="3" fill="{colour}"/>'

    def series(self, number: int, series: Series) -> Iterator[str]:
        """Marks with whiskers and labels, and the line through them."""
        colour = _colour(number)
        if series.joined:
            middle = " ".join(f"{self.x(m.x.value)},{self.y(m.y.value)}" for m in series.known)
            yield f'<polyline points="{middle}" stroke="{colour}"/>'
        for mark in series.known:
            yield from self.mark(mark, colour)

    def mark(self, mark: Mark, colour: str) -> Iterator[str]:
        """A mark, its whiskers and its label."""
        x, y = self.x(mark.x.value), self.y(mark.y.value)
        low, high = self.x(mark.x.low), self.x(mark.x.high)
        bottom, top = self.y(mark.y.low), self.y(mark.y.high)
        look = f'stroke="{colour}" opacity="0.3"'
        yield f'<line x1="{low}" x2="{high}" y1="{y}" y2="{y}" {look}/>'
        yield f'<line x1="{x}" x2="{x}" y1="{bottom}" y2="{top}" {look}/>'
        yield f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>'
        yield _text(x + 5, y - 4, mark.label, "start", "small")


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{style}>{escape(words)}</text>'
