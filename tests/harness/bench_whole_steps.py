"""Whole steps of a UNet with IdentityNet: time, memory, kernels and waits.

For a GPU, or for small dimensions; a full-size step takes minutes on a CPU.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from .bench_counts import ADAPTER, BOTH, NET, PLAIN, USUAL, Setting, usual_way
from .bench_floor import name_of
from .bench_report import Row, Table
from .bench_steps import Effort, Variant, sample, step_seconds
from .bench_world import How, World, at_cfg_1, person, variant

TWO, FOUR = "two people, both", "four people, both"
WAITS = (
    "aten::item",
    "aten::_local_scalar_dense",
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
)
EFFORTS = {"cuda": Effort(0, rounds=3, steps=6), "cpu": Effort(0, rounds=1, steps=2)}
PROFILED = (PLAIN, ADAPTER, USUAL)


def whole_variants(world: World) -> dict[str, Variant]:
    """What is compared, by name."""
    people = [person(world, seed) for seed in range(4)]
    return {
        PLAIN: variant(world, [], How()),
        ADAPTER: variant(world, people[:1], How(identity_net=False)),
        USUAL: usual_way(world, people[0]),
        NET: variant(world, people[:1], How(adapter=False)),
        BOTH: variant(world, people[:1], How()),
        TWO: variant(world, people[:2], How(masks=True)),
        FOUR: variant(world, people, How(masks=True)),
    }


def whole_tables(world: World, settings: tuple[Setting, ...]) -> Iterator[Table]:
    """Step time at each setting, then kernels, waits and memory at the first."""
    variants = whole_variants(world)
    for setting in settings:
        yield _times(world, variants, setting)
    yield _profiles(world, variants, settings[0])
    yield _memory(world, variants, settings[0])


def _how(setting: Setting) -> dict[str, Any]:
    return {"pixels": setting.pixels, "batch": setting.batch, "cfg": setting.cfg}


def _at(setting: Setting, one: Variant) -> Variant:
    return at_cfg_1(one) if setting.cfg == 1 else one


def _times(world: World, variants: dict[str, Variant], setting: Setting) -> Table:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    effort = EFFORTS[world.device.type]
    for turn in range(effort.rounds):
        for name in names[turn:] + names[:turn]:
            found = step_seconds(_at(setting, variants[name]), effort, **_how(setting))
            seconds[name] += found[1:]
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    rows = tuple(Row(name, 1e3 * s, "ms", s / medians[PLAIN]) for name, s in medians.items())
    title = f"One step, {setting}, {name_of(world.dtype)}, {world.device.type}"
    return Table(title, rows, (f"{effort}.",))


def _profiles(world: World, variants: dict[str, Variant], setting: Setting) -> Table:
    """By torch's profiler: two steps less one, so that what a run does once drops out."""
    rows = []
    for name in PROFILED:
        one = _at(setting, variants[name])
        few, many = (_profiled(world, one, setting, n) for n in (1, 2))
        kernels, waits = (b - a for a, b in zip(few, many, strict=True))
        what = "kernels" if world.device.type == "cuda" else "operations"
        rows += [Row(f"{name}: {what}", kernels, ""), Row(f"{name}: waits", waits, "")]
    return Table(f"torch profiler, one step, {setting}, {world.device.type}", tuple(rows))


def _profiled(world: World, one: Variant, setting: Setting, steps: int) -> tuple[int, int]:
    on_gpu = world.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as found:
        sample(one.model, one.prompt, steps=steps, **_how(setting))
    # As they come: turned into Python's own events they take minutes.
    events = found.profiler.kineto_results.events()  # pyright: ignore
    there = torch.autograd.DeviceType.CUDA if on_gpu else torch.autograd.DeviceType.CPU
    kernels = sum(event.device_type() == there for event in events)
    return kernels, sum(event.name() in WAITS for event in events)


def _memory(world: World, variants: dict[str, Variant], setting: Setting) -> Table:
    title = f"Memory on the device, {setting}, {name_of(world.dtype)}"
    if world.device.type != "cuda":
        return Table(
            title, (Row("peak of a step, resident after it", None, "needs a CUDA device"),)
        )
    rows = []
    for name, one in variants.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        sample(one.model, one.prompt, steps=2, **_how(setting))
        rows.append(Row(f"{name}: peak", torch.cuda.max_memory_allocated() / 1e6, "MB"))
        rows.append(Row(f"{name}: resident", torch.cuda.memory_allocated() / 1e6, "MB"))
    return Table(title, tuple(rows))
