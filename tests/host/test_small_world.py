"""The trained small world: what the host computes from its files with the pack's nodes, against
the networks that were trained, which are diffusers' own."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import comfy.sample
import folder_paths
import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from support.trained_world import needs_trained_world

import nodes as host_nodes
from tools.comfyui import workspace
from tools.small_world import trained as small_world

pytestmark = needs_trained_world

SIZE = (288, 192)
TEXT = "a sketch portrait of a person, forest background"
POINTS = np.array([[90, 75], [150, 78], [120, 105], [97, 135], [145, 136]], np.float32)
SIDES = (("cond_denoised", TEXT, 1.0), ("uncond_denoised", "", 0.0))
"""Prediction, text, and what the embedding is multiplied by: the negative identity is 0."""
TOTAL_LIMIT = 60_000_000


@pytest.fixture(scope="module")
def files(models_dir: Path) -> Path:
    """The three diffusion files beside the others; the face models stay as they are."""
    for name, place in small_world.PLACES.items():
        if not place.startswith("insightface"):
            target = models_dir / place
            target.parent.mkdir(exist_ok=True)
            small_world.link_or_copy(str(small_world.FILES / name), str(target))
    folder_paths.add_model_folder_path("checkpoints", str(models_dir / "checkpoints"))
    return models_dir


@pytest.fixture(scope="module")
def loaded(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """MODEL, CLIP and VAE from the loader node, out of a folder as a server has it."""
    folder = tmp_path_factory.mktemp("nodes") / "small_world_node"
    shutil.copytree(workspace.SMALL_NODE, folder)
    shutil.copytree(small_world.NETWORKS, folder / "networks")
    assert asyncio.run(host_nodes.load_custom_node(str(folder)))
    node = host_nodes.NODE_CLASS_MAPPINGS[small_world.CHECKPOINT_NODE]
    return node.execute(ckpt_name=small_world.BASE_MODEL).result


@pytest.fixture(scope="module")
def twin() -> tuple[Any, Any]:
    """The same files in the training's networks: InstantID on diffusers, and the captions."""
    from training.adapter_network import InstantID
    from training.base_training import BaseModel
    from training.export import controlnet_names, unet_names
    from training.networks.denoiser import DenoiserConfig

    config = DenoiserConfig()
    base = load_file(small_world.FILES / "small_world.safetensors")
    with torch.inference_mode(False):
        unet = UNet2DConditionModel(**config.unet)
        model, captions = InstantID(unet), BaseModel().caption_encoder
    names = unet_names(config)
    plain = {
        name: base[f"model.diffusion_model.{names[name]}"].float()
        for name in unet.state_dict()
        if name in names
    }
    unet.load_state_dict(plain)
    words = {name: base[f"caption_encoder.{name}"].float() for name in captions.state_dict()}
    captions.load_state_dict(words)
    net = load_file(small_world.FILES / "identity_net.safetensors")
    wanted = model.identity_net.state_dict()
    names |= controlnet_names(wanted)
    model.identity_net.load_state_dict({name: net[names[name]].float() for name in wanted})
    adapter = torch.load(small_world.FILES / "ip-adapter.bin", weights_only=True)
    model.adapter.resampler.load_state_dict(
        {name: value.float() for name, value in adapter["image_proj"].items()}
    )
    for kind, layers in (("k", model.adapter.to_k), ("v", model.adapter.to_v)):
        for position, layer in enumerate(layers):
            weight = adapter["ip_adapter"][f"{2 * position + 1}.to_{kind}_ip.weight"]
            layer.load_state_dict({"weight": weight.float()})
    return model.eval(), captions.eval()


def embedding() -> torch.Tensor:
    """A raw embedding of a recogniser's usual length, [1, 1, 512]."""
    return torch.randn(1, 1, 512, generator=torch.Generator().manual_seed(3))


def one_step(pack: Any, loaded: Any) -> dict[str, Any]:
    """What one sampling step with both parts of InstantID predicts for both sides."""
    types = pack.module("instantid_core.types")
    face = types.Detection(types.Box(60, 30, 180, 165), 0.9, POINTS)
    faces = types.Faces((types.FrameFaces(types.Extent(*SIZE), (face,)),), "any")
    (adapter,) = pack.run("InstantIDLoadAdapter", adapter_name=small_world.ADAPTER)
    identity = types.IdentityEmbedding(embedding(), types.Recogniser("5e" * 32))
    how = {"adapter": adapter, "identity": identity, "start_at": 0.0, "end_at": 1.0}
    model, clip, _ = loaded
    (net,) = host_nodes.ControlNetLoader().load_controlnet(small_world.IDENTITY_NET)
    positive, negative = (
        clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in (TEXT, "")
    )
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=1.0, **how)
    sides = pack.run(
        "InstantIDApplyIdentityNet",
        positive=positive, negative=negative, control_net=net, strength=1.0, faces=faces, **how,
    )  # fmt: skip
    seen: list[dict[str, Any]] = []
    patched.set_model_sampler_post_cfg_function(
        lambda arguments: (seen.append(arguments), arguments["denoised"])[1]
    )
    latent = torch.zeros(1, 4, SIZE[1] // 8, SIZE[0] // 8)
    noise = comfy.sample.prepare_noise(latent, 1)
    comfy.sample.sample(
        patched, noise, 1, 5.0, "euler", "normal", *sides, latent, disable_pbar=True
    )
    return seen[0]


def test_the_host_predicts_what_was_trained(pack: Any, loaded: Any, twin: Any):
    from instantid_core.types import Extent
    from training.diffusion import size_numbers
    from training.instantid_training import hint_picture

    step = one_step(pack, loaded)
    sigma = step["sigma"][0]
    latents = step["input"] / (sigma**2 + 1) ** 0.5
    timestep = loaded[0].get_model_object("model_sampling").timestep(step["sigma"])
    hint = torch.from_numpy(hint_picture(POINTS, Extent(*SIZE))).movedim(-1, 0)[None] / 255
    model, captions = twin
    given = {"noisy": latents, "timesteps": timestep, "hints": hint}
    given["sizes"] = size_numbers(SIZE[1], SIZE[0], 1)
    for side, text, scale in SIDES:
        ours = (step["input"] - step[side]) / sigma
        context, pooled = captions(torch.tensor([captions.tokenize(text)]))
        given |= {"context": context, "pooled": pooled}
        theirs = model(given | {"embeddings": embedding()[:, 0] * scale})
        # Two implementations in float32; 4.5e-7 was measured with random weights.
        assert (ours - theirs).norm() / theirs.norm() < 1e-4


def test_the_autoencoder_gives_pictures_back(loaded: Any):
    from training.world import HELD_OUT, Person, Scene, paint

    picture = paint(Scene((Person(HELD_OUT[0]),), background="beach")).image
    pixels = torch.from_numpy(picture)[None] / 255
    vae = loaded[2]
    again = vae.decode(vae.encode(pixels))
    assert again.shape == pixels.shape
    error = (again - pixels).square().mean()
    assert -10 * error.log10() > 18


def test_the_files_are_small_and_safe_to_load():
    sizes = [path.stat().st_size for path in small_world.FILES.iterdir()]
    assert sum(sizes) <= TOTAL_LIMIT
    nested = torch.load(small_world.FILES / "ip-adapter.bin", weights_only=True)
    assert set(nested) == {"image_proj", "ip_adapter"}
    assert all(value.dtype == torch.float16 for part in nested.values() for value in part.values())
