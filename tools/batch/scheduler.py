"""Scheduler: gives prompts to workers until each is done or has failed for good.

Standard library only: the connection to a worker is made by the function given as `connect`.
"""

from __future__ import annotations

import concurrent.futures
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tools.comfyui.server import ServerError

from .instances import Instance
from .ledger import Ledger
from .progress import Progress
from .prompts import PromptFile
from .values import KEPT, Attempt, BatchError, Item, Result

MAX_LOSSES = 3
"""A worker that is lost this often in a row, without finishing a prompt, is dropped."""
POLL_INTERVAL = 1.0  # seconds between checks for Ctrl-C where a wait cannot be interrupted


class Client(Protocol):
    """Runs attempts on one ComfyUI, one at a time."""

    def run(self, attempt: Attempt) -> Future[Result]: ...

    def close(self) -> None: ...


Connect = Callable[[str, Path | None], Client]
"""Takes the URL, and the output folder if the batch owns it; called from any thread."""


@dataclass(frozen=True)
class Task:
    """An attempt, and the worker that tried it last."""

    attempt: Attempt
    worker: str = ""


@dataclass
class Worker:
    """A ComfyUI instance and its current state."""

    instance: Instance
    client: Client | None = None
    connecting: Future[Client] | None = None
    working: Future[Result] | None = None
    task: Task | None = None
    losses: int = 0
    is_dropped: bool = False

    @property
    def is_free(self) -> bool:
        return not (self.connecting or self.working or self.is_dropped)


@dataclass
class Batch:
    """One run over the remaining prompts."""

    file: PromptFile
    ledger: Ledger
    workers: Sequence[Worker]
    connect: Connect
    tries: int
    progress: Progress
    _retries: deque[Task] = field(default_factory=deque)
    _last_message: str = ""

    def run(self, items: Iterable[Item]) -> None:
        """Runs until no prompt remains. Raises BatchError when no worker remains."""
        fresh = iter(items)
        with ThreadPoolExecutor(max_workers=len(self.workers)) as self._connectors:
            try:
                for worker in self.workers:
                    self._connect(worker)
                while self._dispatch(fresh):
                    for worker in self._wait():
                        self._handle(worker)
            finally:
                self._close_all()

    def _close_all(self) -> None:
        """Closes all workers; Ctrl-C does not interrupt it."""
        with ignore_interrupts():
            for worker in self.workers:
                worker.instance.close()
            self._connectors.shutdown(wait=True, cancel_futures=True)
            # Again, for one that was being started during the first round.
            for worker in self.workers:
                worker.instance.close()

    def _dispatch(self, fresh: Iterable[Item]) -> bool:
        """Gives every free worker a prompt; False when there is nothing left to wait for."""
        for worker in self.workers:
            task = self._next_task(worker, fresh) if worker.is_free else None
            if task and worker.client:
                self.progress.begin()
                worker.task, worker.working = task, worker.client.run(task.attempt)
        if any(worker.task for worker in self.workers):
            return True
        if self.progress.remaining == 0:
            return False
        if all(worker.is_dropped for worker in self.workers):
            raise BatchError(
                f"No worker is left, and {self.progress.remaining} prompts are not done. Finished "
                "results are kept; run the command again for the rest. The last worker said:\n"
                f"{self._last_message}"
            )
        return True

    def _next_task(self, worker: Worker, fresh: Iterable[Item]) -> Task | None:
        """A retry before a new prompt; on another worker than before, if there is one."""
        others = [other for other in self.workers if other is not worker and not other.is_dropped]
        for task in self._retries:
            if task.worker != worker.instance.name or not others:
                self._retries.remove(task)
                return Task(task.attempt, worker.instance.name)
        item = next(iter(fresh), None)
        return Task(self._attempt(item, 1), worker.instance.name) if item else None

    def _attempt(self, item: Item, number: int) -> Attempt:
        prompt, uploads = self.file.load(item)
        return Attempt(item, prompt, uploads, self.ledger.unfinished(item, number), number)

    def _wait(self) -> list[Worker]:
        """Waits; returns the workers that have connected or finished an attempt."""
        futures: set[Future[Any]] = {
            future
            for worker in self.workers
            for future in (worker.connecting, worker.working)
            if future
        }
        done = concurrent.futures.wait(
            futures, POLL_INTERVAL, return_when=concurrent.futures.FIRST_COMPLETED
        ).done
        return [one for one in self.workers if one.connecting in done or one.working in done]

    def _handle(self, worker: Worker) -> None:
        connecting, working, task = worker.connecting, worker.working, worker.task
        worker.connecting = worker.working = worker.task = None
        if connecting:
            self._handle_connection(worker, connecting)
        elif working and task:
            self._handle_result(worker, task, result_of(working))

    def _connect(self, worker: Worker) -> None:
        if worker.client:
            worker.client.close()
            worker.client = None
        worker.connecting = self._connectors.submit(self._open_and_connect, worker.instance)

    def _open_and_connect(self, instance: Instance) -> Client:
        return self.connect(instance.open(), instance.output)

    def _handle_connection(self, worker: Worker, future: Future[Client]) -> None:
        try:
            worker.client = future.result()
        except (BatchError, ServerError) as error:
            self._drop(worker, str(error))
        else:
            self.progress.say(f"{worker.instance.name}: {worker.instance.describe()}")

    def _handle_result(self, worker: Worker, task: Task, result: Result) -> None:
        attempt = task.attempt
        if result.status == "done":
            worker.losses = 0
            self.ledger.commit(attempt, result, task.worker)
            self.progress.done(attempt.item, task.worker, result)
            return
        if result.status == "unwritable":
            raise BatchError(f"{result.message} {KEPT}")
        if result.status == "refused" or attempt.number >= self.tries:
            self.ledger.record_failure(attempt, result)
            self.progress.given_up(attempt, result)
        else:
            self.progress.retried(attempt.item, task.worker, result)
            self._retries.append(Task(self._attempt(attempt.item, attempt.number + 1), task.worker))
        if result.status == "lost":
            self._handle_loss(worker, result)

    def _handle_loss(self, worker: Worker, result: Result) -> None:
        worker.losses += 1
        if worker.losses < MAX_LOSSES:
            self._connect(worker)
        else:
            self._drop(worker, f"It was lost {MAX_LOSSES} times in a row. {result.message}")

    def _drop(self, worker: Worker, message: str) -> None:
        worker.is_dropped = True
        self._last_message = message
        self.progress.say(f"{worker.instance.name} is not used any more: {message}")


def result_of(future: Future[Result]) -> Result:
    """Result of a finished future; a process that died has lost its worker."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001  whatever Ray raises, there is no result
        return Result("lost", f"The process that talks to it ended: {type(error).__name__}.")


@contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Ignores Ctrl-C while workers are being closed."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
