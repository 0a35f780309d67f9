"""The download that runs in the background, at most one at a time.

A host makes one `DownloadJob` when it starts. What the job knows outlives the page that started it,
so that a reloaded page shows the same progress.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from ..errors import DownloadCancelledError, DownloadError, InstantIDError
from .download import Progress
from .manifest import Download

REPORT_INTERVAL = 0.25
"""Seconds between two reports of bytes; a change of phase is reported at once."""

Fetch = Callable[[Download, Progress, threading.Event], None]
"""Fetches one download, tells its bytes, and stops soon after the event was set."""
Check = Callable[[Sequence[Download]], None]
"""Raises DownloadError when these should not be begun together."""
Report = Callable[[dict[str, Any]], None]


class Phase(str, Enum):
    """How far one download is."""

    WAITING = "waiting"
    FETCHING = "fetching"
    CHECKING = "checking"
    """All bytes are there; they are hashed, and an archive is unpacked."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass
class Task:
    """One download of a job. Only the job's thread changes it."""

    id: str
    total: int
    done: int = 0
    """Bytes, of `total`."""
    phase: Phase = Phase.WAITING
    error: str = ""


class DownloadJob:
    """Runs downloads one after the other in a thread."""

    def __init__(self, fetch: Fetch, report: Report, check: Check | None = None) -> None:
        """report: called from the thread with each new state(). check: called before it starts."""
        self._fetch = fetch
        self._check = check
        self._report = report
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._tasks: list[Task] = []
        self._reported = 0.0

    def start(self, downloads: Sequence[Download]) -> None:
        """Begin with these. Raises DownloadError while others are on their way, and as check does.

        Asks disks, so call it where waiting does no harm.
        """
        with self._lock:
            if self._running():
                raise DownloadError(
                    "A download is running already. Wait for it, or cancel it, and start again."
                )
            if self._check is not None:
                self._check(downloads)
            self._cancelled = threading.Event()
            self._tasks = [Task(item.id, item.size) for item in downloads]
            # A daemon, so that the host can end; what has come by then is resumed later.
            self._thread = threading.Thread(
                target=self._run, args=(list(downloads),), name="instantid-models", daemon=True
            )
            self._thread.start()

    def cancel(self) -> None:
        """Ask the thread to stop. What has come is kept on the disk."""
        self._cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for the thread; whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self._running()

    def state(self) -> dict[str, Any]:
        """Plain values: whether it runs, and for each download its phase, bytes and error.

        `at`, in seconds since 1970, tells which of two states is the later one: a report and the
        answer to a request may overtake each other.
        """
        tasks = [{**asdict(task), "phase": task.phase.value} for task in self._tasks]
        ended = (Phase.DONE, Phase.FAILED, Phase.CANCELLED)
        running = any(task.phase not in ended for task in self._tasks)
        return {"running": running, "tasks": tasks, "at": time.time()}

    def _running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, downloads: list[Download]) -> None:
        for task, item in zip(self._tasks, downloads, strict=True):
            try:
                self._run_one(task, item)
            finally:
                if task.phase in (Phase.FETCHING, Phase.CHECKING):
                    # A fault of ours: the thread's own report of it is in the host's log.
                    for left in self._tasks[self._tasks.index(task) :]:
                        left.phase, left.error = Phase.FAILED, "Unexpected; see ComfyUI's log."
                self._tell()

    def _run_one(self, task: Task, item: Download) -> None:
        if self._cancelled.is_set():
            task.phase = Phase.CANCELLED
            return
        task.phase = Phase.FETCHING
        self._tell()

        def progress(done: int, total: int) -> None:
            task.done = done
            if done >= total:
                task.phase = Phase.CHECKING
            if done >= total or time.monotonic() - self._reported >= REPORT_INTERVAL:
                self._tell()

        try:
            self._fetch(item, progress, self._cancelled)
        except DownloadCancelledError as error:
            task.phase, task.error = Phase.CANCELLED, str(error)
        except InstantIDError as error:
            task.phase, task.error = Phase.FAILED, str(error)
        else:
            task.phase, task.done = Phase.DONE, task.total

    def _tell(self) -> None:
        self._reported = time.monotonic()
        self._report(self.state())
