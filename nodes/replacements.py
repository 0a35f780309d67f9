"""Replacements of other packs' nodes, registered with ComfyUI."""

from __future__ import annotations

from comfy_api.latest import ComfyAPI

from . import ip_adapter_plus, legacy_nodes
from .host import paths
from .host.legacy_prompts import replace_on_arrival, rewrite_on_arrival
from .host.server import running_server


async def register_replacements() -> None:
    """Register with ComfyUI, once per server. An installed pack keeps its own nodes."""
    if running_server() is None:
        return
    replacements = ComfyAPI().node_replacement
    for replacement in (*legacy_nodes.REPLACEMENTS, *ip_adapter_plus.REPLACEMENTS):
        await replacements.register(replacement.for_comfyui())
    replace_on_arrival({each.old: each.translated for each in legacy_nodes.REPLACEMENTS})
    rewrite_on_arrival(
        ip_adapter_plus.OWN | {ip_adapter_plus.FILE},
        lambda prompt, absent: ip_adapter_plus.rewritten(prompt, absent, paths.adapter_names()),
    )
