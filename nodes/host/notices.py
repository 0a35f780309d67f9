"""Warnings of this pack: once per run each, in the log and on the screen.

A filter on the pack's loggers sees every warning, so that code which logs one needs to know neither
the browser nor earlier warnings.
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


class _NoticeFilter(logging.Filter):
    """Makes log records printable, sends each warning to the browser once per run, and keeps
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
        _send_to_browser(context.prompt_id, context.node_id, sentence)
        return True


def watch_warnings() -> None:
    """Add the filter to each of the pack's loggers; calling it again changes nothing.

    Filters of a parent logger do not see the records of its children.
    """
    known = list(logging.getLogger().manager.loggerDict.items())
    loggers = [
        logger
        for name, logger in known
        if isinstance(logger, logging.Logger) and name.startswith(f"{PACK}.")
    ]
    # One filter for all of them, so that repetitions are found across modules.
    filters = [each for logger in loggers for each in logger.filters]
    shared = next((each for each in filters if isinstance(each, _NoticeFilter)), _NoticeFilter())
    for logger in loggers:
        logger.addFilter(shared)


def _send_to_browser(run: str, node: str, sentence: str) -> None:
    server = running_server()
    if server is not None:
        data = {"prompt_id": run, "node": node, "message": without_folders(sentence)}
        server.send_sync(EVENT, data, server.client_id)
