"""A shipped workflow as a prompt for the small models, with their texts, and for its thumbnail."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tools.comfyui.prompts import (
    ObjectInfo,
    Prompt,
    fit_choices,
    nodes_of,
    override,
    substitute,
    to_prompt,
    upstream,
)
from tools.demo.prompt import SIDES, identity_nets, with_small_models
from tools.small_world.random_files import CHECKPOINT_NODE

if TYPE_CHECKING:
    from tools.evaluate.settings import Setup

    from .casts import Cast

PHOTOS = (
    ("pose photo", "pair.png"),
    ("depth map", "depth.png"),
    ("picture to", "person2.png"),
    ("second photo", "photo1.png"),
    ("third photo", "photo2.png"),
    ("second", "person1.png"),
    ("", "person0.png"),
)
"""Words in the title of a node that loads a picture, and which picture it gets."""
LOAD_ADAPTER = ("InstantIDLoadAdapter", "InstantIDLoadModels")
PICTURE_NODES = ("VAEDecode", "InstantIDPasteFace")
FOR_RANDOM = {
    "LoraLoader": ("strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("strength_model",),
    "ControlNetApplyAdvanced": ("strength",),
}


def thumbnail_prompt(
    saved: Mapping[str, Any], object_info: ObjectInfo, setup: Setup, texts: Sequence[str]
) -> Prompt:
    """A saved workflow on the models of `setup`, at their size, with other texts."""
    prompt = fit_choices(to_prompt(saved, object_info), object_info)
    wide = {node for node, entry in prompt.items() if _is_wide(entry["inputs"])}
    prompt = with_small_models(prompt)
    for node, entry in prompt.items():
        size = setup.group_size if node in wide else setup.size
        entry["inputs"].update(_sides(entry["inputs"], size), **_settings(entry, setup))
    _set_files(prompt, setup)
    _set_texts(prompt, setup, setup.group_texts if wide else texts)
    return substitute(prompt, {CHECKPOINT_NODE: setup.checkpoint})


def cast_prompt(
    saved: Mapping[str, Any], object_info: ObjectInfo, setup: Setup, cast: Cast
) -> Prompt:
    """The prompt for a thumbnail: at the weights of `setup`, with the text and seed of `cast`.

    A preview follows each node that gives a picture, and each stage that the cast asks for.
    """
    prompt = thumbnail_prompt(_unmuted(saved, cast.unmuted), object_info, setup, cast.texts)
    _set_texts(prompt, setup, cast.texts)
    weight, strength = {"weight": setup.weight}, {"strength": setup.strength}
    values: dict[str, Mapping[str, Any]] = {
        "InstantIDApply": {**weight, **strength, "likeness": "custom"},
        "InstantIDApplyGroup": {**weight, **strength},
        "InstantIDApplyAdapter": weight,
        "InstantIDApplyIdentityNet": strength,
        "KSampler": {"seed": cast.seed},
    }
    prompt = override(override(prompt, values), cast.settings)
    stages = [part for after in range(1, cast.stages + 1) for part in _stage(prompt, after)]
    return _with_previews({**dict(stages), **prompt})


def photo_for(title: str) -> str:
    """The picture for a node that loads one."""
    return next(name for words, name in PHOTOS if words in title.lower())


def _is_wide(inputs: Mapping[str, Any]) -> bool:
    width, height = (inputs.get(name) for name in ("width", "height"))
    return isinstance(width, int) and isinstance(height, int) and width > height


def _sides(inputs: Mapping[str, Any], size: tuple[int, int]) -> dict[str, int]:
    wanted = dict(zip(SIDES, (*size, size[0]), strict=True))
    return {name: side for name, side in wanted.items() if isinstance(inputs.get(name), int)}


def _settings(entry: Mapping[str, Any], setup: Setup) -> dict[str, Any]:
    """Inputs of a node class that differ from those of the workflow."""
    kind = entry["class_type"]
    if kind == "KSampler":
        names = {"steps": setup.steps, "cfg": setup.cfg}
        return {**names, "sampler_name": setup.sampler, "scheduler": setup.scheduler}
    if kind == "LoadImage":
        return {"image": photo_for(entry["_meta"]["title"])}
    if kind in ("InstantIDPose", "InstantIDPoseSheet"):
        return vars(setup.placing)
    # What was made for models with random weights has nothing to say to trained ones.
    trained = setup.checkpoint[0] != CHECKPOINT_NODE
    return dict.fromkeys(FOR_RANDOM.get(kind, ()), 0.0) if trained else {}


def _set_files(prompt: Prompt, setup: Setup) -> None:
    identity = identity_nets(prompt)
    for node, entry in prompt.items():
        inputs = entry["inputs"]
        if entry["class_type"] in LOAD_ADAPTER:
            inputs["adapter_name"] = setup.adapter
        if node in identity:
            inputs["control_net_name"] = setup.control_net


def _set_texts(prompt: Prompt, setup: Setup, texts: Sequence[str]) -> None:
    """Texts that the model knows; several prompts of one workflow take different ones."""
    unwanted = upstream(prompt, "negative", "CLIPTextEncode")
    for node in unwanted:
        prompt[node]["inputs"]["text"] = setup.negative_text
    wanted = [node for node in nodes_of(prompt, "CLIPTextEncode") if node not in unwanted]
    for number, node in enumerate(wanted):
        prompt[node]["inputs"]["text"] = texts[number % len(texts)]


def _unmuted(saved: Mapping[str, Any], numbers: Sequence[int]) -> Mapping[str, Any]:
    edited = copy.deepcopy(dict(saved))
    for node in edited["nodes"] if numbers else ():
        if node["id"] in numbers:
            node["mode"] = 0
    return edited


def _stage(prompt: Prompt, after: int) -> list[tuple[str, dict[str, Any]]]:
    """Nodes that decode what the one sampler of `prompt` has after some of its steps."""
    (sampler,) = nodes_of(prompt, "KSampler")
    (decode,) = nodes_of(prompt, "VAEDecode")
    given = {name: value for name, value in prompt[sampler]["inputs"].items() if name != "denoise"}
    given["noise_seed"] = given.pop("seed")
    window = {"start_at_step": 0, "end_at_step": after}
    noise = {"add_noise": "enable", "return_with_leftover_noise": "enable"}
    sampling, name = f"stage{after}", f"stage{after}_decoded"
    decoding = {**prompt[decode]["inputs"], "samples": [sampling, 0]}
    return [
        (sampling, _node("KSamplerAdvanced", {**given, **window, **noise})),
        (name, _node("VAEDecode", decoding)),
    ]


def _with_previews(prompt: Prompt) -> Prompt:
    """The prompt with a preview of each picture that one of its nodes makes."""
    made = [node for kind in PICTURE_NODES for node in nodes_of(prompt, kind)]
    previews = {f"{node}_preview": _node("PreviewImage", {"images": [node, 0]}) for node in made}
    return {**prompt, **previews}


def _node(kind: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"class_type": kind, "inputs": dict(inputs), "_meta": {"title": kind}}
