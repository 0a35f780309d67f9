"""The Doctor's route on ComfyUI's server, for the dialog in the menu."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from ...instantid_core.doctor import as_json, as_text, examine, this_machine
from . import installation
from .requests import add_routes

ROUTE = "/instantid_compose/doctor"


def register_doctor_route() -> None:
    """Add the route to ComfyUI's server."""
    add_routes(("GET", ROUTE, Examination().report))


class Examination:
    """Examines the installation on request, one request at a time: each takes seconds."""

    def __init__(self) -> None:
        self._busy = asyncio.Lock()

    async def report(self, _request: web.Request) -> web.Response:
        """GET: the findings, and the same as a text for a report."""
        async with self._busy:
            findings = await asyncio.to_thread(examine, installation.host(), this_machine())
        answer = {**json.loads(as_json(findings)), "text": as_text(findings)}
        return web.json_response(answer)
