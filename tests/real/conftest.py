"""Real face models and photographs, where a folder has them.

INSTANTID_COMPOSE_REAL_FACES names it; by default it is shared/real beside the checkout. Expected:
`models/insightface`, which holds an antelopev2 pack, and `photos`, in which `anna1.jpg` and
`anna2.jpg` are of one person, and a name without a number has no pair. `models/sface` may hold
OpenCV's recogniser. Nothing of it is copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.real_faces import VARIABLE, Photos, real_faces_folder


@pytest.fixture(scope="session")
def folder() -> Path:
    found = real_faces_folder()
    if found is None:
        pytest.skip(
            "No real faces: name a folder with models/insightface and photos in "
            f"{VARIABLE}, or put one at shared/real beside the checkout."
        )
    return found


@pytest.fixture(scope="session")
def photos(folder: Path) -> Photos:
    return Photos(folder / "photos")


@pytest.fixture(scope="session")
def analyzer(folder: Path) -> Any:
    from instantid_core.faces.analyzer import FaceAnalyzer
    from instantid_core.models.face_model_files import find_models

    return FaceAnalyzer(find_models([folder / "models" / "insightface"]), "cpu")


@pytest.fixture(scope="session")
def reference(folder: Path, analyzer: Any) -> Any:
    """FaceAnalysis as InstantID sets it up, on the analyzer's sessions.

    From a file, insightface opens a session for each size on a copy of the model with a static
    shape, which ONNX Runtime computes differently in the last bit; from a session it uses that.
    """
    from insightface.app import FaceAnalysis
    from insightface.model_zoo.scrfd import SCRFD

    judge = FaceAnalysis(
        name=str(folder / "models" / "insightface" / "models" / "antelopev2"),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
    )
    judge.prepare(ctx_id=0, det_size=(640, 640))
    judge.det_model = SCRFD(session=analyzer._detector.session)
    judge.det_model.prepare(ctx_id=0, input_size=(640, 640), det_thresh=0.5)
    judge.models["recognition"].session = analyzer._embedder.session
    return judge


@pytest.fixture(scope="session")
def portraits(photos: Photos, analyzer: Any) -> dict[str, tuple[np.ndarray, Any]]:
    """Photos that show one person: the picture and its face."""
    from instantid_core.faces import Selection

    found = {}
    for name in photos.names:
        seen = analyzer.analyse([photos[name]], Selection(on_no_face="skip"), 0.5)
        if len(seen.detections[0]) == 1:
            found[name] = photos[name], seen.faces.all[0]
    return found
