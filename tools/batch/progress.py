"""Progress lines of a batch, and its figures at the end.

Standard library only.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tools.comfyui.environment import say

from .values import Attempt, Item, Result


@dataclass
class Progress:
    """Counts, and one line for every finished prompt."""

    total: int
    """Prompts in the file."""
    done_before: int
    """Prompts that earlier runs have done."""
    by_worker: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    retries: int = 0
    started: float | None = None
    ended: float = 0.0

    @property
    def remaining(self) -> int:
        """Prompts that have neither succeeded nor failed for good."""
        return self.total - self.done_before - self.by_worker.total() - self.failed

    @property
    def seconds(self) -> float:
        """Time from the first dispatched prompt to the last finished one."""
        return self.ended - self.started if self.started is not None else 0.0

    def begin(self) -> None:
        """Starts the clock at the first dispatched prompt."""
        if self.started is None:
            self.started = time.monotonic()

    def say(self, text: str) -> None:
        """Prints a line that concerns no single prompt."""
        say(text)

    def done(self, item: Item, worker: str, result: Result) -> None:
        """Counts a prompt whose results are in their folder."""
        self.by_worker[worker] += 1
        self._count(f"{item.name}  {worker}  {result.seconds:.1f} s")

    def given_up(self, attempt: Attempt, result: Result) -> None:
        """Counts a prompt that is not tried again in this run."""
        self.failed += 1
        item = attempt.item
        tries = "1 try" if attempt.number == 1 else f"{attempt.number} tries"
        self._count(f"{item.name} (line {item.line}) is given up after {tries}: {result.message}")

    def retried(self, item: Item, worker: str, result: Result) -> None:
        """Counts a failed attempt at a prompt that will be tried again."""
        self.retries += 1
        what = "was lost with" if result.status == "lost" else "could not do"
        say(f"{worker} {what} {item.name}, which is tried again: {result.message}")

    def _count(self, text: str) -> None:
        self.ended = time.monotonic()
        behind = self.total - self.remaining
        say(f"[{behind:{len(str(self.total))}}/{self.total}] {text}{self._time_left()}")

    def _time_left(self) -> str:
        now_done = self.by_worker.total() + self.failed
        if not self.remaining or not now_done:
            return ""
        return f"  about {clock(self.seconds / now_done * self.remaining)} left"

    def figures(self) -> dict[str, Any]:
        """Figures for programs."""
        done = self.by_worker.total()
        return {
            "prompts": self.total,
            "done": done,
            "done_before": self.done_before,
            "failed": self.failed,
            "left": self.remaining,
            "retries": self.retries,
            "seconds": round(self.seconds, 3),
            "per_second": round(done / self.seconds, 4) if self.seconds else None,
            "by_worker": dict(sorted(self.by_worker.items())),
        }

    def summary(self) -> str:
        """Summary for people."""
        done = self.by_worker.total()
        rate = f", {done / self.seconds:.2f} per second" if self.seconds else ""
        shares = ", ".join(f"{name}: {count}" for name, count in sorted(self.by_worker.items()))
        lines = [
            f"{done} done in {clock(self.seconds)}{rate}"
            + (f" ({shares})" if shares else "")
            + (f"; {self.done_before} were done before" if self.done_before else "")
        ]
        if self.failed:
            lines.append(f"{self.failed} given up")
        return "\n".join(lines)


def clock(seconds: float) -> str:
    """`1:02:03`, or `2:03` under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
