"""Several people in one picture: who gets which face, and which part of the picture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from .errors import SettingError
from .masks import Region, Resampling
from .regions import FaceShape, partition
from .types import Extent, Faces, FrameFaces, IdentityEmbedding

log = logging.getLogger(__name__)

MATCH = ("left_to_right", "as_given")


class FaceRegion(Region):
    """The part of the picture around one face of a pose, drawn for whatever grid asks."""

    def __init__(self, frame: FrameFaces, number: int, fit: str, shape: FaceShape) -> None:
        """number: which of the frame's faces; cells nearer to another face are left out."""
        super().__init__(count=1)
        self.frame = frame
        self.number = number
        self.fit = fit
        self.shape = shape

    def render(self, height: int, width: int, resampling: Resampling) -> torch.Tensor:
        """Evaluated at every cell of the grid, so there is nothing to resample."""
        masks = partition(self.frame, Extent(width, height), self.fit, self.shape)
        return torch.from_numpy(masks[self.number : self.number + 1].copy())


@dataclass(frozen=True, eq=False)
class Member:
    """One person of a group."""

    identity: IdentityEmbedding
    pose: Faces
    """The person's own face, alone in the frame of the pose."""
    region: FaceRegion


def group_members(
    pose: Faces, identities: Sequence[IdentityEmbedding], match: str, fit: str, shape: FaceShape
) -> tuple[Member, ...]:
    """Give each identity a face of the pose.

    match: `left_to_right` by place, `as_given` in the order that the faces come in. Faces without
    an identity are left to the prompt, and the log says so. Raises SettingError for a pose of
    several pictures, for no identity, and for more identities than faces.
    """
    frame = _single_frame(pose)
    _require_enough(frame, identities)
    if match == "left_to_right":
        ordered = sorted(frame.faces, key=lambda face: face.box.centre[0])
        frame = replace(frame, faces=tuple(ordered))
    return tuple(
        Member(identity, _alone(pose, frame, number), FaceRegion(frame, number, fit, shape))
        for number, identity in enumerate(identities)
    )


def _single_frame(pose: Faces) -> FrameFaces:
    if len(pose.frames) != 1:
        raise SettingError(
            f"A group is placed by the faces of one picture; the pose has {len(pose.frames)}. "
            "Analyse a single photo, or use the separate nodes with masks."
        )
    return pose.frames[0]


def _require_enough(frame: FrameFaces, identities: Sequence[IdentityEmbedding]) -> None:
    people, places = len(identities), len(frame.faces)
    if not people:
        raise SettingError("Connect at least one identity, from InstantID Embed Identity.")
    if people > places:
        raise SettingError(
            f"{people} identities are connected, but the pose has only {places} faces. Use a pose "
            "photo with more faces (select = left_to_right keeps all of them), lower min_score, "
            "or disconnect identities."
        )
    if people < places:
        log.warning(
            "The pose has %d faces for %d identities; the other faces are left to the prompt.",
            places,
            people,
        )


def _alone(pose: Faces, frame: FrameFaces, number: int) -> Faces:
    return replace(pose, frames=(replace(frame, faces=(frame.faces[number],)),))
