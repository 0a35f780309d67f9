"""The pack's routes on ComfyUI's server: list the published files, fetch them, stop.

A request names entries of the pack's own list and nothing else: no part of it reaches a path or a
URL. The mirror is the server's environment variable. Every route wants a request of the page that
the same server gave; ComfyUI's own check lets pages of another port on the same machine through.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from comfy.cli_args import args

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
    require_space_for,
    scan,
    shown_mirror,
)
from . import paths
from .server import running_server

PREFIX = "/instantid_compose/models"
EVENT = "instantid_compose.models"
HOSTS_VARIABLE = "INSTANTID_COMPOSE_HOSTS"
"""Environment variable with further names of this server, for pages without https."""
LONGEST_BODY = 4096
HEADER = "X-InstantID-Compose"
"""Must be there. A page of another site cannot send it without asking the server first, and the
server does not allow it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def register_model_routes() -> None:
    """Add the routes to ComfyUI's server. Does nothing where nodes are loaded without one."""
    server = running_server()
    if server is None or any(getattr(route, "path", "") == PREFIX for route in server.routes):
        # A second copy of the pack must not stop the server, which takes each route once.
        return
    handlers = ModelRoutes(lambda state: server.send_sync(EVENT, state))
    server.routes.get(PREFIX)(same_origin(handlers.listing))
    server.routes.get(f"{PREFIX}/progress")(same_origin(handlers.progress))
    server.routes.post(f"{PREFIX}/download")(same_origin(handlers.download))
    server.routes.post(f"{PREFIX}/cancel")(same_origin(handlers.cancel))


def same_origin(handler: Handler) -> Handler:
    """The handler, for requests of a page that this server itself gave."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if HEADER not in request.headers or not _comes_from_here(request):
            return refusal(
                403,
                "Only ComfyUI's own page may ask for this. Open ComfyUI at the address that the "
                f"request goes to, and send the header {HEADER}. A name that is not of the local "
                f"network needs https, or to stand in the environment variable {HOSTS_VARIABLE}.",
            )
        return await handler(request)

    return guarded


def _comes_from_here(request: web.Request) -> bool:
    # Browsers set both headers themselves and let no script change them; other programs send none.
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    # They send the first one to secure addresses only. To others a foreign page gets by giving its
    # own name this machine's address, so the name must be one that no stranger can have.
    origin = request.headers.get("Origin")
    try:
        same = origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
        return same and _is_own_name(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:  # brackets without an end
        return False


def _is_own_name(name: str) -> bool:
    """Whether a host's name is an address, of this network, or one that the user has named."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        named = f"{os.environ.get(HOSTS_VARIABLE, '')},{args.listen}".lower().split(",")
        local = "." not in name or name.endswith((".localhost", ".local"))
        return bool(name) and (local or name in map(str.strip, named))
    return True


def refusal(status: int, sentence: str) -> web.Response:
    """An answer that says what is wrong."""
    return web.json_response({"error": sentence}, status=status)


class ModelRoutes:
    """The handlers, and the one job they share: made once, when the pack is loaded."""

    def __init__(self, report: Callable[[dict[str, Any]], None]) -> None:
        self._downloads = published()
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
    try:
        body = json.loads((await _content(request)).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SettingError(f"Expected JSON such as {{'ids': ['adapter']}}: {error}.") from error
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise SettingError("Expected JSON such as {'ids': ['adapter']}, with a list of names.")
    return ids


async def _content(request: web.Request) -> bytes:
    """The body, which is small and as it is."""
    if "Content-Encoding" in request.headers:
        raise SettingError("Expected JSON in UTF-8, found a Content-Encoding. Send it as it is.")
    content = b""
    while len(content) <= LONGEST_BODY and (piece := await request.content.read(LONGEST_BODY)):
        content += piece
    if len(content) > LONGEST_BODY:
        raise SettingError(f"Expected at most {LONGEST_BODY} bytes of JSON, found more.")
    return content


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
