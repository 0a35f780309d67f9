"""Numbers that `web/js` computes as the server does: `tests/data/editor_numbers.json`.

`tests/js` compares the browser's code with the file, `tests/unit/test_editor_numbers.py` the
server's. Run `python -m support.editor_numbers` in `tests` to write it again.
"""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np

from instantid_core.errors import SettingError
from instantid_core.faces import selection
from instantid_core.keypoints import drawing, geometry, pose_json, poses
from instantid_core.types import Box, Detection, Extent, Faces, FrameFaces

FILE = Path(__file__).resolve().parents[1] / "data" / "editor_numbers.json"
EXTENT = Extent(640, 480)
FRAMES = (Extent(640, 480), Extent(512, 512), Extent(832, 1216))
FACE = [[0.2, 0.2], [0.4, 0.2], [0.3, 0.3], [0.2, 0.4], [0.4, 0.4]]
REFUSED = ("", "{", "[]", "null", "7", '"text"', "NaN", "{}")
BAD_PARTS: tuple[dict[str, Any], ...] = (
    {"version": 2},
    {"version": "1"},
    {"version": None},
    *(
        {"extent": extent}
        for extent in (None, [8], [0, 8], [8.5, 8], [8, 65537], ["8", 8], [True, 8])
    ),
    *({"faces": faces} for faces in (None, {}, [3], [[]], [FACE[:4]], [[*FACE, [0, 0]]])),
    *({"faces": [[[x, 0], *FACE[1:]]]} for x in (101, -101, "0", None, True)),
    {"faces": [[[0, 0, 0], *FACE[1:]]]},
)
NUMBERS = (
    "",
    "0, 2",
    "1;-1",
    " 3 3 ",
    "+4",
    "-0",
    "a",
    "1.5",
    "1,,x",
    "1 2\t3",
    "1234567890",
    "0x1",
)
# Boxes of faces from left to right: middle x, middle y, side, in pixels of a 1000 x 600 picture.
PLACES = ((100, 300, 120), (400, 500, 200), (560, 310, 80), (900, 100, 150))
PICTURE = Extent(1000, 600)
INDICES = ("", "2 -1 0", "-4", "4", "3, 3, -1", "0, 9")


def numbers() -> dict[str, Any]:
    """The content of the file."""
    return {
        "model": _model(),
        "projections": [_projection(seed) for seed in range(12)],
        "edits": [_edit(seed) for seed in range(8)],
        "ovals": [_oval(seed) for seed in range(8)],
        "texts": [_text(frame, seed) for seed, frame in enumerate(FRAMES)],
        "refused": [*REFUSED, *(json.dumps(_document(**part)) for part in BAD_PARTS)],
        "lists": [[text, _as_list(selection.read_numbers(text))] for text in NUMBERS],
        "selections": _selections(),
    }


def _model() -> dict[str, Any]:
    return {
        "face": geometry.FACE_MODEL.tolist(),
        "pivot": poses.PIVOT.tolist(),
        "mirrored_order": list(geometry.MIRRORED_ORDER),
        "views": {name: view._asdict() for name, view in poses.VIEWS.items()},
        "placement": poses.FacePlacement()._asdict(),
        "side": drawing.USUAL_SIDE,
        "colours": [list(colour) for colour in drawing.COLOURS],
        "point_radius": drawing.POINT_RADIUS,
    }


def _projection(seed: int) -> dict[str, Any]:
    view, where = _view(seed), poses.FacePlacement(0.61, 0.37, 0.43)
    place = {"size": 0.61 * EXTENT.height, "x": 0.43 * EXTENT.width, "y": 0.37 * EXTENT.height}
    points = poses._project(view, where, EXTENT)
    return {"view": view._asdict(), "place": place, "points": points.tolist()}


def _view(seed: int) -> poses.View:
    numbers = random.Random(seed)
    return poses.View(
        numbers.uniform(-80, 80), numbers.uniform(-50, 50), numbers.uniform(-170, 170)
    )


def _points(seed: int) -> np.ndarray:
    """[5, 2] pixels of EXTENT; some lie outside."""
    random_numbers = np.random.default_rng(seed)
    points = random_numbers.random(2) + random_numbers.random((5, 2)) - 0.5
    return (points * EXTENT).astype(np.float32)


def _edit(seed: int) -> dict[str, Any]:
    points = _points(seed)
    edit = poses.PoseEdit(scale=0.5 + 0.25 * seed, rotate=45.0 * seed - 100, mirror=seed % 2 == 1)
    frame = FrameFaces(EXTENT, (poses.from_keypoints(points),))
    ((face,),) = (f.faces for f in poses.apply_edit(poses.as_pose((frame,)), edit).frames)
    change = {"scale": edit.scale, "rotate": edit.rotate, "mirror": edit.mirror}
    return {**change, "points": points.tolist(), "edited": face.keypoints.tolist()}


def _oval(seed: int) -> dict[str, Any]:
    points = _points(seed).astype(np.float64)
    centre, half_width, half_height, (x, y) = geometry.oval_of_points(points)
    return {
        "points": points.tolist(),
        "centre": list(centre),
        "half_width": half_width,
        "half_height": half_height,
        "angle": math.degrees(math.atan2(-x, y)),
    }


def _document(**parts: Any) -> dict[str, Any]:
    return {"version": 1, "extent": [8, 8], "faces": [FACE], **parts}


def _text(frame: Extent, seed: int) -> dict[str, Any]:
    """Faces in pixels, the document that the editor makes of them, and what the server reads."""
    faces = [_points(10 * seed + number).astype(np.float64) for number in range(2)]
    fractions = [(np.round(face / frame * 1e6) / 1e6).tolist() for face in faces]
    document = _document(extent=list(frame), faces=fractions)
    read = pose_json.from_json(json.dumps(document))
    return {
        "faces": [face.tolist() for face in faces],
        "document": document,
        "read": [face.keypoints.tolist() for face in read.all],
        "placed": {str(target): _placed(read, target) for target in FRAMES},
    }


def _placed(pose: Faces, target: Extent) -> list[Any]:
    (frame,) = pose.frames
    place = geometry.placement(frame.extent, target, "letterbox")
    return [place.apply(face.keypoints).tolist() for face in frame.faces]


def _as_list(found: tuple[int, ...] | None) -> list[int] | None:
    return None if found is None else list(found)


def _selections() -> dict[str, Any]:
    """A picture as the face picker gets it, and the faces that each selection means."""
    corners = [(x - s / 2, y - s / 2, x + s / 2, y + s / 2) for x, y, s in PLACES]
    detections = tuple(
        Detection(Box(*box), 0.9, np.full((5, 2), i)) for i, box in enumerate(corners)
    )
    boxes = [(np.array(box).reshape(2, 2) / PICTURE).ravel().tolist() for box in corners]
    asked = [(policy, 0, "") for policy in ("largest", "left_to_right", "center")]
    asked += [("index", index, text) for text in INDICES for index in (0, -1, 7)]
    chosen = [[*each, _chosen(detections, *each)] for each in asked]
    return {"picture": list(PICTURE), "boxes": boxes, "chosen": chosen}


def _chosen(detections: tuple[Detection, ...], policy: str, index: int, text: str) -> list[int]:
    several = selection.read_numbers(text) or ()
    meant = selection.Selection(policy, index, "skip", several)
    found = meant.choose(detections, PICTURE, "the picture")
    return [int(face.keypoints[0, 0]) for face in found]


def is_refused(text: str) -> bool:
    """Whether the server refuses a text as a pose."""
    try:
        pose_json.from_json(text)
    except SettingError:
        return True
    return False


if __name__ == "__main__":
    FILE.write_text(json.dumps(numbers(), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {FILE}")
