"""Hints of IdentityNet: keypoints drawn from faces, or a picture that is there already."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..faces import about_landmarks, about_size
from ..keypoints import drawing, landmarks
from ..types import Extent, Faces, Family


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
