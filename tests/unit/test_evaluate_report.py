"""The page of an evaluation: complete in itself, well-formed, small enough; figures as JSON."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tools.demo.contact_sheet import Captions, contact_sheet, tile_size
from tools.evaluate.charts import plane_svg, svg, ticks
from tools.evaluate.figures import (
    NOTHING,
    Chart,
    Criterion,
    Estimate,
    Grid,
    Line,
    Mark,
    Plane,
    Report,
    Section,
    Series,
    Table,
    Tile,
    as_data,
)
from tools.evaluate.report import as_text, html, number, write

VOID = {"meta", "img", "br"}
NAME = "Anna <b>& 'Bob'"
FOUND = Estimate(0.625, 0.5, 0.75, 12)
CHART = Chart(
    "Likeness <over> weight",
    "weight",
    "likeness",
    [
        Line("to A", [0.0, 0.5, 1.0], [FOUND, Estimate(0.2, -0.1, 0.3, 12), NOTHING]),
        Line("to B", [0.0, 0.5, 1.0], [FOUND] * 3),
    ],
)


def noise(seed: int, side: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def report(pictures: int = 2) -> Report:
    tiles = [Tile(noise(seed), NAME) for seed in range(pictures)]
    section = Section(
        "ablation",
        "What each part brings",
        f"About {NAME}.",
        tables=[
            Table(
                "Means", ["who", "likeness", "n"], [[NAME, FOUND, 3], ["none", NOTHING, math.nan]]
            )
        ],
        charts=[CHART],
        grids=[Grid("Pictures", [str(n) for n in range(pictures)], [(NAME, tiles)])],
        criteria=[
            Criterion("Likeness", FOUND, 0.4, "cosine"),
            Criterion("Text", NOTHING, 0.9, "of that without"),
        ],
    )
    return Report("Evaluation", {"models": NAME}, [section], ["A note."])


PLANE = Plane(
    "Likeness & text",
    "likeness",
    "style",
    [
        Series("today", [Mark("0.4", FOUND, FOUND), Mark("0.8", NOTHING, FOUND)]),
        Series("choices", [Mark("<bold>", Estimate(0.2, 0.1, 0.3, 12), FOUND)], joined=False),
    ],
)


class Balance(HTMLParser):
    """Fails where an element closes that is not the open one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_nothing_else():
    page = html(report())
    balance = Balance()
    balance.feed(page)
    balance.close()
    assert not balance.open
    assert set(re.findall(r'(?:src|href)="(.{5})', page)) == {"data:"}
    assert not re.search(r"https?:|<script|@import|url\(", page)


def test_names_cannot_break_the_page():
    page = html(report())
    assert NAME not in page
    # Facts, text, table, row of pictures, and both words and alternative text of two pictures.
    assert page.count("Anna &lt;b&gt;&amp;") == 8


def test_bars_show_figure_threshold_and_verdict():
    page = html(report())
    assert '<div class="bar pass">Likeness<b>0.62</b>' in page
    assert "95 % interval 0.50 to 0.75, wanted at least 0.4: pass" in page
    assert '<div class="bar open">Text<b>n/a</b>' in page
    assert "not measured" in page


def test_a_page_of_a_hundred_pictures_stays_below_5_mb():
    assert len(html(report(100))) < 5e6


def test_a_plane_shows_each_mark_with_its_intervals():
    found = ElementTree.fromstring(plane_svg(PLANE))
    circles = found.findall("circle")
    assert len(circles) == 2, "a mark without a figure is left out"
    assert len(found.findall("polyline")) == 1, "choices are not joined"
    whiskers = [line for line in found.findall("line") if line.get("stroke")]
    assert len(whiskers) == 4
    for circle, across in zip(circles, whiskers[::2], strict=True):
        left, right = (float(across.attrib[name]) for name in ("x1", "x2"))
        assert left < float(circle.attrib["cx"]) < right
    assert {"today", "choices", "<bold>"} <= {text.text for text in found.findall("text")}
    assert "nothing was measured" in plane_svg(replace(PLANE, series=[]))


def test_parts_of_a_section_stand_below_it():
    part = replace(report().sections[0], charts=[PLANE])
    whole = Report("Evaluation", {}, [Section("control", "Control", "About.", parts=[part])])
    page = html(whole)
    assert page.index('<h2 id="control">') < page.index('<h3 id="ablation">')
    assert [bar.name for bar in whole.criteria] == ["Likeness", "Text"]
    marks = as_data(whole)["sections"]["control"]["parts"]["ablation"]["charts"][0]["lines"]
    assert marks["today"][1] == {"label": "0.8", "x": None, "y": marks["today"][0]["y"]}


def test_figures_are_strict_json(tmp_path):
    page, figures = write(report(), tmp_path / "out")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    text = figures.read_text(encoding="utf-8")
    data = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    section = data["sections"]["ablation"]
    estimate = {"value": 0.625, "low": 0.5, "high": 0.75, "n": 12}
    assert section["tables"][0]["rows"] == [[NAME, estimate, 3], ["none", None, None]]
    assert section["charts"][0]["lines"]["to A"]["y"][2] is None
    assert data["bars"][0] == {
        "name": "Likeness",
        "found": estimate,
        "wanted": 0.4,
        "verdict": "pass",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.625, "0.62"),
        (0.0312, "0.031"),
        (12.34, "12.3"),
        (-0.5, "-0.50"),
        (-0.0001, "0"),
        (math.nan, "n/a"),
    ],
)
def test_numbers_have_about_three_digits(value, text):
    assert number(value) == text


def test_an_estimate_of_one_person_has_no_interval():
    assert as_text(FOUND) == "0.62 (0.50 to 0.75)"
    assert as_text(Estimate(0.5, 0.5, 0.5, 1)) == "0.50"
    assert as_text(NOTHING) == "n/a"


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1.2, [0, 0.25, 0.5, 0.75, 1.0, 1.25]),
        (-30, 30, [-40, -20, 0, 20, 40]),
        (0, 0.031, [0, 0.01, 0.02, 0.03, 0.04]),
        (-0.1, 0.75, [-0.2, 0, 0.2, 0.4, 0.6, 0.8]),
        (0, 0, [0, 0.2]),
    ],
)
def test_ticks_are_round_and_hold_the_figures(low, high, wanted):
    found = ticks(low, high)
    assert found == pytest.approx(wanted)
    assert found[0] <= low <= high <= found[-1]


def test_a_chart_has_a_line_a_band_and_dots_for_what_is_known():
    chart = ElementTree.fromstring(svg(CHART))
    lines = [line.get("points", "").split() for line in chart.iter("polyline")]
    bands = [band.get("points", "").split() for band in chart.iter("polygon")]
    assert [len(points) for points in lines] == [2, 3]
    assert [len(points) for points in bands] == [4, 6]
    assert len(list(chart.iter("circle"))) == 5
    xs, ys = zip(*(map(float, point.split(",")) for point in lines[0]), strict=True)
    assert xs[0] < xs[1]
    assert ys[0] < ys[1], "larger figures are higher up"
    (top, *_, bottom) = (float(point.split(",")[1]) for point in bands[0])
    assert top < ys[0] < bottom, "the band is around the line"


def test_a_chart_of_nothing_is_a_sentence():
    empty = Chart("Empty", "x", "y", [Line("a", [0.0], [NOTHING])])
    assert svg(empty) == "<p>Empty: nothing was measured.</p>"


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (128, 128)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_a_sheet_has_every_picture_at_its_place():
    colours = [[(200, 0, 0), (0, 200, 0)], [(0, 0, 200), (200, 200, 0)]]
    pictures = [[plain(colour) for colour in row] for row in colours]
    captions = Captions(
        ["flat", "night"], ["without", "with"], [["0.10", "0.20"], ["0.80", "0.70"]]
    )
    sheet = np.asarray(contact_sheet(plain((9, 9, 9), (64, 128)), pictures, captions))
    for row, line in enumerate(colours):
        for column, colour in enumerate(line):
            ys, xs = np.nonzero((sheet == colour).all(axis=2))
            assert (np.ptp(xs) + 1, np.ptp(ys) + 1) == (256, 256)
            assert len(xs) == 256 * 256
            if row:
                above = np.nonzero((sheet == colours[0][column]).all(axis=2))
                assert ys.min() > above[0].max()
                assert xs.min() == above[1].min()
    ys, xs = np.nonzero((sheet == 9).all(axis=2))
    assert (np.ptp(xs) + 1, np.ptp(ys) + 1) == (128, 256), "letterboxed, not stretched"
    assert xs.max() < np.nonzero((sheet == colours[0][0]).all(axis=2))[1].min()


def test_words_are_drawn_under_pictures():
    blank = Captions(["", ""], [""], [["", ""]], reference="")
    pictures = [[plain((50, 60, 70))] * 2]
    without = np.asarray(contact_sheet(plain((0, 0, 0)), pictures, blank))
    words = Captions(["", ""], [""], [["", "0.75"]], reference="")
    with_words = np.asarray(contact_sheet(plain((0, 0, 0)), pictures, words))
    ys, xs = np.nonzero((without != with_words).any(axis=2))
    picture = np.nonzero((without == (50, 60, 70)).all(axis=2))
    assert ys.min() > picture[0].max()
    assert xs.min() > np.median(picture[1]), "under the second one"


@pytest.mark.parametrize(
    "words", [Captions(["flat"], [""], [[""]]), Captions([""], ["with"], [[""]])]
)
def test_words_over_pictures_are_whole_and_hide_nothing(words):
    pictures = [[plain((50, 60, 70))]]
    sheets = [
        np.asarray(contact_sheet(plain((0, 0, 0)), pictures, captions))
        for captions in (Captions([""], [""], [[""]]), words)
    ]
    ys, xs = np.nonzero((sheets[0] != sheets[1]).any(axis=2))
    top, left = (axis.min() for axis in np.nonzero((sheets[0] == (50, 60, 70)).all(axis=2)))
    assert 0 < ys.min() < ys.max() < top
    assert np.ptp(ys) > 6
    assert xs.min() >= left


def test_large_pictures_are_made_smaller_and_small_ones_by_whole_factors():
    assert tile_size((1016, 508)) == (320, 160)
    assert tile_size((128, 96)) == (256, 192)
    assert tile_size((200, 100)) == (200, 100)


@pytest.mark.parametrize(
    ("rows", "columns", "under"), [(1, 2, 2), (2, 1, 2), (2, 2, 1), (0, 2, 2), (2, 0, 0)]
)
def test_captions_that_do_not_fit_are_refused(rows, columns, under):
    captions = Captions(["a"] * columns, ["b"] * rows, [["c"] * under] * 2)
    with pytest.raises(ValueError, match="as the captions name them"):
        contact_sheet(plain((0, 0, 0)), [[plain((0, 0, 0))] * 2] * 2, captions)
