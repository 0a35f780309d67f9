"""Writes the workflows that the pack ships, and the English texts of its nodes.

Run in the environment of the tests, with COMFYUI_PATH set, from the folder `tests`:

    python tools/run.py tools.workflows.command

The workflows are described in the modules called `workflow_...`. ComfyUI is started once, because
a saved workflow depends on the node schemas, and only a running server tells those.
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
from tools.comfyui.widgets import inputs_of
from tools.comfyui.workspace import REPOSITORY

from .batches import BATCHES
from .comparison import COMPARISON
from .edits import EDITS
from .people import PEOPLE
from .portraits import PORTRAITS

WORKFLOWS = REPOSITORY / "workflows"
ENGLISH = REPOSITORY / "locales" / "en" / "nodeDefs.json"
OWN_NODES = "InstantID"  # every id of the pack begins so
SHIPPED = (*PORTRAITS, *EDITS, *PEOPLE, *BATCHES, *COMPARISON)


def write(object_info: ObjectInfo, folder: Path) -> list[Path]:
    """Writes every workflow into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for author in SHIPPED:
        graph = author(object_info)
        path = folder / f"{graph.name}.json"
        path.write_text(as_json(graph.saved()), encoding="utf-8")
        paths.append(path)
    return paths


def english(object_info: ObjectInfo) -> dict[str, Any]:
    """The nodes' own texts in the form of a translation, from which others are made."""
    return {
        name: {
            "display_name": schema["display_name"],
            "description": schema["description"],
            "inputs": {
                spec.name: {"name": spec.name, "tooltip": spec.options["tooltip"]}
                for spec in inputs_of(schema)
            },
            "outputs": {str(n): {"name": name} for n, name in enumerate(schema["output_name"])},
        }
        for name, schema in object_info.items()
        if name.startswith(OWN_NODES)
    }


def as_json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Asks a server for its schemas and writes the files."""
    with tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch:
        launch = workspace.small_launch(workspace.current(), Path(scratch))
        with HostServer(launch) as server:
            object_info = ComfyClient(server.url).object_info()
    ENGLISH.write_text(as_json(english(object_info)), encoding="utf-8")
    for path in (ENGLISH, *write(object_info, WORKFLOWS)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
