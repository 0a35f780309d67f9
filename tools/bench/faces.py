"""Time of face analysis per image: the two models that InstantID needs, and insightface's five."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tools.small_world.scenes import photo

from .host import Scene
from .report import Table, missing, timings

ROUNDS = 30
PAUSE = 0.1
"""Seconds. FaceAnalysis' idle threads spin for a while, which would slow the next run."""
Seconds = dict[str, list[float]]
OURS, THEIRS = "FaceAnalyzer, two models", "insightface FaceAnalysis, five models"


CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def gpu_face_tables(scene: Scene, root: Path) -> list[Table]:
    """Tables on the GPU, if ONNX Runtime can use one."""
    import onnxruntime

    if CUDA in onnxruntime.get_available_providers():
        how = {"model_pack": "antelopev2", "provider": "cuda"}
        (analyzer,) = scene.pack.run("InstantIDLoadFaceAnalyzer", **how)
        if set(analyzer.providers) == {CUDA}:
            return face_tables(replace(scene, analyzer=analyzer), root, CUDA)
    why = "needs onnxruntime-gpu on a CUDA device"
    return [Table("Face analysis of one image on the GPU", (missing("one image", why),))]


def face_tables(scene: Scene, root: Path, provider: str = CPU) -> list[Table]:
    """Tables of both on the same picture, in turns. root: the folder with `models/antelopev2`;
    provider: that of the scene's analyzer."""
    runs = {OURS: our_embedding(scene), THEIRS: their_embedding(root, provider)}
    ours, theirs = (run() for run in runs.values())
    if not (np.array_equal if provider == CPU else _alike)(ours, theirs):
        raise RuntimeError("the two found different embeddings, so their times cannot be compared")
    wall, cpu = measure(runs)
    where = "CPU" if provider == CPU else "GPU"
    title = f"Face analysis of one 512 x 512 image with one face, on the {where}"
    notes = (
        "Equal embeddings. The synthetic models are tiny: these are the costs around the models,",
        "and three real models would add their own time on top.",
    )
    return [
        Table(f"{title}: wall time", timings(wall)),
        Table(f"{title}: CPU time of all threads", timings(cpu), notes),
    ]


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether embeddings are nearly equal: on a GPU the kernels vary between runs."""
    return float(one @ other) > 0.999 * float(np.linalg.norm(one) * np.linalg.norm(other))


def measure(runs: dict[str, Callable[[], Any]]) -> tuple[Seconds, Seconds]:
    """Wall time and CPU time; the latter does not include waiting for other programs."""
    wall: Seconds = {name: [] for name in runs}
    cpu: Seconds = {name: [] for name in runs}
    names = list(runs)
    for turn in range(ROUNDS):
        for name in names if turn % 2 else reversed(names):
            time.sleep(PAUSE)
            started = time.perf_counter(), time.process_time()
            runs[name]()
            wall[name].append(time.perf_counter() - started[0])
            cpu[name].append(time.process_time() - started[1])
    return wall, cpu


def our_embedding(scene: Scene) -> Callable[[], np.ndarray]:
    """Function that runs the pack's analysis."""
    module = scene.pack.module
    frames = module("instantid_core.images").frames_of(photo())
    analyse = module("instantid_core.faces.analysis").analyse
    selection = module("instantid_core.faces.selection").Selection()

    def run() -> np.ndarray:
        found = analyse(frames, scene.analyzer, selection, 0.5, lambda: None)
        return found.faces.all[0].embedding

    return run


def their_embedding(root: Path, provider: str = CPU) -> Callable[[], np.ndarray]:
    """Function that runs insightface's own analysis with all five models."""
    analysis = _open_all_five(root, provider)
    rgb = (photo()[0].numpy() * 255).round().astype(np.uint8)
    bgr = np.ascontiguousarray(rgb[..., ::-1])

    def run() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return analysis.get(bgr)[0].embedding

    return run


def _open_all_five(root: Path, provider: str) -> Any:
    from insightface.app import FaceAnalysis

    with contextlib.redirect_stdout(io.StringIO()):
        analysis = FaceAnalysis("antelopev2", root=str(root), providers=_with_cpu(provider))
        analysis.prepare(ctx_id=0, det_size=(640, 640))
    if len(analysis.models) != 5:
        raise RuntimeError(f"expected five models, found {sorted(analysis.models)}")
    return analysis


def _with_cpu(provider: str) -> list[str]:
    """Providers for ONNX Runtime: on a GPU some operations run on the CPU."""
    return [provider] if provider == CPU else [provider, CPU]
