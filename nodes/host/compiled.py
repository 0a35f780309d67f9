"""Models under torch.compile.

Compiled code is used again while its guards hold. The host's TorchCompileModel drops every guard on
the transformer options (comfy_extras/nodes_torch_compile.py), where attention patches are: blocks
of one shape then all run with the patches of the block that was compiled first, or with none. With
all guards each site is compiled again until torch gives up: tools/bench/NOTES.md has the counts.
"""

from __future__ import annotations

import logging
from typing import Any

from comfy.patcher_extension import WrappersMP

COMPILED = "torch.compile"
"""Names the host's wrapper that puts compiled modules in place (comfy_api.torch_helpers)."""
NOT_COMPILED = (
    "This run is not compiled: compiled code does not look at what is patched into the model, and "
    "the identity would be lost. TorchCompileModel, or whatever compiles this model, can go from "
    "the graph. Leaving it in does no harm, but the run is no faster."
)

log = logging.getLogger(__name__)


def leave_uncompiled(model_options: dict[str, Any]) -> None:
    """Remove compiled modules from the options of one run, with a warning."""
    options = model_options["transformer_options"]
    wrappers = options.get("wrappers", {})
    around = wrappers.get(WrappersMP.APPLY_MODEL, {})
    if COMPILED not in around:
        return
    others = {key: those for key, those in around.items() if key != COMPILED}
    options["wrappers"] = {**wrappers, WrappersMP.APPLY_MODEL: others}
    log.warning("%s", NOT_COMPILED)
