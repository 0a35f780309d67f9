"""`python3 dev.py bench --full`: SDXL's own sizes, on a GPU where there is one.

The same code runs on every device; what a device cannot show is listed as not measured. `--dims
small` runs all of it with small models.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from .bench_bars import Findings, bars_table
from .bench_counts import SETTINGS, Setting, counted, counts_tables
from .bench_faces import face_tables
from .bench_floor import measure_rates, rates_table
from .bench_host import build_scene, use_models
from .bench_latency import latency_table
from .bench_processes import memory_table
from .bench_report import Table, missing
from .bench_sites import sites_tables
from .bench_whole_steps import whole_tables
from .bench_world import META, build_world, person

SIZES = (Setting((1024, 1024)), Setting((832, 1216)))
"""Where rows only repeat: for counts, and for the sites on a CPU."""
SMALL = (Setting((64, 64)), Setting((64, 96), 2))
THREADS = 2
"""For what is measured by the clock on the wall."""
DTYPES = {"cuda": (torch.float16, torch.bfloat16), "cpu": (torch.float32, torch.bfloat16)}


def full_tables(
    folder: Path, options: argparse.Namespace, host_nodes: ModuleType
) -> Iterator[Table]:
    """All tables; the last one sums up."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    is_small = options.dims == "small"
    findings = Findings(device)
    with torch.inference_mode():
        use_models(folder)
        scene = build_scene(host_nodes)
        world = build_world(scene.pack, options.dims, META, torch.float16)
        settings = SMALL if is_small else SIZES
        findings.counts = counted(world, settings[0])
        findings.held = person(world).keys_values.nbytes
        yield from counts_tables(world, findings.counts, settings)
        yield from _sites(options, scene.pack, device, findings)
        yield from _steps(options, scene.pack, device, findings)
        yield from face_tables(scene, folder / "insightface")
        yield _faces_on_gpu()
        torch.set_num_threads(THREADS)
        latency = build_world(scene.pack, options.dims, META, torch.float32)
        table, findings.photo = latency_table(latency, scene, device, settings[0].pixels[0])
        yield table
    table = memory_table(folder, not is_small)
    findings.file = table
    yield table
    yield bars_table(findings)


def _sites(
    options: argparse.Namespace, pack: Any, device: torch.device, findings: Findings
) -> Iterator[Table]:
    settings = SMALL if options.dims == "small" else SIZES if device.type == "cpu" else SETTINGS
    rates = {dtype: measure_rates(device, dtype) for dtype in DTYPES[device.type]}
    yield rates_table(rates, device)
    for dtype, rate in rates.items():
        world = build_world(pack, options.dims, META, dtype)
        for table in sites_tables(world, person(world), settings, rate, device):
            findings.sites.append(table)
            yield table


def _steps(
    options: argparse.Namespace, pack: Any, device: torch.device, findings: Findings
) -> Iterator[Table]:
    if device.type == "cpu" and options.dims != "small" and not options.steps:
        why = "needs a CUDA device, or --steps and hours on a CPU"
        for setting in SETTINGS:
            yield Table(f"One step, {setting}", (missing("every variant", why),))
        yield Table("Memory on the device", (missing("peak, resident"),))
        return
    settings = SMALL if options.dims == "small" else SETTINGS
    for dtype in DTYPES[device.type][: 1 if device.type == "cpu" else 2]:
        world = build_world(pack, options.dims, device, dtype)
        for table in whole_tables(world, settings if device.type == "cuda" else settings[:1]):
            findings.steps.append(table)
            yield table


def _faces_on_gpu() -> Table:
    """The provider decides, and the synthetic models are too small to tell of it."""
    return Table(
        "Face analysis on the GPU", (missing("one image", "needs onnxruntime-gpu and antelopev2"),)
    )
