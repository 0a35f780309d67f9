"""Pictures that no camera takes, and cancelling, from IMAGE tensor to faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from instantid_core.errors import ImageError, NoFaceError
from instantid_core.faces.analysis import Analysis, analyse
from instantid_core.faces.detection import DETECTION_SIZES, LARGE_SIZE, TURNED_SIZES
from instantid_core.faces.selection import Selection
from instantid_core.images import batch_of, frames_of
from instantid_core.types import Box
from tools.small_world import painter

SKIP = Selection(on_no_face="skip")


class Cancelled(BaseException):
    """What a host raises when the user stops a run: no Exception, so that nothing swallows it."""


def portrait(width: int = 640, height: int = 480, size: float = 200) -> torch.Tensor:
    """IMAGE of one face."""
    rgb = painter.canvas(width, height)
    painter.paint_face(rgb, (width / 2, height / 2), size, identity=2)
    return batch_of([rgb])


def analysed(analyzer: Any, images: torch.Tensor, selection: Selection = SKIP) -> Analysis:
    return analyse(frames_of(images), analyzer, selection, 0.5, lambda: None)


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (2, 1), (4, 4000), (4000, 4), (1, 640), (1, 641), (640, 1), (7, 3), (128, 1)],
)
def test_tiny_and_narrow_pictures_have_no_face_and_do_no_harm(
    analyzer: Any, width: int, height: int
) -> None:
    picture = torch.full((1, height, width, 3), 0.5)
    with pytest.raises(NoFaceError, match=rf"image 1 of 1 \({width} x {height} pixels\)"):
        analysed(analyzer, picture, Selection())
    assert analysed(analyzer, picture).faces.count == 0


class Watched:
    """The real analyzer, noting at which sizes it was asked to look."""

    def __init__(self, analyzer: Any) -> None:
        self.analyzer = analyzer
        self.recogniser = analyzer.recogniser
        self.sizes: list[int] = []

    def landmarks(self, bgr: np.ndarray, box: Box) -> None:
        return None

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(size)
        return self.analyzer.detect(bgr, size)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("short", [1, 7])
@pytest.mark.parametrize("size", DETECTION_SIZES)
def test_every_size_that_leaves_a_pixel_is_tried(
    analyzer: Any, size: int, short: int, turned: bool
) -> None:
    # At this length the short side shrinks to exactly one pixel at `size`, to none below it.
    shape = (short, size * short)[:: -1 if turned else 1]
    watched = Watched(analyzer)
    assert analysed(watched, torch.zeros(1, *shape, 3)).faces.count == 0
    once, again = ([n for n in DETECTION_SIZES if n * a >= b] for a, b in sides(short, size))
    larger = [LARGE_SIZE] if max(shape) >= LARGE_SIZE else []
    small = max(1, round(short / max(1, max(shape) / LARGE_SIZE)))
    aside = [n for n in TURNED_SIZES if n * small >= min(max(shape), LARGE_SIZE)] * 3
    assert watched.sizes == [*once, *larger, *again, *aside]


def sides(short: int, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Short and long side of the picture, and of the picture with half of each side around it,
    which is made of a smaller copy of a large one."""
    long = size * short
    scale = max(1, long / LARGE_SIZE)
    small, large = max(1, round(short / scale)), round(long / scale)
    return (short, long), (small + 2 * (small // 2), large + 2 * (large // 2))


def test_a_face_in_a_long_strip_is_found(analyzer: Any) -> None:
    assert analysed(analyzer, portrait(3000, 300, size=200)).faces.count == 1
    assert analysed(analyzer, portrait(300, 3000, size=200)).faces.count == 1


# --- channels -------------------------------------------------------------------------------------


def test_rgba_is_read_as_its_colours(analyzer: Any) -> None:
    colour = portrait()
    transparent = torch.cat((colour, torch.zeros_like(colour[..., :1])), dim=-1)
    (first,), (second,) = (analysed(analyzer, x).faces.all for x in (colour, transparent))
    assert first.box == second.box
    assert np.array_equal(first.embedding, second.embedding)


def test_grey_pictures_are_looked_at(analyzer: Any) -> None:
    grey = portrait().mean(dim=-1, keepdim=True)
    found = analysed(analyzer, grey)
    assert found.faces.count == 0  # the stand-in detector knows faces by their colours
    assert len(found.faces.frames) == 1


def test_colour_channels_are_not_swapped(analyzer: Any) -> None:
    assert analysed(analyzer, portrait()).faces.count == 1
    assert analysed(analyzer, portrait().flip(-1)).faces.count == 0


# --- pixels ---------------------------------------------------------------------------------------


def test_nan_is_refused_before_the_detector_sees_it(analyzer: Any) -> None:
    images = portrait().repeat(2, 1, 1, 1)
    images[1, 5, 5, 0] = torch.nan
    with pytest.raises(ImageError, match="Image 2 of 2 holds NaN"):
        analysed(analyzer, images)


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 0, 8, 3)])
def test_empty_batches_are_refused(analyzer: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="at least one image"):
        analysed(analyzer, torch.zeros(shape))


def test_values_out_of_range_are_limited(analyzer: Any) -> None:
    plain = portrait()
    beyond = plain + 0.4 * (plain == 1).float() - 0.4 * (plain == 0).float()
    assert beyond.min() < 0
    assert beyond.max() > 1
    (first,), (second,) = (analysed(analyzer, x).faces.all for x in (plain, beyond))
    assert np.array_equal(first.embedding, second.embedding)


# --- cancelling -----------------------------------------------------------------------------------


def test_each_frame_is_reported_once(analyzer: Any) -> None:
    reports = []
    frames = frames_of(portrait().repeat(3, 1, 1, 1))
    analyse(frames, analyzer, SKIP, 0.5, lambda: reports.append(1))
    assert len(reports) == 3


def test_a_cancel_ends_the_analysis_at_once_and_is_not_swallowed(analyzer: Any) -> None:
    seen = []

    def cancel_at_the_second() -> None:
        seen.append(1)
        if len(seen) == 2:
            raise Cancelled

    frames = frames_of(portrait().repeat(5, 1, 1, 1))
    with pytest.raises(Cancelled):
        analyse(frames, analyzer, SKIP, 0.5, cancel_at_the_second)
    assert len(seen) == 2
    assert analysed(analyzer, portrait()).faces.count == 1
