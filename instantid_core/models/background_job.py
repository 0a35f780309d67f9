"""Downloads in a background thread, one job at a time.

A host creates one `DownloadJob` when it starts. The job's state outlives the page that started it,
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
"""Seconds between two progress reports; a change of phase is reported at once."""

Fetch = Callable[[Download, Progress, threading.Event], None]
"""Fetches one download, reports progress, and stops soon after the event was set."""
Check = Callable[[Sequence[Download]], None]
"""Raises DownloadError if these downloads must not start together."""
Report = Callable[[dict[str, Any]], None]


class Phase(str, Enum):
    """Phase of one download."""

    WAITING = "waiting"
    FETCHING = "fetching"
    CHECKING = "checking"
    """All bytes have arrived; they are hashed, and an archive is unpacked."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass
class Task:
    """One download of a job. Only the job's thread modifies it."""

    id: str
    total: int
    done: int = 0
    """Bytes, of `total`."""
    phase: Phase = Phase.WAITING
    error: str = ""


class DownloadJob:
    """Runs downloads one after another in a thread."""

    def __init__(self, fetch: Fetch, report: Report, check: Check | None = None) -> None:
        """report: called from the thread with each new state(). check: called before a start."""
        self._fetch = fetch
        self._check = check
        self._report = report
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._tasks: list[Task] = []
        self._reported = 0.0

    def start(self, downloads: Sequence[Download]) -> None:
        """Start these downloads. Raises DownloadError while others run, or if `check` does.

        Queries disks, so call it where blocking is acceptable.
        """
        with self._lock:
            if self._running():
                raise DownloadError(
                    "A download is running already. Wait for it or cancel it, then start again."
                )
            if self._check is not None:
                self._check(downloads)
            self._cancelled = threading.Event()
            self._tasks = [Task(item.id, item.size) for item in downloads]
            # A daemon, so that the host can exit; a later download resumes.
            self._thread = threading.Thread(
                target=self._run, args=(list(downloads),), name="instantid-models", daemon=True
            )
            self._thread.start()

    def cancel(self) -> None:
        """Ask the thread to stop. Data received so far is kept on disk."""
        self._cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for the thread; True if it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self._running()

    def state(self) -> dict[str, Any]:
        """JSON values: whether it runs, and the phase, bytes and error of each download.

        `at`, in seconds since 1970, orders states: a report and the answer to a request may
        overtake each other.
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
                    # A bug: the thread's traceback is in the host's log.
                    for rest in self._tasks[self._tasks.index(task) :]:
                        rest.phase, rest.error = Phase.FAILED, "Unexpected; see ComfyUI's log."
                self._send_report()

    def _run_one(self, task: Task, item: Download) -> None:
        if self._cancelled.is_set():
            task.phase = Phase.CANCELLED
            return
        task.phase = Phase.FETCHING
        self._send_report()

        def progress(done: int, total: int) -> None:
            task.done = done
            if done >= total:
                task.phase = Phase.CHECKING
            if done >= total or time.monotonic() - self._reported >= REPORT_INTERVAL:
                self._send_report()

        try:
            self._fetch(item, progress, self._cancelled)
        except DownloadCancelledError as error:
            task.phase, task.error = Phase.CANCELLED, str(error)
        except InstantIDError as error:
            task.phase, task.error = Phase.FAILED, str(error)
        else:
            task.phase, task.done = Phase.DONE, task.total

    def _send_report(self) -> None:
        self._reported = time.monotonic()
        self._report(self.state())
