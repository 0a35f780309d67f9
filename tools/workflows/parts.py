"""Common parts of the shipped workflows: model files, settings, nodes and the note."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .nodes import Nodes
from .values import Model, Node, Output

HUB = "https://huggingface.co"
CHECKPOINT = Model(
    "sd_xl_base_1.0.safetensors",
    f"{HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
    "checkpoints",
)
IDENTITY_NET = Model(
    "instantid/diffusion_pytorch_model.safetensors",
    f"{HUB}/InstantX/InstantID/resolve/main/ControlNetModel/diffusion_pytorch_model.safetensors",
    "controlnet",
)
ADAPTER = Model(
    "ip-adapter.bin",
    f"{HUB}/InstantX/InstantID/resolve/main/ip-adapter.bin",
    "instantid",
)
"""The dialog does not fetch .bin files, but then knows where they belong."""
PHOTO = "example.png"  # comes with ComfyUI, so that nothing is reported missing
SIDE = 1016
POSITIVE = "portrait photo of a person in a yellow raincoat, city street at night, film grain"
NEGATIVE = "text, watermark, blurry, deformed, low quality"
SAMPLING: Mapping[str, Any] = {
    "seed": 7,
    "steps": 30,
    "cfg": 4.5,
    "sampler_name": "ddpm",
    "scheduler": "karras",
    "denoise": 1.0,
}

Conditioned = dict[str, Output]
"""Inputs of a sampler: model, positive, negative."""


@dataclass(frozen=True)
class Parts:
    """Nodes that every workflow begins with."""

    model: Output
    clip: Output
    vae: Output
    adapter: Output
    analyzer: Output
    identity_net: Output


@dataclass(frozen=True)
class Person:
    """A photo and what was read from it."""

    photo: Output
    faces: Output
    identity: Output


def models(graph: Nodes) -> Parts:
    """The checkpoint, and all of InstantID in one node."""
    graph.group("Models")
    checkpoint = graph.add("CheckpointLoaderSimple", "", [CHECKPOINT], ckpt_name=CHECKPOINT.name)
    return with_instantid(graph, checkpoint["MODEL"], checkpoint["CLIP"], checkpoint["VAE"])


def with_instantid(graph: Nodes, model: Output, clip: Output, vae: Output) -> Parts:
    """A checkpoint's parts, and all of InstantID in one node."""
    loaded = graph.add(
        "InstantIDLoadModels",
        "",
        [IDENTITY_NET, ADAPTER],
        adapter_name=ADAPTER.name,
        control_net_name=IDENTITY_NET.name,
    )
    return Parts(
        model=model,
        clip=clip,
        vae=vae,
        adapter=loaded["adapter"],
        analyzer=loaded["analyzer"],
        identity_net=loaded["control_net"],
    )


def models_apart(graph: Nodes) -> Parts:
    """The same with a loader for each."""
    graph.group("Models")
    checkpoint = graph.add("CheckpointLoaderSimple", "", [CHECKPOINT], ckpt_name=CHECKPOINT.name)
    net = graph.add(
        "ControlNetLoader",
        "Load IdentityNet",
        [IDENTITY_NET],
        control_net_name=IDENTITY_NET.name,
    )
    return Parts(
        model=checkpoint["MODEL"],
        clip=checkpoint["CLIP"],
        vae=checkpoint["VAE"],
        adapter=graph.add("InstantIDLoadAdapter", "", [ADAPTER], adapter_name=ADAPTER.name)[
            "adapter"
        ],
        analyzer=graph.add("InstantIDLoadFaceAnalyzer")["analyzer"],
        identity_net=net["CONTROL_NET"],
    )


def with_lora(graph: Nodes, parts: Parts, file: Model, strength: float) -> Parts:
    """`parts` with a LoRA on the model and on the text encoder."""
    lora = graph.add(
        "LoraLoader",
        "",
        [file] if file.url else [],
        model=parts.model,
        clip=parts.clip,
        lora_name=file.name,
        strength_model=strength,
        strength_clip=strength,
    )
    return replace(parts, model=lora["MODEL"], clip=lora["CLIP"])


def texts(
    graph: Nodes, parts: Parts, positive: str = POSITIVE, negative: str = NEGATIVE
) -> tuple[Output, Output]:
    wanted = graph.add("CLIPTextEncode", "Prompt", clip=parts.clip, text=positive)
    unwanted = graph.add("CLIPTextEncode", "Negative prompt", clip=parts.clip, text=negative)
    return wanted["CONDITIONING"], unwanted["CONDITIONING"]


def person(graph: Nodes, parts: Parts, title: str) -> Person:
    """A photo of a person, analysed and embedded."""
    return person_of(graph, parts, graph.add("LoadImage", title, image=PHOTO)["IMAGE"])


def person_of(graph: Nodes, parts: Parts, photo: Output) -> Person:
    """A photo's person: faces and identity."""
    found = graph.add("InstantIDAnalyzeFaces", analyzer=parts.analyzer, image=photo)
    embedded = graph.add("InstantIDEmbedIdentity", faces=found["faces"])
    return Person(photo, found["faces"], embedded["identity"])


def one_person(graph: Nodes, parts: Parts) -> Person:
    graph.group("Photo to identity")
    return person(graph, parts, "Photo of the person")


def apply_both(
    graph: Nodes,
    parts: Parts,
    faces: Output,
    who: Output,
    given: Conditioned,
    amount: float = 0.8,
    mask: Output | None = None,
) -> Conditioned:
    """The two nodes that apply an identity; what the sampler, or the next identity, takes."""
    limited = {} if mask is None else {"mask": mask}
    adapted = graph.add(
        "InstantIDApplyAdapter",
        model=given["model"],
        adapter=parts.adapter,
        identity=who,
        weight=amount,
        **limited,
    )
    controlled = graph.add(
        "InstantIDApplyIdentityNet",
        positive=given["positive"],
        negative=given["negative"],
        control_net=parts.identity_net,
        adapter=parts.adapter,
        identity=who,
        faces=faces,
        strength=amount,
        **limited,
    )
    both = {name: controlled[name] for name in ("positive", "negative")}
    return {"model": adapted["model"], **both}


def conditioned(parts: Parts, text: tuple[Output, Output]) -> Conditioned:
    """A sampler's inputs before any identity."""
    return {"model": parts.model, "positive": text[0], "negative": text[1]}


def empty_latent(
    graph: Nodes, width: int = SIDE, height: int = SIDE, count: int | Output = 1
) -> Output:
    return graph.add("EmptyLatentImage", width=width, height=height, batch_size=count)["LATENT"]


def latent_batch(graph: Nodes, count: int | Output) -> Output:
    """Latents for `count` pictures that begin with the same noise."""
    empty = empty_latent(graph, count=count)
    fixed = graph.add("LatentBatchSeedBehavior", samples=empty, seed_behavior="fixed")
    return fixed["LATENT"]


def sampled(
    graph: Nodes, parts: Parts, given: Conditioned, latent: Output, **changes: Any
) -> Output:
    """A picture, from what is conditioned to pixels."""
    settings = {**SAMPLING, **changes}
    done = graph.add("KSampler", latent_image=latent, **given, **settings)
    return graph.add("VAEDecode", samples=done["LATENT"], vae=parts.vae)["IMAGE"]


def one_node(
    graph: Nodes, parts: Parts, text: tuple[Output, Output], photo: Output, **settings: Any
) -> Conditioned:
    """Everything in one node."""
    applied = graph.add(
        "InstantIDApply",
        **conditioned(parts, text),
        adapter=parts.adapter,
        analyzer=parts.analyzer,
        control_net=parts.identity_net,
        image=photo,
        **settings,
    )
    return {name: applied[name] for name in ("model", "positive", "negative")}


def saved(graph: Nodes, image: Output, prefix: str) -> None:
    graph.add("SaveImage", images=image, filename_prefix=f"InstantID/{prefix}")


def picture(graph: Nodes, parts: Parts, given: Conditioned, prefix: str, **changes: Any) -> None:
    """The usual last column."""
    graph.group("Picture")
    saved(graph, sampled(graph, parts, given, empty_latent(graph), **changes), prefix)


def score(graph: Nodes, parts: Parts, who: Person, image: Output, title: str = "") -> Node:
    """A node that shows the likeness of pictures to a person."""
    return graph.add(
        "InstantIDScoreIdentity",
        title,
        analyzer=parts.analyzer,
        identity=who.identity,
        image=image,
        reference_image=who.photo,
    )


def two_photos(graph: Nodes, parts: Parts, first: str, second: str) -> tuple[Person, Person]:
    graph.group("Two photos to two identities")
    return person(graph, parts, first), person(graph, parts, second)


# The note.

HOW_TO_GET = (
    "A model is missing? **Get InstantID models**, in ComfyUI's menu under Extensions, downloads "
    "what InstantID needs after you confirm."
)
USUAL_CFG = "**CFG 4.5.** InstantID burns colours at the CFG of 7 or 8 that suits plain SDXL."
USUAL_SIZE = (
    "**About 1016 pixels a side**, not exactly 1024: the published weights tend to draw watermarks "
    "at 1024 x 1024."
)
USUAL_AMOUNTS = (
    "**weight 0.8 and strength 0.8** are a good start. If colours burn or the prompt is ignored, "
    "lower the weight first, then the strength. If the likeness is low, raise both."
)
NAMED_AMOUNTS = (
    "**likeness** on the node InstantID: `balanced` is weight 0.8 and strength 0.8, a good start. "
    "`faithful` is closer to the photo, `stylised` leaves room for a style, `pose only` keeps "
    "little more than the position of the face. With `custom` the numbers below it count."
)
USUAL_SAMPLER = "`ddpm` with `karras` is set here; `euler` with `normal` works too."
FILES = (
    "SDXL checkpoint: `models/checkpoints`",
    "IdentityNet (`ControlNetModel/diffusion_pytorch_model.safetensors` of "
    f"[InstantX/InstantID]({HUB}/InstantX/InstantID), 2.5 GB): `models/controlnet/instantid`",
    "Image adapter (`ip-adapter.bin` of the same repository, 1.7 GB): `models/instantid`",
    "Face models (`scrfd_10g_bnkps.onnx` and `glintr100.onnx` of antelopev2): "
    "`models/insightface/models/antelopev2`",
)
LICENCE = "antelopev2 and InstantID: non-commercial research use."


@dataclass(frozen=True)
class Advice:
    """The settings that a note explains."""

    cfg: str = USUAL_CFG
    size: str = USUAL_SIZE
    amounts: str = USUAL_AMOUNTS
    sampler: str = USUAL_SAMPLER

    @property
    def lines(self) -> tuple[str, ...]:
        return self.cfg, self.size, self.amounts, self.sampler


USUAL = Advice()


def note(about: str, files: Sequence[str] = (), advice: Advice = USUAL) -> str:
    """Note for the user to read before running the workflow."""
    return "\n\n".join(
        (
            HOW_TO_GET,
            unwrapped(textwrap.dedent(about).strip()),
            _list("Settings that matter", advice.lines),
            _list("Model files", (*FILES, *files)),
            LICENCE,
        )
    )


def unwrapped(text: str) -> str:
    """Paragraphs and list entries on one line each: the editor keeps line breaks."""
    return re.sub(r"(?<!\n)\n *(?![\n#]|- |\d+\. )", " ", text)


def _list(title: str, entries: Sequence[str]) -> str:
    return "\n".join([f"## {title}", *(f"- {entry}" for entry in entries)])
