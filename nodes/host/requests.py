"""Requests to the pack's routes: their origin and their body.

Every route accepts requests from the page of the same server only; ComfyUI's own check lets pages
of another port on the same machine through.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from comfy.cli_args import args

from ...instantid_core.errors import SettingError
from .server import running_server

HOSTS_VARIABLE = "INSTANTID_COMPOSE_HOSTS"
"""Environment variable with further names of this server, for pages without https."""
LONGEST_BODY = 4096
HEADER = "X-InstantID-Compose"
"""Must be there. A page of another site cannot send it without asking the server first, and the
server does not allow it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(*routes: tuple[str, str, Handler]) -> None:
    """Add routes to ComfyUI's server: method, path and handler of each.

    Does nothing without a server, and where a second copy of the pack has added them already: the
    server does not start with two handlers for one path.
    """
    server = running_server()
    if server is None:
        return
    known = {getattr(route, "path", "") for route in server.routes}
    for method, path, handler in routes:
        if path not in known:
            server.routes.route(method, path)(same_origin(handler))


def same_origin(handler: Handler) -> Handler:
    """A handler that refuses requests from pages of other servers."""

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
    """Whether a host name is an IP address, local, or named by the user."""
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


async def json_body(request: web.Request, example: str) -> Any:
    """The body's JSON. Raises SettingError, with an example, for anything else."""
    try:
        return json.loads((await _content(request)).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SettingError(f"Expected JSON such as {example}: {error}.") from error


async def _content(request: web.Request) -> bytes:
    """The body, unencoded and at most LONGEST_BODY long."""
    if "Content-Encoding" in request.headers:
        raise SettingError("Expected JSON in UTF-8, found a Content-Encoding. Send it as it is.")
    content = b""
    while len(content) <= LONGEST_BODY and (piece := await request.content.read(LONGEST_BODY)):
        content += piece
    if len(content) > LONGEST_BODY:
        raise SettingError(f"Expected at most {LONGEST_BODY} bytes of JSON, found more.")
    return content
