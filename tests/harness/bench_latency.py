"""From a changed widget to a model that can sample: each part of the work by itself."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from .bench_processes import adapter_sizes
from .bench_report import Row, Table
from .bench_steps import AMOUNT
from .bench_world import World, fill
from .small_adapter import AdapterSizes

ROUNDS = 5
PHOTO, WEIGHT, POSE, NOTHING = (
    "another photo: 16 tokens, keys and values at 70 sites, 70 patches",
    "another weight or window: 70 patches",
    "another pose: keypoints drawn, hint encoded",
    "nothing changed: keys and values to the device",
)


def latency_table(world: World, scene: Any, device: torch.device, side: int) -> tuple[Table, float]:
    """Wall time of each part, and that of another photo by itself. side: of the picture."""
    cores = torch.get_num_threads()
    work = {
        PHOTO: another_photo(world, scene, device),
        WEIGHT: another_weight(world, scene, device),
        POSE: another_pose(world, scene, device, side),
        NOTHING: nothing(world, scene, device),
    }
    seconds = {name: _wall(one, device) for name, one in work.items()}
    rows = tuple(
        Row(name, 1e3 * statistics.median(s), "ms", None, (1e3 * min(s), 1e3 * max(s)))
        for name, s in seconds.items()
    )
    notes = (
        f"Wall time, {cores} threads, medians of {ROUNDS}; the adapter's weights are in memory.",
        "The analysis of a new photo comes on top.",
    )
    title = f"From a change to the first step, {side} x {side}, {device.type}"
    return Table(title, rows, notes), statistics.median(seconds[PHOTO])


def _wall(work: Callable[[], object], device: torch.device) -> list[float]:
    seconds = []
    work()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return seconds


def loaded_adapter(world: World, device: torch.device) -> Any:
    """An adapter of this world's sizes with random weights, as its file has them."""
    from comfy import model_management, model_patcher, ops

    core = world.pack.module
    sizes = (
        adapter_sizes(1)
        if world.config.context_dim == 2048
        else AdapterSizes(world.config.site_widths, world.config.context_dim)
    )
    nested = {
        part: {name: torch.empty(shape) for name, shape in shapes.items()}
        for part, shapes in sizes.shapes.items()
    }
    checkpoint = core("instantid_core.checkpoint").read_checkpoint(nested, "benchmark")
    network = core("instantid_core.adapter").IdentityAdapter.from_checkpoint(
        checkpoint, ops.manual_cast
    )
    offload = model_management.unet_offload_device()
    patcher = model_patcher.ModelPatcher(fill(network), load_device=device, offload_device=offload)
    return core("nodes.host.models").LoadedAdapter(patcher, checkpoint.config)


def another_photo(world: World, scene: Any, device: torch.device) -> Callable[[], object]:
    """The adapter node for somebody it has not seen."""
    adapter = loaded_adapter(world, device)

    def apply() -> object:
        return _applied(world, adapter, replace(scene.identity))

    return apply


def another_weight(world: World, scene: Any, device: torch.device) -> Callable[[], object]:
    """The adapter node for somebody it knows."""
    adapter, identity = loaded_adapter(world, device), replace(scene.identity)

    def apply() -> object:
        return _applied(world, adapter, identity)

    return apply


def _applied(world: World, adapter: Any, identity: Any) -> Any:
    core = world.pack.module
    application = core("nodes.host.application")
    how = application.Influence(
        AMOUNT,
        core("instantid_core.schedule").Span(0.0, 1.0),
        None,
        core("instantid_core.embedding").NegativeIdentity(),
    )
    return application.apply_adapter(world.model, adapter, identity, how)


def another_pose(world: World, scene: Any, device: torch.device, side: int) -> Callable[[], object]:
    """The picture of keypoints, and what IdentityNet's encoder makes of it."""
    core = world.pack.module
    keypoints, extent = core("instantid_core.keypoints"), core("instantid_core.types").Extent
    encoder = world.control_net.control_model.input_hint_block
    if world.device.type == "meta":
        encoder = fill(encoder.to_empty(device=device).to(torch.float32))
    dtype = next(encoder.parameters()).dtype

    def prepare() -> object:
        picture = keypoints.draw(scene.faces, extent(side, side), "letterbox").movedim(-1, 1)
        return encoder(picture.to(device, dtype), None, None)

    return prepare


def nothing(world: World, scene: Any, device: torch.device) -> Callable[[], object]:
    """What a run of the same graph does again."""
    from .bench_world import person

    stored = person(world).keys_values
    return lambda: stored.to(device).buffer
