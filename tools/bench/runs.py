"""Runs of whole models loaded from files: steps, and the time from a change to the first step.

On a CPU a step of SDXL at 1024 x 1024 takes minutes: `--steps` adds one at 256 x 256, and without
it the first step is that of a small model.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from .counts import BOTH, SETTINGS, Setting, counted
from .files import Stopwatch, files_table, loaded_world, write_files
from .first_step import first_step_table
from .latency import latency_table
from .report import Table, missing
from .roofline import measure_rates, wall_on
from .targets import Findings
from .whole_steps import Counts, whole_tables
from .world import META, build_world

SIZES = (Setting((1024, 1024)), Setting((832, 1216)))
"""Settings for counts, and for sites on a CPU, where batches only repeat rows."""
SMALL = (Setting((64, 64)), Setting((64, 96), 2))
ON_CPU = (Setting((256, 256)),)
"""Settings of whole steps and first steps on a CPU."""
DTYPES = {"cuda": (torch.float16, torch.bfloat16), "cpu": (torch.float32, torch.bfloat16)}
STEP_DTYPES = {"cuda": DTYPES["cuda"], "cpu": (torch.bfloat16,)}
"""Dtypes of whole steps: on a CPU the one that fits into 13 GB."""
THREADS = 2
"""Threads for measurements of wall time."""


def whole_runs(
    folder: Path, options: argparse.Namespace, scene: Any, findings: Findings
) -> Iterator[Table]:
    """Tables of files, of whole steps if they are feasible, and of the time to the first step."""
    on_gpu = findings.device.type == "cuda"
    feasible = on_gpu or options.dims == "small" or options.steps
    dims = options.dims if feasible else "small"
    settings = SMALL[:1] if options.dims == "small" else SETTINGS if on_gpu else ON_CPU
    watch = Stopwatch()
    with watch.of("written"):
        files = write_files(folder, dims)
    counts = _counts(scene.pack, dims, settings)
    for number, dtype in enumerate(STEP_DTYPES[findings.device.type]):
        with watch.of(f"loaded, {dtype}".replace("torch.", "")):
            world, adapter = loaded_world(scene.pack, dims, dtype, files)
        if feasible:
            rates = measure_rates(findings.device, dtype)
            for table in whole_tables(world, settings, rates, counts):
                findings.steps.append(table)
                yield table
        if not number:
            yield from _first_steps(options, world, adapter, scene, settings[0], counts, findings)
        del world, adapter
    if not feasible:
        yield from _unknown()
    yield files_table(files, dims, watch.seconds)


def _counts(pack: Any, dims: str, settings: tuple[Setting, ...]) -> dict[tuple[int, int], Counts]:
    """Counts of a CFG step of one picture, by the picture's size."""
    world = build_world(pack, dims, META, torch.float16)
    sizes = dict.fromkeys(setting.pixels for setting in settings)
    return {pixels: counted(world, Setting(pixels)) for pixels in sizes}


def _first_steps(
    options: argparse.Namespace,
    world: Any,
    adapter: Any,
    scene: Any,
    setting: Setting,
    counts: dict[tuple[int, int], Counts],
    findings: Findings,
) -> Iterator[Table]:
    """Tables from a change to the end of the first step, and of its parts at full size."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    device, wall = findings.device, wall_on(findings.device)
    rates = {kind: measure_rates(device, kind, wall) for kind in (torch.float32, world.dtype)}
    step = counts[setting.pixels][BOTH]
    yield first_step_table(world, adapter, scene, setting, rates[world.dtype], step)
    whole = build_world(scene.pack, options.dims, META, torch.float32)
    size = (SMALL if options.dims == "small" else SIZES)[0]
    table, findings.photo = latency_table(whole, world, adapter, scene, rates, size)
    yield table
    torch.set_num_threads(threads)


def _unknown() -> Iterator[Table]:
    why = "needs a CUDA device, or hours on a CPU; --steps adds steps at 256 x 256"
    for setting in SETTINGS:
        yield Table(f"One step, {setting}", (missing("every variant", why),))
    yield Table("Memory on the device", (missing("peak, resident"),))
