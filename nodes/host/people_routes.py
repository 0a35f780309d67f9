"""The pack's routes for saved identities: list, rename, delete.

A request names a file of the list and nothing else; only files of the output folder are changed.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from ...instantid_core.errors import IdentityFileError, SettingError
from ...instantid_core.identity import identity_file, person_notes
from . import identity_files
from .on_screen import without_folders
from .requests import add_routes, json_body, refusal

PREFIX = "/instantid_compose/identities"
EXAMPLE = "{'file': 'anna_00001_.safetensors', 'name': 'Anna'}"
Change = Callable[[str, str], None]


def register_people_routes() -> None:
    """Add the routes to ComfyUI's server."""
    add_routes(
        ("GET", PREFIX, listing),
        ("POST", f"{PREFIX}/rename", changes(rename)),
        ("POST", f"{PREFIX}/delete", changes(delete)),
    )


async def listing(_request: web.Request) -> web.Response:
    """GET: every identity file and its person."""
    return web.json_response({"people": await asyncio.to_thread(everybody)})


def changes(change: Change) -> Callable[[web.Request], Any]:
    """POST {"file": ..., "name": ...}: a handler that changes this file and answers as GET."""

    async def handler(request: web.Request) -> web.Response:
        try:
            file, name = _names(await json_body(request, EXAMPLE))
            await asyncio.to_thread(change, file, name)
        except SettingError as error:
            return refusal(400, str(error))
        except IdentityFileError as error:
            return refusal(409, without_folders(str(error)))
        identity_files.SHELF.announce()
        return await listing(request)

    return handler


def rename(file: str, name: str) -> None:
    """Rename the person of a file."""
    identity_file.rename(identity_files.own_path_of(file), person_notes.checked_name(name))


def delete(file: str, _name: str) -> None:
    """Delete the file of a person."""
    identity_file.delete(identity_files.own_path_of(file))


def everybody() -> list[dict[str, Any]]:
    """Plain values of every identity file, for the page."""
    return [described(name, path) for name, path in identity_files.SHELF.paths().items()]


def described(name: str, path: Path) -> dict[str, Any]:
    """Plain values of one identity file; of one that cannot be read, the reason."""
    entry = {"file": name, "own": identity_files.is_own(path)}
    try:
        found = identity_file.summary(path)
    except IdentityFileError as error:
        reason = without_folders(str(error))
        return {**entry, "name": person_notes.name_of_file(name), "problem": reason}
    portrait = base64.b64encode(found.person.portrait).decode("ascii")
    return {
        **entry,
        "name": found.person.name,
        "consent": found.person.consent,
        "portrait": portrait,
        "identities": found.identities,
        "references": found.references_each,
    }


def _names(body: Any) -> tuple[str, str]:
    """File and name of a request; the name is empty where there is none."""
    fields = body if isinstance(body, dict) else {}
    file, name = fields.get("file"), fields.get("name", "")
    if not (isinstance(file, str) and isinstance(name, str)):
        raise SettingError(f"Expected JSON such as {EXAMPLE}, with two texts.")
    return file, name
