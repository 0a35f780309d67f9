"""Writes the workflows that the pack ships, and the English texts of its nodes.

Run in the environment of the tests, with COMFYUI_PATH set, from the folder `tests`:

    python -m harness.author_workflows

Each workflow is described here in readable form. ComfyUI is started once, because a saved workflow
lists widget values in the order of the node schemas, and only a running server tells those.
"""

import json
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import workspace
from .comfy_client import ComfyClient
from .host_server import HostServer
from .prompts import ObjectInfo
from .widgets import InputSpec, Schema, inputs_of
from .workspace import REPOSITORY

WORKFLOWS = REPOSITORY / "workflows"
ENGLISH = REPOSITORY / "locales" / "en" / "nodeDefs.json"
OWN_NODES = "InstantID"  # every id of the pack begins so
FORMAT = 0.4
PACK_VERSION, HOST_VERSION = "0.1.0", "0.16.3"
CONTROL_VALUE = "randomize"
HOLLOW_CIRCLE = 7  # the editor's shape for a socket that may stay open
NAMESPACE = uuid.UUID("5b0d3a52-6b0e-4c6f-9d0a-6f1f3f1b7a10")  # any constant: ids stay the same

# Layout, in the editor's pixels.
GAP, PADDING, TITLE_BAR = 40, 20, 30
ROW, WIDGET_ROW, TEXT_BOX, IMAGE_BOX = 20, 24, 130, 260
WIDTH, WIDE = 320, 400
GROUP_COLOUR = "#3f789e"
NOTE_SIZE = (480, 860)


@dataclass(frozen=True)
class Model:
    """A model file that the host's dialog for missing models can fetch."""

    name: str
    """As the widget shows it: with its subfolder."""
    url: str
    directory: str


CHECKPOINT = Model(
    "sd_xl_base_1.0.safetensors",
    "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/"
    "sd_xl_base_1.0.safetensors",
    "checkpoints",
)
IDENTITY_NET = Model(
    "instantid/diffusion_pytorch_model.safetensors",
    "https://huggingface.co/InstantX/InstantID/resolve/main/ControlNetModel/"
    "diffusion_pytorch_model.safetensors",
    "controlnet",
)
DEPTH_NET = Model(
    "controlnet-depth-sdxl-1.0/diffusion_pytorch_model.fp16.safetensors",
    "https://huggingface.co/diffusers/controlnet-depth-sdxl-1.0/resolve/main/"
    "diffusion_pytorch_model.fp16.safetensors",
    "controlnet",
)
ADAPTER_FILE = "ip-adapter.bin"  # the dialog does not fetch .bin files
PHOTO = "example.png"  # comes with ComfyUI, so that nothing is reported missing
SIDE = 1016
POSITIVE = "portrait photo of a person in a yellow raincoat, city street at night, film grain"
NEGATIVE = "text, watermark, blurry, deformed, low quality"
SAMPLING = {
    "seed": 7,
    "steps": 30,
    "cfg": 4.5,
    "sampler_name": "ddpm",
    "scheduler": "karras",
    "denoise": 1.0,
}


@dataclass(frozen=True)
class Output:
    """One output of a node: what a link starts from."""

    node: int
    slot: int
    kind: str


@dataclass
class Node:
    """One node and where it stands."""

    number: int
    schema: Schema
    title: str
    """Empty for the class's own, which the editor then shows in the user's language."""
    given: Mapping[str, Any]
    """Input name to widget value or to the `Output` that feeds it."""
    models: Sequence[Model] = ()
    pos: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)

    def __getitem__(self, name: str) -> Output:
        slot = list(self.schema["output_name"]).index(name)
        return Output(self.number, slot, self.schema["output"][slot])


@dataclass
class Group:
    """A titled column of nodes."""

    title: str
    nodes: list[Node] = field(default_factory=list)


class Graph:
    """Collects the nodes of one workflow, group by group from left to right."""

    def __init__(self, name: str, object_info: ObjectInfo, note: str) -> None:
        self.name = name
        self.object_info = object_info
        self.note = note
        self.groups: list[Group] = []

    @property
    def nodes(self) -> list[Node]:
        return [node for group in self.groups for node in group.nodes]

    def group(self, title: str) -> None:
        """Opens a column for the nodes that follow."""
        self.groups.append(Group(title))

    def add(self, kind: str, title: str = "", models: Sequence[Model] = (), **given: Any) -> Node:
        """Adds a node of class `kind`; `given` holds widget values and outputs of other nodes."""
        schema = self.object_info[kind]
        unknown = given.keys() - {spec.name for spec in inputs_of(schema)}
        if unknown:
            raise ValueError(f"{kind} has no input {', '.join(sorted(unknown))}.")
        node = Node(len(self.nodes) + 2, schema, title, given, models)
        self.groups[-1].nodes.append(node)
        return node

    def saved(self) -> dict[str, Any]:
        """The workflow as the editor saves it."""
        self._lay_out()
        links = self._links()
        return {
            "id": str(uuid.uuid5(NAMESPACE, self.name)),
            "revision": 0,
            "last_node_id": len(self.nodes) + 1,
            "last_link_id": len(links),
            "nodes": [self._note(), *(saved_node(node, links) for node in self.nodes)],
            "links": [link.saved for link in links],
            "groups": [saved_group(n, group) for n, group in enumerate(self.groups, start=1)],
            "config": {},
            "extra": {"ds": {"scale": 0.6, "offset": [NOTE_SIZE[0] + 100, 120]}},
            "version": FORMAT,
        }

    def _lay_out(self) -> None:
        left = 0
        for group in self.groups:
            top = 0
            for node in group.nodes:
                node.pos, node.size = (left, top), size_of(node)
                top += node.size[1] + TITLE_BAR + GAP
            left += max(node.size[0] for node in group.nodes) + 2 * PADDING + GAP

    def _links(self) -> list["Link"]:
        ends = [
            (source, node, slot, name)
            for node in self.nodes
            for slot, name in enumerate(slot_names(node))
            if isinstance(source := node.given.get(name), Output)
        ]
        return [Link(number, *end) for number, end in enumerate(ends, start=1)]

    def _note(self) -> dict[str, Any]:
        return {
            "id": 1,
            "type": "MarkdownNote",
            "pos": [-NOTE_SIZE[0] - 2 * PADDING, -TITLE_BAR],
            "size": list(NOTE_SIZE),
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": [],
            "outputs": [],
            "title": "Read me",
            "properties": {},
            "widgets_values": [self.note],
            "color": "#432",
            "bgcolor": "#000",
        }


@dataclass(frozen=True)
class Link:
    """A wire between two nodes."""

    number: int
    source: Output
    target: Node
    slot: int
    input: str

    @property
    def saved(self) -> list[Any]:
        source = self.source
        return [
            self.number,
            source.node,
            source.slot,
            self.target.number,
            self.slot,
            source.kind,
        ]


def sockets_first(node: Node) -> list[InputSpec]:
    """Inputs in the order in which the editor makes their slots: sockets, then widgets."""
    specs = list(inputs_of(node.schema))
    return sorted(specs, key=lambda spec: spec.is_widget)


def slot_names(node: Node) -> list[str]:
    return [spec.name for spec in sockets_first(node)]


def saved_node(node: Node, links: Sequence[Link]) -> dict[str, Any]:
    """One entry of `nodes`."""
    title = {"title": node.title} if node.title else {}
    return {
        "id": node.number,
        "type": node.schema["name"],
        "pos": list(node.pos),
        "size": list(node.size),
        "flags": {},
        "order": node.number - 1,
        "mode": 0,
        "inputs": list(saved_inputs(node, links)),
        "outputs": list(saved_outputs(node, links)),
        **title,
        "properties": saved_properties(node),
        "widgets_values": list(saved_values(node)),
    }


def saved_inputs(node: Node, links: Sequence[Link]) -> Iterator[dict[str, Any]]:
    """Slots of sockets and of widgets, with the links that end there."""
    fed = {link.input: link.number for link in links if link.target is node}
    optional = node.schema["input"].get("optional") or {}
    for spec in sockets_first(node):
        slot: dict[str, Any] = {"name": spec.name, "type": spec.kind}
        if spec.name in optional:
            slot["shape"] = HOLLOW_CIRCLE
        if spec.is_widget:
            slot["widget"] = {"name": spec.name}
        yield {**slot, "link": fed.get(spec.name)}


def saved_outputs(node: Node, links: Sequence[Link]) -> Iterator[dict[str, Any]]:
    """Output slots, with the links that start there."""
    for slot, (name, kind) in enumerate(
        zip(node.schema["output_name"], node.schema["output"], strict=True)
    ):
        start = Output(node.number, slot, kind)
        numbers = [link.number for link in links if link.source == start]
        yield {"name": name, "type": kind, "slot_index": slot, "links": numbers or None}


def saved_properties(node: Node) -> dict[str, Any]:
    """Where the class comes from, and files that the host may fetch for this node."""
    own = str(node.schema["python_module"]).startswith("custom_nodes.")
    properties: dict[str, Any] = {
        "cnr_id": workspace.PACK if own else "comfy-core",
        "ver": PACK_VERSION if own else HOST_VERSION,
        "Node name for S&R": node.schema["name"],
    }
    if node.models:
        properties["models"] = [vars(model) for model in node.models]
    return properties


def saved_values(node: Node) -> Iterator[Any]:
    """Widget values in schema order, those of the editor's own widgets among them."""
    for spec in inputs_of(node.schema):
        if not spec.is_widget:
            continue
        value = node.given.get(spec.name, spec.default)
        yield spec.default if isinstance(value, Output) else value
        yield from [CONTROL_VALUE, ""][: spec.trailing]
        if spec.options.get("image_upload"):
            yield "image"


def size_of(node: Node) -> tuple[int, int]:
    """Width and height that hold all slots and widgets."""
    shown = [
        spec
        for spec in inputs_of(node.schema)
        if spec.is_widget and not spec.options.get("advanced")
    ]
    texts = sum(bool(spec.options.get("multiline")) for spec in shown)
    pictures = node.schema["name"] in ("LoadImage", "PreviewImage", "SaveImage")
    pictures += node.schema["name"] == "InstantIDAnalyzeFaces"
    rows = len(shown) - texts + sum(spec.trailing for spec in shown)
    sockets = sum(not spec.is_widget for spec in inputs_of(node.schema))
    slots = max(sockets, len(node.schema["output"]))
    height = 10 + slots * ROW + rows * WIDGET_ROW + texts * TEXT_BOX + pictures * IMAGE_BOX
    return (WIDE if texts else WIDTH), height + WIDGET_ROW


def saved_group(number: int, group: Group) -> dict[str, Any]:
    """A frame around a column."""
    left, top = group.nodes[0].pos
    width = max(node.size[0] for node in group.nodes)
    bottom = group.nodes[-1].pos[1] + group.nodes[-1].size[1]
    head = 2 * TITLE_BAR + PADDING
    bounding = [left - PADDING, top - head, width + 2 * PADDING, bottom - top + head + PADDING]
    return {
        "id": number,
        "title": group.title,
        "bounding": bounding,
        "color": GROUP_COLOUR,
        "font_size": 24,
        "flags": {},
    }


# What the workflows have in common.


@dataclass(frozen=True)
class Parts:
    """Nodes that every workflow begins with."""

    checkpoint: Node
    adapter: Output
    analyzer: Output
    identity_net: Output


def models(graph: Graph) -> Parts:
    graph.group("1. Models")
    checkpoint = graph.add("CheckpointLoaderSimple", models=[CHECKPOINT], ckpt_name=CHECKPOINT.name)
    net = graph.add(
        "ControlNetLoader",
        "Load IdentityNet",
        [IDENTITY_NET],
        control_net_name=IDENTITY_NET.name,
    )
    adapter = graph.add("InstantIDLoadAdapter", adapter_name=ADAPTER_FILE)
    analyzer = graph.add("InstantIDLoadFaceAnalyzer")
    return Parts(checkpoint, adapter["adapter"], analyzer["analyzer"], net["CONTROL_NET"])


def texts(graph: Graph, parts: Parts) -> tuple[Output, Output]:
    clip = parts.checkpoint["CLIP"]
    positive = graph.add("CLIPTextEncode", "Prompt", clip=clip, text=POSITIVE)
    negative = graph.add("CLIPTextEncode", "Negative prompt", clip=clip, text=NEGATIVE)
    return positive["CONDITIONING"], negative["CONDITIONING"]


def picture(graph: Graph, parts: Parts, conditioned: Mapping[str, Output], prefix: str) -> None:
    graph.group(f"{len(graph.groups) + 1}. Picture")
    latent = graph.add("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1)
    sampled = graph.add("KSampler", latent_image=latent["LATENT"], **conditioned, **SAMPLING)
    decoded = graph.add("VAEDecode", samples=sampled["LATENT"], vae=parts.checkpoint["VAE"])
    graph.add("SaveImage", images=decoded["IMAGE"], filename_prefix=prefix)


def note(about: str, files: Sequence[str] = ()) -> str:
    """What a person should know before pressing Run."""
    return (
        textwrap.dedent(about).strip()
        + textwrap.dedent("""

        ## Settings that matter
        - **CFG 4.5.** InstantID burns colours at the CFG of 7 or 8 that plain SDXL likes.
        - **About 1016 pixels a side**, not exactly 1024: the published weights tend to draw
          watermarks at 1024 x 1024.
        - **weight 0.8 and strength 0.8** are the usual start. Colours burnt or prompt ignored:
          lower the weight first, then the strength. Not like the person: raise both.
        - `ddpm` with `karras` is what is set here; `euler` with `normal` works too.

        ## Model files
        - SDXL checkpoint: `models/checkpoints`
        - IdentityNet (`ControlNetModel/diffusion_pytorch_model.safetensors` of
          [InstantX/InstantID](https://huggingface.co/InstantX/InstantID), 2.5 GB):
          `models/controlnet/instantid`
        - Image adapter (`ip-adapter.bin` of the same repository, 1.7 GB): `models/instantid`
        - Face models (`scrfd_10g_bnkps.onnx` and `glintr100.onnx` of antelopev2):
          `models/insightface/models/antelopev2`
        """).rstrip()
        + "".join(f"\n- {file}" for file in files)
        + "\n\nThe antelopev2 models and the released InstantID weights are for non-commercial "
        "research use."
    )


# The workflows.


def basic(object_info: ObjectInfo) -> Graph:
    about = """
        # InstantID in one node

        1. Choose a photo with one clear face in **Photo of the person**.
        2. Write the prompt.
        3. Run.

        **InstantID Apply** does everything: it finds the face, reads who it is, and gives that
        to the model and to IdentityNet. Connect a second photo to `image_kps` to take place and
        pose of the face from there.
        """
    graph = Graph("instantid_basic", object_info, note(about))
    parts = models(graph)
    graph.group("2. Photo and text")
    photo = graph.add("LoadImage", "Photo of the person", image=PHOTO)
    positive, negative = texts(graph, parts)
    graph.group("3. Identity")
    applied = graph.add(
        "InstantIDApply",
        model=parts.checkpoint["MODEL"],
        positive=positive,
        negative=negative,
        adapter=parts.adapter,
        analyzer=parts.analyzer,
        control_net=parts.identity_net,
        image=photo["IMAGE"],
    )
    conditioned = {name: applied[name] for name in ("model", "positive", "negative")}
    picture(graph, parts, conditioned, "InstantID/basic")
    return graph


def identity(graph: Graph, parts: Parts) -> tuple[Output, Output]:
    """From a photo to (faces, identity)."""
    graph.group("2. Photo to identity")
    photo = graph.add("LoadImage", "Photo of the person", image=PHOTO)
    found = graph.add("InstantIDAnalyzeFaces", analyzer=parts.analyzer, image=photo["IMAGE"])
    embedded = graph.add("InstantIDEmbedIdentity", faces=found["faces"])
    return found["faces"], embedded["identity"]


def apply_both(
    graph: Graph, parts: Parts, faces: Output, who: Output, text: tuple[Output, Output]
) -> dict[str, Output]:
    """The two nodes that apply an identity; what a sampler takes of them."""
    adapted = graph.add(
        "InstantIDApplyAdapter",
        model=parts.checkpoint["MODEL"],
        adapter=parts.adapter,
        identity=who,
    )
    controlled = graph.add(
        "InstantIDApplyIdentityNet",
        positive=text[0],
        negative=text[1],
        control_net=parts.identity_net,
        adapter=parts.adapter,
        identity=who,
        faces=faces,
    )
    positive, negative = controlled["positive"], controlled["negative"]
    return {"model": adapted["model"], "positive": positive, "negative": negative}


def composed(object_info: ObjectInfo) -> Graph:
    about = """
        # InstantID, every node apart

        - **Analyze Faces** finds the face, shows what it found, and picks the one you mean.
        - **Embed Identity** makes one identity of it. A batch of photos of one person is averaged.
        - **Apply Adapter** gives the identity to the model.
        - **Apply IdentityNet** puts the face where `faces` says. For a pose from another photo,
          analyse that photo with a second Analyze Faces and connect its `faces` here instead.
        - **Draw Keypoints** shows the picture that IdentityNet works from. It is only for looking
          at here: IdentityNet draws its own at the size of the output. To change it by hand,
          disconnect `faces` from Apply IdentityNet and connect a keypoint picture to `image`.
        """
    graph = Graph("instantid_composed", object_info, note(about))
    parts = models(graph)
    faces, who = identity(graph, parts)
    graph.group("3. Text and keypoints")
    text = texts(graph, parts)
    drawn = graph.add("InstantIDDrawKeypoints", faces=faces, width=SIDE, height=SIDE)
    graph.add("PreviewImage", "Keypoints", images=drawn["image"])
    graph.group("4. Identity")
    conditioned = apply_both(graph, parts, faces, who, text)
    picture(graph, parts, conditioned, "InstantID/composed")
    return graph


def depth_controlnet(object_info: ObjectInfo) -> Graph:
    about = """
        # InstantID beside another ControlNet

        IdentityNet holds the face, a depth ControlNet the room around it. Each sees its own
        context: IdentityNet the identity, the depth net your prompt.

        1. Choose the photo of the person.
        2. Choose a **depth map** (white is near). Any depth preprocessor makes one from a photo.
        3. Run.

        Depth acts at strength 0.65 and only for the first third of the steps, so that it lays out
        the scene and does not fight the face later. Any SDXL ControlNet (canny, pose, ...) goes in
        its place, before or after IdentityNet.
        """
    depth_file = (
        "Depth ControlNet (`diffusion_pytorch_model.fp16.safetensors` of "
        "[diffusers/controlnet-depth-sdxl-1.0]"
        "(https://huggingface.co/diffusers/controlnet-depth-sdxl-1.0)): "
        "`models/controlnet/controlnet-depth-sdxl-1.0`"
    )
    graph = Graph("instantid_depth_controlnet", object_info, note(about, [depth_file]))
    parts = models(graph)
    depth_net = graph.add(
        "ControlNetLoader",
        "Load depth ControlNet",
        [DEPTH_NET],
        control_net_name=DEPTH_NET.name,
    )
    faces, who = identity(graph, parts)
    graph.group("3. Text and depth map")
    text = texts(graph, parts)
    depth_map = graph.add("LoadImage", "Depth map", image=PHOTO)
    graph.group("4. Identity and depth")
    conditioned = apply_both(graph, parts, faces, who, text)
    both = graph.add(
        "ControlNetApplyAdvanced",
        "Apply depth ControlNet",
        positive=conditioned["positive"],
        negative=conditioned["negative"],
        control_net=depth_net["CONTROL_NET"],
        image=depth_map["IMAGE"],
        strength=0.65,
        start_percent=0.0,
        end_percent=0.35,
    )
    conditioned |= {name: both[name] for name in ("positive", "negative")}
    picture(graph, parts, conditioned, "InstantID/depth")
    return graph


SHIPPED: tuple[Callable[[ObjectInfo], Graph], ...] = (basic, composed, depth_controlnet)


def write(object_info: ObjectInfo, folder: Path) -> list[Path]:
    """Writes every workflow into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for author in SHIPPED:
        graph = author(object_info)
        path = folder / f"{graph.name}.json"
        path.write_text(as_json(graph.saved()), encoding="utf-8")
        paths.append(path)
    return paths


def english(object_info: ObjectInfo) -> dict[str, Any]:
    """The nodes' own texts in the form of a translation, from which others are made."""
    return {
        name: {
            "display_name": schema["display_name"],
            "description": schema["description"],
            "inputs": {
                spec.name: {"name": spec.name, "tooltip": spec.options["tooltip"]}
                for spec in inputs_of(schema)
            },
            "outputs": {str(n): {"name": name} for n, name in enumerate(schema["output_name"])},
        }
        for name, schema in object_info.items()
        if name.startswith(OWN_NODES)
    }


def as_json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Asks a server for its schemas and writes the files."""
    with tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch:
        launch = workspace.small_launch(workspace.current(), Path(scratch))
        with HostServer(launch) as server:
            object_info = ComfyClient(server.url).object_info()
    ENGLISH.write_text(as_json(english(object_info)), encoding="utf-8")
    for path in (ENGLISH, *write(object_info, WORKFLOWS)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
