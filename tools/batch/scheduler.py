"""Hands prompts to workers until all are done or given up, and what is seen of it on the way.

Standard library only: who really talks to ComfyUI is given as `hire`.
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

from .instances import Post
from .ledger import Record
from .progress import Progress
from .prompts import PromptFile
from .values import BatchError, Item, Order, Outcome

MOST_LOSSES = 3
"""A worker that is lost so often without finishing a prompt is left alone."""
TURN = 1.0  # seconds between looks at Ctrl-C where a wait cannot be interrupted


class Hired(Protocol):
    """Runs orders on one ComfyUI, one at a time."""

    def run(self, order: Order) -> Future[Outcome]: ...

    def dismiss(self) -> None: ...


Hire = Callable[[str, Path | None], Hired]
"""Takes the URL, and the output folder where it is the batch's own; called in any thread."""


@dataclass
class Task:
    """A prompt on its way."""

    item: Item
    order: Order
    attempt: int = 1
    worker: str = ""
    """Who has it, or had it last."""


@dataclass
class Worker:
    """A ComfyUI and what it is at."""

    post: Post
    hired: Hired | None = None
    opening: Future[Hired] | None = None
    working: Future[Outcome] | None = None
    task: Task | None = None
    """What it works on."""
    losses: int = 0
    is_left: bool = False

    @property
    def is_free(self) -> bool:
        return not (self.opening or self.working or self.is_left)


@dataclass
class Batch:
    """One run over the prompts that are left."""

    file: PromptFile
    record: Record
    workers: Sequence[Worker]
    hire: Hire
    tries: int
    progress: Progress
    _again: deque[Task] = field(default_factory=deque)
    _last_words: str = ""

    def run(self, items: Iterable[Item]) -> None:
        """Works until nothing is left. Raises BatchError where no worker is."""
        fresh = iter(items)
        with ThreadPoolExecutor(max_workers=len(self.workers)) as self._openers:
            try:
                for worker in self.workers:
                    self._open(worker)
                while self._hand_out(fresh):
                    for worker in self._finished():
                        self._take(worker)
            finally:
                self._end()

    def _end(self) -> None:
        """Closes all workers, whatever else comes in between."""
        with undisturbed():
            for worker in self.workers:
                worker.post.close()
            self._openers.shutdown(wait=True, cancel_futures=True)
            # One that was just being started when it was told to close.
            for worker in self.workers:
                worker.post.close()

    def _hand_out(self, fresh: Iterable[Item]) -> bool:
        """Gives every free worker a prompt; False when nothing is left to wait for."""
        for worker in self.workers:
            task = self._next(worker, fresh) if worker.is_free else None
            if task and worker.hired:
                self.progress.begin()
                task.worker = worker.post.name
                worker.task, worker.working = task, worker.hired.run(task.order)
        if any(worker.task for worker in self.workers):
            return True
        if self.progress.left == 0:
            return False
        if all(worker.is_left for worker in self.workers):
            raise BatchError(
                f"No worker is left, and {self.progress.left} prompts are not done. What is done "
                f"is kept; run the command again for the rest. The last worker said:\n"
                f"{self._last_words}"
            )
        return True

    def _next(self, worker: Worker, fresh: Iterable[Item]) -> Task | None:
        """A prompt that failed elsewhere before a new one; not where it failed, if others are."""
        others = [other for other in self.workers if other is not worker and not other.is_left]
        for task in self._again:
            if task.worker != worker.post.name or not others:
                self._again.remove(task)
                return task
        item = next(iter(fresh), None)
        return Task(item, self._order(item, 1)) if item else None

    def _order(self, item: Item, attempt: int) -> Order:
        prompt, uploads = self.file.order_of(item)
        return Order(item, prompt, uploads, self.record.unfinished(item, attempt))

    def _finished(self) -> list[Worker]:
        """Waits; the workers whose order or opening has ended."""
        futures: set[Future[Any]] = {
            future
            for worker in self.workers
            for future in (worker.opening, worker.working)
            if future
        }
        done = concurrent.futures.wait(
            futures, TURN, return_when=concurrent.futures.FIRST_COMPLETED
        ).done
        return [one for one in self.workers if one.opening in done or one.working in done]

    def _take(self, worker: Worker) -> None:
        opening, working, task = worker.opening, worker.working, worker.task
        worker.opening = worker.working = worker.task = None
        if opening:
            self._opened(worker, opening)
        elif working and task:
            self._ended(worker, task, outcome_of(working))

    def _open(self, worker: Worker) -> None:
        if worker.hired:
            worker.hired.dismiss()
            worker.hired = None
        worker.opening = self._openers.submit(self._opening, worker.post)

    def _opening(self, post: Post) -> Hired:
        return self.hire(post.open(), post.output)

    def _opened(self, worker: Worker, future: Future[Hired]) -> None:
        try:
            worker.hired = future.result()
        except (BatchError, ServerError) as error:
            self._leave(worker, str(error))
        else:
            self.progress.say(f"{worker.post.name}: {worker.post.told()}")

    def _ended(self, worker: Worker, task: Task, outcome: Outcome) -> None:
        if outcome.ending == "done":
            worker.losses = 0
            self.record.keep(task.item, task.order.folder, outcome, task.worker, task.attempt)
            self.progress.done(task.item, task.worker, outcome)
            return
        if outcome.ending == "refused" or task.attempt >= self.tries:
            self.record.give_up(task.item, outcome, task.attempt)
            self.progress.given_up(task.item, task.attempt, outcome)
        else:
            self.progress.tried(task.item, task.worker, outcome)
            order = self._order(task.item, task.attempt + 1)
            self._again.append(Task(task.item, order, task.attempt + 1, task.worker))
        if outcome.ending == "lost":
            self._lost(worker, outcome)

    def _lost(self, worker: Worker, outcome: Outcome) -> None:
        worker.losses += 1
        if worker.losses < MOST_LOSSES:
            self._open(worker)
        else:
            self._leave(worker, f"It was lost {MOST_LOSSES} times in a row. {outcome.words}")

    def _leave(self, worker: Worker, words: str) -> None:
        worker.is_left = True
        self._last_words = words
        self.progress.say(f"{worker.post.name} is left out: {words}")


def outcome_of(future: Future[Outcome]) -> Outcome:
    """How an order ended; a process that died with it has lost its worker."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001  whatever Ray raises, nothing was brought back
        return Outcome("lost", f"The process that talks to it ended: {type(error).__name__}.")


@contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not interrupt what ends things."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
