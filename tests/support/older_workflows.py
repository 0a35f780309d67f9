"""Workflows for the older InstantID pack (ComfyUI_InstantID), as its editor saved them.

The graphs are those of its five examples and a sixth with its two separate nodes: the same classes,
links, widget orders and settings, with prompts and pictures of our own. Two of them use nodes of
other packs; `older_neighbours_node` stands in for these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.comfyui.prompts import ObjectInfo

Wire = tuple[int, int]
"""Id of a node in the graph and the number of its output."""
Shape = tuple[dict[str, str], tuple[str, ...]]
"""Sockets of a class by name, and its outputs."""

OLDER_NODES: Mapping[str, tuple[dict[str, str], dict[str, Any], tuple[str, ...]]] = {
    "InstantIDModelLoader": ({}, {"instantid_file": "ip-adapter.bin"}, ("INSTANTID",)),
    "InstantIDFaceAnalysis": ({}, {"provider": "CPU"}, ("FACEANALYSIS",)),
    "FaceKeypointsPreprocessor": (
        {"faceanalysis": "FACEANALYSIS", "image": "IMAGE"},
        {},
        ("IMAGE",),
    ),
    "ApplyInstantID": (
        {
            **{"instantid": "INSTANTID", "insightface": "FACEANALYSIS"},
            **{"control_net": "CONTROL_NET", "image": "IMAGE", "model": "MODEL"},
            **{"positive": "CONDITIONING", "negative": "CONDITIONING"},
            **{"image_kps": "IMAGE", "mask": "MASK"},
        },
        {"weight": 0.8, "start_at": 0, "end_at": 1},
        ("MODEL", "CONDITIONING", "CONDITIONING"),
    ),
    "InstantIDAttentionPatch": (
        {
            **{"instantid": "INSTANTID", "insightface": "FACEANALYSIS"},
            **{"image": "IMAGE", "model": "MODEL", "mask": "MASK"},
        },
        {"weight": 1, "start_at": 0, "end_at": 1, "noise": 0},
        ("MODEL", "FACE_EMBEDS"),
    ),
    "ApplyInstantIDControlNet": (
        {
            **{"face_embeds": "FACE_EMBEDS", "control_net": "CONTROL_NET", "image_kps": "IMAGE"},
            **{"positive": "CONDITIONING", "negative": "CONDITIONING", "mask": "MASK"},
        },
        {"strength": 1, "start_at": 0, "end_at": 1},
        ("CONDITIONING", "CONDITIONING"),
    ),
}
"""Class to its sockets, its widgets with their values in file order, and its outputs."""
OLDER_NODES = {
    **OLDER_NODES,
    "ApplyInstantIDAdvanced": (
        OLDER_NODES["ApplyInstantID"][0],
        {
            **{"ip_weight": 0.8, "cn_strength": 0.8, "start_at": 0, "end_at": 1},
            **{"noise": 0, "combine_embeds": "average"},
        },
        OLDER_NODES["ApplyInstantID"][2],
    ),
}
OTHER_NODES = {
    "CheckpointLoaderSimple": ({}, ("MODEL", "CLIP", "VAE")),
    "CLIPTextEncode": ({"clip": "CLIP"}, ("CONDITIONING",)),
    "ControlNetLoader": ({}, ("CONTROL_NET",)),
    "ControlNetApplyAdvanced": (
        {
            **{"positive": "CONDITIONING", "negative": "CONDITIONING"},
            **{"control_net": "CONTROL_NET", "image": "IMAGE"},
        },
        ("CONDITIONING", "CONDITIONING"),
    ),
    "ConditioningCombine": (
        {"conditioning_1": "CONDITIONING", "conditioning_2": "CONDITIONING"},
        ("CONDITIONING",),
    ),
    "LoadImage": ({}, ("IMAGE", "MASK")),
    "SolidMask": ({}, ("MASK",)),
    "MaskComposite": ({"destination": "MASK", "source": "MASK"}, ("MASK",)),
    "EmptyLatentImage": ({}, ("LATENT",)),
    "KSampler": (
        {
            **{"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING"},
            "latent_image": "LATENT",
        },
        ("LATENT",),
    ),
    "VAEDecode": ({"samples": "LATENT", "vae": "VAE"}, ("IMAGE",)),
    "SaveImage": ({"images": "IMAGE"}, ()),
    "ImageFlip+": ({"image": "IMAGE"}, ("IMAGE",)),
    "MaskFlip+": ({"mask": "MASK"}, ("MASK",)),
    "Zoe-DepthMapPreprocessor": ({"image": "IMAGE"}, ("IMAGE",)),
    "IPAdapterUnifiedLoader": ({"model": "MODEL"}, ("MODEL", "IPADAPTER")),
    "IPAdapterAdvanced": (
        {"model": "MODEL", "ipadapter": "IPADAPTER", "image": "IMAGE", "attn_mask": "MASK"},
        ("MODEL",),
    ),
}
CHECKPOINT = "sdxl/AlbedoBaseXL.safetensors"
IDENTITY_NET = "instantid/diffusion_pytorch_model.safetensors"
SIZE, WIDE = (1016, 1016), (1280, 960)


@dataclass
class Graph:
    """A saved graph that is being written."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    links: list[list[Any]] = field(default_factory=list)
    more: Mapping[str, Shape] = field(default_factory=dict)
    """Classes beside those of this module."""

    def add(self, kind: str, *values: Any, **wires: Wire | None) -> int:
        """Put in a node with its widget values, and return its id."""
        sockets, outputs = self.more.get(kind) or _shape(kind)
        number = len(self.nodes) + 1
        inputs = [
            {"name": name, "type": socket, "link": self._link(wires.get(name), number, i, socket)}
            for i, (name, socket) in enumerate(sockets.items())
        ]
        self.nodes.append(
            {
                **{"id": number, "type": kind, "pos": [260 * number, 0], "size": [240, 120]},
                **{"flags": {}, "order": number, "mode": 0, "inputs": inputs},
                "outputs": [{"name": o, "type": o, "links": [], "shape": 3} for o in outputs],
                "properties": {"Node name for S&R": kind},
                "widgets_values": list(values),
            }
        )
        return number

    def _link(self, wire: Wire | None, target: int, slot: int, kind: str) -> int | None:
        if wire is None:
            return None
        number = len(self.links) + 1
        self.links.append([number, *wire, target, slot, kind])
        self.nodes[wire[0] - 1]["outputs"][wire[1]]["links"].append(number)
        return number

    def saved(self) -> dict[str, Any]:
        """The file's content."""
        last = {"last_node_id": len(self.nodes), "last_link_id": len(self.links)}
        kept = {"nodes": self.nodes, "links": self.links, "groups": [], "config": {}, "extra": {}}
        return {**last, **kept, "version": 0.4}


def _shape(kind: str) -> Shape:
    if kind in OLDER_NODES:
        sockets, _, outputs = OLDER_NODES[kind]
        return sockets, outputs
    return OTHER_NODES[kind]


def older_object_info() -> ObjectInfo:
    """Node schemas of a server with the older pack, as far as prompts need them."""
    return {
        kind: {
            "display_name": kind,
            "input": {
                "required": {
                    **{name: [socket, {}] for name, socket in sockets.items()},
                    **{name: _widget(value) for name, value in widgets.items()},
                }
            },
            "output_name": list(outputs),
        }
        for kind, (sockets, widgets, outputs) in OLDER_NODES.items()
    }


def _widget(value: Any) -> list[Any]:
    kind = "STRING" if isinstance(value, str) else "FLOAT"
    return [kind, {"default": value}]


@dataclass(frozen=True)
class Start:
    """Nodes that all graphs begin with."""

    checkpoint: int
    positive: Wire
    negative: Wire
    photo: Wire
    shared: dict[str, Wire]
    """Wires of the older pack's loaders, by input."""

    @property
    def model(self) -> Wire:
        return self.checkpoint, 0


def _start(graph: Graph) -> Start:
    checkpoint = graph.add("CheckpointLoaderSimple", CHECKPOINT)
    texts = [
        (graph.add("CLIPTextEncode", text, clip=(checkpoint, 1)), 0)
        for text in ("a comic hero, ink and bright colours", "photo, noise")
    ]
    photo = graph.add("LoadImage", "face.png", "image"), 0
    shared = {
        "instantid": (graph.add("InstantIDModelLoader", "ip-adapter.bin"), 0),
        "insightface": (graph.add("InstantIDFaceAnalysis", "CPU"), 0),
        "control_net": (graph.add("ControlNetLoader", IDENTITY_NET), 0),
    }
    return Start(checkpoint, texts[0], texts[1], photo, shared)


def finish(
    graph: Graph,
    start: Start,
    sides: tuple[Wire, Wire, Wire],
    scheduler: str,
    size: tuple[int, int] = SIZE,
) -> None:
    """Sampler and picture for (model, positive, negative)."""
    model, positive, negative = sides
    latent = graph.add("EmptyLatentImage", *size, 1), 0
    wires = {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
    settings = (1631591050, "fixed", 30, 4.5, "ddpm", scheduler, 1)
    sampled = graph.add("KSampler", *settings, **wires), 0
    picture = graph.add("VAEDecode", samples=sampled, vae=(start.checkpoint, 2)), 0
    graph.add("SaveImage", "older", images=picture)


def _applied(graph: Graph, start: Start, **wires: Wire) -> tuple[Wire, Wire, Wire]:
    node = graph.add(
        "ApplyInstantID",
        *(0.8, 0, 1),
        **start.shared,
        **{"image": start.photo, "model": start.model, **wires},
        **{"positive": start.positive, "negative": start.negative},
    )
    return (node, 0), (node, 1), (node, 2)


def basic(graph: Graph) -> None:
    """One photo."""
    start = _start(graph)
    finish(graph, start, _applied(graph, start), "karras")


def posed(graph: Graph) -> None:
    """The pose of another photo."""
    start = _start(graph)
    pose = graph.add("LoadImage", "second.png", "image"), 0
    finish(graph, start, _applied(graph, start, image_kps=pose), "karras")


def depth(graph: Graph) -> None:
    """A depth ControlNet behind it."""
    start = _start(graph)
    pose = graph.add("LoadImage", "second.png", "image"), 0
    model, positive, negative = _applied(graph, start, image_kps=pose)
    net = graph.add("ControlNetLoader", "control-lora/depth.safetensors"), 0
    drawn = graph.add("Zoe-DepthMapPreprocessor", 512, image=pose), 0
    wires = {"positive": positive, "negative": negative, "control_net": net, "image": drawn}
    held = graph.add("ControlNetApplyAdvanced", 0.65, 0, 0.35, **wires)
    finish(graph, start, (model, (held, 0), (held, 1)), "karras")


def ip_adapter(graph: Graph) -> None:
    """IPAdapter_plus behind it."""
    start = _start(graph)
    model, positive, negative = _applied(graph, start)
    loader = graph.add("IPAdapterUnifiedLoader", "PLUS (high strength)", model=model)
    style = graph.add("LoadImage", "second.png", "image"), 0
    settings = (0.5, "linear", "concat", 0, 1, "V only")
    wires = {"model": (loader, 0), "ipadapter": (loader, 1), "image": style}
    styled = graph.add("IPAdapterAdvanced", *settings, **wires), 0
    finish(graph, start, (styled, positive, negative), "karras")


def multi_id(graph: Graph) -> None:
    """Two people: two nodes in a chain, each with a half of the picture and a prompt of its own."""
    start = _start(graph)
    other = graph.add("LoadImage", "second.png", "image"), 0
    black = graph.add("SolidMask", 0, *WIDE), 0
    white = graph.add("SolidMask", 1, WIDE[0] // 2, WIDE[1]), 0
    left = graph.add("MaskComposite", 0, 0, "add", destination=black, source=white), 0
    right = graph.add("MaskFlip+", "x", mask=left), 0
    mirrored = graph.add("ImageFlip+", "x", image=other), 0
    first = _advanced(graph, start, start.model, 0.9, (start.photo, other, left))
    second = _advanced(graph, start, (first, 0), 0.8, (other, mirrored, right))
    sides = [
        (graph.add("ConditioningCombine", conditioning_1=(first, i), conditioning_2=(second, i)), 0)
        for i in (1, 2)
    ]
    finish(graph, start, ((second, 0), sides[0], sides[1]), "normal", WIDE)


def _advanced(
    graph: Graph, start: Start, model: Wire, weight: float, pictures: tuple[Wire, Wire, Wire]
) -> int:
    photo, pose, mask = pictures
    return graph.add(
        "ApplyInstantIDAdvanced",
        *(weight, 0.7, 0, 1, 0.2, "norm average"),
        **start.shared,
        **{"image": photo, "model": model, "image_kps": pose, "mask": mask},
        **{"positive": start.positive, "negative": start.negative},
    )


def separate(graph: Graph) -> None:
    """The older pack's two separate nodes, and its picture of the keypoints."""
    start = _start(graph)
    loaders = {name: start.shared[name] for name in ("instantid", "insightface")}
    wires = {"image": start.photo, "model": start.model}
    patched = graph.add("InstantIDAttentionPatch", 0.9, 0, 1, 0.3, **loaders, **wires)
    analysis = {"faceanalysis": start.shared["insightface"], "image": start.photo}
    drawn = graph.add("FaceKeypointsPreprocessor", **analysis), 0
    held = graph.add(
        "ApplyInstantIDControlNet",
        *(0.7, 0, 0.9),
        **{"face_embeds": (patched, 1), "image_kps": drawn},
        **{"control_net": start.shared["control_net"]},
        **{"positive": start.positive, "negative": start.negative},
    )
    finish(graph, start, ((patched, 0), (held, 0), (held, 1)), "karras")


OLDER_WORKFLOWS: Mapping[str, Callable[[Graph], None]] = {
    author.__name__: author for author in (basic, posed, depth, ip_adapter, multi_id, separate)
}


def older_workflow(name: str) -> dict[str, Any]:
    """One of them as a file's content."""
    graph = Graph()
    OLDER_WORKFLOWS[name](graph)
    return graph.saved()
