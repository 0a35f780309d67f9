"""Subgraph blueprints: nodes of several nodes, which ComfyUI's node library offers by the names of
their files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.comfyui.prompts import ObjectInfo
from tools.comfyui.widgets import inputs_of

from .batches import CHARACTER
from .editor_format import saved_node
from .edits import SWAP_TEXT, face_to_change, put_back
from .graph import FORMAT, NUMBERS_OF_A_WORKFLOW
from .layout import place, size_of
from .names import FILES
from .parts import (
    SIDE,
    Parts,
    apply_both,
    conditioned,
    empty_latent,
    latent_batch,
    one_node,
    person_of,
    sampled,
    texts,
    with_instantid,
)
from .subgraphs import Subgraph
from .values import Group, Node, Output

LOADED = ("adapter_name", "control_net_name")
SAMPLER = ("seed", "steps", "cfg")
FIRST = 1 + NUMBERS_OF_A_WORKFLOW * (len(FILES) + 1)
WORDS = ("identity", "portrait", "likeness", "same person", "faceid")


def portrait(inner: Subgraph) -> None:
    parts, photo = begin(inner), inner.takes("photo", "IMAGE")
    text = texts(inner, parts)
    given = one_node(inner, parts, text, photo, likeness="balanced")
    latent = empty_latent(inner)
    image = sampled(inner, parts, given, latent)
    inner.gives(image=image)
    inner.shows(text[0], "text")
    inner.shows(given["model"], "likeness")
    inner.shows(latent, "width", "height")
    finish(inner, parts, image)


def face_swap(inner: Subgraph) -> None:
    parts, photo = begin(inner), inner.takes("photo", "IMAGE")
    scene = inner.takes("picture", "IMAGE")
    who = person_of(inner, parts, photo)
    crop, latent = face_to_change(inner, parts, scene)
    text = texts(inner, parts, SWAP_TEXT)
    given = apply_both(inner, parts, crop["faces"], who.identity, conditioned(parts, text))
    image = sampled(inner, parts, given, latent, denoise=0.8)
    inner.gives(image=put_back(inner, scene, image, crop))
    inner.shows(text[0], "text")
    finish(inner, parts, image, "denoise")


def character_sheet(inner: Subgraph) -> None:
    parts, photo = begin(inner), inner.takes("photo", "IMAGE")
    who = person_of(inner, parts, photo)
    text = texts(inner, parts, CHARACTER)
    views = inner.add("InstantIDPoseSheet", width=SIDE, height=SIDE)
    given = apply_both(inner, parts, views["faces"], who.identity, conditioned(parts, text))
    image = sampled(inner, parts, given, latent_batch(inner, views["count"]))
    inner.gives(images=image, names=views["names"])
    inner.shows(text[0], "text")
    switches = [spec.name for spec in inputs_of(views.schema) if spec.kind == "BOOLEAN"]
    inner.shows(views["faces"], *switches)
    finish(inner, parts, image)


def begin(inner: Subgraph) -> Parts:
    """The checkpoint comes from outside, so that any graph with one can use the blueprint."""
    model, clip = inner.takes("model", "MODEL"), inner.takes("clip", "CLIP")
    return with_instantid(inner, model, clip, inner.takes("vae", "VAE"))


def finish(inner: Subgraph, parts: Parts, image: Output, *widgets: str) -> None:
    """Shows what every run may change: the sampler's settings and the model files."""
    decoded = next(node for node in inner.nodes if node.number == image.node)
    sampler = decoded.given["samples"]
    inner.shows(sampler, *SAMPLER, *widgets)
    inner.shows(parts.adapter, *LOADED)


BLUEPRINTS: Mapping[str, tuple[Any, str]] = {
    "InstantID portrait": (portrait, "A picture of a person from one photo and a text."),
    "InstantID face swap": (
        face_swap,
        "Repaints the face in a picture with the likeness of the person on a photo.",
    ),
    "InstantID character sheet": (
        character_sheet,
        "A person from several sides: one image for each view, and the names of the views.",
    ),
}
"""Name of the file to what its subgraph holds and a description."""


def blueprint(name: str, object_info: ObjectInfo) -> dict[str, Any]:
    """A file of `subgraphs`: a workflow of one node, which stands for the subgraph."""
    number = FIRST + NUMBERS_OF_A_WORKFLOW * list(BLUEPRINTS).index(name)
    fill, about = BLUEPRINTS[name]
    inner = Subgraph(name, about, number, object_info)
    fill(inner)
    outside = Node(number, inner.schema, name, {})
    outside.size = size_of(outside)
    group = Group("", nodes=[outside])
    place(group, 0, 0)
    return {
        "revision": 0,
        "last_node_id": inner.last,
        "last_link_id": 0,
        "nodes": [saved_node(outside, 0, [])],
        "links": [],
        "version": FORMAT,
        "definitions": {"subgraphs": [inner.saved()]},
        "extra": {"BlueprintDescription": about, "BlueprintSearchAliases": list(WORDS)},
    }
