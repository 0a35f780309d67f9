"""A real ComfyUI server for all tests of this folder, with the pack and the small models."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.combinations import (
    noted,
    pytest_configure,
    pytest_itemcollected,
    pytest_runtest_makereport,
    pytest_sessionfinish,
)

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.server import HostServer
from tools.small_world import painter

__all__ = [
    "noted",
    "pytest_configure",
    "pytest_itemcollected",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostServer]:
    base = tmp_path_factory.mktemp("comfyui")
    with HostServer(workspace.small_launch(workspace.current(), base)) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: HostServer) -> ComfyClient:
    return ComfyClient(server.url)


@pytest.fixture(scope="session")
def object_info(client: ComfyClient) -> dict:
    return client.object_info()


def encoded(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def group_picture() -> np.ndarray:
    """Two painted faces side by side: enough for every workflow, whoever it looks for."""
    picture = painter.canvas(640, 480)
    for identity, x in ((3, 180), (8, 460)):
        painter.paint_face(picture, (x, 240), 190, identity=identity)
    return picture


@pytest.fixture(scope="session")
def photo(client: ComfyClient) -> str:
    return client.upload("group.png", encoded(group_picture()))


@pytest.fixture(scope="session")
def other_photo(client: ComfyClient) -> str:
    """Somebody else."""
    return client.upload("other.png", encoded(painter.portrait(480, 480, identity=11)[0]))


@pytest.fixture(scope="session")
def empty_photo(client: ComfyClient) -> str:
    return client.upload("empty.png", encoded(painter.canvas(320, 200)))


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[2]
