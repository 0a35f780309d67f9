"""Several people in one picture: each gets a face of the pose and a part of the picture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from ..errors import SettingError, one_of
from ..keypoints import FaceShape, partition
from ..types import Extent, Faces, FrameFaces, IdentityEmbedding
from .masks import Region, Resampling
from .run import Run

log = logging.getLogger(__name__)

MATCH = ("left_to_right", "as_given", "by_index")


@dataclass(frozen=True, eq=False)
class FramePartition:
    """The picture divided among the faces of a frame, at any grid size."""

    frame: FrameFaces
    fit: str
    shape: FaceShape

    def at(self, grid: Extent, run: Run) -> np.ndarray:
        """[faces, height, width] float32: made once per grid and run, for all who ask."""
        return run.masks.once(
            (self, grid), lambda: partition(self.frame, grid, self.fit, self.shape)
        )


@dataclass(frozen=True, eq=False)
class FaceRegion(Region):
    """The part of the picture around one face of a pose."""

    division: FramePartition
    number: int
    """Position among the frame's faces; cells nearer to another face are left out."""

    @property
    def count(self) -> int:
        return 1

    def render(self, height: int, width: int, resampling: Resampling, run: Run) -> torch.Tensor:
        """Evaluated at every cell of the grid, so there is nothing to resample."""
        masks = self.division.at(Extent(width, height), run)
        return torch.from_numpy(masks[self.number : self.number + 1].copy())


class Placing(NamedTuple):
    """The fit of a pose to the picture, and the shape of each person's region."""

    fit: str
    shape: FaceShape


class Matching(NamedTuple):
    """The face that each identity takes."""

    match: str
    """`left_to_right` by place, `as_given` in the order that the faces come in, `by_index` by the
    numbers below."""
    indices: str = ""
    """For `by_index`: a face's number for each identity, counted from the left, such as `1, 0`."""

    def numbers(self, people: int, places: int) -> tuple[int, ...]:
        """Positions among the faces, one per identity."""
        if one_of("match", self.match, MATCH) != "by_index":
            return tuple(range(people))
        words = [word.strip() for word in self.indices.split(",") if word.strip()]
        numbers = tuple(int(word) for word in words if word.isdecimal())
        good = len(numbers) == len(words) == len(set(numbers)) == people
        if not good or max(numbers) >= places:
            raise SettingError(
                f"match = by_index needs a face number for each of the {people} identities, from 0 "
                f"(leftmost) to {places - 1}, each once; found '{self.indices}'. Write, for "
                f"instance, {', '.join(map(str, range(people)))}."
            )
        return numbers


@dataclass(frozen=True, eq=False)
class Member:
    """One person of a group."""

    identity: IdentityEmbedding
    pose: Faces
    """The person's own face, alone in the frame of the pose."""
    region: FaceRegion


def group_members(
    pose: Faces, identities: Sequence[IdentityEmbedding], matching: Matching, placing: Placing
) -> tuple[Member, ...]:
    """Give each identity a face of the pose.

    Faces without an identity are left to the prompt, and the log says so. Raises SettingError for
    a pose of several pictures, for no identity, for more identities than faces, and for numbers
    that do not name a face each.
    """
    frame = _single_frame(pose)
    _require_enough(frame, identities)
    if matching.match != "as_given":
        ordered = sorted(frame.faces, key=lambda face: face.box.centre[0])
        frame = replace(frame, faces=tuple(ordered))
    numbers = matching.numbers(len(identities), len(frame.faces))
    division = FramePartition(frame, *placing)
    return tuple(
        Member(identity, _alone(pose, frame, number), FaceRegion(division, number))
        for number, identity in zip(numbers, identities, strict=True)
    )


def _single_frame(pose: Faces) -> FrameFaces:
    if len(pose.frames) != 1:
        raise SettingError(
            f"A group is placed by the faces of one picture; the pose has {len(pose.frames)}. "
            "Analyse a single photo, or use the separate nodes with masks."
        )
    return pose.frames[0]


def _require_enough(frame: FrameFaces, identities: Sequence[IdentityEmbedding]) -> None:
    people, places, names = len(identities), len(frame.faces), _names(identities)
    if not people:
        raise SettingError("Connect at least one identity, from InstantID Embed Identity.")
    if people > places:
        raise SettingError(
            f"{people} identities{names} are connected, but the pose has only {places} faces. "
            "Disconnect identities, or use a pose photo with more faces. InstantID Analyze Faces "
            "keeps all of them with select = left_to_right, and finds more with a lower min_score."
        )
    if people < places:
        log.warning(
            "The pose has %d faces for %d identities%s; the other faces are left to the prompt.",
            places,
            people,
            names,
        )


def _names(identities: Sequence[IdentityEmbedding]) -> str:
    """The names of those who have one, in brackets."""
    names = ", ".join(each.person.name or "no name" for each in identities)
    return f" ({names})" if any(each.person.name for each in identities) else ""


def _alone(pose: Faces, frame: FrameFaces, number: int) -> Faces:
    return replace(pose, frames=(replace(frame, faces=(frame.faces[number],)),))
