"""Ray, on this machine only: a process for each worker that talks to its ComfyUI."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from tools.comfyui.environment import REPOSITORY

from .values import BatchError, Order, Outcome
from .worker_client import Hand

SETTINGS = {
    # Nothing about this run goes anywhere.
    "RAY_USAGE_STATS_ENABLED": "0",
    # The processes are small; what ComfyUI takes of the memory must not end them.
    "RAY_memory_monitor_refresh_ms": "0",
    # On a busy machine its processes take their time, which is no reason to give up on them.
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_health_check_failure_threshold": "40",
    # Its servers listen on the loopback interface alone, as they do on Windows and macOS.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONPATH": str(REPOSITORY),
}
STARTS = 5
"""Ray allows itself 30 seconds, which a busy machine may not have."""
SHARED_MEMORY = 80 * 2**20  # bytes; Ray's least is 75 MB, and pictures do not go through it


class RayHand:
    """A Hand in a process of Ray's."""

    def __init__(self, ray: Any, url: str, output: Path | None) -> None:
        self._ray = ray
        self._actor = ray.remote(num_cpus=0)(Hand).remote(url, output)
        # Its process takes a moment to start; that is not the first prompt's time.
        ray.get(self._actor.ready.remote())

    def run(self, order: Order) -> Future[Outcome]:
        """Runs an order there."""
        return self._actor.run.remote(order).future()

    def dismiss(self) -> None:
        """Ends the process."""
        self._ray.kill(self._actor)


class RayHands(AbstractContextManager["RayHands"]):
    """Ray while it runs; called, it gives a hand."""

    def __init__(self) -> None:
        self._ray: Any = None
        self._scratch = TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)

    def __enter__(self) -> RayHands:
        # A token of this run's own keeps other users of the machine out; without it Ray would make
        # one and leave it in the home folder.
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        os.environ.update({**SETTINGS, **token})
        import ray  # pyright: ignore[reportMissingImports]  only the own environment has it

        self._ray = ray
        for attempt in range(1, STARTS + 1):
            try:
                self._start()
            except Exception as error:
                ray.shutdown()
                if attempt == STARTS:
                    raise BatchError(
                        f"Ray, which runs a process per worker, did not start in {STARTS} tries. "
                        f"Try again when the machine is less busy. Ray said: {error}"
                    ) from error
            else:
                break
        return self

    def _start(self) -> None:
        windows = sys.platform == "win32"
        self._ray.init(
            address="local",
            num_cpus=1,
            include_dashboard=False,
            object_store_memory=SHARED_MEMORY,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            # Names of sockets have a shortest limit of 104 characters.
            _temp_dir=None if windows else self._scratch.name,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ray.shutdown()
        self._scratch.cleanup()

    def __call__(self, url: str, output: Path | None) -> RayHand:
        return RayHand(self._ray, url, output)
