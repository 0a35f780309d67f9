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

from instantid_core.errors import FaceModelError, SettingError
from instantid_core.faces.analyzer import FaceAnalyzer
from instantid_core.libraries import onnx_sessions
from instantid_core.models.face_model_files import DETECTOR, RECOGNISER, FaceModelFiles, find_models

CPU = "CPUExecutionProvider"
CUDA, DIRECTML = "CUDAExecutionProvider", "DmlExecutionProvider"
COREML, MIGRAPHX = "CoreMLExecutionProvider", "MIGraphXExecutionProvider"
OFFERED = onnxruntime.get_available_providers()
WITHOUT_CUDA = pytest.mark.skipif(CUDA in OFFERED, reason="this ONNX Runtime offers CUDA")


@pytest.fixture
def models(insightface_root: Path) -> FaceModelFiles:
    return find_models([insightface_root])


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
    assert onnx_sessions.candidates(choice, available) == expected
    assert warnings_in(caplog) == []


@pytest.mark.parametrize("choice", ["cuda", "directml", "coreml", "migraphx"])
def test_a_provider_that_is_not_there_is_one_warning_and_the_cpu(
    choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert onnx_sessions.candidates(choice, ["AzureExecutionProvider", CPU]) == [CPU]
    (warning,) = warnings_in(caplog)
    assert choice in warning
    assert f"AzureExecutionProvider, {CPU}" in warning
    assert "Using the CPU" in warning


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(SettingError, match="auto, cpu, cuda, directml, coreml, migraphx") as caught:
        onnx_sessions.candidates("rocm", [CPU])
    assert "found 'rocm'" in str(caught.value)


# --- the real runtime -----------------------------------------------------------------------------


def on_cpu(opened: tuple[onnxruntime.InferenceSession, ...]) -> bool:
    return [session.get_providers() for session in opened] == [[CPU], [CPU]]


def test_models_are_opened_in_their_order(models: FaceModelFiles) -> None:
    opened = onnx_sessions.open_sessions(models[:2])
    assert [len(session.get_outputs()) for session in opened] == [9, 1]


def test_the_cpu_is_no_reason_to_warn(
    models: FaceModelFiles, caplog: pytest.LogCaptureFixture
) -> None:
    assert on_cpu(onnx_sessions.open_sessions(models[:2], "cpu"))
    assert warnings_in(caplog) == []


@WITHOUT_CUDA
def test_an_analyzer_falls_back_and_warns_once(
    models: FaceModelFiles, caplog: pytest.LogCaptureFixture
) -> None:
    analyzer = FaceAnalyzer(models, "cuda")
    assert analyzer.providers == (CPU, CPU)
    assert sum("provider" in text or "cuda" in text for text in warnings_in(caplog)) == 1


def test_a_broken_file_is_named_and_not_blamed_on_the_provider(
    models: FaceModelFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(FaceModelError) as caught:
        onnx_sessions.open_sessions([models.detector, broken], "cpu")
    assert f"ONNX Runtime cannot open {broken}: " in str(caught.value)
    assert warnings_in(caplog) == []


def test_two_analyzers_of_one_pack_give_the_same_numbers(models: FaceModelFiles) -> None:
    crop = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    points = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], np.float32)
    first, second = (FaceAnalyzer(models, "cpu").embed(crop, points) for _ in range(2))
    assert np.array_equal(first, second)


# --- a provider that is offered and does not start ------------------------------------------------


@dataclass
class PlayedRuntime:
    """An ONNX Runtime whose accelerators fail: on Linux a session starts on the CPU instead, on
    Windows it raises."""

    available: list[str]
    raises: bool
    severities: list[int] = field(default_factory=list)
    tried: list[tuple[str, Any]] = field(default_factory=list)
    SessionOptions: type = onnxruntime.SessionOptions

    def get_available_providers(self) -> list[str]:
        return self.available

    def set_default_logger_severity(self, severity: int) -> None:
        self.severities.append(severity)

    def InferenceSession(  # noqa: N802  the runtime's name
        self, path: str, options: Any, providers: list[Any], enable_fallback: int
    ) -> onnxruntime.InferenceSession:
        self.tried.append((Path(path).name, providers))
        if providers != [CPU] and self.raises:
            raise RuntimeError("CUDA_PATH is set but CUDA wasnt able to be loaded.\nStack:\n...")
        return onnxruntime.InferenceSession(path, options, providers=[CPU])


@pytest.mark.parametrize("raises", [False, True], ids=["starts on the CPU", "raises"])
@pytest.mark.parametrize("choice", ["auto", "cuda"])
def test_a_provider_that_does_not_start_is_one_warning_and_the_cpu(
    models: FaceModelFiles,
    choice: str,
    raises: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = PlayedRuntime([CUDA, CPU], raises)
    monkeypatch.setattr(onnx_sessions, "import_runtime", lambda: runtime)
    assert on_cpu(onnx_sessions.open_sessions(models[:2], choice))
    (warning,) = warnings_in(caplog)
    assert CUDA in warning
    assert "\n" not in warning
    assert ("CUDA_PATH is set" if raises else "its libraries do not load") in warning
    assert runtime.tried == [
        (DETECTOR, [(CUDA, onnx_sessions.CUDA_OPTIONS), CPU]),
        (DETECTOR, [CPU]),
        (RECOGNISER, [CPU]),
    ]


@pytest.mark.parametrize("raises", [False, True])
def test_the_runtime_s_own_log_level_is_put_back(
    models: FaceModelFiles, raises: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = PlayedRuntime([DIRECTML, CPU], raises)
    monkeypatch.setattr(onnx_sessions, "import_runtime", lambda: runtime)
    onnx_sessions.open_sessions(models[:2], "directml")
    assert runtime.severities == [4, 2] * 3


def test_all_providers_are_tried_before_the_cpu(
    models: FaceModelFiles, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = PlayedRuntime([DIRECTML, CUDA, CPU], raises=True)
    monkeypatch.setattr(onnx_sessions, "import_runtime", lambda: runtime)
    assert on_cpu(onnx_sessions.open_sessions(models[:2]))
    first, second = warnings_in(caplog)
    assert CUDA in first
    assert DIRECTML in second
    assert len(runtime.tried) == 4
