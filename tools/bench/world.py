"""A small or a published-size SDXL, IdentityNet and people with random weights, on any device.

On the meta device the published sizes take no memory, and everything but the arithmetic happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tools.small_world.scenes import Prompt, conditioning

from .host import Pack
from .steps import AMOUNT, Variant

META = torch.device("meta")
SIZES = {"small": (64, 64), "published": (320, 2048)}
"""Channels of the UNet's first level, and of its context."""
TOKENS = 16


@dataclass(frozen=True)
class World:
    """The parts that variants of a step consist of."""

    pack: Pack
    config: Any
    model: Any
    control_net: Any
    prompt: Prompt
    dtype: torch.dtype

    @property
    def device(self) -> torch.device:
        return self.model.load_device


def build_world(pack: Pack, dims: str, device: torch.device, dtype: torch.dtype) -> World:
    """Random weights, made on the device itself."""
    from tools.small_world.node.small_sdxl import SmallConfig

    config = SmallConfig(*SIZES[dims])
    return World(
        pack,
        config,
        random_unet(config, device, dtype),
        random_net(config, device, dtype),
        prompt_for(config),
        dtype,
    )


def prompt_for(config: Any) -> Prompt:
    """Conditioning as wide as a UNet's context."""
    return Prompt(*(conditioning(text, config.context_dim) for text in ("a person", "blurry")))


def random_unet(config: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """The host's SDXL in a patcher."""
    import comfy.model_patcher
    import comfy.supported_models

    settings = comfy.supported_models.SDXL(config.unet)
    settings.set_inference_dtype(dtype, None)
    model = settings.get_model({}, device=device).to(device)
    fill(model.diffusion_model)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=device)


def random_net(config: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """An IdentityNet as the host would have loaded it."""
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.ops

    settings = {key: value for key, value in config.unet.items() if key != "out_channels"}
    network = comfy.cldm.cldm.ControlNet(
        hint_channels=3,
        operations=comfy.ops.disable_weight_init,
        dtype=dtype,
        device=device,
        **settings,
    )
    return comfy.controlnet.ControlNet(fill(network), load_device=device)


def fill(network: torch.nn.Module) -> torch.nn.Module:
    """Random weights that keep the signal's size; norms near 1, biases near 0."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, parameter[0].numel() ** -0.5)
        else:
            parameter.data.fill_(1.0 if name.endswith("weight") else 0.0)
    return network.requires_grad_(False).eval()


# --- people ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """Tokens, keys and values of an identity, on the host's offload device."""

    tokens: Any
    keys_values: Any


def person(world: World, seed: int = 0, pictures: int = 1) -> Person:
    """Somebody random; pictures: one identity for each of them."""
    core = world.pack.module
    generator = torch.Generator().manual_seed(seed)
    context = world.config.context_dim
    sides = torch.randn(2, pictures, TOKENS, context, generator=generator)
    widths = world.config.site_widths
    stored = core("instantid_core.adapter.keys_values").KeysValues.empty(
        pictures, TOKENS, widths, torch.empty((), dtype=world.dtype)
    )
    stored.buffer.normal_(generator=generator)
    return Person(core("instantid_core.types").IdentityTokens(*sides), stored)


@dataclass(frozen=True)
class How:
    """Options of a variant: active parts, masks and window."""

    adapter: bool = True
    identity_net: bool = True
    window: tuple[float, float] = (0.0, 1.0)
    masks: bool = False
    """One region per person, side by side."""
    reuse: int = 1
    """Steps for which IdentityNet is computed once."""


def variant(world: World, people: Sequence[Person], how: How) -> Variant:
    """A model and conditioning with these people in them, as the nodes make them."""
    application = world.pack.module("nodes.host.application")
    adapter = world.pack.module("instantid_core.adapter")
    model, sides = world.model, world.prompt
    for number, subject in enumerate(people):
        limits = _limits(world, how, number, len(people))
        if how.adapter:
            model = _with_adapter(world, model, subject, limits)
        if how.identity_net:
            settings = adapter.NetSettings(AMOUNT, *limits, how.reuse)
            hint = adapter.GivenHint(_drawn_keypoints())
            sides = application.apply_identity_net(
                sides, world.control_net, subject.tokens, settings, hint
            )
    return Variant(model, Prompt(*sides))


def _limits(world: World, how: How, number: int, people: int) -> tuple[Any, Any]:
    """Window and region of one of several people."""
    core = world.pack.module
    region = None
    if how.masks:
        mask = torch.zeros(1, 128, 128)
        mask[..., number * 128 // people : (number + 1) * 128 // people] = 1
        region = core("instantid_core.adapter.masks").RegionMask(mask)
    return core("instantid_core.adapter.window").Span(*how.window), region


def _with_adapter(world: World, model: Any, subject: Person, limits: tuple[Any, Any]) -> Any:
    core = world.pack.module
    sites = core("instantid_core.adapter.sites").cross_attention_sites(
        world.model.model.diffusion_model
    )
    identities = core("instantid_core.adapter.attention").site_identities(
        subject.keys_values, [AMOUNT] * len(sites), *limits
    )
    return core("nodes.host.attention_patch").install(model, sites, identities)


def _drawn_keypoints() -> torch.Tensor:
    """A drawn keypoint picture."""
    return torch.zeros(1, 64, 64, 3)


def at_cfg_1(one: Variant) -> Variant:
    """The same with the positive side alone, which the host runs when guidance is 1."""
    return one._replace(prompt=Prompt(one.prompt.positive, []))
