"""The editor's numbers are the server's, and its drawing is within a pixel of the server's."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from support.pose_editor import (
    MOST_MISDRAWN,
    PoseNode,
    canvas_pixels,
    in_module,
    misdrawn,
    server_drawing,
)

from instantid_core.keypoints import drawing, geometry, pose_json, poses
from instantid_core.types import Box, Detection, Extent, FrameFaces, KeypointStyle
from tools.pictures.browser import Editor

EXTENT = Extent(640, 480)


@pytest.fixture(scope="module")
def views() -> list[dict[str, float]]:
    numbers = random.Random(7)
    return [
        {
            "yaw": numbers.uniform(-80, 80),
            "pitch": numbers.uniform(-50, 50),
            "roll": numbers.uniform(-170, 170),
        }
        for _ in range(20)
    ]


def by_server(view: dict[str, float], where: poses.FacePlacement) -> np.ndarray:
    return poses._project(poses.View(**view), where, EXTENT)


def test_tables_are_the_servers(canvas_editor: Editor) -> None:
    page = canvas_editor.page
    found = in_module(page, "face_model", "return [m.FACE_MODEL, m.PIVOT, m.MIRRORED_ORDER]")
    assert found == [
        geometry.FACE_MODEL.tolist(),
        poses.PIVOT.tolist(),
        list(geometry.MIRRORED_ORDER),
    ]
    views, place = in_module(page, "presets", "return [m.VIEWS, m.USUAL_PLACE]")
    assert views == {name: view._asdict() for name, view in poses.VIEWS.items()}
    assert list(views) == list(poses.VIEWS)
    assert place == poses.FacePlacement()._asdict()
    colours, radius = in_module(page, "drawing", "return [m.COLOURS, m.POINT_RADIUS]")
    assert (colours, radius) == ([list(c) for c in drawing.COLOURS], drawing.POINT_RADIUS)


def test_the_face_model_is_the_servers(canvas_editor: Editor, views: list) -> None:
    where = poses.FacePlacement(0.61, 0.37, 0.43)
    place = {"size": 0.61 * 480, "x": 0.43 * 640, "y": 0.37 * 480}
    code = "return given.views.map((view) => m.project(view, given.place))"
    found = in_module(canvas_editor.page, "face_model", code, {"views": views, "place": place})
    wanted = [by_server(view, where) for view in views]
    assert np.abs(np.array(found) - wanted).max() < 1e-9


def test_a_fit_finds_the_view_again(canvas_editor: Editor, views: list) -> None:
    faces = [by_server(view, poses.FacePlacement()).tolist() for view in views]
    found = in_module(canvas_editor.page, "face_model", "return given.map(m.fit)", faces)
    for fitted, view in zip(found, views, strict=True):
        apart = [abs(fitted["view"][name] - view[name]) for name in view]
        assert max(apart) < 0.1
        assert fitted["place"]["size"] == pytest.approx(0.53 * 480, rel=1e-3)


def random_faces(count: int, seed: int, spread: float) -> np.ndarray:
    """[count, 5, 2] pixels; some points lie outside."""
    numbers = np.random.default_rng(seed)
    centres, points = numbers.random((count, 1, 2)), numbers.random((count, 5, 2)) - 0.5
    return ((centres + spread * points) * EXTENT).astype(np.float32).astype(float)


@pytest.mark.parametrize("style", [(1, 1), (0.4, 1), (1, 0.3), (0, 1), (1, 0)], ids=str)
def test_faces_are_drawn_as_by_the_server(
    canvas_editor: Editor, style: tuple[float, float]
) -> None:
    code = """
        const canvas = Object.assign(document.createElement("canvas"), given.size);
        m.drawFaces(canvas.getContext("2d"), given.faces, given.style);
        return canvas.toDataURL("image/png");"""
    size = {"width": EXTENT.width, "height": EXTENT.height}
    given = {"size": size, "style": {"limbs": style[0], "points": style[1]}}
    for seed in range(3):
        for spread in (0.2, 0.5, 1.5):
            faces = random_faces(4, seed, spread)
            given["faces"] = faces.tolist()
            drawn = canvas_pixels(in_module(canvas_editor.page, "drawing", code, given))
            detections = tuple(Detection(Box(0, 0, 1, 1), 1.0, points) for points in faces)
            frame = FrameFaces(EXTENT, detections)
            wanted = drawing.draw_frame(frame, EXTENT, "letterbox", KeypointStyle(*style))
            assert misdrawn(drawn, wanted) <= MOST_MISDRAWN


@pytest.mark.parametrize("size", [(512, 512), (832, 1216), (1208, 824)], ids=str)
def test_the_dialog_shows_the_servers_drawing(canvas_editor: Editor, size: tuple[int, int]) -> None:
    node = PoseNode(canvas_editor, *size)
    canvas_editor.set_value(node.id, "limb_opacity", 0.7)
    node.open()
    node.press("Quarter left")
    node.press("Add face")
    node.settle()
    drawn = node.drawn()
    node.apply()
    wanted = server_drawing(node.text, *size, KeypointStyle(limbs=0.7))
    assert wanted.any()
    assert misdrawn(drawn, wanted) <= MOST_MISDRAWN


def test_text_of_the_editor_is_read_by_the_server_to_the_bit(canvas_editor: Editor) -> None:
    faces = random_faces(3, 5, 0.5)
    code = """
        const frame = { width: 640, height: 480 };
        return [m.writePose(given, frame), m.asKept(given, frame)];"""
    text, kept = in_module(canvas_editor.page, "pose_text", code, faces.tolist())
    read = [face.keypoints.tolist() for face in pose_json.from_json(text).all]
    assert read == kept
    assert np.abs(np.array(kept) - faces).max() < 1e-3


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", '{"version": 2}', '{"version": 1, "extent": [0, 8], "faces": []}']
    + [json.dumps({"version": 1, "extent": [8, 8], "faces": f}) for f in (None, [3], [[[1, 2]]])],
)
def test_what_is_no_pose_for_the_server_is_none_for_the_editor(
    canvas_editor: Editor, text: str
) -> None:
    code = "try { m.readPose(given, { width: 8, height: 8 }); } catch (e) { return e.message; }"
    assert in_module(canvas_editor.page, "pose_text", code, text).endswith(".")
    with pytest.raises(Exception, match=r"\w"):
        pose_json.from_json(text)
