"""What a batch tells while it runs, and its figures at the end.

Standard library only.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tools.comfyui.environment import say

from .values import Item, Outcome


@dataclass
class Progress:
    """Counts, and one line for every prompt that ends."""

    total: int
    """Prompts of the file."""
    earlier: int
    """Those that were done before this run."""
    by_worker: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    retries: int = 0
    started: float | None = None
    ended: float = 0.0

    @property
    def left(self) -> int:
        """Prompts that are neither done nor given up."""
        return self.total - self.earlier - self.by_worker.total() - self.failed

    @property
    def seconds(self) -> float:
        """From the first prompt handed out to the last one that ended."""
        return self.ended - self.started if self.started is not None else 0.0

    def begin(self) -> None:
        """The first prompt is handed out."""
        if self.started is None:
            self.started = time.monotonic()

    def say(self, text: str) -> None:
        """A line that is about no single prompt."""
        say(text)

    def done(self, item: Item, worker: str, outcome: Outcome) -> None:
        """A prompt's results are in their folder."""
        self.by_worker[worker] += 1
        self._count(f"{item.name}  {worker}  {outcome.seconds:.1f} s")

    def given_up(self, item: Item, attempt: int, outcome: Outcome) -> None:
        """A prompt will not be done in this run."""
        self.failed += 1
        tries = "1 try" if attempt == 1 else f"{attempt} tries"
        self._count(f"{item.name} (line {item.line}) is given up after {tries}: {outcome.words}")

    def tried(self, item: Item, worker: str, outcome: Outcome) -> None:
        """A prompt will be tried again."""
        self.retries += 1
        what = "was lost with" if outcome.ending == "lost" else "could not do"
        say(f"{worker} {what} {item.name}, which is tried again: {outcome.words}")

    def _count(self, text: str) -> None:
        self.ended = time.monotonic()
        behind = self.total - self.left
        say(f"[{behind:{len(str(self.total))}}/{self.total}] {text}{self._time_left()}")

    def _time_left(self) -> str:
        now_done = self.by_worker.total() + self.failed
        if not self.left or not now_done:
            return ""
        return f"  about {clock(self.seconds / now_done * self.left)} left"

    def figures(self) -> dict[str, Any]:
        """For programs."""
        done = self.by_worker.total()
        return {
            "prompts": self.total,
            "done": done,
            "done_before": self.earlier,
            "failed": self.failed,
            "left": self.left,
            "retries": self.retries,
            "seconds": round(self.seconds, 3),
            "per_second": round(done / self.seconds, 4) if self.seconds else None,
            "by_worker": dict(sorted(self.by_worker.items())),
        }

    def summary(self) -> str:
        """For people."""
        done = self.by_worker.total()
        rate = f", {done / self.seconds:.2f} per second" if self.seconds else ""
        shares = ", ".join(f"{name}: {count}" for name, count in sorted(self.by_worker.items()))
        lines = [
            f"{done} done in {clock(self.seconds)}{rate}"
            + (f" ({shares})" if shares else "")
            + (f"; {self.earlier} were done before" if self.earlier else "")
        ]
        if self.failed:
            lines.append(f"{self.failed} given up")
        return "\n".join(lines)


def clock(seconds: float) -> str:
    """`1:02:03`, or `2:03` under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
