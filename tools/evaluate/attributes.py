"""A judge of what faces show, such as glasses: it reads pixels and never an embedding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from instantid_core.types import Detection

if TYPE_CHECKING:
    from .runner import GeneratedImage


class AttributeJudge(Protocol):
    """Names what a face shows."""

    names: tuple[str, ...]

    def shares(self, image: np.ndarray, face: Detection) -> Mapping[str, float]:
        """Certainty that the face in [H, W, 3] uint8 RGB has each attribute: 0 no, 1 yes."""
        ...

    def has(self, number: int, name: str) -> bool:
        """Whether the painted person of that number has an attribute."""
        ...

    def is_of_one_kind(self, number: int, name: str) -> bool:
        """Whether that person has an attribute as its direction has it, or not at all."""
        ...

    def held(self, name: str) -> str:
        """The attribute that is held while this one is edited; empty for none."""
        ...


def shares_in(judge: AttributeJudge, picture: GeneratedImage) -> Mapping[str, float]:
    """Shares of the attributes in a picture's largest face; empty without a face."""
    face = max(picture.frame.faces, key=lambda one: one.box.area, default=None)
    return {} if face is None else judge.shares(picture.image, face)


class PaintedAttributes:
    """The small world's classifier of attributes, trained on painted pictures."""

    def __init__(self, path: Path) -> None:
        """path: an ONNX file from `training.attribute_classifier`."""
        import onnxruntime

        from training.attributes import ATTRIBUTES

        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.names = tuple(ATTRIBUTES)

    def shares(self, image: np.ndarray, face: Detection) -> Mapping[str, float]:
        """From 0 to 1 for each attribute of the face in [H, W, 3] uint8 RGB."""
        from training.attributes import head_crops

        points = np.asarray(face.keypoints, np.float64)[None]
        batch = head_crops(image[None], points).transpose(0, 3, 1, 2).astype(np.float32) / 255
        name = self.session.get_inputs()[0].name
        logits: Any = self.session.run(None, {name: batch})[0]
        return dict(zip(self.names, map(float, 1 / (1 + np.exp(-logits[0]))), strict=True))

    def has(self, number: int, name: str) -> bool:
        """As the painter paints the person of that number."""
        from training.attributes import ATTRIBUTES
        from training.world import identity_of

        return ATTRIBUTES[name](identity_of(number))

    def is_of_one_kind(self, number: int, name: str) -> bool:
        """Of beards full ones, of glasses clear ones: as `training.attributes` says."""
        from training.attributes import OF_ONE_KIND
        from training.world import identity_of

        return name not in OF_ONE_KIND or OF_ONE_KIND[name](identity_of(number))

    def held(self, name: str) -> str:
        """Skin for age and age for skin, as `training.attributes` says."""
        from training.attributes import HELD

        return HELD.get(name, "")
