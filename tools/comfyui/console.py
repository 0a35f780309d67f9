"""Commands on a console: how they end, and a run's progress, one line per node and a bar for its
steps."""

import signal
import sys
from collections.abc import Callable
from typing import NoReturn, TextIO

from .client import Progress as Event

BAR_WIDTH = 24
STOPPED_BY_SIGTERM = 128 + signal.SIGTERM
STOPPED_BY_CTRL_C = 130


def exit_code(work: Callable[[], None], expected: tuple[type[Exception], ...]) -> int:
    """Runs the work of a command: 0, 1 if it raised one of `expected`, whose sentence is shown,
    or 130 after Ctrl-C. SIGTERM ends it as an exception does."""
    exit_on_sigterm()
    try:
        work()
    except expected as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return STOPPED_BY_CTRL_C
    return 0


def exit_on_sigterm() -> None:
    """Lets SIGTERM raise SystemExit, so that servers are stopped and scratch folders removed."""
    signal.signal(signal.SIGTERM, _exit)


def _exit(_number: int, _frame: object) -> NoReturn:
    sys.exit(STOPPED_BY_SIGTERM)


class Progress:
    """A listener that writes to `stream`, redrawing the line only where that can be seen."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.redraws = stream.isatty()

    def __call__(self, event: Event) -> None:
        if not event.maximum:
            self._write(f"  {event.title}\n")
        elif self.redraws or event.value == event.maximum:
            end = "\n" if event.value == event.maximum else ""
            start = "\r" if self.redraws else ""
            self._write(f"{start}    {bar(event.value, event.maximum)}{end}")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def bar(value: int, maximum: int) -> str:
    """`[######......] 4/8`."""
    filled = BAR_WIDTH * value // maximum
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {value}/{maximum}"
