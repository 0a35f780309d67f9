"""Hints of IdentityNet: keypoints drawn from faces, or a picture that is there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch

from ..faces import about_landmarks, about_size
from ..keypoints import drawing, landmarks
from ..types import Extent, Faces, Family
from .rows import BatchRows, Row


@dataclass(frozen=True, eq=False)
class DrawnHint:
    """Faces that are drawn at the size a sampler asks for, in the style of the family."""

    faces: Faces
    fit: str
    family: Family | None
    """None for a model of no known family: drawn as for SDXL."""

    @property
    def is_empty(self) -> bool:
        return not self.faces.count

    def at(self, extent: Extent) -> torch.Tensor | None:
        """[frames, 3, H, W] float32, 0..1, CPU."""
        return self._drawn(self.faces, extent)

    def preview(self) -> torch.Tensor:
        """[1, 3, H, W]: the first frame, at the usual size."""
        first = replace(self.faces, frames=self.faces.frames[:1])
        return self._drawn(first, drawing.usual_extent(first.frames[0].extent))

    def advice(self) -> tuple[str, ...]:
        """Sentences on the faces, for whoever connects them."""
        found = about_landmarks(self.faces) if self._has_landmarks else None
        return (found,) if found else ()

    def advice_at(self, extent: Extent) -> tuple[str, ...]:
        """Sentences on the size of the picture to be made."""
        found = about_size(extent)
        return (found,) if found else ()

    def _drawn(self, faces: Faces, extent: Extent) -> torch.Tensor:
        draw = landmarks.draw if self._has_landmarks else drawing.draw
        return draw(faces, extent, self.fit).movedim(-1, 1)

    @property
    def _has_landmarks(self) -> bool:
        return self.family is not None and self.family.draws_landmarks


@dataclass(frozen=True, eq=False)
class GivenHint:
    """A drawn keypoint picture, used as it is."""

    picture: torch.Tensor
    """[B, H, W, 3] float32, 0..1."""
    is_empty = False

    def at(self, extent: Extent) -> torch.Tensor | None:
        """None: the host resizes pictures itself, each by the net's own method."""
        return None

    def preview(self) -> torch.Tensor:
        """[B, 3, H, W]: the picture."""
        return self.picture.movedim(-1, 1)

    def advice(self) -> tuple[str, ...]:
        """Nothing is known of a picture's faces."""
        return ()

    def advice_at(self, extent: Extent) -> tuple[str, ...]:
        """Nothing: the picture's own size is the user's choice."""
        return ()


Hint = DrawnHint | GivenHint


def hints_for_rows(
    rows: BatchRows,
    cells: tuple[int, int],
    scale: int,
    picture_at: Callable[[Extent], torch.Tensor],
) -> torch.Tensor:
    """[B, 3, H, W], or [1, 3, H, W] where all rows have the same: each row's part of its picture.

    cells: height and width of the call's latent. scale: pixels per cell. picture_at: [N, 3, H, W]
    for a picture of this size. The host would give every window of a batch the first pictures, and
    squeeze the whole picture into each area of a regional prompt.
    """
    known = cache(picture_at)
    hints = [_hint_of(row, cells, scale, known) for row in rows.rows]
    same = all(hint.is_set_to(hints[0]) for hint in hints)
    return torch.stack(hints[:1] if same else hints)


def _hint_of(
    row: Row, cells: tuple[int, int], scale: int, picture_at: Callable[[Extent], torch.Tensor]
) -> torch.Tensor:
    """[3, H, W] of one row."""
    area, latent = row.area, row.latent
    height, width = cells if area is None or latent is None else (latent.height, latent.width)
    pictures = picture_at(Extent(width * scale, height * scale))
    picture = pictures[row.batch_index % pictures.shape[0]]
    if area is None or latent is None:
        return picture
    top, left, height, width = (side * scale for side in area)
    return picture[:, top : top + height, left : left + width]
