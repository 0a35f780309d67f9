"""`dev.py serve`: a ComfyUI with the pack and the small models, until Ctrl-C."""

import argparse
import copy
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tools.comfyui import workspace
from tools.comfyui.cache import CacheError
from tools.comfyui.client import ComfyClient
from tools.comfyui.console import exit_on_sigterm
from tools.comfyui.environment import REPOSITORY
from tools.comfyui.prompts import ObjectInfo, nodes_of, to_prompt
from tools.comfyui.server import HostServer, ServerError
from tools.comfyui.widgets import with_widget_values
from tools.demo.command import drawn_photo
from tools.demo.prompt import CHECKPOINT, WORKFLOWS, small_values
from tools.small_world.random_files import CHECKPOINT_NODE

# Kept between runs, so that what a person made in the editor is still there.
BASE = REPOSITORY / "output" / "serve"


def main(arguments: Sequence[str]) -> int:
    """Serves until interrupted and returns the exit code."""
    parser = argparse.ArgumentParser(prog="dev.py serve")
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args(arguments).port
    exit_on_sigterm()
    try:
        serve(port)
    except (ServerError, CacheError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
    return 0


def serve(port: int) -> None:
    """Runs the server until it ends or the user ends it."""
    BASE.mkdir(parents=True, exist_ok=True)
    launch = workspace.small_launch(workspace.current(), BASE, port)
    print("Starting ComfyUI", flush=True)
    with HostServer(launch) as server:
        add_small_workflows(ComfyClient(server.url).object_info())
        print(f"Open {server.url} in a browser. Ctrl-C stops it.")
        print("The workflows that end in _small run as they are.")
        print(f"What you make stays in {BASE}; the log is {launch.log}.", flush=True)
        server.wait()
        raise ServerError(f"ComfyUI ended by itself. The end of its log:\n{server.log_tail()}")


def add_small_workflows(object_info: ObjectInfo) -> None:
    """Puts the shipped workflows into the editor's list, set to the small models and a photo."""
    folder = BASE / "user" / "default" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(WORKFLOWS.glob("*.json")):
        saved = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps(small_workflow(saved, object_info), indent=2)
        (folder / f"{path.stem}_small.json").write_text(text, encoding="utf-8")
        prompt = to_prompt(saved, object_info)
        for node in nodes_of(prompt, "LoadImage"):
            (BASE / "input" / prompt[node]["inputs"]["image"]).write_bytes(
                drawn_photo(people=2).content
            )


def small_workflow(saved: Mapping[str, Any], object_info: ObjectInfo) -> dict[str, Any]:
    """A saved workflow with the small models in it; the file it came from is left alone."""
    edited = copy.deepcopy(dict(saved))
    values = small_values(to_prompt(saved, object_info))
    for node in edited["nodes"]:
        if node["type"] == CHECKPOINT:
            node.update(type=CHECKPOINT_NODE, widgets_values=[], inputs=[])
        elif values.get(str(node["id"])):
            node["widgets_values"] = with_widget_values(
                object_info[node["type"]], node["widgets_values"], values[str(node["id"])]
            )
    return edited


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
