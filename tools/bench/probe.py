"""What only a process of its own can tell: the cost of importing the pack, and peak memory.

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
    """Milliseconds to load a pack of nothing first, and then this one."""
    host_nodes = start_host()
    before = set(sys.modules)
    # The first pack of all makes the host import its reader of pyproject.toml.
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
    _forget_peak()
    adapter = pack.module("nodes.host.models").load_adapter(file, Path(file).name)
    loaded = _peak()
    with torch.inference_mode():
        _use(pack, adapter)
    return {"loaded": loaded - before, "used": _peak() - before}


def _use(pack: Pack, adapter: Any) -> None:
    """Project a made-up identity's keys and values."""
    types = pack.module("instantid_core.types")
    somebody = types.IdentityEmbedding(torch.ones(1, 1, 512), "benchmark")
    negative = pack.module("instantid_core.identity.embedding").NegativeIdentity()
    adapter.keys_values(adapter.tokens(somebody, negative), torch.float16)


def _milliseconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1e3


def _forget_peak() -> None:
    """Linux can start the peak anew; elsewhere the start of the process stays part of it."""
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
