"""Writes the workflows that the pack ships.

Run in the environment of the tests, with COMFYUI_PATH set:

    python tools/run.py tools.workflows.command

The other modules of this folder describe the workflows. ComfyUI is started once, because a saved
workflow depends on the schemas of its own nodes too.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import ObjectInfo
from tools.comfyui.server import HostServer
from tools.comfyui.workspace import REPOSITORY

from .batches import BATCHES
from .blueprints import BLUEPRINTS, blueprint
from .comparison import COMPARISON
from .edits import EDITS
from .names import FILES
from .people import PEOPLE
from .portraits import PORTRAITS

WORKFLOWS = REPOSITORY / "workflows"
SUBGRAPHS = REPOSITORY / "subgraphs"
"""Folder in which ComfyUI looks for a pack's subgraph blueprints."""
SHIPPED = (*PORTRAITS, *EDITS, *PEOPLE, *BATCHES, *COMPARISON)


def write(object_info: ObjectInfo, folder: Path) -> list[Path]:
    """Writes every workflow into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for author in SHIPPED:
        graph = author(object_info)
        path = folder / f"{FILES[graph.name]}.json"
        path.write_text(as_json(graph.saved()), encoding="utf-8")
        paths.append(path)
    return paths


def write_blueprints(object_info: ObjectInfo, folder: Path) -> list[Path]:
    """Writes every subgraph blueprint into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.json" for name in BLUEPRINTS]
    for path in paths:
        path.write_text(as_json(blueprint(path.stem, object_info)), encoding="utf-8")
    return paths


def as_json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Reads a server's schemas and writes the files."""
    with tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch:
        launch = workspace.small_launch(workspace.current(), Path(scratch))
        with HostServer(launch) as server:
            object_info = ComfyClient(server.url).object_info()
    paths = write(object_info, WORKFLOWS) + write_blueprints(object_info, SUBGRAPHS)
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
