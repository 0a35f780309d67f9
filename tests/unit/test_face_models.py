"""Finding the antelopev2 files, and the sentences for folders and files that are not right."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from instantid_core.errors import FaceModelError
from instantid_core.faces.analyzer import FaceAnalyzer
from instantid_core.models.face_model_files import DETECTOR, RECOGNISER, FaceModelFiles, find_models
from tools.small_world import antelope
from tools.small_world.recogniser import build_recogniser

PACK = "antelopev2"
BOTH = (DETECTOR, RECOGNISER)


def put(folder: Path, *names: str) -> Path:
    """Empty files: finding goes by name alone."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return folder


def complaint(*roots: Path) -> str:
    with pytest.raises(FaceModelError) as caught:
        find_models(roots)
    return str(caught.value)


# --- where the files may be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(f"models/{PACK}", id="where insightface looks"),
        pytest.param(f"models/{PACK}/{PACK}", id="one folder too deep"),
        pytest.param(PACK, id="flat"),
        pytest.param(f"{PACK}/{PACK}", id="flat, one folder too deep"),
    ],
)
def test_the_pack_is_found(tmp_path: Path, place: str) -> None:
    folder = put(tmp_path / place, *BOTH, "genderage.onnx")
    assert find_models([tmp_path]) == FaceModelFiles(folder / DETECTOR, folder / RECOGNISER)


@pytest.mark.parametrize("nested", [False, True])
def test_a_real_pack_is_found_and_opens(tmp_path: Path, nested: bool) -> None:
    folder = antelope.build_pack(tmp_path, modules=("detection", "recognition"), nested=nested)
    analyzer = FaceAnalyzer(find_models([tmp_path]), "cpu")
    assert analyzer.files.detector.parent == folder
    assert analyzer.providers == ("CPUExecutionProvider", "CPUExecutionProvider")


def test_the_first_root_with_both_files_wins(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("missing", "half", "whole", "later")]
    put(roots[1] / "models" / PACK, DETECTOR)
    whole = put(roots[2] / "models" / PACK, *BOTH)
    put(roots[3] / "models" / PACK, *BOTH)
    assert find_models(roots).detector.parent == whole


def test_the_two_files_of_a_pack_are_never_mixed(tmp_path: Path) -> None:
    put(tmp_path / "a" / "models" / PACK, DETECTOR)
    put(tmp_path / "b" / "models" / PACK, RECOGNISER)
    assert "missing" in complaint(tmp_path / "a", tmp_path / "b")


def test_another_pack_name_is_looked_for_by_that_name(tmp_path: Path) -> None:
    put(tmp_path / "models" / PACK, *BOTH)
    other = put(tmp_path / "models" / "mine", *BOTH)
    assert find_models([tmp_path], "mine").recogniser.parent == other


# --- what is said when they are not ---------------------------------------------------------------


def test_missing_pack_lists_every_place_and_the_goal(tmp_path: Path) -> None:
    roots = [tmp_path / "first", tmp_path / "second"]
    message = complaint(*roots)
    assert f"Searched models/{PACK}, {PACK}, and one level deeper in each, below: " in message
    assert all(str(root) in message for root in roots)
    goal = roots[0] / "models" / PACK
    assert f"Put {DETECTOR} and {RECOGNISER} of the {PACK} pack into {goal}." in message


def test_only_for_the_published_pack_the_button_is_named(tmp_path: Path) -> None:
    button = "'Get InstantID models' in ComfyUI's menu"
    assert button in complaint(tmp_path)
    put(tmp_path / "models" / PACK, DETECTOR)
    assert button in complaint(tmp_path)
    put(tmp_path / "models" / "mine", DETECTOR)
    with pytest.raises(FaceModelError) as caught:
        find_models([tmp_path], "mine")
    assert "is missing" in str(caught.value)
    assert button not in str(caught.value)


def test_empty_folder_is_as_good_as_none(tmp_path: Path) -> None:
    put(tmp_path / "models" / PACK)
    assert "The face models of antelopev2 were not found. Searched models" in complaint(tmp_path)


@pytest.mark.parametrize(("present", "missing"), [BOTH, BOTH[::-1]])
def test_half_a_pack_names_the_missing_file(tmp_path: Path, present: str, missing: str) -> None:
    folder = put(tmp_path / "models" / PACK, present)
    message = complaint(tmp_path)
    assert f"{folder} holds {present}, but {missing} is missing." in message


@pytest.mark.parametrize(
    ("foreign", "family"), [("w600k_r50.onnx", "buffalo_l"), ("w600k_mbf.onnx", "buffalo_s")]
)
def test_foreign_recogniser_is_named(tmp_path: Path, foreign: str, family: str) -> None:
    folder = put(tmp_path / "models" / PACK, "det_10g.onnx", foreign)
    message = complaint(tmp_path)
    assert f"{folder} holds {foreign}, the recogniser of {family}." in message
    assert RECOGNISER in message
    assert "the likeness would be lost" in message


def test_foreign_recogniser_beside_the_right_detector_is_named(tmp_path: Path) -> None:
    put(tmp_path / "models" / PACK, DETECTOR, "w600k_r50.onnx")
    assert "the recogniser of buffalo_l" in complaint(tmp_path)


def test_foreign_recogniser_beside_a_whole_pack_does_no_harm(tmp_path: Path) -> None:
    folder = put(tmp_path / "models" / PACK, *BOTH, "w600k_r50.onnx")
    assert find_models([tmp_path]).recogniser == folder / RECOGNISER


def test_no_registered_folder_says_how_to_register_one() -> None:
    assert "Register one named 'insightface' in extra_model_paths.yaml" in complaint()


# --- files that are not what their name says ------------------------------------------------------


@pytest.fixture
def pack(insightface_root: Path, tmp_path: Path) -> Path:
    """A copy of the real pack's folder that the test may spoil."""
    return Path(shutil.copytree(insightface_root / "models" / PACK, tmp_path / PACK))


def refusal(pack: Path) -> str:
    with pytest.raises(FaceModelError) as caught:
        FaceAnalyzer(FaceModelFiles(pack / DETECTOR, pack / RECOGNISER), "cpu")
    return str(caught.value)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("share", [0, 0.5, 0.99], ids=["empty", "half", "almost whole"])
def test_truncated_file_is_named(pack: Path, name: str, share: float) -> None:
    whole = (pack / name).read_bytes()
    (pack / name).write_bytes(whole[: int(share * len(whole))])
    message = refusal(pack)
    assert f"cannot open {pack / name}" in message
    assert "delete it and download it again" in message


@pytest.mark.parametrize("name", BOTH)
def test_a_web_page_saved_as_a_model_is_named(pack: Path, name: str) -> None:
    (pack / name).write_text("<!DOCTYPE html><html>Not Found</html>")
    assert f"cannot open {pack / name}" in refusal(pack)


@pytest.mark.parametrize("other", [RECOGNISER, "genderage.onnx", "2d106det.onnx"])
def test_another_model_in_the_detector_s_place(pack: Path, other: str) -> None:
    shutil.copy(pack / other, pack / DETECTOR)
    message = refusal(pack)
    assert f"{pack / DETECTOR} is not a SCRFD detector with keypoints" in message
    assert "expected 9 outputs, found 1" in message
    assert f"Use {DETECTOR} of {PACK}." in message


@pytest.mark.parametrize("other", [DETECTOR, "genderage.onnx", "1k3d68.onnx"])
def test_another_model_in_the_recogniser_s_place(pack: Path, other: str) -> None:
    shutil.copy(pack / other, pack / RECOGNISER)
    message = refusal(pack)
    assert f"{pack / RECOGNISER} is not an ArcFace recogniser" in message
    assert f"Use {RECOGNISER} of {PACK}." in message


def test_a_missing_file_is_named(pack: Path) -> None:
    (pack / DETECTOR).unlink()
    assert f"{pack / DETECTOR}" in refusal(pack)


def spoiled(path: Path, change: Callable[[onnx.GraphProto], None]) -> None:
    """Write a model that opens as before, after a change of its graph."""
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, path)


def with_exchanged_outputs(graph: onnx.GraphProto) -> None:
    outputs = list(graph.output)[::-1]
    del graph.output[:]
    graph.output.extend(outputs)


def with_an_answer_of_nan(graph: onnx.GraphProto) -> None:
    (output,) = graph.output
    for node in graph.node:
        node.output[:] = ["before" if name == output.name else name for name in node.output]
    graph.initializer.append(onnx.helper.make_tensor("nan", onnx.TensorProto.FLOAT, [], [math.nan]))
    graph.node.append(onnx.helper.make_node("Mul", ["before", "nan"], [output.name]))


def test_a_detector_that_opens_and_answers_wrongly_is_named(pack: Path) -> None:
    spoiled(pack / DETECTOR, with_exchanged_outputs)
    analyzer = FaceAnalyzer(FaceModelFiles(pack / DETECTOR, pack / RECOGNISER), "cpu")
    with pytest.raises(FaceModelError, match=f"{DETECTOR} opens, and cannot be used"):
        analyzer.detect(np.full((320, 320, 3), 128, np.uint8), 320)


def test_a_recogniser_that_opens_and_answers_wrongly_is_named(pack: Path) -> None:
    spoiled(pack / RECOGNISER, with_an_answer_of_nan)
    analyzer = FaceAnalyzer(FaceModelFiles(pack / DETECTOR, pack / RECOGNISER), "cpu")
    eyes_nose_mouth = np.array([[110, 120], [200, 120], [160, 170], [120, 220], [190, 220]])
    with pytest.raises(FaceModelError, match=f"{RECOGNISER} opens, and cannot be used"):
        analyzer.embed(np.full((320, 320, 3), 128, np.uint8), eyes_nose_mouth.astype(np.float32))


# --- who the recogniser is ------------------------------------------------------------------------


def test_recognisers_are_told_apart_by_their_bytes(pack: Path, analyzer: FaceAnalyzer) -> None:
    files = FaceModelFiles(pack / DETECTOR, pack / RECOGNISER)
    assert FaceAnalyzer(files, "cpu").recogniser == analyzer.recogniser
    build_recogniser(pack / RECOGNISER, seed=8)
    assert FaceAnalyzer(files, "cpu").recogniser != analyzer.recogniser


@pytest.mark.parametrize(
    "pack",
    ["../../../input/evil", "/etc", "..", "antelopev2/../../..", "a\\b", "C:evil", "\0", "", "CON"],
)
def test_a_pack_is_one_plain_name(tmp_path: Path, pack: str) -> None:
    """A wire brings any text. Files in other folders are neither opened nor named."""
    evil = tmp_path / "input" / "evil"
    evil.mkdir(parents=True)
    for name in (DETECTOR, RECOGNISER, "acme-merger.onnx"):
        (evil / name).write_bytes(b"onnx")
    root = tmp_path / "models" / "insightface"
    (root / "models").mkdir(parents=True)
    with pytest.raises(FaceModelError, match="model_pack must be the name of one folder") as error:
        find_models([root], pack)
    assert "acme" not in str(error.value)
