"""Time from a changed widget to a model that can sample, by part of the work."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch

from .baseline import with_baseline
from .counts import Setting
from .first_step import Baseline, Ours, Person, another, hint_work, photo_work, until_the_networks
from .processes import sizes_of
from .report import Row, Table
from .roofline import Rates, Workload, name_of, wall_on
from .steps import AMOUNT
from .world import World, fill

ROUNDS = 5
AllRates = dict[torch.dtype, Rates]
PHOTO, WEIGHT, POSE, NOTHING = (
    "another photo: 16 tokens, keys and values at 70 sites, 70 patches",
    "another weight or window: 70 patches",
    "another pose: keypoints drawn, hint encoded",
    "nothing changed: a run up to its networks",
)
BASELINE_PHOTO, BASELINE_NOTHING = (
    "another photo or weight, baseline: 16 tokens, 70 patches",
    "nothing changed, baseline",
)


def latency_table(
    world: World, small: World, adapter: Any, scene: Any, rates: AllRates, setting: Setting
) -> tuple[Table, float]:
    """Table of the wall time of each part, and the seconds from another photo to the first network.

    world: of the sizes to measure, on the meta device. small: with an adapter, on the device of
    `rates`, which are for float32 and its dtype; what a run does before its networks.
    """
    device = small.device
    own = loaded_adapter(world, device)
    work = {
        PHOTO: new_photo(world, own, scene),
        BASELINE_PHOTO: baseline_photo(world, own, scene, device),
        WEIGHT: new_weight(world, own, scene),
        POSE: new_pose(world, scene, device, setting.pixels),
        NOTHING: unchanged_run(small, adapter, scene, setting, Ours),
        BASELINE_NOTHING: unchanged_run(small, adapter, scene, setting, Baseline),
    }
    seconds = {name: _wall(one, device) for name, one in work.items()}
    rows = [
        Row(name, 1e3 * statistics.median(s), "ms", None, (1e3 * min(s), 1e3 * max(s)))
        for name, s in seconds.items()
    ]
    rows.append(_floor_row("another photo", photo_work(own), rates[torch.float32]))
    for name, one in (("another pose", world), ("nothing changed", small)):
        hint = hint_work(one.config, setting.pixels, one.dtype)
        rows.append(_floor_row(name, hint, rates[one.dtype]))
    notes = (
        f"Wall time, {torch.get_num_threads()} threads, medians of {ROUNDS}; float32, but the runs "
        f"in {name_of(small.dtype)}, with a UNet of width {small.config.width}; models in memory.",
        "The analysis of a new photo is not included. Every run encodes its hint; the baseline "
        "does so in every step.",
    )
    size = " x ".join(map(str, setting.pixels))
    title = f"From a change to the first step, {size}, {device.type}"
    first = statistics.median(seconds[PHOTO]) + statistics.median(seconds[NOTHING])
    return Table(title, tuple(rows), notes), first


def _floor_row(name: str, work: Workload, rates: Rates) -> Row:
    return Row(f"{name}: floor", 1e3 * work.floor(rates), "ms")


def _wall(work: Callable[[], object], device: torch.device) -> list[float]:
    seconds, clock = [], wall_on(device)
    work()
    for _ in range(ROUNDS):
        started = clock()
        work()
        seconds.append(clock() - started)
    return seconds


def loaded_adapter(world: World, device: torch.device) -> Any:
    """An adapter of this world's sizes with random weights."""
    from comfy import model_management, model_patcher, ops

    core = world.pack.module
    sizes = sizes_of(world.config)
    nested = {
        part: {name: torch.empty(shape) for name, shape in shapes.items()}
        for part, shapes in sizes.shapes.items()
    }
    checkpoint = core("instantid_core.adapter.checkpoint").read_checkpoint(nested, "benchmark")
    network = core("instantid_core.adapter.image_adapter").IdentityAdapter.from_checkpoint(
        checkpoint, ops.manual_cast
    )
    offload = model_management.unet_offload_device()
    patcher = model_patcher.ModelPatcher(fill(network), load_device=device, offload_device=offload)
    return core("nodes.host.models").LoadedAdapter(patcher, checkpoint.config)


def new_photo(world: World, adapter: Any, scene: Any) -> Callable[[], object]:
    """Function that runs the adapter node for a new identity."""
    return lambda: _applied(world, adapter, another(scene.identity))


def new_weight(world: World, adapter: Any, scene: Any) -> Callable[[], object]:
    """Function that runs the adapter node for a cached identity."""
    return lambda: _applied(world, adapter, scene.identity)


def baseline_photo(
    world: World, adapter: Any, scene: Any, device: torch.device
) -> Callable[[], object]:
    """Function that runs the baseline's work before sampling; it projects in every step."""
    core = world.pack.module
    negative = core("instantid_core.identity.embedding").NegativeIdentity()
    sites = core("instantid_core.adapter.sites").cross_attention_sites(
        world.model.model.diffusion_model
    )
    layers = zip(adapter.patcher.model.to_k, adapter.patcher.model.to_v, strict=True)
    projections = [tuple(layer.weight.to(device) for layer in pair) for pair in layers]

    def apply() -> object:
        found = adapter.tokens(another(scene.identity), negative)
        tokens = found.positive.to(device), found.negative.to(device)
        return with_baseline(world.model, sites, projections, tokens, AMOUNT)

    return apply


def _applied(world: World, adapter: Any, identity: Any) -> Any:
    core = world.pack.module
    application = core("nodes.host.application")
    parts = core("instantid_core.adapter")
    tokens = adapter.tokens(identity, core("instantid_core.identity").NegativeIdentity())
    settings = parts.AdapterSettings(AMOUNT, parts.Span(0.0, 1.0))
    return application.apply_adapter(world.model, adapter, tokens, settings)


def new_pose(
    world: World, scene: Any, device: torch.device, pixels: tuple[int, int]
) -> Callable[[], object]:
    """Function that draws and encodes keypoints. world: on the meta device."""
    core = world.pack.module
    keypoints, extent = (
        core("instantid_core.keypoints.drawing"),
        core("instantid_core.types").Extent,
    )
    encoder = world.control_net.control_model.input_hint_block
    encoder = fill(encoder.to_empty(device=device).to(torch.float32))

    def prepare() -> object:
        picture = keypoints.draw(scene.faces, extent(*pixels), "letterbox").movedim(-1, 1)
        return encoder(picture.to(device, torch.float32), None, None)

    return prepare


def unchanged_run(
    world: World, adapter: Any, scene: Any, setting: Setting, kind: type[Ours] | type[Baseline]
) -> Callable[[], object]:
    """Function that runs an unchanged graph, up to the first layer of a network."""
    subject = Person(scene.identity, scene.faces, AMOUNT)
    applied = kind(world, adapter).apply(subject, setting.pixels)
    return until_the_networks(applied, world.control_net, setting)
