"""Workflows of the older InstantID pack, queued as they are: its nodes become ours on the way."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.older_workflows import OLDER_NODES, OLDER_WORKFLOWS, older_object_info, older_workflow

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient, PromptRefusedError
from tools.comfyui.prompts import Prompt, fit_choices, nodes_of, override, to_prompt
from tools.comfyui.server import HostServer
from tools.demo import prompt as demo_prompt
from tools.small_world import painter
from tools.small_world import random_files as small_models
from tools.small_world.scenes import png

pytestmark = pytest.mark.thorough

SIDE = 128
NEIGHBOURS = "older-neighbours"
ADAPTER = {"adapter_name": small_models.ADAPTER_FILE}
ANALYZER = {"model_pack": "antelopev2", "provider": "cpu"}
ANALYSIS = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
WINDOW = ("start_at", "end_at")
EXAMPLES = {
    **{name: f"its example `{name}`" for name in OLDER_WORKFLOWS},
    "separate": "a graph with its two separate nodes",
}
OLDER = "Workflows of the older pack (ComfyUI_InstantID)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostServer]:
    """With stand-ins for the other packs that the older workflows use."""
    base = tmp_path_factory.mktemp("comfyui")
    launch = workspace.small_launch(workspace.current(), base)
    node = workspace.REPOSITORY / "tests" / "support" / "older_neighbours_node"
    workspace.copy_fresh(node, base / "custom_nodes" / NEIGHBOURS)
    arguments = list(launch.arguments)
    arguments.insert(arguments.index(workspace.PACK) + 1, NEIGHBOURS)
    with HostServer(replace(launch, arguments=arguments)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: HostServer) -> ComfyClient:
    return ComfyClient(server.url)


@pytest.fixture(scope="module")
def object_info(client: ComfyClient) -> dict[str, Any]:
    return {**older_object_info(), **client.object_info()}


@pytest.fixture(scope="module", autouse=True)
def photos(client: ComfyClient) -> None:
    for name, identity in (("face.png", 3), ("second.png", 8)):
        client.upload(name, png(painter.portrait(480, 480, identity=identity)[0]))


def older_prompt(name: str, object_info: dict[str, Any]) -> Prompt:
    """What the editor would queue for one of them, on the small models and small."""
    prompt = fit_choices(to_prompt(older_workflow(name), object_info), object_info)
    prompt = demo_prompt.with_small_models(prompt)
    small = {
        "InstantIDModelLoader": {"instantid_file": small_models.ADAPTER_FILE},
        "KSampler": {"steps": 2},
        "SolidMask": {"height": SIDE},
    }
    prompt = override(prompt, small)
    for node in prompt.values():
        node["inputs"].update(demo_prompt.sides(node, SIDE))
        if node["class_type"] == "SolidMask" and node["inputs"]["value"] == 1:
            node["inputs"]["width"] = SIDE // 2
    identity_net = [
        link[0]
        for node in prompt.values()
        if node["class_type"].startswith("ApplyInstantID")
        for link in [node["inputs"]["control_net"]]
    ]
    for loader in identity_net:
        prompt[loader]["inputs"]["control_net_name"] = small_models.CONTROLNET_FILE
    return prompt


def picture(client: ComfyClient, prompt: Prompt) -> np.ndarray:
    (node,) = nodes_of(prompt, "SaveImage")
    saved = client.run(prompt).outputs[node]["images"][0]
    return np.asarray(Image.open(io.BytesIO(client.image(saved))).convert("RGB")).astype(int)


def in_our_nodes(older: Prompt) -> Prompt:
    """The same graph written out in the separate nodes of this pack, by hand and for this test."""
    ours = copy.deepcopy(older)
    for key, node in older.items():
        if node["class_type"] in BY_HAND:
            ours |= BY_HAND[node["class_type"]](key, node["inputs"], older)
    return moved_wires(ours, older)


def applied(key: str, given: dict[str, Any], _: Prompt) -> Prompt:
    amounts = {"weight": given["weight"], "strength": given["weight"], "noise": 0.35}
    return whole(key, given, amounts, "average")


def applied_advanced(key: str, given: dict[str, Any], _: Prompt) -> Prompt:
    amounts = {"weight": given["ip_weight"], "strength": given["cn_strength"]}
    return whole(key, given, {**amounts, "noise": given["noise"]}, "normalized_average")


def patched(key: str, given: dict[str, Any], _: Prompt) -> Prompt:
    return identity(key, given, "average") | {key: adapter(key, given, given["noise"])}


def drawn(key: str, given: dict[str, Any], _: Prompt) -> Prompt:
    sizes = {"width": 1016, "height": 1016, "fit": "letterbox"}
    return {
        f"{key}f": faces(given["faceanalysis"], given["image"]),
        key: made("InstantIDDrawKeypoints", faces=[f"{key}f", 0], **sizes),
    }


def held(key: str, given: dict[str, Any], older: Prompt) -> Prompt:
    source = given["face_embeds"][0]
    loader = older[source]["inputs"]["instantid"]
    wires = {"image": given["image_kps"], "strength": given["strength"], "adapter": loader}
    wires["identity"] = [f"{source}i", 0]
    return {key: identity_net(given, wires, older[source]["inputs"]["noise"])}


def made(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


def faces(analyzer: Any, image: Any) -> dict[str, Any]:
    return made("InstantIDAnalyzeFaces", analyzer=analyzer, image=image, **ANALYSIS)


def identity(key: str, given: dict[str, Any], how: str) -> Prompt:
    return {
        f"{key}f": faces(given["insightface"], given["image"]),
        f"{key}i": made("InstantIDEmbedIdentity", faces=[f"{key}f", 0], combine=how),
    }


def adapter(key: str, given: dict[str, Any], noise: float) -> dict[str, Any]:
    shared = {"model": given["model"], "adapter": given["instantid"], "identity": [f"{key}i", 0]}
    return made(
        "InstantIDApplyAdapter",
        **shared,
        **{"weight": given.get("weight", given.get("ip_weight"))},
        **taken(given, *WINDOW, "mask"),
        **negative(noise),
    )


def identity_net(given: dict[str, Any], wires: dict[str, Any], noise: float) -> dict[str, Any]:
    names = ("positive", "negative", "control_net", "mask", *WINDOW)
    return made("InstantIDApplyIdentityNet", **taken(given, *names), **wires, **negative(noise))


def whole(key: str, given: dict[str, Any], amounts: dict[str, float], how: str) -> Prompt:
    """The model stays under the old id; conditioning comes from a further node."""
    pose = {}
    wires: dict[str, Any] = {"faces": [f"{key}f", 0]}
    if "image_kps" in given:
        pose = {f"{key}p": faces(given["insightface"], given["image_kps"])}
        wires = {"faces": [f"{key}p", 0]}
    wires |= {"strength": amounts["strength"], "adapter": given["instantid"]}
    wires |= {"identity": [f"{key}i", 0]}
    return {
        **identity(key, given, how),
        **pose,
        key: adapter(key, {**given, "weight": amounts["weight"]}, amounts["noise"]),
        f"{key}c": identity_net(given, wires, amounts["noise"]),
    }


def taken(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def negative(noise: float) -> dict[str, Any]:
    kind = "noise" if noise else "zeros"
    return {"negative_identity": kind, "noise_strength": noise, "noise_seed": 0}


def moved_wires(ours: Prompt, older: Prompt) -> Prompt:
    """Conditioning of a node that was one leaves the further node."""
    for node in ours.values():
        for name, wire in node["inputs"].items():
            if isinstance(wire, list) and older.get(wire[0], {}).get("class_type") in (
                "ApplyInstantID",
                "ApplyInstantIDAdvanced",
            ):
                node["inputs"][name] = [f"{wire[0]}c", wire[1] - 1] if wire[1] else wire
    return ours


LOADED = {"adapter": "instantid", "analyzer": "insightface"}
NOISE = {"negative_identity": "noise"}
ANALYZED = {"model_pack": "antelopev2", "provider": "auto"}
LEFT_OUT = {"InstantIDFaceAnalysis": {"provider"}}
"""The older pack's words for providers are others."""
IN_ITS_PLACE: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "InstantIDModelLoader": ("InstantIDLoadAdapter", {"adapter_name": "instantid_file"}, {}),
    "InstantIDFaceAnalysis": ("InstantIDLoadFaceAnalyzer", {}, ANALYZED),
    "FaceKeypointsPreprocessor": ("InstantIDPhotoKeypoints", {"analyzer": "faceanalysis"}, {}),
    "ApplyInstantID": (
        "InstantIDApply",
        {**LOADED, "strength": "weight"},
        {**NOISE, "noise_strength": 0.35},
    ),
    "ApplyInstantIDAdvanced": (
        "InstantIDApply",
        {
            **{**LOADED, "weight": "ip_weight", "strength": "cn_strength"},
            **{"noise_strength": "noise", "combine": "combine_embeds"},
        },
        NOISE,
    ),
    "InstantIDAttentionPatch": (
        "InstantIDApplyAdapterFromPhoto",
        {**LOADED, "noise_strength": "noise"},
        NOISE,
    ),
    "ApplyInstantIDControlNet": (
        "InstantIDApplyIdentityNetFromTokens",
        {"tokens": "face_embeds", "image": "image_kps"},
        {},
    ),
}
"""Node, inputs with another name, and values that the older node had no widget for."""


BY_HAND: dict[str, Callable[[str, dict[str, Any], Prompt], Prompt]] = {
    "InstantIDModelLoader": lambda key, *_: {key: made("InstantIDLoadAdapter", **ADAPTER)},
    "InstantIDFaceAnalysis": lambda key, *_: {key: made("InstantIDLoadFaceAnalyzer", **ANALYZER)},
    "ApplyInstantID": applied,
    "ApplyInstantIDAdvanced": applied_advanced,
    "InstantIDAttentionPatch": patched,
    "FaceKeypointsPreprocessor": drawn,
    "ApplyInstantIDControlNet": held,
}


@pytest.mark.parametrize("name", OLDER_WORKFLOWS, ids=lambda name: EXAMPLES.get(name, name))
@pytest.mark.combination(OLDER, "{}: runs as it is, equal bits in the separate nodes")
def test_runs_and_gives_our_result(
    name: str, client: ComfyClient, object_info: dict[str, Any]
) -> None:
    """Equal bits: the nodes that take the place are compositions of the separate ones."""
    older = older_prompt(name, object_info)
    result = picture(client, older)
    assert result.std() > 1
    assert np.array_equal(result, picture(client, in_our_nodes(older)))


def test_a_prompt_from_a_script_runs(client: ComfyClient, object_info: dict[str, Any]) -> None:
    """Without `_meta`, and without what is optional: the host's own exchange fails at either."""
    older = override(older_prompt("basic", object_info), {"KSampler": {"seed": 4711}})
    bare = {key: {"class_type": n["class_type"], "inputs": n["inputs"]} for key, n in older.items()}
    client.submit(bare)
    assert not client.run(older).times, "all of it is known from the run before"


def test_a_missing_widget_is_a_sentence(client: ComfyClient, object_info: dict[str, Any]) -> None:
    older = older_prompt("basic", object_info)
    node = next(n for n in older.values() if n["class_type"] == "ApplyInstantID")
    del node["inputs"]["weight"]
    with pytest.raises(PromptRefusedError, match=r"Required input is missing - (weight|strength)"):
        client.run(older)


def test_words_of_the_older_pack_are_known(
    client: ComfyClient, object_info: dict[str, Any]
) -> None:
    older = older_prompt("multi_id", object_info)
    nodes = [n for n in older.values() if n["class_type"] == "ApplyInstantIDAdvanced"]
    for node in nodes:
        node["inputs"]["combine_embeds"] = "median"
    with pytest.raises(PromptRefusedError, match=r"combine must be one of average.* 'median'"):
        client.run(older)


@pytest.mark.parametrize("kind", OLDER_NODES)
@pytest.mark.combination(OLDER, "`{}`: the editor is told what takes its place")
def test_the_editor_is_told(kind: str, client: ComfyClient) -> None:
    _, widgets, outputs = OLDER_NODES[kind]
    (entry,) = json.loads(client.get("/node_replacements"))[kind]
    new, renamed, fixed = IN_ITS_PLACE[kind]
    assert entry["new_node_id"] == new
    mapped = entry["input_mapping"]
    taken = {pair["new_id"]: pair["old_id"] for pair in mapped if "old_id" in pair}
    assert {name: old for name, old in taken.items() if name != old} == renamed
    assert {pair["new_id"]: pair["set_value"] for pair in mapped if "set_value" in pair} == fixed
    assert set(taken.values()) == {*OLDER_NODES[kind][0], *widgets} - LEFT_OUT.get(kind, set())
    assert entry["old_widget_ids"] == list(widgets)
    assert [pair["old_idx"] for pair in entry["output_mapping"]] == list(range(len(outputs)))
