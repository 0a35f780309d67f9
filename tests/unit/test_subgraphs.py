"""Subgraphs of saved workflows, put in place for the server, and as the shipped ones save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.comfyui.prompts import PromptError, to_prompt
from tools.comfyui.subgraphs import inlined, inner_nodes, subgraphs_of
from tools.workflows import blueprints
from tools.workflows.names import FILES

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS, BLUEPRINTS = REPOSITORY / "workflows", REPOSITORY / "subgraphs"
WITH_SUBGRAPHS = ("two_people_two_styles", "comparison")
INFO = {
    "Make": {"input": {"required": {"amount": ["INT", {"default": 1}]}}, "display_name": "Make"},
    "Take": {"input": {"required": {"given": ["THING", {}]}}, "display_name": "Take"},
    "Change": {
        "input": {"required": {"given": ["THING", {}], "size": ["INT", {"default": 3}]}},
        "display_name": "Change",
    },
}


def slot(name: str, link: int | None, kind: str = "THING") -> dict[str, Any]:
    return {"name": name, "type": kind, "link": link}


def node(number: int, kind: str, *inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "inputs": list(inputs), "mode": 0, **more}


def wire(number: int, origin: int, target: int, start: int = 0, end: int = 0) -> dict[str, Any]:
    ends = {"origin_id": origin, "origin_slot": start, "target_id": target, "target_slot": end}
    return {"id": number, **ends, "type": "THING"}


INNER = {
    "id": "inner",
    "nodes": [node(7, "Change", slot("given", 1), slot("size", 3, "INT"), widgets_values=[3])],
    "links": [wire(1, -10, 7), wire(2, 7, -20), wire(3, -10, 7, 1, 1)],
}
OUTSIDE = {"properties": {"proxyWidgets": [["-1", "size"]]}, "widgets_values": [9]}


def saved(inner: dict[str, Any] = INNER, **placed: Any) -> dict[str, Any]:
    """Make, the subgraph twice, Take."""
    first = node(2, "inner", slot("given", 1), slot("size", None, "INT"), **OUTSIDE)
    second = node(3, "inner", slot("given", 2), slot("size", None, "INT"), **placed)
    nodes = [node(1, "Make", widgets_values=[5]), first, second, node(4, "Take", slot("given", 3))]
    links = [[1, 1, 0, 2, 0, "THING"], [2, 2, 0, 3, 0, "THING"], [3, 3, 0, 4, 0, "THING"]]
    return {"nodes": nodes, "links": links, "definitions": {"subgraphs": [inner]}}


def test_each_place_has_nodes_of_its_own() -> None:
    prompt = to_prompt(saved(), INFO)
    assert {number: entry["inputs"] for number, entry in prompt.items()} == {
        "1": {"amount": 5},
        "2:7": {"given": ["1", 0], "size": 9},
        "3:7": {"given": ["2:7", 0], "size": 3},
        "4": {"given": ["3:7", 0]},
    }


def test_what_is_muted_outside_is_muted_inside() -> None:
    assert list(to_prompt(saved(mode=2), INFO)) == ["1", "2:7", "4"]


def test_subgraphs_lie_in_subgraphs() -> None:
    outer = {
        "id": "outer",
        "nodes": [node(8, "inner", slot("given", 1), slot("size", None, "INT"))],
        "links": [wire(1, -10, 8), wire(2, 8, -20)],
    }
    graph = saved(outer | {"id": "inner", "nodes": [{**outer["nodes"][0], "type": "deep"}]})
    graph["definitions"]["subgraphs"].append({**INNER, "id": "deep"})
    prompt = to_prompt(graph, INFO)
    assert prompt["4"]["inputs"] == {"given": ["3:8:7", 0]}
    assert prompt["3:8:7"]["inputs"]["given"] == ["2:8:7", 0]


def test_a_subgraph_within_itself_is_refused() -> None:
    endless = {**INNER, "nodes": [node(7, "inner", slot("given", 1))]}
    with pytest.raises(PromptError, match="contains itself"):
        to_prompt(saved(endless), INFO)


def test_a_workflow_without_subgraphs_is_left_alone() -> None:
    plain = {"nodes": [], "links": []}
    assert inlined(plain) is plain


def shipped() -> list[Path]:
    files = [WORKFLOWS / f"{FILES[name]}.json" for name in WITH_SUBGRAPHS]
    return [*files, *(BLUEPRINTS / f"{name}.json" for name in blueprints.BLUEPRINTS)]


def test_every_blueprint_ships() -> None:
    assert {path.stem for path in BLUEPRINTS.glob("*.json")} == set(blueprints.BLUEPRINTS)


@pytest.mark.parametrize("name", blueprints.BLUEPRINTS)
def test_a_blueprint_shows_widgets_that_there_are(name: str) -> None:
    saved = json.loads((BLUEPRINTS / f"{name}.json").read_text(encoding="utf-8"))
    (outside,) = saved["nodes"]
    (inner,) = saved["definitions"]["subgraphs"]
    nodes = {str(each["id"]): each for each in inner["nodes"]}
    shown = outside["properties"]["proxyWidgets"]
    assert {"text", "seed", "adapter_name", "control_net_name"} <= {name for _, name in shown}
    for number, widget in shown:
        assert widget in [each["name"] for each in nodes[number]["inputs"] if "widget" in each]
    assert inner["description"] == saved["extra"]["BlueprintDescription"]


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_the_shipped_ones_hold_together(path: Path) -> None:
    """Every wire has both ends, and ways in and out are those of the nodes outside."""
    workflow = json.loads(path.read_text(encoding="utf-8"))
    definitions = subgraphs_of(workflow)
    assert definitions
    for number, inner in definitions.items():
        nodes = {each["id"]: each for each in inner["nodes"]}
        for link in inner["links"]:
            if link["origin_id"] in nodes:
                given = nodes[link["origin_id"]]["outputs"][link["origin_slot"]]["links"]
            else:
                given = inner["inputs"][link["origin_slot"]]["linkIds"]
            if link["target_id"] in nodes:
                taken = nodes[link["target_id"]]["inputs"][link["target_slot"]]["link"]
            else:
                (taken,) = inner["outputs"][link["target_slot"]]["linkIds"]
            assert link["id"] in given
            assert link["id"] == taken
        for placed in (each for each in workflow["nodes"] if each["type"] == number):
            for side in ("inputs", "outputs"):
                names = [each["name"] for each in inner[side]]
                assert [each["name"] for each in placed[side]] == names
    assert all(":" in number or "-" not in number for number, _ in inner_nodes(workflow))
