"""ComfyUI's server, where there is one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def running_server() -> Any:
    """The `PromptServer` of this process; None in tests and scripts that load nodes without one."""
    # Imported by whoever starts a server, and by nobody else: the import alone is slow.
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def send_to_pages(event: str, data: Mapping[str, Any]) -> None:
    """Send an event to all open pages; without a server, nothing."""
    server = running_server()
    if server is not None:
        server.send_sync(event, data)
