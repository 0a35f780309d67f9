"""Ray on this machine: a process per worker that communicates with its ComfyUI."""

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

from .values import Attempt, BatchError, Result
from .worker_client import WorkerClient

SETTINGS = {
    # No usage statistics.
    "RAY_USAGE_STATS_ENABLED": "0",
    # The processes are small; memory that ComfyUI uses must not end them.
    "RAY_memory_monitor_refresh_ms": "0",
    # On a busy machine its processes start slowly.
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_health_check_failure_threshold": "40",
    # Its servers listen on the loopback interface only, as they do on Windows and macOS.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONPATH": str(REPOSITORY),
}
START_ATTEMPTS = 5
"""Ray gives up after 30 seconds, which are too few on a busy machine."""
SHARED_MEMORY = 80 * 2**20  # bytes; Ray's minimum is 75 MB, and pictures do not pass through it


class RayWorker:
    """A WorkerClient in a process of Ray's."""

    def __init__(self, ray: Any, url: str, output: Path | None) -> None:
        self._ray = ray
        self._actor = ray.remote(num_cpus=0)(WorkerClient).remote(url, output)
        # Waits for its process, so that the first prompt's time does not include the start.
        ray.get(self._actor.ready.remote())

    def run(self, attempt: Attempt) -> Future[Result]:
        """Runs an attempt in that process."""
        return self._actor.run.remote(attempt).future()

    def close(self) -> None:
        """Ends the process."""
        self._ray.kill(self._actor)


class RayWorkerPool(AbstractContextManager["RayWorkerPool"]):
    """Ray while the context is open; a call starts a worker process."""

    def __init__(self) -> None:
        self._ray: Any = None
        self._scratch = TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)

    def __enter__(self) -> RayWorkerPool:
        # This run's own token keeps other users of the machine out; without it Ray would write one
        # into the home folder.
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        os.environ.update({**SETTINGS, **token})
        import ray  # pyright: ignore[reportMissingImports]  only the batch environment has it

        self._ray = ray
        for count in range(1, START_ATTEMPTS + 1):
            try:
                self._start()
            except Exception as error:
                ray.shutdown()
                if count == START_ATTEMPTS:
                    raise BatchError(
                        "Ray, which runs a process per worker, did not start in "
                        f"{START_ATTEMPTS} attempts. "
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
            # Paths of sockets are limited to 104 characters on some systems.
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

    def __call__(self, url: str, output: Path | None) -> RayWorker:
        return RayWorker(self._ray, url, output)
