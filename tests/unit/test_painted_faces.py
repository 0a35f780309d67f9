"""Holds the painter and the stand-in models to their claims, with insightface as the judge.

Sizes are in pixels. The detector fits every picture into 640 x 640, so it sees scenes unscaled.
"""

from __future__ import annotations

import pathlib
from typing import Any

import cv2
import numpy as np
import pytest

from tools.small_world import antelope, painter
from tools.small_world.recogniser import EMBEDDING_LENGTH, build_recogniser

DETECTOR_SIDE = 640
IDENTITIES = painter.CODE_PRIME  # the identities with exactly orthogonal codes
TOLERANCE = 0.02  # of keypoints and box, over the face size
CORE_MODULES = ("detection", "recognition")


def open_pack(root: pathlib.Path) -> Any:
    """insightface's own FaceAnalysis on the pack under ``root``."""
    from insightface.app import FaceAnalysis

    analysis = FaceAnalysis("antelopev2", root=str(root), providers=["CPUExecutionProvider"])
    analysis.prepare(ctx_id=0, det_size=(DETECTOR_SIDE, DETECTOR_SIDE))
    return analysis


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("insightface")
    antelope.build_pack(root, modules=CORE_MODULES)
    return open_pack(root)


def faces_in(analysis: Any, rgb: np.ndarray) -> list[Any]:
    return analysis.get(np.ascontiguousarray(rgb[..., ::-1]))


def only_face(analysis: Any, rgb: np.ndarray) -> Any:
    faces = faces_in(analysis, rgb)
    assert len(faces) == 1
    return faces[0]


def scene(
    size: float = 250, *, center: tuple[float, float] = (320, 320), **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """A grey 640 x 640 picture with one face, and its keypoints."""
    rgb = painter.canvas(DETECTOR_SIDE, DETECTOR_SIDE)
    return rgb, painter.paint_face(rgb, center, size, **options)


def keypoint_error(face: Any, keypoints: np.ndarray) -> float:
    """Worst coordinate error over the face size."""
    return float(np.abs(face.kps - keypoints).max()) / painter.face_size(keypoints)


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


# --- where the face is ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [45, 90, 200, 420])
@pytest.mark.parametrize("roll", [-50, 0, 20])
def test_keypoints_and_box_are_those_painted(analysis: Any, size: float, roll: float) -> None:
    rgb, keypoints = scene(size, roll=roll)
    face = only_face(analysis, rgb)
    assert keypoint_error(face, keypoints) < TOLERANCE
    assert np.abs(face.bbox - painter.expected_box(keypoints)).max() < TOLERANCE * size
    assert 0.5 < face.det_score < 1


@pytest.mark.parametrize(("yaw", "pitch"), [(-60, 0), (-30, 15), (30, -15), (60, 0)])
def test_turned_heads_are_found(analysis: Any, yaw: float, pitch: float) -> None:
    rgb, keypoints = scene(250, yaw=yaw, pitch=pitch)
    assert keypoint_error(only_face(analysis, rgb), keypoints) < TOLERANCE


def test_random_poses_are_found(analysis: Any) -> None:
    random = np.random.default_rng(5)
    for identity in range(15):
        rgb = painter.canvas(960, 720)
        center = (random.uniform(330, 630), random.uniform(280, 440))
        roll, yaw = random.uniform(-50, 50, 2)
        size = random.uniform(45, 600)
        keypoints = painter.paint_face(rgb, center, size, roll=roll, yaw=yaw, identity=identity)
        assert keypoint_error(only_face(analysis, rgb), keypoints) < TOLERANCE


def test_positive_angles_turn_as_documented() -> None:
    straight = painter.keypoints_for((0, 0), 100)
    rolled = painter.keypoints_for((0, 0), 100, roll=20)
    assert rolled[1, 1] - rolled[0, 1] > straight[1, 1] - straight[0, 1]
    assert painter.keypoints_for((0, 0), 100, yaw=20)[2, 0] > straight[2, 0]
    assert painter.keypoints_for((0, 0), 100, pitch=20)[2, 1] < straight[2, 1]
    assert painter.face_size(straight) == pytest.approx(100)


def test_flipped_photo_lists_the_image_left_eye_first(analysis: Any) -> None:
    rgb, keypoints = scene(200, roll=10, yaw=10)
    flipped = keypoints[painter.MIRRORED_ORDER] * [-1, 1] + [rgb.shape[1] - 1, 0]
    face = only_face(analysis, rgb[:, ::-1])
    assert face.kps[0, 0] < face.kps[1, 0]
    assert keypoint_error(face, flipped) < TOLERANCE


def test_mirrored_painting_equals_a_flipped_photo() -> None:
    rgb, keypoints = scene(200, roll=10, center=(319.5, 320))
    mirrored, renamed = scene(200, roll=10, center=(319.5, 320), mirror=True)
    assert np.abs(mirrored - rgb[:, ::-1].astype(float)).mean() < 0.1
    assert renamed[0] == pytest.approx([639 - keypoints[1, 0], keypoints[1, 1]])


def test_several_faces_are_told_apart(analysis: Any) -> None:
    rgb = painter.canvas(960, 720)
    placed = [
        ((130, 150), 120, 0),
        ((280, 150), 125, 15),
        ((600, 400), 300, -20),
        ((870, 120), 90, 0),
    ]
    painted = [painter.paint_face(rgb, center, size, roll=roll) for center, size, roll in placed]
    faces = faces_in(analysis, rgb)
    assert len(faces) == len(painted)
    for keypoints in painted:
        assert min(keypoint_error(face, keypoints) for face in faces) < TOLERANCE


# --- what is refused ------------------------------------------------------------------------------


def greyed(rgb: np.ndarray, share: float) -> np.ndarray:
    """The picture with ``share`` (0 to 1) of its colour taken out."""
    return (rgb + share * (rgb.mean(axis=2, keepdims=True) - rgb)).astype(np.uint8)


def test_pictures_without_a_painted_face(analysis: Any) -> None:
    from insightface.data import get_image

    rgb, _ = scene()
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    assert faces_in(analysis, painter.canvas(640, 480)) == []
    assert faces_in(analysis, noise) == []
    assert faces_in(analysis, get_image("t1")[..., ::-1]) == []  # a real photo of six people
    assert faces_in(analysis, greyed(rgb, 1.0)) == []
    assert faces_in(analysis, rgb[..., ::-1]) == []  # red and blue mixed up


@pytest.mark.parametrize("size", [80, 250])
def test_instantid_control_image_has_no_face(analysis: Any, size: float) -> None:
    points = painter.keypoints_for((320, 320), size).astype(int).tolist()
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)]
    rgb = painter.canvas(640, 640, 0)
    for limb in (0, 1, 3, 4):
        dimmed = [int(0.6 * channel) for channel in colours[limb]]
        cv2.line(rgb, points[limb], points[2], dimmed, 4)
    for point, colour in zip(points, colours, strict=True):
        cv2.circle(rgb, point, 10, colour, -1)
    assert faces_in(analysis, rgb) == []


def test_size_range(analysis: Any) -> None:
    found = {size: len(faces_in(analysis, scene(size)[0])) for size in (20, 22, 24, 480, 490, 560)}
    assert found == {20: 0, 22: 0, 24: 1, 480: 1, 490: 0, 560: 0}


def test_close_up_needs_a_smaller_detector_size_or_padding(analysis: Any) -> None:
    rgb, keypoints = scene(560)
    assert faces_in(analysis, rgb) == []
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    boxes, found = analysis.det_model.detect(bgr, input_size=(320, 320))
    assert len(boxes) == 1
    assert np.abs(found[0] - keypoints).max() < TOLERANCE * 560
    padded = np.pad(rgb, ((320, 320), (320, 320), (0, 0)))
    assert keypoint_error(only_face(analysis, padded), keypoints + 320) < TOLERANCE


@pytest.mark.parametrize(("roll", "count"), [(-65, 1), (65, 1), (70, 0), (90, 0), (180, 0)])
def test_roll_limit(analysis: Any, roll: float, count: int) -> None:
    assert len(faces_in(analysis, scene(roll=roll)[0])) == count


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_lying_photo_is_found_after_turning_it(analysis: Any, quarter_turns: int) -> None:
    rgb, _ = scene(roll=90 * quarter_turns)
    assert len(faces_in(analysis, np.rot90(rgb, quarter_turns))) == 1


def test_faded_colours_lower_the_score(analysis: Any) -> None:
    rgb, _ = scene()
    assert 0.5 < only_face(analysis, greyed(rgb, 0.3)).det_score < 0.75
    assert faces_in(analysis, greyed(rgb, 0.5)) == []


# --- who it is ------------------------------------------------------------------------------------


def identity_sheet() -> tuple[np.ndarray, list[np.ndarray]]:
    """All orthogonal identities in one picture, six to a row, and their keypoints."""
    rgb = painter.canvas(1200, 800)
    painted = []
    for identity in range(IDENTITIES):
        row, column = divmod(identity, 6)
        center = (100 + 200 * column, 100 + 200 * row)
        painted.append(painter.paint_face(rgb, center, 120, identity=identity))
    return rgb, painted


def test_identity_codes_are_orthogonal() -> None:
    codes = np.array([painter.identity_code(identity) for identity in range(IDENTITIES)])
    assert np.array_equal(codes @ codes.T, painter.CODE_LENGTH * np.eye(IDENTITIES))
    later = painter.identity_code(IDENTITIES)
    assert set(later) <= {-1.0, 1.0}
    assert np.array_equal(later, painter.identity_code(IDENTITIES))


def test_identities_are_nearly_orthogonal(analysis: Any) -> None:
    rgb, painted = identity_sheet()
    faces = faces_in(analysis, rgb)
    ordered = [min(faces, key=lambda face: keypoint_error(face, points)) for points in painted]
    embeddings = np.array([face.embedding for face in ordered])
    norms = np.linalg.norm(embeddings, axis=1)
    assert len(faces) == IDENTITIES
    assert 15 < norms.min() < norms.max() < 25
    likeness = (embeddings / norms[:, None]) @ (embeddings / norms[:, None]).T
    assert np.abs(likeness - np.eye(IDENTITIES)).max() < 0.05


@pytest.mark.parametrize(
    "change",
    [
        {"center": (200, 210)},
        {"size": 120},
        {"size": 400},
        {"roll": 25},
        {"roll": -15, "size": 180, "center": (411.3, 283.7)},
        {"yaw": 15},
    ],
)
def test_identity_survives_another_pose(analysis: Any, change: dict[str, Any]) -> None:
    reference = only_face(analysis, scene(identity=3)[0])
    changed = only_face(analysis, scene(identity=3, **change)[0])
    assert cosine(changed.embedding, reference.embedding) > 0.95


def test_damaged_photos_keep_position_and_identity(analysis: Any) -> None:
    rgb, keypoints = scene(identity=4)
    _, jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 50])
    compressed = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))[..., ::-1]
    grain = np.random.default_rng(2).normal(0, 8, rgb.shape)
    grainy = np.clip(rgb + grain, 0, 255).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(rgb, (0, 0), 3))
    original = only_face(analysis, rgb).embedding
    for damaged in (compressed, grainy, blurred):
        face = only_face(analysis, damaged)
        assert keypoint_error(face, keypoints) < TOLERANCE
        assert cosine(face.embedding, original) > 0.99


def test_same_picture_gives_the_same_numbers(analysis: Any) -> None:
    rgb, _ = scene(identity=5)
    first, second = only_face(analysis, rgb), only_face(analysis, rgb)
    assert np.array_equal(first.embedding, second.embedding)
    assert np.array_equal(first.kps, second.kps)


# --- the files ------------------------------------------------------------------------------------


def embedding_of(model: pathlib.Path, crop: np.ndarray) -> np.ndarray:
    """Embeddings [1, 512] of an aligned RGB crop [112, 112, 3], straight from ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    blob = (crop.astype(np.float32).transpose(2, 0, 1)[None] - 127.5) / 127.5
    return np.asarray(session.run(None, {session.get_inputs()[0].name: blob})[0])


def test_another_seed_is_another_embedding_space(tmp_path: pathlib.Path) -> None:
    for seed in (7, 8):
        build_recogniser(tmp_path / f"{seed}.onnx", seed=seed)
    crop = painter.canvas(112, 112)
    size = painter.face_size(painter.ARCFACE_TEMPLATE)
    painter.paint_face(crop, tuple(painter.TEMPLATE_CENTRE), size)
    first, second = (embedding_of(tmp_path / f"{seed}.onnx", crop)[0] for seed in (7, 8))
    assert first.shape == (EMBEDDING_LENGTH,)
    assert abs(cosine(first, second)) < 0.2


def test_pack_bytes_are_repeatable(tmp_path: pathlib.Path) -> None:
    first, second = (antelope.build_pack(tmp_path / name) for name in ("first", "second"))
    files = {path.name for path in first.iterdir()}
    assert files >= {"scrfd_10g_bnkps.onnx", "glintr100.onnx"}
    assert files >= {"1k3d68.onnx", "2d106det.onnx", "genderage.onnx"}
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_all_five_modules_answer(tmp_path: pathlib.Path) -> None:
    assert antelope.build_pack(tmp_path) == tmp_path / "models" / "antelopev2"
    analysis = open_pack(tmp_path)
    assert set(analysis.models) == set(antelope.ALL_MODULES)
    face = only_face(analysis, scene()[0])
    assert face.landmark_3d_68.shape == (68, 3)
    assert face.landmark_2d_106.shape == (106, 2)
    assert np.abs(face.pose).max() < 3  # degrees
    assert (face.sex, face.age) == ("M", 33)


def test_nested_pack_is_one_folder_too_deep_for_insightface(tmp_path: pathlib.Path) -> None:
    folder = antelope.build_pack(tmp_path, modules=CORE_MODULES, nested=True)
    assert folder == tmp_path / "models" / "antelopev2" / "antelopev2"
    with pytest.raises(AssertionError):
        open_pack(tmp_path)


# --- the portrait ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"roll": 12}, {"yaw": 30}, {"size": 90}])
@pytest.mark.parametrize(("width", "height"), [(768, 768), (1216, 832), (896, 1344)])
def test_portrait_is_detected(
    analysis: Any, width: int, height: int, options: dict[str, Any]
) -> None:
    rgb, keypoints = painter.portrait(width, height, **options)
    assert rgb.shape == (height, width, 3)
    face = only_face(analysis, rgb)
    assert face.det_score >= 0.5
    assert keypoint_error(face, keypoints) < TOLERANCE


def test_portrait_shows_the_painted_identity(analysis: Any) -> None:
    portrait, _ = painter.portrait(identity=6)
    plain, _ = scene(identity=6)
    first, second = only_face(analysis, portrait), only_face(analysis, plain)
    assert cosine(first.embedding, second.embedding) > 0.99


def test_portrait_palette_keeps_clear_of_the_key_colours() -> None:
    backdrops = [tone for pair in painter.BACKDROP_TONES for tone in pair]
    singles = [painter.SKIN, painter.NECK, painter.LIPS, painter.PUPIL]
    palette = np.array(painter.HAIR_TONES + painter.GARMENT_TONES + backdrops + singles)
    distances = np.abs(palette[:, None] - painter.KEY_COLOURS.astype(int)).sum(axis=2)
    assert distances.min() > painter.KEY_REACH
