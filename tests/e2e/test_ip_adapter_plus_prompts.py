"""FaceID graphs of IPAdapter_plus, queued on a server without it: this pack's nodes run."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.face_id_files import NAME, write_buffalo, write_face_id

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient, PromptRefusedError
from tools.comfyui.server import HostServer
from tools.small_world import painter
from tools.small_world import random_files as small_models
from tools.small_world.scenes import png

pytestmark = pytest.mark.thorough

Prompt = dict[str, dict[str, Any]]
WEIGHT = 0.9
IMAGE = "face.png"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyClient]:
    base = tmp_path_factory.mktemp("comfyui")
    launch = workspace.small_launch(workspace.current(), base)
    write_face_id(base / "models")
    write_buffalo(base / "models")
    with HostServer(launch) as running:
        client = ComfyClient(running.url)
        client.upload(IMAGE, png(painter.portrait(480, 480, identity=3)[0]))
        yield client


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def graph(model: list[Any], **middle: dict[str, Any]) -> Prompt:
    """A picture painted by a model."""
    sampling = {
        **{"seed": 3, "steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal"},
        **{"denoise": 1.0, "model": model, "positive": ["t", 0], "negative": ["n", 0]},
    }
    return {
        "c": node(small_models.CHECKPOINT_NODE),
        "t": node("CLIPTextEncode", clip=["c", 1], text="a portrait"),
        "n": node("CLIPTextEncode", clip=["c", 1], text="blurry"),
        "p": node("LoadImage", image=IMAGE),
        "l": node("EmptyLatentImage", width=128, height=128, batch_size=1),
        "k": node("KSampler", latent_image=["l", 0], **sampling),
        "d": node("VAEDecode", samples=["k", 0], vae=["c", 2]),
        "s": node("SaveImage", images=["d", 0], filename_prefix="plus"),
        **middle,
    }


def face_id(**wires: Any) -> dict[str, Any]:
    return node(
        "IPAdapterFaceID",
        **{"image": ["p", 0], "weight": WEIGHT, "weight_faceidv2": 1.0, "weight_type": "ease in"},
        **{"combine_embeds": "concat", "start_at": 0.0, "end_at": 1.0, "embeds_scaling": "V only"},
        **wires,
    )


def unified(preset: str = "FACEID") -> Prompt:
    loader = {"model": ["c", 0], "preset": preset, "lora_strength": 0.6, "provider": "CPU"}
    return graph(
        ["a", 0],
        u=node("IPAdapterUnifiedLoaderFaceID", **loader),
        a=face_id(model=["u", 0], ipadapter=["u", 1]),
    )


def by_file() -> Prompt:
    return graph(
        ["a", 0],
        f=node("IPAdapterModelLoader", ipadapter_file=NAME),
        i=node("IPAdapterInsightFaceLoader", provider="CPU", model_name="buffalo_l"),
        a=face_id(model=["c", 0], ipadapter=["f", 0], insightface=["i", 0]),
    )


def by_hand(lora_strength: float) -> Prompt:
    """The same in the nodes of this pack, written out."""
    analysis = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    settings = {"weight": WEIGHT, "start_at": 0.0, "end_at": 1.0, "profile": "ease in"}
    wires = {"model": ["c", 0], "adapter": ["f", 0], "identity": ["e", 0]}
    return graph(
        ["a", 0],
        f=node("InstantIDLoadAdapter", adapter_name=NAME, lora_strength=lora_strength),
        i=node("InstantIDLoadFaceAnalyzer", model_pack="buffalo_l", provider="cpu"),
        z=node("InstantIDAnalyzeFaces", analyzer=["i", 0], image=["p", 0], **analysis),
        e=node("InstantIDEmbedIdentity", faces=["z", 0], combine="average"),
        a=node("InstantIDApplyAdapter", **wires, **settings),
    )


def picture(client: ComfyClient, prompt: Prompt) -> np.ndarray:
    saved = client.run(prompt).outputs["s"]["images"][0]
    return np.asarray(Image.open(io.BytesIO(client.image(saved))).convert("RGB")).astype(int)


def test_the_unified_loader_runs(client: ComfyClient) -> None:
    found = picture(client, unified())
    assert found.std() > 1
    assert np.array_equal(found, picture(client, by_hand(0.6)))
    assert not np.array_equal(found, picture(client, by_hand(0.0))), "its LoRA acts"


def test_loaders_of_its_own_run(client: ComfyClient) -> None:
    assert np.array_equal(picture(client, by_file()), picture(client, by_hand(0.0)))


def test_plus_is_refused_with_a_sentence(client: ComfyClient) -> None:
    with pytest.raises(PromptRefusedError, match=r"adapter file ip-adapter-faceid-plusv2"):
        client.run(unified("FACEID PLUS V2"))


def test_the_editor_is_told(client: ComfyClient) -> None:
    told = json.loads(client.get("/node_replacements"))
    (applied,) = told["IPAdapterFaceID"]
    assert applied["new_node_id"] == "InstantIDApplyAdapterFromPhoto"
    (faces,) = told["IPAdapterInsightFaceLoader"]
    assert faces["new_node_id"] == "InstantIDLoadFaceAnalyzer"
    (loader,) = told["IPAdapterUnifiedLoaderFaceID"]
    assert loader["new_node_id"] == "InstantIDLoadAdapter"
    assert loader["output_mapping"] == [{"new_idx": 0, "old_idx": 1}]
    assert "IPAdapterModelLoader" not in told, "most graphs have it for other adapters"
