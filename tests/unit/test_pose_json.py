"""A pose as JSON: every bit comes back, and what is no pose is answered in sentences."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from instantid_core.errors import SettingError
from instantid_core.keypoints import pose_json, poses
from instantid_core.keypoints.poses import FacePlacement, PoseEdit
from instantid_core.types import Extent, Faces, FrameFaces

SQUARE = Extent(1016, 1016)
SIZES = [Extent(512, 512), SQUARE, Extent(1536, 768), Extent(333, 1217)]


@pytest.fixture
def two_faces() -> Faces:
    pose = poses.pose("front", FacePlacement(0.3, 0.4, 0.25), SQUARE)
    other = poses.apply_edit(pose, PoseEdit(move=(0.4, 0.1)))
    return replace(pose, frames=(FrameFaces(SQUARE, pose.all + other.all),))


@pytest.mark.parametrize("view", poses.VIEWS)
@pytest.mark.parametrize("extent", SIZES, ids=str)
def test_json_brings_every_bit_back(view: str, extent: Extent) -> None:
    before = poses.pose(view, FacePlacement(0.61, 0.37, 0.43), extent)
    after = pose_json.from_json(pose_json.to_json(before))
    assert after.frames[0].extent == extent
    assert np.array_equal(before.all[0].keypoints, after.all[0].keypoints)
    assert np.allclose(before.all[0].box, after.all[0].box, atol=1e-2)


def test_json_is_plain_and_in_fractions(two_faces: Faces) -> None:
    data = json.loads(pose_json.to_json(two_faces))
    assert sorted(data) == ["extent", "faces", "version"]
    assert (data["version"], data["extent"]) == (1, [1016, 1016])
    assert np.array(data["faces"]).shape == (2, 5, 2)
    assert 0 < np.min(data["faces"]) < np.max(data["faces"]) < 1


def test_a_pose_without_faces_survives() -> None:
    empty = Faces((FrameFaces(SQUARE, ()),), "")
    assert pose_json.from_json(pose_json.to_json(empty)).frames[0].faces == ()


def test_json_is_for_one_picture(two_faces: Faces) -> None:
    with pytest.raises(SettingError, match="describes one picture, found 2"):
        pose_json.to_json(Faces(two_faces.frames * 2, ""))


FACE = [[0.4, 0.3], [0.6, 0.3], [0.5, 0.4], [0.4, 0.5], [0.6, 0.5]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "cannot be read as JSON"),
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "is an object with version, extent and faces"),
        ("null", "found null"),
        (json.dumps({"extent": [8, 8], "faces": []}), "version null, expected 1"),
        (json.dumps({"version": 2, "extent": [8, 8], "faces": []}), "version 2, expected 1"),
        (json.dumps({"version": 1, "faces": []}), r"\[width, height\] in whole pixels, found null"),
        (json.dumps({"version": 1, "extent": [8, 0], "faces": []}), r"found \[8, 0\]"),
        (json.dumps({"version": 1, "extent": [8, 1e9], "faces": []}), "whole pixels"),
        (json.dumps({"version": 1, "extent": [True, 8], "faces": []}), "whole pixels"),
        (json.dumps({"version": 1, "extent": "88", "faces": []}), "whole pixels"),
        (json.dumps({"version": 1, "extent": [8, 8]}), "faces are a list, found null"),
        (json.dumps({"version": 1, "extent": [8, 8], "faces": [3]}), "five points"),
        (json.dumps({"version": 1, "extent": [8, 8], "faces": [FACE[:4]]}), "five points"),
        (json.dumps({"version": 1, "extent": [8, 8], "faces": [[*FACE[:4], [1]]]}), "five points"),
        (json.dumps({"version": 1, "extent": [8, 8], "faces": [[*FACE[:4], ["a", 1]]]}), "five"),
        (
            json.dumps({"version": 1, "extent": [8, 8], "faces": [[*FACE[:4], [float("nan"), 1]]]}),
            "five points",
        ),
        (
            json.dumps({"version": 1, "extent": [8, 8], "faces": [[*FACE[:4], [10**400, 1]]]}),
            "five points",
        ),
    ],
    ids=range(19),
)
def test_bad_json_is_answered_in_sentences(text: str, found: str) -> None:
    with pytest.raises(SettingError, match=found) as caught:
        pose_json.from_json(text)
    assert len(str(caught.value)) < 400
