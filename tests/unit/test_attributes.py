"""The judge of attributes: where its crops come from, and that its training gives the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from instantid_core.types import Box, Detection, Extent, FrameFaces
from tools.evaluate.attributes import PaintedAttributes, shares_in
from tools.evaluate.runner import GeneratedImage
from training.alignment import TEMPLATE
from training.attribute_classifier import train_attribute_classifier
from training.attributes import ATTRIBUTES, SIDE, TO_HEAD, head_crops
from training.dataset import paint_album, random_scenes
from training.loop import LoopSettings
from training.world import HELD_OUT


def test_a_head_lies_in_its_crop_as_the_template_says():
    """A turned and shifted face: bright eyes and mouth corners come to their places."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    points = TEMPLATE @ turn.T + [150, 20]
    picture = np.zeros((200, 200, 3), np.uint8)
    for x, y in points.round().astype(int):
        picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    (crop,) = head_crops(picture[None], points[None])
    assert crop.shape == (SIDE, SIDE, 3)
    for x, y in TEMPLATE @ TO_HEAD[:2, :2].T + TO_HEAD[:2, 2]:
        assert crop[round(y), round(x)].min() > 128
    assert crop[:8].max() == 0


def test_training_writes_what_the_judge_reads(tmp_path: Path):
    album = paint_album(random_scenes(16, 3, (192, 192), 1, HELD_OUT))
    settings = LoopSettings(tmp_path, steps=2, batch=10, mixed_precision="no")
    report = train_attribute_classifier(album, album, settings)
    assert set(report["as painted"]) == set(ATTRIBUTES)
    judge = PaintedAttributes(tmp_path / "attributes.onnx")
    small, large = (
        Detection(Box(0, 0, side, side), 0.9, album.keypoints[0, 0]) for side in (8, 90)
    )
    frame = FrameFaces(Extent(192, 192), (small, large))
    shares = shares_in(judge, GeneratedImage(album.images[0], frame))
    assert tuple(shares) == judge.names
    assert all(0 < share < 1 for share in shares.values())
    assert not shares_in(judge, GeneratedImage(album.images[0], FrameFaces(frame.extent, ())))
