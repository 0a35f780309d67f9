"""Whole steps of a UNet with IdentityNet: time and its lower bound, memory, kernels and waits."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from .baseline import baseline_net
from .counts import (
    ADAPTER,
    BASELINE,
    BOTH,
    FOUR,
    NET,
    PLAIN,
    REUSE,
    TWO,
    Setting,
    baseline_variant,
)
from .operations import StepCounts
from .report import Row, Table, timings
from .roofline import Rates, Workload, name_of, weight_bytes
from .steps import AMOUNT, Effort, Variant, in_turns, sample, step_seconds
from .world import How, Person, World, at_cfg_1, person, variant

BASELINE_BOTH = "+ both, baseline"
SAME_WORK = {BASELINE: ADAPTER, BASELINE_BOTH: BOTH}
"""Variants whose lower bound is that of another one, which does the same work without waste."""
NETS = {NET: 1, BOTH: 1, TWO: 2, FOUR: 4}
PEOPLE = {ADAPTER: 1, BOTH: 1, TWO: 2, FOUR: 4}
"""Number of people whose keys and values a step reads."""
Counts = dict[str, StepCounts]
WAITS = {
    "cpu": ("aten::_local_scalar_dense",),
    "cuda": ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize"),
}
"""Events that wait on a GPU; for a CPU, those that would."""
MOVES = ("Memcpy", "Memset")
"""Device events that are not kernels."""
EFFORTS = {"cuda": Effort(0, rounds=3, steps=6), "cpu": Effort(0, rounds=1, steps=3)}
PERIODS = 6
"""Steps that hold whole periods of every `reuse`: the least common multiple of 1, 2 and 3."""
PROFILED = (PLAIN, ADAPTER, BASELINE)


def whole_variants(world: World) -> dict[str, Callable[[], Variant]]:
    """Variants to compare, by name; each is created when called."""
    people = [person(world, seed) for seed in range(4)]
    return {
        PLAIN: lambda: variant(world, [], How()),
        ADAPTER: lambda: variant(world, people[:1], How(identity_net=False)),
        BASELINE: lambda: baseline_variant(world, people[0]),
        NET: lambda: variant(world, people[:1], How(adapter=False)),
        BOTH: lambda: variant(world, people[:1], How()),
        BASELINE_BOTH: lambda: baseline_both(world, people[0]),
        TWO: lambda: variant(world, people[:2], How(masks=True)),
        FOUR: lambda: variant(world, people, How(masks=True)),
    }


def baseline_both(world: World, subject: Person) -> Variant:
    """The baseline's attention, and the host's own ControlNet."""
    model, prompt = baseline_variant(world, subject)
    tokens = subject.tokens.positive, subject.tokens.negative
    hint = torch.zeros(1, 64, 64, 3).movedim(-1, 1)  # in the memory layout of ComfyUI's pictures
    return Variant(model, baseline_net(prompt, world.control_net, tokens, hint, AMOUNT))


def whole_tables(
    world: World, settings: tuple[Setting, ...], rates: Rates, counts: dict[tuple[int, int], Counts]
) -> Iterator[Table]:
    """Step time at each setting, then kernels, waits and memory at the first.

    counts: of a CFG step of one picture, by its width and height.
    """
    makers = whole_variants(world)
    variants = {name: make() for name, make in makers.items()}
    for setting in settings:
        floors = step_floors(world, counts[setting.pixels], setting)
        yield _times(world, variants, setting, {n: w.floor(rates) for n, w in floors.items()})
    yield reuse_times(world, settings[0])
    yield _profiles(world, variants, settings[0])
    variants.clear()  # with what the baseline holds on the device
    yield _memory(world, makers, settings[0])


def step_floors(world: World, counts: Counts, setting: Setting) -> dict[str, Workload]:
    """Workload of a step of each variant: its operations, and every weight read once.

    counts: of a CFG step of one picture; rows only repeat it.
    """
    rows = setting.batch * (2 if setting.cfg != 1 else 1)
    unet, net = world.model.model.diffusion_model, world.control_net.control_model
    read = weight_bytes(unet), weight_bytes(net), person(world).keys_values.nbytes
    names = [name for name in counts if name in (PLAIN, *NETS, *PEOPLE)]
    work = {
        name: Workload(
            counts[name].operations * rows / 2,
            read[0] + NETS.get(name, 0) * read[1] + PEOPLE.get(name, 0) * read[2],
        )
        for name in names
    }
    return work | {usual: work[same] for usual, same in SAME_WORK.items()}


def _how(setting: Setting) -> dict[str, Any]:
    return {"pixels": setting.pixels, "batch": setting.batch, "cfg": setting.cfg}


def _at(setting: Setting, one: Variant) -> Variant:
    return at_cfg_1(one) if setting.cfg == 1 else one


def _times(
    world: World, variants: dict[str, Variant], setting: Setting, floors: dict[str, float]
) -> Table:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    effort = EFFORTS[world.device.type]
    for name in in_turns(list(variants), effort.rounds):
        found = step_seconds(_at(setting, variants[name]), effort, **_how(setting))
        seconds[name] += found[1:]
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    rows = []
    for name, median in medians.items():
        rows.append(Row(name, 1e3 * median, "ms", median / medians[PLAIN]))
        rows.append(Row(f"{name}: floor", 1e3 * floors[name], "ms", floors[name] / medians[PLAIN]))
    title = f"One step, {setting}, {name_of(world.dtype)}, {world.device.type}"
    notes = (
        f"{effort}. Floors: operations at the rate of a matrix product, or every weight read once.",
        "Ratios are to the plain step.",
    )
    return Table(title, tuple(rows), notes)


def reuse_times(world: World, setting: Setting) -> Table:
    """Mean time of a step with both parts, over whole periods of steps that share a computation."""
    people, effort = [person(world)], EFFORTS[world.device.type]
    variants = {f"reuse {reuse}": variant(world, people, How(reuse=reuse)) for reuse in REUSE}
    means: dict[str, list[float]] = {name: [] for name in variants}
    for name in in_turns(list(variants), effort.rounds):
        one = _at(setting, variants[name])
        # The first step draws and encodes the hint, and opens the first period.
        found = step_seconds(one, effort, **_how(setting) | {"steps": 1 + PERIODS})[1:]
        means[name].append(statistics.mean(found))
    title = f"A step with both parts by reuse of IdentityNet, {setting}, {name_of(world.dtype)}"
    notes = (f"Means of {PERIODS} steps after the first; medians of {effort.rounds} runs.",)
    return Table(f"{title}, {world.device.type}", timings(means), notes)


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
    events = found.profiler.kineto_results.events()  # pyright: ignore[reportOptionalMemberAccess]
    there = torch.autograd.DeviceType.CUDA if on_gpu else torch.autograd.DeviceType.CPU
    kernels = sum(
        event.device_type() == there and not event.name().startswith(MOVES) for event in events
    )
    return kernels, sum(event.name() in WAITS[world.device.type] for event in events)


def _memory(world: World, makers: dict[str, Callable[[], Variant]], setting: Setting) -> Table:
    """Each variant alone on the device."""
    from comfy.model_management import unload_all_models

    title = f"Memory on the device, {setting}, {name_of(world.dtype)}"
    if world.device.type != "cuda":
        return Table(
            title, (Row("peak of a step, resident after it", None, "needs a CUDA device"),)
        )
    rows = []
    for name, make in makers.items():
        unload_all_models()
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        one = make()
        sample(one.model, one.prompt, steps=2, **_how(setting))
        rows.append(Row(f"{name}: peak", torch.cuda.max_memory_allocated() / 1e6, "MB"))
        rows.append(Row(f"{name}: resident", torch.cuda.memory_allocated() / 1e6, "MB"))
        del one
    return Table(title, tuple(rows))
