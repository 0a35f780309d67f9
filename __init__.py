"""InstantID for ComfyUI. ComfyUI calls `comfy_entrypoint`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> ComfyExtension:
    """The pack's nodes.

    The import stands here and not at the top so that tests of `instantid_core`, which import this
    file as their package root, need no ComfyUI.
    """
    from .nodes import InstantIDCompose

    return InstantIDCompose()
