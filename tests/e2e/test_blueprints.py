"""Every subgraph blueprint that ships, in a small graph on the live server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import nodes_of, to_prompt
from tools.comfyui.workspace import PACK
from tools.demo import prompt as demo_prompt

from .test_workflows import load, pixels, shortened

BLUEPRINTS = sorted((Path(__file__).parents[2] / "subgraphs").glob("*.json"))
SOURCES = {"MODEL": (1, 0), "CLIP": (1, 1), "VAE": (1, 2), "IMAGE": (2, 0)}
"""Node and output for each type of way in."""


def in_a_graph(blueprint: dict[str, Any]) -> dict[str, Any]:
    """A saved workflow that loads, uses the blueprint, and saves what it gives."""
    (placed,) = blueprint["nodes"]
    wires, inputs = [], []
    for slot, given in enumerate(placed["inputs"]):
        origin = SOURCES[given["type"]]
        wires.append([slot + 1, *origin, placed["id"], slot, given["type"]])
        inputs.append({**given, "link": slot + 1})
    last = len(wires) + 1
    wires.append([last, placed["id"], 0, 4, 0, "IMAGE"])
    loader = {"id": 1, "type": "CheckpointLoaderSimple", "widgets_values": ["any.safetensors"]}
    photo = {"id": 2, "type": "LoadImage", "widgets_values": ["example.png", "image"]}
    images = {"name": "images", "type": "IMAGE", "link": last}
    saving = {"id": 4, "type": "SaveImage", "inputs": [images], "widgets_values": ["blueprint"]}
    nodes = [loader, photo, {**placed, "inputs": inputs}, saving]
    return {"nodes": nodes, "links": wires, "definitions": blueprint["definitions"]}


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_it_runs_and_keeps_the_identity(
    path: Path, client: ComfyClient, object_info: dict[str, Any], photo: str
) -> None:
    prompt = shortened(to_prompt(in_a_graph(load(path)), object_info), object_info, photo)
    (saving,) = nodes_of(prompt, "SaveImage")
    both = (prompt, demo_prompt.without_identity(prompt))
    ours, plain = (client.run(one).outputs[saving]["images"][0] for one in both)
    assert np.abs(pixels(client, ours) - pixels(client, plain)).mean() > 1


def test_the_server_offers_them(client: ComfyClient) -> None:
    offered = json.loads(client.get("/global_subgraphs")).values()
    ours = {one["name"] for one in offered if one["info"]["node_pack"].endswith(PACK)}
    assert ours == {path.stem for path in BLUEPRINTS}
