"""Consent that is kept with an identity goes into the pictures that are made with it.

ComfyUI writes `extra_pnginfo` of a prompt into every picture that is saved, whatever the nodes in
between remember; so the line is added as a prompt arrives, and not by a node that may not run.
"""

from __future__ import annotations

from typing import Any

from ...instantid_core.errors import IdentityFileError
from ...instantid_core.identity import identity_file
from . import identity_files
from .server import running_server

LOADER, NAME_INPUT = "InstantIDLoadIdentity", "identity_name"
ENTRY = "instantid_consent"
"""Key in the metadata of pictures: a list of people, each with file, name and consent."""


def note_consent_on_arrival() -> None:
    """Add the consent of the people it loads to every prompt."""
    server = running_server()
    if server is not None:
        server.add_on_prompt_handler(with_consent)


def with_consent(data: dict[str, Any]) -> dict[str, Any]:
    """A submitted prompt with the consent of the people it loads; the given one is not changed."""
    agreed = [entry for name in _loaded(data.get("prompt")) if (entry := _consent_of(name))]
    extra = data.get("extra_data", {})
    kept = extra.get("extra_pnginfo") if isinstance(extra, dict) else None
    if not agreed or not isinstance(extra, dict) or not isinstance(kept or {}, dict):
        return data
    return {**data, "extra_data": {**extra, "extra_pnginfo": {**(kept or {}), ENTRY: agreed}}}


def _loaded(prompt: Any) -> list[str]:
    """Names of the identity files that a prompt names, each once."""
    nodes = prompt.values() if isinstance(prompt, dict) else ()
    inputs = [
        node.get("inputs")
        for node in nodes
        if isinstance(node, dict) and node.get("class_type") == LOADER
    ]
    names = [each.get(NAME_INPUT) for each in inputs if isinstance(each, dict)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _consent_of(name: str) -> dict[str, str] | None:
    """The entry for a person; None without consent, and for an unreadable file, which the node
    itself reports."""
    try:
        person = identity_file.summary(identity_files.path_of(name)).person
    except IdentityFileError:
        return None
    if not person.consent:
        return None
    return {"file": name, "name": person.name, "consent": person.consent}
