"""ComfyUI's server, where there is one."""

from __future__ import annotations

import sys
from typing import Any


def running_server() -> Any:
    """The `PromptServer` of this process; None in tests and scripts that load nodes without one."""
    # Imported by whoever starts a server, and by nobody else: the import alone is slow.
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
