"""Time of face analysis per image: the two models that InstantID needs against a pack's five."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .bench_host import Scene
from .bench_report import Table, timings
from .scenes import photo

ROUNDS = 15
OURS, THEIRS = "FaceAnalyzer, two models", "insightface FaceAnalysis, five models"


def face_table(scene: Scene, root: Path) -> Table:
    """Both on the same picture, in turns. root: the folder that holds `models/antelopev2`."""
    ours, theirs = our_embedding(scene), their_embedding(root)
    if not np.array_equal(ours(), theirs()):
        raise RuntimeError("the two found different embeddings: their times mean nothing")
    seconds: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for turn in range(ROUNDS):
        pair = [(OURS, ours), (THEIRS, theirs)]
        for name, run in pair if turn % 2 else reversed(pair):
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    notes = (
        "Equal embeddings. The synthetic models are tiny: these are the costs around the models,",
        "and the real three extra models would add their own time on top.",
    )
    return Table("Face analysis of one 512 x 512 image with one face, CPU", timings(seconds), notes)


def our_embedding(scene: Scene) -> Callable[[], np.ndarray]:
    """A run of the pack's analysis."""
    module = scene.pack.module
    frames = module("instantid_core.images").frames_of(photo())
    analyse = module("instantid_core.analysis").analyse
    selection = module("instantid_core.selection").Selection()

    def run() -> np.ndarray:
        found = analyse(frames, scene.analyzer, selection, 0.5, lambda: None)
        return found.faces.all[0].embedding

    return run


def their_embedding(root: Path) -> Callable[[], np.ndarray]:
    """A run of insightface's own analysis, with everything in the pack."""
    analysis = _open_all_five(root)
    rgb = (photo()[0].numpy() * 255).round().astype(np.uint8)
    bgr = np.ascontiguousarray(rgb[..., ::-1])

    def run() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return analysis.get(bgr)[0].embedding

    return run


def _open_all_five(root: Path) -> Any:
    from insightface.app import FaceAnalysis

    with contextlib.redirect_stdout(io.StringIO()):
        analysis = FaceAnalysis("antelopev2", root=str(root), providers=["CPUExecutionProvider"])
        analysis.prepare(ctx_id=0, det_size=(640, 640))
    if len(analysis.models) != 5:
        raise RuntimeError(f"expected five models, found {sorted(analysis.models)}")
    return analysis
