"""Peak memory of loading an adapter file, and the time the pack adds to ComfyUI's start.

Both are measured by `probe` in fresh processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tools.comfyui.environment import child_environ, module_command
from tools.small_world import published_shapes
from tools.small_world.adapter import AdapterSizes, Tensors, adapter_weights, flat

from .report import Row, Table, timings

STARTS = 3
PUBLISHED_WIDTH = 320
"""Channels of the published UNet's first level."""
ALLOWED_MILLISECONDS = 150
WIDTH_DIVISOR = 4
"""Divisor of the sites' published widths without --full; the resampler has its full size."""


def memory_table(folder: Path, full: bool) -> Table:
    """Table of peak memory relative to file size, for both file formats."""
    share = 1 if full else WIDTH_DIVISOR
    nested = adapter_weights(adapter_sizes(share))
    rows: list[Row] = []
    for name, write in FORMS.items():
        file = folder / name
        write(nested, file)
        rows += _memory_rows(file)
        file.unlink()
    widths = "as published" if full else f"at 1/{share} of the published widths (--full: whole)"
    notes = (
        f"fp32; the resampler as published, 70 sites {widths}.",
        "Ratios are to the file.",
        "A .safetensors file is mapped: its pages count once they are touched, and the system can",
        "take them back at any time.",
    )
    return Table("Peak memory added by an adapter file, in a fresh process", tuple(rows), notes)


def adapter_sizes(share: int) -> AdapterSizes:
    """Sizes of the published adapter, with its sites at 1/share of their widths."""
    widths = tuple(width // share for width in published_shapes.SITE_WIDTHS)
    return AdapterSizes(widths, context_dim=published_shapes.CONTEXT, width=1280, depth=4)


def sizes_of(config: Any) -> AdapterSizes:
    """Sizes of the adapter for a UNet of this width."""
    if config.width == PUBLISHED_WIDTH:
        return adapter_sizes(1)
    return AdapterSizes(config.site_widths, config.context_dim)


def _write_flat(nested: dict[str, Tensors], file: Path) -> None:
    save_file(flat(nested), file)


def _write_nested(nested: dict[str, Tensors], file: Path) -> None:
    torch.save(nested, file)


FORMS: dict[str, Callable[[dict[str, Tensors], Path], None]] = {
    "adapter.safetensors": _write_flat,
    "adapter.bin": _write_nested,
}


def _memory_rows(file: Path) -> list[Row]:
    found, size = ask("load", file), file.stat().st_size
    steps = {"loaded": found["loaded"], "loaded, one identity projected": found["used"]}
    name = file.suffix
    return [
        Row(f"{name}: the file", size / 1e6, "MB"),
        *(Row(f"{name}: {step}", n / 1e6, "MB", n / size) for step, n in steps.items()),
    ]


def import_table(folder: Path) -> Table:
    """Table of the time that the pack adds to ComfyUI's start."""
    empty = folder / "empty_pack"
    empty.mkdir()
    (empty / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n", encoding="utf-8")
    (empty / "pyproject.toml").write_text('[project]\nname = "empty"\n', encoding="utf-8")
    starts = [ask("import", empty) for _ in range(STARTS)]
    measured = {
        "this pack": [start["ours"] / 1e3 for start in starts],
        "an empty pack before it (the host's own first-time imports)": [
            start["first"] / 1e3 for start in starts
        ],
    }
    notes = (
        f"Medians of {STARTS} processes; the pack may take {ALLOWED_MILLISECONDS} ms.",
        f"Of insightface, onnxruntime, cv2 the pack imported {_names(starts[0]['by_pack'])}; "
        f"ComfyUI itself had imported {_names(starts[0]['by_host'])}.",
    )
    rows = tuple(replace(row, ratio=None) for row in timings(measured))
    return Table("Added to ComfyUI's start", rows, notes)


def _names(modules: list[str]) -> str:
    return ", ".join(modules) or "none"


def ask(kind: str, subject: Path) -> dict[str, Any]:
    """Run a probe in its own process; returns its result."""
    command = module_command(Path(sys.executable), "tools.bench.probe", kind, str(subject))
    environ = child_environ(COMFYUI_PATH=os.environ["COMFYUI_PATH"])
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])
