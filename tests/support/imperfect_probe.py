"""Runs in an imperfect environment: the real host's loader, then nodes that need what is missing.

Arguments: ComfyUI, a base directory with the pack, a file for the result. Only the pack's own
errors are answers; anything else ends this process.
"""

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.comfyui.workspace import PACK


def main(comfyui: str, base: str, result: str) -> None:
    """Writes what was listed, said and warned of."""
    # The host reads its options from the command line, once.
    sys.argv = ["comfyui", "--cpu", "--base-directory", base]
    sys.path.insert(0, comfyui)
    importlib.import_module("comfy.options").enable_args_parsing()
    host_nodes = importlib.import_module("nodes")
    before = set(sys.modules)
    loaded = asyncio.run(host_nodes.load_custom_node(str(Path(base, "custom_nodes", PACK))))
    added = {name.split(".")[0] for name in set(sys.modules) - before}
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    answer = {
        "loaded": loaded,
        "heavy": sorted(added & {"insightface", "onnxruntime", "cv2"}),
        "nodes": sorted(name for name in host_nodes.NODE_CLASS_MAPPINGS if "InstantID" in name),
        "python": sys.executable,
        **answers(host_nodes.NODE_CLASS_MAPPINGS),
        "warnings": warnings.texts,
    }
    Path(result).write_text(json.dumps(answer), encoding="utf-8")


class Warnings(logging.Handler):
    """Keeps what the pack warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "instantid_core" in record.name:
            self.texts.append(record.getMessage())


def answers(nodes: Any) -> dict[str, Any]:
    """Messages of the nodes that need the libraries, and findings of the Doctor."""
    core = next(name for name in sys.modules if name.endswith(".instantid_core.errors"))
    error = sys.modules[core].InstantIDError

    def said(run: Callable[[], Any]) -> str:
        try:
            run()
        except error as refusal:
            return str(refusal)
        return ""

    analyzer, pose = nodes["InstantIDLoadFaceAnalyzer"], nodes["InstantIDPose"]
    doctor = nodes["InstantIDDoctor"].execute(hash_files=False).result
    return {
        "analyzer": said(lambda: analyzer.execute(model_pack="antelopev2", provider="auto")),
        "pose": said(lambda: pose.execute(**defaults(pose))),
        "doctor": json.loads(doctor[1]),
    }


def defaults(node: Any) -> dict[str, Any]:
    """Values that the editor would send for an untouched node."""
    return {
        given.id: given.default for given in node.GET_SCHEMA().inputs if hasattr(given, "default")
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
