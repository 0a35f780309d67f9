"""The pack's routes for model files: list the published ones, download, cancel.

A request names entries of the pack's own list and nothing else: no part of it reaches a path or a
URL. The mirror is the server's environment variable.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from ...instantid_core.errors import DownloadError, SettingError
from ...instantid_core.models import (
    MIRROR_VARIABLE,
    Download,
    DownloadJob,
    Found,
    Item,
    Progress,
    RetryPolicy,
    chosen,
    fetch,
    published,
    relatives,
    require_space_for,
    scan,
    shown_mirror,
)
from . import paths
from .requests import add_routes, json_body, refusal
from .server import send_to_pages

PREFIX = "/instantid_compose/models"
EVENT = "instantid_compose.models"


def register_model_routes() -> None:
    """Add the routes to ComfyUI's server."""
    handlers = ModelRoutes(lambda state: send_to_pages(EVENT, state))
    add_routes(
        ("GET", PREFIX, handlers.listing),
        ("GET", f"{PREFIX}/progress", handlers.progress),
        ("POST", f"{PREFIX}/download", handlers.download),
        ("POST", f"{PREFIX}/cancel", handlers.cancel),
    )


class ModelRoutes:
    """The handlers, and the one job they share: made once, when the pack is loaded."""

    def __init__(self, report: Callable[[dict[str, Any]], None]) -> None:
        self._downloads = (*published(), *relatives())
        self._job = DownloadJob(fetch_into_model_folder, report, require_space_in_model_folders)

    async def listing(self, _request: web.Request) -> web.Response:
        """GET: every published file, whether it is there, and what runs."""
        items = await asyncio.to_thread(scan, self._downloads, paths.model_roots())
        answer = {
            "models": [described(item) for item in items],
            "mirror": shown_mirror(os.environ.get(MIRROR_VARIABLE, "")) or None,
            "job": self._job.state(),
        }
        return web.json_response(answer)

    async def progress(self, _request: web.Request) -> web.Response:
        """GET: the running job, as in the events."""
        return web.json_response(self._job.state())

    async def download(self, request: web.Request) -> web.Response:
        """POST {"ids": [...]}: fetch these entries of the list."""
        try:
            downloads = chosen(self._downloads, await _ids(request))
            await asyncio.to_thread(self._job.start, downloads)
        except SettingError as error:
            return refusal(400, str(error))
        except DownloadError as error:
            return refusal(409, str(error))
        return web.json_response(self._job.state(), status=202)

    async def cancel(self, _request: web.Request) -> web.Response:
        """POST: stop; what has come is kept."""
        self._job.cancel()
        return web.json_response(self._job.state())


async def _ids(request: web.Request) -> list[str]:
    body = await json_body(request, "{'ids': ['adapter']}")
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise SettingError("Expected JSON such as {'ids': ['adapter']}, with a list of names.")
    return ids


def require_space_in_model_folders(downloads: Sequence[Download]) -> None:
    """Refuse downloads that do not fit on their disks together."""
    roots = paths.model_roots()
    require_space_for([(item, roots[item.kind][0]) for item in downloads])


def fetch_into_model_folder(item: Download, progress: Progress, cancelled: threading.Event) -> None:
    """Fetch one published download into the first folder that ComfyUI has for its kind."""
    root = paths.model_roots()[item.kind][0]
    mirror = os.environ.get(MIRROR_VARIABLE)
    fetch(item, root, mirror, progress, RetryPolicy(cancelled=cancelled))


def described(item: Item) -> dict[str, Any]:
    """Plain values of one entry, for the page."""
    download = item.download
    return {
        "id": download.id,
        "title": download.title,
        "kind": download.kind,
        "state": item.state.value,
        "complete": item.complete,
        "optional": download.optional,
        "size": download.size,
        "licence": download.licence,
        "source": download.source,
        "files": [_described_file(found) for found in item.files],
    }


def _described_file(found: Found) -> dict[str, Any]:
    return {
        "name": found.file.name,
        "folder": str(found.path.parent),
        "state": found.state.value,
        "size": found.file.size,
        "detail": found.detail,
    }
