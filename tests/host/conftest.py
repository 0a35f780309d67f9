"""A real ComfyUI in this process, with the pack loaded by its own loader and small models."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from support.advice import require_own_inputs
from support.combinations import (
    REFUSED,
    noted,
    pytest_configure,
    pytest_itemcollected,
    pytest_runtest_makereport,
    pytest_sessionfinish,
)

from tools.small_world.scenes import Prompt, conditioning, photo

__all__ = [
    "noted",
    "pytest_configure",
    "pytest_itemcollected",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
]
WHOLE = {"start_at": 0.0, "end_at": 1.0}
REPOSITORY = Path(__file__).parents[2]
COMFYUI = Path(os.environ["COMFYUI_PATH"])

# The host reads its options from the command line, once. PyTorch's attention is its choice on GPUs.
# Its choice on a CPU, which the servers of other suites run, takes a third of a small model's step.
sys.argv = ["comfyui", "--cpu", "--use-pytorch-cross-attention"]
sys.path.insert(0, str(COMFYUI))
import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()
import folder_paths  # noqa: E402

import nodes as host_nodes  # noqa: E402

assert Path(host_nodes.__file__).parent.samefile(COMFYUI), "the pack's nodes/ shadows the host's"


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Any:
    """Call it with the error that a combination is refused with; the table quotes it."""
    return lambda error: request.node.user_properties.append((REFUSED, str(error)))


@pytest.fixture(scope="session", autouse=True)
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tools.small_world import random_models as small_models

    models = tmp_path_factory.mktemp("models")
    small_models.write_models(models)
    folder_paths.models_dir = str(models)
    folder_paths.add_model_folder_path("controlnet", str(models / "controlnet"))
    folder_paths.set_temp_directory(str(tmp_path_factory.mktemp("temp")))
    return models


class Pack:
    """The pack as the host loaded it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def module(self, path: str) -> ModuleType:
        """A module of the pack, such as `nodes.apply` or `instantid_core.types`."""
        return importlib.import_module(f"{self.name}.{path}")

    def run(self, node_id: str, **inputs: Any) -> tuple[Any, ...]:
        """Execute a node as the host does: defaults from the function, under inference mode.

        What it says when it fails must name only inputs that it has.
        """
        nodes = host_nodes.NODE_CLASS_MAPPINGS
        with torch.inference_mode():
            try:
                return nodes[node_id].execute(**inputs).result
            except self.module("instantid_core.errors").InstantIDError as error:
                require_own_inputs(str(error), node_id, nodes)
                raise


@pytest.fixture(scope="session")
def pack(models_dir: Path) -> Pack:
    before = set(sys.modules)
    loaded = asyncio.run(host_nodes.load_custom_node(str(REPOSITORY)))
    assert loaded, "the host's loader refused the pack"
    name = next(n for n in set(sys.modules) - before if n.endswith(".instantid_core"))
    return Pack(name.removesuffix(".instantid_core"))


@pytest.fixture(scope="session")
def small_sdxl() -> Any:
    from tools.small_world.node import small_sdxl

    return small_sdxl


@pytest.fixture(autouse=True)
def inference_mode() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def unet(small_sdxl: Any) -> Any:
    return small_sdxl.small_unet()


@pytest.fixture
def model(unet: Any) -> Any:
    return unet.clone()


@pytest.fixture(scope="session")
def adapter(pack: Pack) -> Any:
    return pack.run("InstantIDLoadAdapter", adapter_name="instantid_small.safetensors")[0]


@pytest.fixture(scope="session")
def analyzer(pack: Pack) -> Any:
    return pack.run("InstantIDLoadFaceAnalyzer", model_pack="antelopev2", provider="cpu")[0]


@pytest.fixture(scope="session")
def control_net(models_dir: Path) -> Any:
    return host_nodes.ControlNetLoader().load_controlnet("instantid_small.safetensors")[0]


@pytest.fixture(scope="session")
def depth_net(models_dir: Path) -> Any:
    return host_nodes.ControlNetLoader().load_controlnet("depth_small.safetensors")[0]


@pytest.fixture(scope="session")
def faces_of(pack: Pack, analyzer: Any) -> Any:
    def analyse(image: torch.Tensor, **settings: Any) -> Any:
        inputs = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
        return pack.run(
            "InstantIDAnalyzeFaces", analyzer=analyzer, image=image, **inputs | settings
        )[0]

    return analyse


@pytest.fixture(scope="session")
def identity_of(pack: Pack, faces_of: Any) -> Any:
    def embed(number: int = 0) -> Any:
        faces = faces_of(photo(number))
        return pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")[0]

    return embed


@pytest.fixture
def prompt() -> Prompt:
    return Prompt(conditioning("portrait of a person"), conditioning("blurry"))


@pytest.fixture
def applied(pack: Any, adapter: Any, identity_of: Any) -> Any:
    """A model with somebody on it, as Apply Adapter leaves it."""
    identity = identity_of(1)

    def apply(model: Any, **settings: Any) -> Any:
        how = {"adapter": adapter, "identity": identity, "weight": 0.8, **WHOLE, **settings}
        return pack.run("InstantIDApplyAdapter", model=model, **how)[0]

    return apply


@pytest.fixture
def netted(pack: Any, adapter: Any, identity_of: Any, control_net: Any, prompt: Any) -> Any:
    """The prompt with somebody on it, as Apply IdentityNet leaves it."""
    identity = identity_of(1)

    def apply(faces: Any, **settings: Any) -> Any:
        how = {"adapter": adapter, "identity": identity, **WHOLE, **prompt._asdict()}
        how |= {"control_net": control_net, "faces": faces, "strength": 0.8, **settings}
        return pack.run("InstantIDApplyIdentityNet", **how)

    return apply
