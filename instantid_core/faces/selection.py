"""Selection among the faces of a picture."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from ..errors import NoFaceError, one_of
from ..types import Detection, Extent

SELECT = ("largest", "all", "left_to_right", "center", "index")
ON_NO_FACE = ("error", "skip")

Detections = tuple[Detection, ...]


@dataclass(frozen=True)
class Selection:
    """A choice among the faces of each picture."""

    policy: str = "largest"
    """`largest` by box area, as the reference does; `all` by falling area; `left_to_right` all, by
    place; `center` the one nearest the middle; `index` one, counted from the left."""
    index: int = 0
    """For `index`: 0 is the leftmost face; negative numbers count from the right."""
    on_no_face: Literal["error", "skip"] = "error"
    numbers: tuple[int, ...] = ()
    """For `index`: several faces, in this order, in place of the one that `index` names."""
    has_inputs: bool = True
    """Whether the calling node has inputs for these settings, so that messages may name them."""

    def __post_init__(self) -> None:
        one_of("select", self.policy, SELECT)
        one_of("on_no_face", self.on_no_face, ON_NO_FACE)

    @property
    def skip_empty(self) -> bool:
        return self.on_no_face == "skip"

    def choose(self, detections: Detections, extent: Extent, where: str) -> Detections:
        """Choose among detections sorted from left to right.

        where: names the picture in messages. Raises NoFaceError when `index` asks for a face that
        is not there, unless empty pictures are skipped.
        """
        if self.policy == "left_to_right" or not detections:
            return detections
        if self.policy == "all":
            return tuple(sorted(detections, key=_area, reverse=True))
        if self.policy == "largest":
            return (max(detections, key=_area),)
        if self.policy == "center":
            return (min(detections, key=lambda face: _distance_to_middle(face, extent)),)
        return self._by_index(detections, where)

    def _by_index(self, detections: Detections, where: str) -> Detections:
        count = len(detections)
        wanted = self.numbers or (self.index,)
        missing = [number for number in wanted if not -count <= number < count]
        if missing and not self.skip_empty:
            raise NoFaceError(self._not_there(missing[0], count, where))
        # As keys, since -1 and the last number are one face.
        places = dict.fromkeys(number % count for number in wanted if number not in missing)
        return tuple(detections[place] for place in places)

    def _not_there(self, number: int, count: int, where: str) -> str:
        if not self.has_inputs:  # a node whose one input counts from 1
            has = "one face" if count == 1 else f"{count} faces"
            return (
                f"face asks for face {number + 1} in {where}, counted from the left; it has {has}. "
                "Choose another, or 0 for the largest."
            )
        name = "numbers" if self.numbers else "index"
        has = "one face, number 0" if count == 1 else f"{count} faces, numbers 0 to {count - 1}"
        return (
            f"{name} asks for face number {number} in {where}, counted from 0 at the left; it has "
            f"{has}. Change {name}, or set on_no_face to skip."
        )


def read_numbers(text: str) -> tuple[int, ...] | None:
    """Face numbers of a text such as `0, 2` or `-1`; None for a text that is no such list."""
    words = re.split(r"[\s,;]+", text.strip(" \t\r\n,;"))
    if words == [""]:
        return ()
    if not all(re.fullmatch(r"[+-]?[0-9]{1,9}", word) for word in words):
        return None
    return tuple(dict.fromkeys(map(int, words)))


def _area(face: Detection) -> float:
    return face.box.area


def _distance_to_middle(face: Detection, extent: Extent) -> float:
    x, y = face.box.centre
    return math.hypot(x - extent.width / 2, y - extent.height / 2)
