"""`dev.py bench --full`: SDXL's own sizes, on a GPU if there is one.

The same code runs on every device; rows that need another device are listed as not measured.
`--dims small` runs all of it with small models.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from .counts import SETTINGS, counted, counts_tables, reused
from .faces import face_tables, gpu_face_tables
from .host import build_scene, use_models
from .processes import memory_table
from .report import Table
from .roofline import measure_rates, rates_table, sites_tables
from .runs import DTYPES, PICTURE_SIZES, SMALL, whole_runs
from .targets import Findings, targets_table
from .waits import waits_table
from .world import META, build_world, person


def full_tables(
    folder: Path, options: argparse.Namespace, host_nodes: ModuleType
) -> Iterator[Table]:
    """All tables; the last one compares with the targets."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    is_small = options.dims == "small"
    findings = Findings(device)
    with torch.inference_mode():
        use_models(folder)
        scene = build_scene(host_nodes)
        world = build_world(scene.pack, options.dims, META, torch.float16)
        settings = SMALL if is_small else PICTURE_SIZES
        findings.counts = counted(world, settings[0])
        findings.held = person(world).keys_values.nbytes
        findings.reused = reused(world, settings[0])
        yield from counts_tables(world, findings.counts, findings.reused, settings)
        yield waits_table(build_world(scene.pack, "small", torch.device("cpu"), torch.float32))
        yield from _sites(options, scene.pack, device, findings)
        yield from face_tables(scene, folder / "insightface")
        yield from gpu_face_tables(scene, folder / "insightface")
        yield from whole_runs(folder / "published", options, scene, findings)
    table = memory_table(folder, not is_small)
    findings.file = table
    yield table
    yield targets_table(findings)


def _sites(
    options: argparse.Namespace, pack: Any, device: torch.device, findings: Findings
) -> Iterator[Table]:
    settings = (
        SMALL if options.dims == "small" else PICTURE_SIZES if device.type == "cpu" else SETTINGS
    )
    rates = {dtype: measure_rates(device, dtype) for dtype in DTYPES[device.type]}
    yield rates_table(rates, device)
    for dtype, rate in rates.items():
        world = build_world(pack, options.dims, META, dtype)
        for table in sites_tables(world, person(world), settings, rate, device):
            findings.sites.append(table)
            yield table
