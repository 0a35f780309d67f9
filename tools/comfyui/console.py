"""Progress of a run on a console: one line per node, a bar for its steps."""

from typing import TextIO

from .client import Progress as Event

BAR_WIDTH = 24


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
