"""Warnings of this pack: once per run each, in the log and on the screen.

Whatever the pack logs as a warning comes by here, so that code which has something to say needs to
know neither the browser nor what was said before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from comfy_execution.utils import get_executing_context

from ...instantid_core.adapter import Run
from ...instantid_core.errors import printable
from .on_screen import without_folders
from .server import running_server

EVENT = "instantid_compose.warning"
PACK = __name__.rsplit(".", 3)[0]
"""Beginning of the names of the pack's loggers."""

log = logging.getLogger(__name__)


def warn(sentences: Iterable[str]) -> None:
    """Say each sentence, unless this run has said it before."""
    for sentence in sentences:
        log.warning("%s", sentence)


def warn_in(run: Run, sentences: Iterable[str]) -> None:
    """Say each sentence, unless this sampling run has said it before."""
    warn(sentence for sentence in sentences if run.is_news(sentence))


class _Teller(logging.Filter):
    """Makes what the pack logs printable, tells the browser each warning once per run, and keeps
    repetitions out of the log."""

    def __init__(self) -> None:
        super().__init__()
        self._run = ""
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        sentence = printable(record.getMessage())
        record.msg, record.args = sentence, ()
        context = get_executing_context()
        if record.levelno < logging.WARNING or context is None:
            return True
        if context.prompt_id != self._run:
            self._run, self._said = context.prompt_id, set()
        if sentence in self._said:
            return False
        self._said.add(sentence)
        _tell_browser(context.prompt_id, context.node_id, sentence)
        return True


def watch_warnings() -> None:
    """Let the pack's warnings come by. Calling it again changes nothing.

    At each logger of the pack, because one above them would see only what is no longer stopped.
    """
    known = list(logging.getLogger().manager.loggerDict.items())
    loggers = [
        logger
        for name, logger in known
        if isinstance(logger, logging.Logger) and name.startswith(f"{PACK}.")
    ]
    # One for all of them, which know together what a run has said; the first call makes it.
    filters = [each for logger in loggers for each in logger.filters]
    teller = next((each for each in filters if isinstance(each, _Teller)), None) or _Teller()
    for logger in loggers:
        logger.addFilter(teller)


def _tell_browser(run: str, node: str, sentence: str) -> None:
    server = running_server()
    if server is not None:
        data = {"prompt_id": run, "node": node, "message": without_folders(sentence)}
        server.send_sync(EVENT, data, server.client_id)
