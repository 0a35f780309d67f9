"""Opening models on hardware that works: what is tried, what is said, and the CPU as a last resort.

No accelerator is needed: a stand-in for the runtime module plays providers that do not start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from instantid_core import sessions
from instantid_core.errors import FaceModelError, SettingError
from instantid_core.face_models import DETECTOR, FaceAnalyzer, find_models

CPU = "CPUExecutionProvider"
CUDA, DIRECTML = "CUDAExecutionProvider", "DmlExecutionProvider"
COREML, MIGRAPHX = "CoreMLExecutionProvider", "MIGraphXExecutionProvider"
OFFERED = onnxruntime.get_available_providers()
WITHOUT_CUDA = pytest.mark.skipif(CUDA in OFFERED, reason="this ONNX Runtime offers CUDA")


@pytest.fixture
def model(insightface_root: Path) -> Path:
    return insightface_root / "models" / "antelopev2" / DETECTOR


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


# --- what is tried --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "available", "expected"),
    [
        ("auto", [CPU], [CPU]),
        ("auto", ["AzureExecutionProvider", CPU], [CPU]),
        ("auto", ["TensorrtExecutionProvider", CUDA, CPU], [CUDA, CPU]),
        ("auto", [DIRECTML, CPU], [DIRECTML, CPU]),
        ("auto", [MIGRAPHX, CPU], [MIGRAPHX, CPU]),
        ("auto", [DIRECTML, MIGRAPHX, CUDA, CPU], [CUDA, MIGRAPHX, DIRECTML, CPU]),
        ("auto", [COREML, CPU], [CPU]),
        ("cpu", [CUDA, CPU], [CPU]),
        ("cuda", [CUDA, CPU], [CUDA, CPU]),
        ("directml", [DIRECTML, CPU], [DIRECTML, CPU]),
        ("coreml", [COREML, CPU], [COREML, CPU]),
        ("migraphx", [MIGRAPHX, CPU], [MIGRAPHX, CPU]),
    ],
)
def test_order_of_trials(
    choice: str, available: list[str], expected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert sessions.candidates(choice, available) == expected
    assert warnings_in(caplog) == []


@pytest.mark.parametrize("choice", ["cuda", "directml", "coreml", "migraphx"])
def test_a_provider_that_is_not_there_is_one_warning_and_the_cpu(
    choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert sessions.candidates(choice, ["AzureExecutionProvider", CPU]) == [CPU]
    (warning,) = warnings_in(caplog)
    assert choice in warning
    assert f"AzureExecutionProvider, {CPU}" in warning
    assert "Using the CPU" in warning


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(SettingError, match="auto, cpu, cuda, directml, coreml, migraphx") as caught:
        sessions.candidates("rocm", [CPU])
    assert "found 'rocm'" in str(caught.value)


# --- the real runtime -----------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["auto", "cpu"])
def test_the_real_runtime_opens_on_something(
    model: Path, choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    session = sessions.open_session(model, choice)
    assert len(session.get_outputs()) == 9
    if choice == "cpu":
        assert session.get_providers() == [CPU]
        assert warnings_in(caplog) == []


@WITHOUT_CUDA
def test_the_real_runtime_falls_back_with_one_warning(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert sessions.open_session(model, "cuda").get_providers() == [CPU]
    assert len(warnings_in(caplog)) == 1


# FaceAnalyzer opens two sessions and each of them warns: the user reads the sentence twice.
@WITHOUT_CUDA
@pytest.mark.xfail(strict=True, reason="one warning per model instead of one per analyzer")
def test_an_analyzer_warns_once(insightface_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    analyzer = FaceAnalyzer(find_models([insightface_root]), "cuda")
    assert analyzer.providers == (CPU, CPU)
    assert len(warnings_in(caplog)) == 1


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(FaceModelError, match="cannot open") as caught:
        sessions.open_session(tmp_path / "broken.onnx", "cpu")
    assert str(tmp_path / "broken.onnx") in str(caught.value)


# Before the error, a warning says "cannot use CPUExecutionProvider. Trying the next one."
@pytest.mark.xfail(strict=True, reason="the CPU is the last one and still announces a next one")
def test_a_broken_file_is_not_blamed_on_the_provider(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(FaceModelError):
        sessions.open_session(tmp_path / "broken.onnx", "cpu")
    assert warnings_in(caplog) == []


# --- a provider that is offered and does not start ------------------------------------------------


@dataclass
class PlayedRuntime:
    """An ONNX Runtime on Linux (starts on the CPU instead) or on Windows (raises)."""

    available: list[str]
    raises: bool
    severities: list[int] = field(default_factory=list)
    tried: list[Any] = field(default_factory=list)
    SessionOptions: type = onnxruntime.SessionOptions

    def get_available_providers(self) -> list[str]:
        return self.available

    def set_default_logger_severity(self, severity: int) -> None:
        self.severities.append(severity)

    def InferenceSession(  # noqa: N802  the runtime's name
        self, path: str, options: Any, providers: list[Any], enable_fallback: int
    ) -> onnxruntime.InferenceSession:
        self.tried.append(providers)
        if providers != [CPU] and self.raises:
            raise RuntimeError("CUDA_PATH is set but CUDA wasnt able to be loaded.\nStack:\n...")
        return onnxruntime.InferenceSession(path, options, providers=[CPU])


@pytest.mark.parametrize("raises", [False, True], ids=["starts on the CPU", "raises"])
@pytest.mark.parametrize("choice", ["auto", "cuda"])
def test_a_provider_that_does_not_start_is_one_warning_and_the_cpu(
    model: Path,
    choice: str,
    raises: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = PlayedRuntime([CUDA, CPU], raises)
    monkeypatch.setattr(sessions, "import_runtime", lambda: runtime)
    assert sessions.open_session(model, choice).get_providers() == [CPU]
    (warning,) = warnings_in(caplog)
    assert CUDA in warning
    assert "\n" not in warning
    assert ("CUDA_PATH is set" if raises else "its libraries do not load") in warning
    assert [str(providers) for providers in runtime.tried] == [
        str([(CUDA, sessions.CUDA_OPTIONS), CPU]),
        str([CPU]),
    ]


@pytest.mark.parametrize("raises", [False, True])
def test_the_runtime_s_own_log_level_is_put_back(
    model: Path, raises: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = PlayedRuntime([DIRECTML, CPU], raises)
    monkeypatch.setattr(sessions, "import_runtime", lambda: runtime)
    sessions.open_session(model, "directml")
    assert runtime.severities == [4, 2] * 2


def test_all_providers_are_tried_before_the_cpu(
    model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = PlayedRuntime([DIRECTML, CUDA, CPU], raises=True)
    monkeypatch.setattr(sessions, "import_runtime", lambda: runtime)
    assert sessions.open_session(model).get_providers() == [CPU]
    assert [CUDA in warnings_in(caplog)[0], DIRECTML in warnings_in(caplog)[1]] == [True, True]
    assert len(runtime.tried) == 3


def test_two_sessions_on_one_file_give_the_same_numbers(insightface_root: Path) -> None:
    files = find_models([insightface_root])
    crop = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    points = np.float32([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]])
    first, second = (FaceAnalyzer(files, "cpu").embed(crop, points) for _ in range(2))
    assert np.array_equal(first, second)
