"""The synthetic antelopev2 pack and the analyzer on it, built once for the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tensors here are small: threads that wait for each other cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def insightface_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like `models/insightface`, with the whole pack in it. Tests must not change it."""
    from tools.small_world import antelope

    root = tmp_path_factory.mktemp("insightface")
    antelope.build_pack(root)
    return root


@pytest.fixture(scope="session")
def analyzer(insightface_root: Path):
    """The real FaceAnalyzer: insightface's classes on ONNX Runtime, on the CPU."""
    from instantid_core.faces.analyzer import FaceAnalyzer
    from instantid_core.models.face_model_files import find_models

    return FaceAnalyzer(find_models([insightface_root]), "cpu")
