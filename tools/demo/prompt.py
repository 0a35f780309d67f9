"""The prompts that the demo submits: a shipped workflow with the user's wishes worked in."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.comfyui.environment import REPOSITORY
from tools.comfyui.prompts import (
    ObjectInfo,
    Prompt,
    PromptError,
    fit_choices,
    override,
    substitute,
    to_prompt,
    upstream,
)
from tools.comfyui.prompts import nodes_of as of_class
from tools.small_world import random_files as small_models
from tools.workflows.names import FILES

WORKFLOWS = REPOSITORY / "workflows"
KEYPOINTS_NODE = "demo_keypoints"
CHECKPOINT = "CheckpointLoaderSimple"
SMALL_SIDE = 512
SIDES = ("width", "height", "size")
"""Inputs that say how large a picture is, whatever node they belong to."""
SMALL_VALUES: Mapping[str, Mapping[str, Any]] = {
    "KSampler": {"steps": 8},
    "LoraLoader": {"lora_name": small_models.LORA_FILE},
    "LoraLoaderModelOnly": {"lora_name": small_models.LORA_FILE},
    "InstantIDLoadAdapter": {"adapter_name": small_models.ADAPTER_FILE},
    "InstantIDLoadModels": {"adapter_name": small_models.ADAPTER_FILE},
    # Those that see text; IdentityNet's loader gets CONTROLNET_FILE.
    "ControlNetLoader": {"control_net_name": small_models.PLAIN_CONTROLNET_FILE},
}
SAMPLER_SEEDS = {"KSampler": "seed", "KSamplerAdvanced": "noise_seed", "RandomNoise": "noise_seed"}
NO_IDENTITY = {
    "InstantIDApply": {"weight": 0.0, "strength": 0.0, "likeness": "custom"},
    "InstantIDApplyGroup": {"weight": 0.0, "strength": 0.0},
    "InstantIDApplyAdapter": {"weight": 0.0},
    "InstantIDApplyIdentityNet": {"strength": 0.0},
}


@dataclass(frozen=True)
class Wishes:
    """Changes to a workflow by the user; None keeps its value."""

    checkpoint: str | None = None
    prompt: str | None = None
    seed: int | None = None


def read_workflow(name: str) -> Mapping[str, Any]:
    """A workflow of the pack by its short name or its title, or any file by path."""
    path = Path(name)
    if path.suffix != ".json":
        path = WORKFLOWS / f"{FILES.get(name, name)}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PromptError(
            f"There is no workflow {path}. The pack ships: {', '.join(FILES)}."
        ) from error
    except ValueError as error:
        raise PromptError(f"{path} is not JSON: {error}.") from error


def identity_prompt(
    saved: Mapping[str, Any], object_info: ObjectInfo, wishes: Wishes, photo: str
) -> Prompt:
    """The workflow with the photo and the wishes in it, and a preview of the keypoints."""
    prompt = to_prompt(saved, object_info)
    prompt = override(prompt, {"LoadImage": {"image": photo}})
    prompt = with_wishes(prompt, wishes)
    return with_keypoints(fit_choices(prompt, object_info))


def with_wishes(prompt: Prompt, wishes: Wishes) -> Prompt:
    """`prompt` with checkpoint, text and seed as wished."""
    if wishes.checkpoint is not None:
        prompt = override(prompt, {CHECKPOINT: {"ckpt_name": wishes.checkpoint}})
    if wishes.seed is not None:
        seeds = {name: {seed: wishes.seed} for name, seed in SAMPLER_SEEDS.items()}
        prompt = override(prompt, seeds)
    return prompt if wishes.prompt is None else with_text(prompt, wishes.prompt)


def with_text(prompt: Prompt, text: str) -> Prompt:
    """`prompt` with another positive text."""
    encoders = upstream(prompt, "positive", "CLIPTextEncode")
    if not encoders:
        raise PromptError(
            "--prompt sets the CLIPTextEncode node that leads to a sampler's 'positive' input, "
            "but this workflow has none."
        )
    edited = copy.deepcopy(prompt)
    for node in encoders:
        edited[node]["inputs"]["text"] = text
    return edited


def without_identity(prompt: Prompt) -> Prompt:
    """The same prompt and seed with every identity switched off."""
    return override(prompt, NO_IDENTITY)


def with_small_models(prompt: Prompt) -> Prompt:
    """`prompt` on the small models, at a size and length fit for a CPU."""
    values = small_values(prompt)
    edited = substitute(prompt, {CHECKPOINT: (small_models.CHECKPOINT_NODE, {})})
    for node, inputs in values.items():
        edited[node]["inputs"].update(inputs)
    return edited


def small_values(prompt: Prompt) -> dict[str, Mapping[str, Any]]:
    """Node id to the inputs that the small models need otherwise."""
    values: dict[str, Mapping[str, Any]] = {
        name: {**sides(node, SMALL_SIDE), **SMALL_VALUES.get(node["class_type"], {})}
        for name, node in prompt.items()
    }
    identity = {"control_net_name": small_models.CONTROLNET_FILE}
    for name in identity_nets(prompt):
        values[name] = {**values[name], **identity}
    return values


def sides(node: Mapping[str, Any], side: int) -> dict[str, int]:
    """The inputs of a node that make its picture `side` x `side`; links are left alone."""
    return {name: side for name in SIDES if isinstance(node["inputs"].get(name), int)}


def identity_nets(prompt: Prompt) -> list[str]:
    """Loaders whose ControlNet goes into a node of this pack; others see text."""
    links = [
        node["inputs"].get("control_net")
        for node in prompt.values()
        if node["class_type"].startswith("InstantID")
    ]
    return [link[0] for link in links if isinstance(link, list)]


def with_keypoints(prompt: Prompt) -> Prompt:
    """`prompt` with a preview of the drawn keypoints, and the nodes that draw them if need be."""
    edited = copy.deepcopy(prompt)
    drawn = of_class(edited, "InstantIDDrawKeypoints")
    source = drawn[0] if drawn else _draw(edited)
    if source is not None:
        images: dict[str, Any] = {"images": [source, 0]}
        edited[KEYPOINTS_NODE] = _node("PreviewImage", "Keypoints", images)
    return edited


def _draw(prompt: Prompt) -> str | None:
    """Adds a drawing node to a workflow without one; None where there are no faces to draw."""
    faces = next(iter(of_class(prompt, "InstantIDAnalyzeFaces")), None) or _analyse(prompt)
    if faces is None:
        return None
    size = next((prompt[node]["inputs"] for node in of_class(prompt, "EmptyLatentImage")), {})
    side = {name: size[name] for name in ("width", "height") if isinstance(size.get(name), int)}
    inputs = {"faces": [faces, 0], "width": 1016, "height": 1016, "fit": "letterbox", **side}
    prompt["demo_draw"] = _node("InstantIDDrawKeypoints", "Draw Keypoints", inputs)
    return "demo_draw"


def _analyse(prompt: Prompt) -> str | None:
    """Adds an analysis of what the one-node form analyses inside."""
    for node in of_class(prompt, "InstantIDApply"):
        given = prompt[node]["inputs"]
        image = given.get("image_kps", given.get("image"))
        chosen = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
        inputs = {"analyzer": given.get("analyzer"), "image": image, **chosen}
        prompt["demo_faces"] = _node("InstantIDAnalyzeFaces", "Analyze Faces", inputs)
        return "demo_faces"
    return None


def _node(class_type: str, title: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": dict(inputs), "_meta": {"title": title}}
