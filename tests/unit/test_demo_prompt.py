"""What the demo works into a workflow before it submits it."""

import pytest

from tools.comfyui.prompts import PromptError
from tools.demo.prompt import (
    KEYPOINTS_NODE,
    Wishes,
    read_workflow,
    with_keypoints,
    with_small_models,
    with_wishes,
    without_identity,
)
from tools.small_world.random_files import ADAPTER_FILE


def prompt_of(**nodes):
    return {
        name: {"class_type": kind, "inputs": inputs, "_meta": {"title": name}}
        for name, (kind, inputs) in nodes.items()
    }


COMPOSED = prompt_of(
    checkpoint=("CheckpointLoaderSimple", {"ckpt_name": "real.safetensors"}),
    text=("CLIPTextEncode", {"text": "a portrait", "clip": ["checkpoint", 1]}),
    face_net=("ControlNetLoader", {"control_net_name": "instantid.safetensors"}),
    depth_net=("ControlNetLoader", {"control_net_name": "depth.safetensors"}),
    size=("EmptyLatentImage", {"width": 1016, "height": 1016, "batch_size": 1}),
    faces=("InstantIDAnalyzeFaces", {"image": ["photo", 0]}),
    apply=("InstantIDApplyAdapter", {"model": ["checkpoint", 0], "weight": 0.8}),
    net=(
        "InstantIDApplyIdentityNet",
        {"positive": ["text", 0], "control_net": ["face_net", 0], "strength": 0.8},
    ),
    depth=("ControlNetApplyAdvanced", {"positive": ["net", 0], "control_net": ["depth_net", 0]}),
    sampler=("KSampler", {"positive": ["depth", 0], "seed": 1, "steps": 30}),
)
ONE_NODE = prompt_of(
    size=("EmptyLatentImage", {"width": 832, "height": 1216}),
    apply=("InstantIDApply", {"analyzer": ["analyzer", 0], "image": ["photo", 0], "weight": 0.8}),
)


def test_wishes_reach_their_nodes():
    prompt = with_wishes(COMPOSED, Wishes("mine.safetensors", "a statue", 42))
    assert prompt["checkpoint"]["inputs"]["ckpt_name"] == "mine.safetensors"
    assert prompt["text"]["inputs"]["text"] == "a statue"
    assert prompt["sampler"]["inputs"]["seed"] == 42
    assert with_wishes(COMPOSED, Wishes()) == COMPOSED


def test_a_text_that_has_no_place_to_go_is_refused():
    with pytest.raises(PromptError, match="--prompt sets the CLIPTextEncode node"):
        with_wishes(ONE_NODE, Wishes(prompt="a statue"))


def test_only_the_identity_net_gets_the_identity_file():
    prompt = with_small_models(COMPOSED)
    assert prompt["checkpoint"] == {
        "class_type": "SmallSDXLCheckpoint",
        "inputs": {},
        "_meta": {"title": "checkpoint"},
    }
    assert prompt["face_net"]["inputs"]["control_net_name"] == "instantid_small.safetensors"
    assert prompt["depth_net"]["inputs"]["control_net_name"] == "depth_small.safetensors"
    assert prompt["size"]["inputs"] == {"width": 512, "height": 512, "batch_size": 1}


def test_identity_is_switched_off_at_the_same_seed():
    prompt = without_identity(COMPOSED)
    assert prompt["apply"]["inputs"]["weight"] == 0
    assert prompt["net"]["inputs"]["strength"] == 0
    assert prompt["sampler"] == COMPOSED["sampler"]


def test_keypoints_are_drawn_from_the_faces_there_are():
    prompt = with_keypoints(COMPOSED)
    assert prompt[KEYPOINTS_NODE]["inputs"] == {"images": ["demo_draw", 0]}
    assert prompt["demo_draw"]["inputs"]["faces"] == ["faces", 0]
    assert prompt["demo_draw"]["inputs"]["width"] == 1016


def test_the_one_node_form_gets_an_analysis_of_its_own():
    prompt = with_keypoints(ONE_NODE)
    assert prompt["demo_faces"]["inputs"]["image"] == ["photo", 0]
    assert prompt["demo_faces"]["inputs"]["analyzer"] == ["analyzer", 0]
    assert prompt["demo_draw"]["inputs"]["height"] == 1216


def test_a_graph_without_faces_has_no_keypoints():
    assert KEYPOINTS_NODE not in with_keypoints(prompt_of(size=("EmptyLatentImage", {})))


def test_the_one_loader_gets_both_files():
    link = {"adapter": ["models", 0], "control_net": ["models", 1]}
    names = {"adapter_name": "ip-adapter.bin", "control_net_name": "identity.safetensors"}
    nodes = {"models": ("InstantIDLoadModels", names), "apply": ("InstantIDApply", link)}
    given = with_small_models(prompt_of(**nodes))["models"]["inputs"]
    assert given["control_net_name"] == "instantid_small.safetensors"
    assert given["adapter_name"] == ADAPTER_FILE


def test_a_named_likeness_is_switched_off_as_well():
    named = prompt_of(apply=("InstantIDApply", {"weight": 0.8, "likeness": "faithful"}))
    given = without_identity(named)["apply"]["inputs"]
    assert (given["weight"], given["likeness"]) == (0, "custom")


def test_a_workflow_is_found_by_its_short_name_and_by_its_title():
    assert read_workflow("basic") == read_workflow("01 Portrait from one photo (InstantID)")


def test_an_unknown_workflow_is_refused_with_the_known_ones():
    with pytest.raises(PromptError, match=r"There is no workflow .*nothing\.json\. The pack ships"):
        read_workflow("nothing")
