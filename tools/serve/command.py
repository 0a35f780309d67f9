"""`dev.py serve`: a ComfyUI with the pack and the small world, until Ctrl-C."""

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
from tools.comfyui.prompts import ObjectInfo, Prompt, to_prompt
from tools.comfyui.server import HostServer, ServerError
from tools.comfyui.subgraphs import inner_nodes
from tools.comfyui.widgets import with_widget_values
from tools.demo.prompt import CHECKPOINT, WORKFLOWS
from tools.evaluate.settings import Setup
from tools.pictures.thumbnail_prompt import thumbnail_prompt
from tools.pictures.thumbnails import backend, upload
from tools.small_world import trained as small_world

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
    here = backend()
    is_trained = not small_world.missing()
    launch = workspace.small_launch(workspace.current(), BASE, port, world=is_trained)
    print("Starting ComfyUI", flush=True)
    with HostServer(launch) as server:
        client = ComfyClient(server.url)
        upload(client, here.subjects)
        add_workflows(client.object_info(), here.setup)
        print(f"Open {server.url} in a browser. Ctrl-C stops it.")
        print("The workflows that end in _small run as they are.")
        print(f"What you make stays in {BASE}; the log is {launch.log}.", flush=True)
        server.wait()
        raise ServerError(f"ComfyUI ended by itself. The end of its log:\n{server.log_tail()}")


def add_workflows(object_info: ObjectInfo, setup: Setup) -> None:
    """Puts the shipped workflows into the editor's list, on the models, people and texts of
    `setup`."""
    folder = BASE / "user" / "default" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    for turn, path in enumerate(sorted(WORKFLOWS.glob("*.json"))):
        saved = json.loads(path.read_text(encoding="utf-8"))
        texts = [text.prompt for text in setup.texts_of(turn)]
        prompt = thumbnail_prompt(saved, object_info, setup, texts)
        text = json.dumps(adapted(saved, object_info, prompt), indent=2)
        (folder / f"{path.stem}_small.json").write_text(text, encoding="utf-8")


def adapted(saved: Mapping[str, Any], object_info: ObjectInfo, prompt: Prompt) -> dict[str, Any]:
    """A saved workflow with the values of a prompt that was made from it."""
    edited = copy.deepcopy(dict(saved))
    before = to_prompt(saved, object_info)
    for number, node in inner_nodes(edited):
        if number not in prompt:
            continue
        given, kind = prompt[number]["inputs"], prompt[number]["class_type"]
        if node["type"] == CHECKPOINT:
            node.update(type=kind, widgets_values=list(given.values()), inputs=[])
            continue
        old = before[number]["inputs"]
        changed = {name: value for name, value in given.items() if value != old.get(name)}
        if changed:
            node["widgets_values"] = with_widget_values(
                object_info[kind], node["widgets_values"], changed
            )
    return edited


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
