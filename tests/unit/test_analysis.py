"""Face analysis on real ONNX files, with insightface's own FaceAnalysis as the judge.

Every comparison is for equal bits: both sides run the same classes on the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instantid_core.errors import NoFaceError, SettingError
from instantid_core.faces.analysis import Analysis, AnalysisMemory, analyse
from instantid_core.faces.analyzer import FaceAnalyzer
from instantid_core.faces.detection import DETECTION_SIZES, detect
from instantid_core.faces.memory import Latest
from instantid_core.faces.selection import Selection
from instantid_core.models.face_model_files import DETECTOR, RECOGNISER, FaceModelFiles
from instantid_core.types import Box, ColourOrder, Extent
from tools.small_world import antelope, painter

FAINT = 0.4  # share of colour taken out of a face that leaves it a score of 0.07
EVERYONE = Selection("left_to_right", on_no_face="skip")
TOLERANCE = 0.02  # of keypoints, over the face size; test_painted_faces.py holds the pack to it

# Per scene: width, height, and a face as (centre, size, roll, yaw, identity).
SCENES = {
    "one": (640, 640, [((320, 320), 250, 0, 0, 0)]),
    "small photo": (300, 200, [((150, 100), 90, 12, 0, 1)]),
    "large photo": (2000, 1500, [((900, 700), 600, -20, 15, 2)]),
    "two": (960, 720, [((300, 300), 200, 0, 0, 3), ((700, 400), 160, 10, 0, 4)]),
    "three": (832, 1216, [((200 + 220 * n, 500), 120 + 20 * n, 8 * n, 0, n) for n in range(3)]),
    "six": (1200, 800, [((200 + 380 * (n % 3), 220 + 360 * (n // 3)), 150, 5 * n, 0, n)
                        for n in range(6)]),
    "overlapping boxes": (900, 500, [((350, 250), 180, 0, 0, 7), ((530, 250), 180, 0, 0, 8)]),
    "cut by the edge": (500, 400, [((95, 330), 200, 0, 0, 5), ((380, 200), 150, 0, 0, 6)]),
}  # fmt: skip


def paint(width: int, height: int, faces: Sequence[tuple] = ()) -> np.ndarray:
    rgb = painter.canvas(width, height)
    for center, size, roll, yaw, identity in faces:
        painter.paint_face(rgb, center, size, roll=roll, yaw=yaw, identity=identity)
    return rgb


def one_face(size: float = 250, side: int = 640, identity: int = 0) -> np.ndarray:
    return paint(side, side, [((side / 2, side / 2), size, 0, 0, identity)])


EMPTY = paint(640, 480)


def run(
    engine: Any, *frames: np.ndarray, selection: Selection = EVERYONE, min_score: float = 0.5
) -> Analysis:
    return analyse(frames, engine, selection, min_score, lambda: None)


def bgr_of(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rgb[..., ::-1])


def sizes_that_find(engine: FaceAnalyzer, rgb: np.ndarray) -> list[int]:
    """The detection sizes at which a face is found with a score of 0.5."""
    best = {size: engine.detect(bgr_of(rgb), size)[0][:1, 4] for size in DETECTION_SIZES}
    return [size for size, scores in best.items() if (scores >= 0.5).any()]


@pytest.fixture(scope="module")
def reference(insightface_root: Path) -> Any:
    """FaceAnalysis as InstantID sets it up, on the CPU."""
    from insightface.app import FaceAnalysis

    pack = insightface_root / "models" / "antelopev2"
    judge = FaceAnalysis(
        name=str(pack),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
    )
    judge.prepare(ctx_id=0, det_size=(640, 640))
    return judge


# --- the same numbers as insightface --------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::FutureWarning")  # insightface's, about scikit-image
@pytest.mark.parametrize("scene", SCENES)
def test_boxes_keypoints_and_embeddings_equal_insightface(
    analyzer: FaceAnalyzer, reference: Any, scene: str
) -> None:
    rgb = paint(*SCENES[scene])
    expected = reference.get(bgr_of(rgb))
    expected.sort(key=lambda face: (face.bbox[0] + face.bbox[2]) / 2)
    found = run(analyzer, rgb).faces.all
    assert len(found) == len(expected) == len(SCENES[scene][2])
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(np.array(ours.box, np.float32), theirs.bbox)
        assert np.float32(ours.score) == theirs.det_score
        assert np.array_equal(ours.keypoints, theirs.kps)
        assert np.array_equal(ours.embedding, theirs.embedding)
        assert {ours.keypoints.dtype, ours.embedding.dtype} == {np.dtype(np.float32)}
        assert (ours.keypoints.shape, ours.embedding.shape) == ((5, 2), (512,))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # insightface's, about scikit-image
def test_for_sd15_the_recogniser_sees_red_and_blue_exchanged(
    analyzer: FaceAnalyzer, reference: Any
) -> None:
    """As `load_components.py` of TheDenk/InstantID-SD1.5, which gives insightface RGB. Positions
    are those of the usual order, in which the detector finds more."""
    rgb = paint(*SCENES["three"])
    other = FaceAnalyzer(analyzer.files, "cpu", "SD 1.5")
    usual, exchanged = (run(engine, rgb).faces for engine in (analyzer, other))
    for before, face in zip(usual.all, exchanged.all, strict=True):
        theirs = type("Found", (dict,), {"kps": face.keypoints})()
        assert np.array_equal(face.keypoints, before.keypoints)
        assert np.array_equal(face.embedding, reference.models["recognition"].get(rgb, theirs))
        assert not np.array_equal(face.embedding, before.embedding)
    assert exchanged.recogniser == replace(usual.recogniser, colours=ColourOrder.RGB)


def test_a_base_model_without_instantid_is_refused(analyzer: FaceAnalyzer) -> None:
    with pytest.raises(SettingError, match=r"one of SDXL, SD 1\.5; found 'SD 2'"):
        FaceAnalyzer(analyzer.files, "cpu", "SD 2")


@pytest.mark.filterwarnings("error")
def test_analysis_warns_of_nothing(analyzer: FaceAnalyzer) -> None:
    assert run(analyzer, one_face()).faces.count == 1


def test_embeddings_are_raw(analyzer: FaceAnalyzer) -> None:
    (face,) = run(analyzer, one_face()).faces.all
    assert 15 < np.linalg.norm(face.embedding) < 25


def test_repeated_runs_give_the_same_bits(analyzer: FaceAnalyzer) -> None:
    rgb = paint(*SCENES["six"])
    first = run(analyzer, rgb).faces.all
    for _ in range(3):
        for before, after in zip(first, run(analyzer, rgb).faces.all, strict=True):
            assert (before.box, before.score) == (after.box, after.score)
            assert np.array_equal(before.keypoints, after.keypoints)
            assert np.array_equal(before.embedding, after.embedding)


def test_frames_are_left_alone(analyzer: FaceAnalyzer) -> None:
    rgb = one_face(560)
    before = rgb.copy()
    run(analyzer, rgb)
    assert np.array_equal(rgb, before)


# --- faces that 640 misses ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [500, 620, 900])
def test_close_up_is_found_at_the_size_with_the_best_score(
    analyzer: FaceAnalyzer, size: float
) -> None:
    rgb = one_face(size)
    scores = {at: analyzer.detect(bgr_of(rgb), at)[0][:1, 4].sum() for at in DETECTION_SIZES}
    assert scores[640] < 0.5, "the reference's size does not find it"
    best = max(scores, key=lambda at: scores[at])
    (face,) = run(analyzer, rgb).faces.all
    boxes, keypoints = analyzer.detect(bgr_of(rgb), best)
    assert np.array_equal(np.array(face.box, np.float32), boxes[0, :4])
    assert np.array_equal(face.keypoints, keypoints[0])
    painted = painter.keypoints_for((320, 320), size)
    assert np.abs(face.keypoints - painted).max() < TOLERANCE * size


@pytest.fixture(scope="module")
def short_sighted(analyzer: FaceAnalyzer, tmp_path_factory: pytest.TempPathFactory) -> FaceAnalyzer:
    """A detector that sees only faces below 80 pixels, so that no size finds a close-up."""
    folder = tmp_path_factory.mktemp("short_sighted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(antelope, "ANCHOR_SIZES", {8: (10, 14), 16: (20, 28), 32: (40, 44)})
        antelope.build_detector(folder / DETECTOR)
    shutil.copy(analyzer.files.recogniser, folder / RECOGNISER)
    return FaceAnalyzer(FaceModelFiles(folder / DETECTOR, folder / RECOGNISER), "cpu")


@pytest.mark.parametrize(("width", "height"), [(640, 640), (640, 560), (600, 800)])
def test_face_that_only_padding_finds_lies_where_it_was_painted(
    short_sighted: FaceAnalyzer, width: int, height: int
) -> None:
    size, center = 0.95 * max(width, height), (width / 2 - 7, height / 2 + 9)
    rgb = paint(width, height, [(center, size, 0, 0, 3)])
    assert sizes_that_find(short_sighted, rgb) == []
    (face,) = run(short_sighted, rgb).faces.all
    painted = painter.keypoints_for(center, size)
    assert np.abs(face.keypoints - painted).max() < 2 * TOLERANCE * size  # seen at a tenth
    assert np.abs(np.array(face.box) - painter.expected_box(painted)).max() < 0.05 * size


def test_no_state_stays_from_a_close_up(analyzer: FaceAnalyzer) -> None:
    bgr = bgr_of(paint(*SCENES["two"]))
    before = analyzer.detect(bgr, 640)
    assert run(analyzer, one_face(620)).faces.count == 1
    assert run(analyzer, EMPTY).faces.count == 0
    for first, second in zip(before, analyzer.detect(bgr, 640), strict=True):
        assert np.array_equal(first, second)


# --- scores ---------------------------------------------------------------------------------------


def faded_pair(share: float = 0.3) -> np.ndarray:
    """Two faces, the right one with a share of its colour taken out, which lowers its score."""
    rgb = paint(960, 480, [((250, 240), 200, 0, 0, 0), ((700, 240), 200, 0, 0, 1)])
    faded = rgb[:, 480:]
    faded[:] = faded + share * (faded.mean(axis=2, keepdims=True) - faded)
    return rgb


@pytest.mark.parametrize(("min_score", "count"), [(0, 2), (0.5, 2), (0.8, 1), (1, 0)])
def test_min_score_decides_what_is_a_face(
    analyzer: FaceAnalyzer, min_score: float, count: int
) -> None:
    found = run(analyzer, faded_pair(), min_score=min_score)
    assert len(found.detections[0]) == count
    assert all(face.score >= min_score for face in found.detections[0])


@pytest.mark.parametrize("share", [0.3, FAINT])
@pytest.mark.parametrize("min_score", [0.05, 0.1, 0.3, 0.6, 0.9])
def test_a_threshold_after_suppression_keeps_the_same_faces(
    analyzer: FaceAnalyzer, reference: Any, min_score: float, share: float
) -> None:
    bgr = bgr_of(faded_pair(share))
    boxes, _ = reference.det_model.detect(bgr, det_thresh=min_score)
    found = [(*face.box, face.score) for face in detect(bgr, analyzer, min_score)]
    assert len(boxes)
    assert np.array_equal(np.float32(found), boxes[np.argsort(boxes[:, 0] + boxes[:, 2])])


def test_the_lowest_min_score_of_the_node_finds_faint_faces(analyzer: FaceAnalyzer) -> None:
    _, faint = detect(bgr_of(faded_pair(FAINT)), analyzer, 0.05)
    assert 0.05 < faint.score < 0.1


def test_a_score_equal_to_min_score_counts(analyzer: FaceAnalyzer) -> None:
    bgr = bgr_of(one_face())
    (face,) = detect(bgr, analyzer, 0.5)
    above = float(np.nextafter(np.float32(face.score), np.float32(2)))
    assert [found.score for found in detect(bgr, analyzer, face.score)] == [face.score]
    assert all(found.score > face.score for found in detect(bgr, analyzer, above))


# --- batches --------------------------------------------------------------------------------------


def test_no_face_names_the_image_and_the_sizes(analyzer: FaceAnalyzer) -> None:
    with pytest.raises(NoFaceError) as caught:
        run(analyzer, one_face(), EMPTY, selection=Selection(), min_score=0.4)
    message = str(caught.value)
    assert "image 2 of 2 (640 x 480 pixels)" in message
    assert ", ".join(map(str, (640, 512, 448, 384, 320, 256, 192, 128))) in message
    assert "a score of at least 0.4" in message
    assert "set on_no_face to skip" in message


def test_skipping_keeps_frames_in_place(analyzer: FaceAnalyzer) -> None:
    frames = [one_face(identity=1), EMPTY, one_face(300, identity=2), EMPTY]
    found = run(analyzer, *frames, selection=Selection(on_no_face="skip"))
    assert [len(frame.faces) for frame in found.faces.frames] == [1, 0, 1, 0]
    assert [frame.extent for frame in found.faces.frames][1] == Extent(640, 480)
    assert [len(detections) for detections in found.detections] == [1, 0, 1, 0]
    assert found.faces.recogniser == analyzer.recogniser


# --- what was just seen ---------------------------------------------------------------------------


class Counted:
    """The real face models, counting how often each one runs."""

    def __init__(self, models: FaceAnalyzer) -> None:
        self.models, self.recogniser = models, models.recogniser
        self.memory = AnalysisMemory()
        self.detected = self.embedded = 0

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        self.detected += 1
        return self.models.detect(bgr, size)

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        self.embedded += 1
        return self.models.embed(bgr, keypoints)

    def landmarks(self, bgr: np.ndarray, box: Box) -> np.ndarray | None:
        return self.models.landmarks(bgr, box)

    def look(self, *frames: np.ndarray, selection: Selection = EVERYONE, score: float = 0.5) -> Any:
        return analyse(frames, self, selection, score, memory=self.memory)

    @property
    def runs(self) -> tuple[int, int]:
        return self.detected, self.embedded


@pytest.fixture
def counted(analyzer: FaceAnalyzer) -> Counted:
    return Counted(analyzer)


def test_an_equal_picture_is_remembered_with_its_faces(counted: Counted) -> None:
    """The same object: an identity made of it is then known, too."""
    first = counted.look(one_face())
    assert counted.look(one_face().copy()).faces is first.faces
    assert counted.runs == (1, 1)


def test_a_click_on_another_face_reads_that_face_alone(counted: Counted) -> None:
    rgb = paint(*SCENES["three"])
    clicks = [counted.look(rgb, selection=Selection("index", n)) for n in (0, 1, 0, 1, 1)]
    assert counted.runs == (1, 2)
    assert counted.look(rgb).faces.count == 3
    assert counted.runs == (1, 3)
    for click, place in zip(clicks, (0, 1, 0, 1, 1), strict=True):
        (face,) = click.faces.all
        assert face.keypoints is click.detections[0][place].keypoints
        (fresh,) = run(counted.models, rgb, selection=Selection("index", place)).faces.all
        assert np.array_equal(face.embedding, fresh.embedding)


@pytest.mark.parametrize(
    "change",
    [
        {"frame": one_face(identity=1)},
        {"frame": one_face().reshape(320, 1280, 3)},
        {"score": 0.6},
    ],
    ids=["another picture", "another shape", "another threshold"],
)
def test_any_change_is_detected(counted: Counted, change: dict[str, Any]) -> None:
    counted.look(one_face())
    before = counted.detected
    changed = {"frame": one_face(), **change}
    counted.look(changed.pop("frame"), **changed)
    assert counted.detected > before


def test_a_batch_knows_its_pictures_one_by_one(counted: Counted) -> None:
    one, other = one_face(), one_face(identity=1)
    counted.look(one, other)
    counted.look(other)
    counted.look(other, one)
    assert counted.runs == (2, 2)


def test_the_analyzer_remembers(analyzer: FaceAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = paint(*SCENES["two"])
    first = analyzer.analyse([rgb], Selection("index", 0), 0.5)
    monkeypatch.setattr(analyzer, "_detector", None)
    second = analyzer.analyse([rgb], Selection("index", 1), 0.5)
    assert [face.box for face in second.detections[0]] == [face.box for face in first.detections[0]]
    assert second.faces.all[0].box == first.detections[0][1].box


def test_the_value_used_longest_ago_is_dropped() -> None:
    latest: Latest[str, int] = Latest(2)
    latest.keep("a", 1)
    latest.keep("b", 2)
    assert latest.get("a") == 1, "which makes it newer than b"
    latest.keep("c", 3)
    assert [latest.get(key) for key in "abc"] == [1, None, 3]
    assert len(latest) == 2
