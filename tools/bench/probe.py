"""Probes that run in their own process: the cost of importing the pack, and peak memory.

`run.py tools.bench.probe import EMPTY_PACK` or `... load ADAPTER_FILE`, with COMFYUI_PATH set.
Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

from .host import Pack, start_host

HEAVY = ("insightface", "onnxruntime", "cv2")
CLEAR_PEAK = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def probe_import(empty_pack: str) -> dict[str, Any]:
    """Milliseconds to load an empty pack, and then this one."""
    host_nodes = start_host()
    before = set(sys.modules)
    # Loading any first pack makes the host import its reader of pyproject.toml.
    first = _milliseconds(lambda: asyncio.run(host_nodes.load_custom_node(empty_pack)))
    between = set(sys.modules)
    ours = _milliseconds(lambda: Pack(host_nodes))
    return {
        "first": first,
        "ours": ours,
        "by_host": [name for name in HEAVY if name in before],
        "by_pack": [name for name in HEAVY if name in sys.modules and name not in between],
    }


def probe_load(file: str) -> dict[str, Any]:
    """Bytes by which loading an adapter, and then using it once, raise the process's peak."""
    pack = Pack(start_host())
    before = psutil.Process().memory_info().rss
    _reset_peak()
    adapter = pack.module("nodes.host.models").load_adapter(file, Path(file).name)
    loaded = _peak()
    with torch.inference_mode():
        _use(pack, adapter)
    return {"loaded": loaded - before, "used": _peak() - before}


def _use(pack: Pack, adapter: Any) -> None:
    """Project keys and values of an arbitrary identity."""
    types = pack.module("instantid_core.types")
    subject = types.IdentityEmbedding(torch.ones(1, 1, 512), types.Recogniser("0" * 64))
    negative = pack.module("instantid_core.identity.embedding").NegativeIdentity()
    adapter.keys_values(adapter.tokens(subject, negative), torch.float16)


def _milliseconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1e3


def _reset_peak() -> None:
    """Reset the peak on Linux; elsewhere it includes the start of the process."""
    if CLEAR_PEAK.exists():
        CLEAR_PEAK.write_text("5", encoding="ascii")


def _peak() -> int:
    """Largest resident size so far, in bytes."""
    if STATUS.exists():
        fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(arguments: list[str]) -> None:
    """Runs the named probe."""
    kind, subject = arguments
    probe = {"import": probe_import, "load": probe_load}[kind]
    print(json.dumps(probe(subject)))


if __name__ == "__main__":
    main(sys.argv[1:])
