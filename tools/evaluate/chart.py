"""Charts as SVG: lines with interval bands, an axis, a legend. No script, no fonts, no network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from .figures import Chart, Line

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 44
"""Margins of the plot, in pixels."""
COLOURS = ("#2563a8", "#c2571a", "#2f7d4f", "#8a3fa0")
ENTRY = 74
"""Width of an entry of the legend, in pixels."""
STEPS = (1, 2, 2.5, 5, 10)
TICKS = 5
"""About how many there are on an axis."""


def svg(chart: Chart) -> str:
    """The chart as an element of a page."""
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
    label = escape(chart.title, quote=True)
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
    return "\n".join([head, *parts, "</svg>"])


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(power * one for one in STEPS if power * one * TICKS >= span * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


class _Plot:
    """From figures to pixels."""

    def __init__(self, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> None:
        self.x_ticks, self.y_ticks = x_ticks, y_ticks

    def x(self, value: float) -> float:
        low, high = self.x_ticks[0], self.x_ticks[-1]
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    def frame(self, chart: Chart) -> Iterator[str]:
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
        """Names of several lines, in the row of the title, from the right."""
        for number, line in enumerate(lines if len(lines) > 1 else ()):
            left = WIDTH - RIGHT - ENTRY * (len(lines) - number)
            yield f'<rect x="{left}" y="7" width="10" height="10" fill="{_colour(number)}"/>'
            yield _text(left + 16, 16, line.label, "start")

    def line(self, number: int, line: Line) -> Iterator[str]:
        """A band, the line through the figures, and their dots."""
        colour = _colour(number)
        known = [(x, one) for x, one in zip(line.x, line.y, strict=True) if one.known]
        above = [f"{self.x(x)},{self.y(one.high)}" for x, one in known]
        below = [f"{self.x(x)},{self.y(one.low)}" for x, one in reversed(known)]
        middle = [f"{self.x(x)},{self.y(one.value)}" for x, one in known]
        yield f'<polygon points="{" ".join(above + below)}" fill="{colour}" opacity="0.16"/>'
        yield f'<polyline points="{" ".join(middle)}" stroke="{colour}"/>'
        for x, one in known:
            yield f'<circle cx="{self.x(x)}" cy="{self.y(one.value)}" r="3" fill="{colour}"/>'


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{style}>{escape(words)}</text>'
