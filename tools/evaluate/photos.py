"""People of an evaluation: painted ones, or those in a user's folder of photos."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .attributes import AttributeJudge
from .figures import EvaluationError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
LONGEST_SIDE = 1280
"""Larger photos are scaled down to this many pixels, as in the reference implementation."""
GROUPS_FILE = "groups.json"
MAX_TARGETS = 2
POSING = 40
"""Number of held-out people, the last ones, that are reserved for poses."""
GALLERY_SHOT = 100
"""Number of the scene of a photo for a gallery: no other photo has it."""
TURNED_BY = 0.5
"""Scale of the angles in painted photos: people look at the camera."""


@dataclass(frozen=True)
class Subject:
    """A person and their photos, [H, W, 3] uint8 RGB."""

    name: str
    references: tuple[np.ndarray, ...]
    """Photos for generation; only the first one, unless stated otherwise."""
    targets: tuple[np.ndarray, ...]
    """Photos that likeness is measured against."""
    groups: Mapping[str, str]
    examples: tuple[np.ndarray, ...] = ()
    """Ideal pictures, one in each style; empty for real people."""
    repaint: Callable[[str, str], Any] | None = None
    """Paints the first reference in another style and background; None for real people."""
    painted: int | None = None
    """Number of a painted person; None for others."""

    @property
    def is_unseen(self) -> bool:
        """Whether likeness is measured against photos that generation does not see."""
        return not any(one is other for one in self.targets for other in self.references)


def painted_people(count: int, references: int) -> list[Subject]:
    """Held-out people of the small world, spread evenly over the groups."""
    return [_painted(number, references) for number in spread_numbers(count)]


def spread_numbers(count: int) -> list[int]:
    """Numbers of held-out people, one per combination of groups in turn, in a fixed order."""
    from training.world import HELD_OUT, identity_of

    cells: dict[tuple[str, ...], list[int]] = {}
    for number in HELD_OUT[:-POSING]:
        cells.setdefault(tuple(identity_of(number).groups.values()), []).append(number)
    order = sorted(cells)
    np.random.default_rng(0).shuffle(order)
    rounds = itertools.zip_longest(*(cells[cell] for cell in order))
    return [number for each in rounds for number in each if number is not None][:count]


def _painted(number: int, references: int) -> Subject:
    from training.world import STYLES, identity_of, paint

    photos = [paint(_photo_scene(number, shot)).image for shot in range(references + MAX_TARGETS)]
    later = range(len(photos), len(photos) + len(STYLES))
    examples = [
        paint(_photo_scene(number, shot, style)).image
        for shot, style in zip(later, STYLES, strict=True)
    ]
    groups, repaint = identity_of(number).groups, partial(_repaint, number)
    seen, unseen = photos[:references], photos[references:]
    examples = tuple(examples)
    return Subject(
        f"person {number}", tuple(seen), tuple(unseen), groups, examples, repaint, number
    )


def matched_photos(judge: AttributeJudge, name: str, count: int) -> tuple[list[np.ndarray], ...]:
    """Painted photos of `count` people with an attribute and of as many without it.

    Of an attribute of several kinds one is shown. The two sides are alike in the judge's other
    attributes, pair by pair. The people are of the training set, so that nobody of them is in an
    evaluation.
    """
    from training.world import TRAINING, paint

    waiting: dict[tuple[bool, ...], tuple[list[int], list[int]]] = {}
    pairs: list[tuple[int, int]] = []
    for number in (number for number in TRAINING if judge.is_of_one_kind(number, name)):
        cell = tuple(judge.has(number, other) for other in judge.names if other != name)
        sides = waiting.setdefault(cell, ([], []))
        sides[0 if judge.has(number, name) else 1].append(number)
        if all(sides):
            pairs.append((sides[0].pop(), sides[1].pop()))
        if len(pairs) == count:
            break
    return tuple([paint(_photo_scene(pair[n], 0)).image for pair in pairs] for n in (0, 1))


def gallery_photos(first: Sequence[int], count: int) -> tuple[list[int], list[np.ndarray]]:
    """Numbers of `count` held-out people, some of them first, and a painted photo of each that is
    none of their references."""
    from training.world import HELD_OUT, paint

    others = [number for number in HELD_OUT if number not in set(first)]
    numbers = [*first, *others][:count]
    return numbers, [paint(_photo_scene(number, GALLERY_SHOT)).image for number in numbers]


def _photo_scene(number: int, shot: int, style: str = "flat") -> Any:
    """Scene of one person, slightly turned, with its own expression and position."""
    from training.world import Pose, random_scene

    scene = random_scene(np.random.default_rng((number, shot)), [number])
    person = scene.people[0]
    turned = Pose(*(TURNED_BY * angle for angle in vars(person.pose).values()))
    return replace(scene, people=(replace(person, pose=turned),), style=style)


def _repaint(number: int, style: str, background: str) -> Any:
    from training.world import paint

    return paint(replace(_photo_scene(number, 0, style), background=background, seed=number))


def drawn_people(count: int) -> list[Subject]:
    """Drawn faces that the small models with random weights can detect."""
    from tools.small_world.painter import portrait

    people = []
    for number in range(count):
        photos = [portrait(256, 256, identity=number, yaw=yaw)[0] for yaw in (0, -8, 8, 4, -4)]
        people.append(Subject(f"drawing {number}", tuple(photos[:4]), tuple(photos[4:]), {}))
    return people


def people_in(folder: Path, references: int) -> list[Subject]:
    """One person per file, or per subfolder with several photos; `groups.json` may name groups.

    Of several photos the last one (of six and more, the last two) is the target of likeness and is
    not used for generation. A single photo serves for both.
    """
    if not folder.is_dir():
        raise EvaluationError(
            f"--photos should name a folder with photos, but {folder} is not a folder."
        )
    groups = read_groups(folder / GROUPS_FILE)
    people = []
    for name, files in _photo_files(folder):
        photos = [read_photo(file) for file in files[: references + MAX_TARGETS]]
        people.append(_subject(name, photos, references, groups.get(name, {})))
    if not people:
        raise EvaluationError(
            f"{folder} holds no photo ({', '.join(SUFFIXES)}). Put one file per person there, or "
            "one subfolder per person with several."
        )
    return people


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Groups of people by name: `{"anna": {"skin": "dark"}}`; empty without the file."""
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path} cannot be read as JSON: {error}.") from error
    good = isinstance(data, dict) and all(isinstance(one, dict) for one in data.values())
    if not good:
        raise EvaluationError(
            f'{path} should hold groups by name, such as {{"anna": {{"skin": "dark"}}}}.'
        )
    return {name: {key: str(value) for key, value in one.items()} for name, one in data.items()}


def read_photo(path: Path) -> np.ndarray:
    """A photo as [H, W, 3] uint8, upright, its longer side at most `LONGEST_SIDE`."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise EvaluationError(f"{path} cannot be read as an image: {error}.") from error
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(upright)


def on_one_size(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Photos padded at the right and bottom to one size, so that they form a batch."""
    height = max(photo.shape[0] for photo in photos)
    width = max(photo.shape[1] for photo in photos)
    return [
        np.pad(photo, ((0, height - photo.shape[0]), (0, width - photo.shape[1]), (0, 0)))
        for photo in photos
    ]


def _photo_files(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES]
            if files:
                yield path.name, files
        elif path.suffix.lower() in SUFFIXES:
            yield path.stem, [path]


def _subject(
    name: str, photos: list[np.ndarray], references: int, groups: Mapping[str, str]
) -> Subject:
    if len(photos) == 1:
        return Subject(name, tuple(photos), tuple(photos), groups)
    kept_back = MAX_TARGETS if len(photos) >= references + MAX_TARGETS else 1
    return Subject(name, tuple(photos[:-kept_back]), tuple(photos[-kept_back:]), groups)
