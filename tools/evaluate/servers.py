"""Servers of an evaluation, side by side on the same folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tools.comfyui.environment import cores
from tools.comfyui.server import HostServer, Launch

MOST = 4
"""Servers at most. Each of the small world's holds about 1 GB."""


def for_small_models() -> int:
    """Number of servers that small models run on: networks of their size gain nothing from a
    second core."""
    return min(MOST, cores())


@contextmanager
def running(launch: Launch, count: int) -> Iterator[list[HostServer]]:
    """`count` servers that share the launch's folders and the machine's cores."""
    with ExitStack() as stack:
        yield [stack.enter_context(HostServer(one)) for one in _launches(launch, count)]


def saved_logs(servers: Sequence[HostServer], folder: Path) -> str:
    """Copies the logs into `folder`; returns their paths."""
    return ", ".join(str(server.save_log(folder)) for server in servers)


def _launches(launch: Launch, count: int) -> list[Launch]:
    if count == 1:
        return [launch]
    threads = max(1, cores() // count)
    environ = {**launch.environ, "OMP_NUM_THREADS": str(threads)}
    return [
        replace(launch, log=launch.log.with_stem(f"server_{n + 1}"), environ=environ)
        for n in range(count)
    ]
