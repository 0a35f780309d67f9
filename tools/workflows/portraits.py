"""Shipped workflows with one person, made from a prompt."""

from collections.abc import Callable
from dataclasses import replace

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .parts import (
    HUB,
    NAMED_AMOUNTS,
    NEGATIVE,
    PHOTO,
    SIDE,
    USUAL,
    apply_both,
    conditioned,
    empty_latent,
    models,
    models_apart,
    note,
    one_node,
    one_person,
    picture,
    sampled,
    saved,
    texts,
    with_lora,
)
from .values import Model, Output

DEPTH_NET = Model(
    "controlnet-depth-sdxl-1.0/diffusion_pytorch_model.fp16.safetensors",
    f"{HUB}/diffusers/controlnet-depth-sdxl-1.0/resolve/main/"
    "diffusion_pytorch_model.fp16.safetensors",
    "controlnet",
)
PAPERCUT = Model(
    "papercut.safetensors",
    f"{HUB}/TheLastBen/Papercut_SDXL/resolve/main/papercut.safetensors",
    "loras",
)
LIGHTNING = Model(
    "sdxl_lightning_4step_lora.safetensors",
    f"{HUB}/ByteDance/SDXL-Lightning/resolve/main/sdxl_lightning_4step_lora.safetensors",
    "loras",
)


BASIC_ABOUT = """
    # A portrait from one photo

    1. Choose a photo with one clear face in **Photo of the person**; ComfyUI's drawing
       there has none.
    2. Write the prompt.
    3. Run.

    The node **InstantID** does everything: it finds the face, computes its embedding, and applies
    it to the model and to IdentityNet. Connect a second photo to `pose photo` to take the position
    and pose of the face from there.
    """
NAMED = replace(USUAL, amounts=NAMED_AMOUNTS)


def basic(object_info: ObjectInfo) -> Graph:
    graph = Graph("basic", object_info, note(BASIC_ABOUT, advice=NAMED))
    portrait(graph, "basic")
    return graph


def portrait(graph: Graph, prefix: str) -> list[tuple[Output, str]]:
    """The whole method in one node; the widgets that people change, by an output of their node."""
    parts = models(graph)
    graph.group("Photo and text")
    photo = graph.add("LoadImage", "Photo of the person", image=PHOTO)["IMAGE"]
    text = texts(graph, parts)
    graph.group("Identity")
    given = one_node(graph, parts, text, photo, likeness="balanced")
    graph.group("Picture")
    latent = empty_latent(graph)
    saved(graph, sampled(graph, parts, given, latent), prefix)
    sides = [(latent, name) for name in ("width", "height")]
    return [(photo, "image"), (text[0], "text"), (given["model"], "likeness"), *sides]


APP_ABOUT = """
    # A portrait from one photo, as an app

    ComfyUI's app mode shows only what you need: the photo, the text, the likeness and the size.
    This graph is what lies behind it, the same as **01 Portrait from one photo**. An editor
    without app mode opens the graph.

    1. Choose a photo with one clear face: ComfyUI's drawing has none that can be found.
    2. Write what the picture should show.
    3. Run.
    """


def app(object_info: ObjectInfo) -> Graph:
    graph = Graph("app", object_info, note(APP_ABOUT, advice=NAMED))
    widgets = portrait(graph, "app")
    graph.show_as_app(widgets, graph.nodes[-2]["IMAGE"])
    return graph


def composed(object_info: ObjectInfo) -> Graph:
    about = """
        # InstantID with separate nodes

        - **Analyze Faces** finds the faces, shows them, and selects one.
        - **Embed Identity** turns it into an identity. A batch of photos of one person is averaged.
        - **Apply Adapter** adds the identity to the model.
        - **Apply IdentityNet** places the face as in `faces`. For the pose of another photo,
          analyse that photo with a second Analyze Faces and connect its `faces` here instead.
        - **Draw Keypoints** shows the keypoint image that IdentityNet uses. Here it is only a
          preview: IdentityNet draws its own at the size of the output. To use an edited one,
          disconnect `faces` from Apply IdentityNet and connect the keypoint image to `image`.
        """
    graph = Graph("composed", object_info, note(about))
    parts = models_apart(graph)
    who = one_person(graph, parts)
    graph.group("Text", below=True)
    text = texts(graph, parts)
    graph.group("Identity")
    given = apply_both(graph, parts, who.faces, who.identity, conditioned(parts, text))
    graph.group("Keypoints, to look at", below=True)
    drawn = graph.add("InstantIDDrawKeypoints", faces=who.faces, width=SIDE, height=SIDE)
    graph.add("PreviewImage", "Keypoints", images=drawn["image"])
    picture(graph, parts, given, "composed")
    return graph


DEPTH_CONTROLNET_ABOUT = """
    # InstantID with another ControlNet

    IdentityNet controls the face, a depth ControlNet the scene. Each sees its own context:
    IdentityNet the identity, the depth ControlNet your prompt.

    1. Choose the photo of the person.
    2. Choose a **depth map** (white is near). Any depth preprocessor makes one from a photo.
    3. Run.

    Depth acts at strength 0.65 and only for the first third of the steps, so that it sets the
    layout and does not interfere with the face later. Any SDXL ControlNet (canny, pose, ...)
    can take its place, before or after IdentityNet.
    """


def depth_controlnet(object_info: ObjectInfo) -> Graph:
    depth_file = (
        "Depth ControlNet (`diffusion_pytorch_model.fp16.safetensors` of "
        f"[diffusers/controlnet-depth-sdxl-1.0]({HUB}/diffusers/controlnet-depth-sdxl-1.0)): "
        "`models/controlnet/controlnet-depth-sdxl-1.0`"
    )
    graph = Graph("depth_controlnet", object_info, note(DEPTH_CONTROLNET_ABOUT, [depth_file]))
    parts = models(graph)
    depth_net = graph.add(
        "ControlNetLoader",
        "Load depth ControlNet",
        [DEPTH_NET],
        control_net_name=DEPTH_NET.name,
    )
    who = one_person(graph, parts)
    graph.group("Text and depth map", below=True)
    text = texts(graph, parts)
    depth_map = graph.add("LoadImage", "Depth map", image=PHOTO)
    graph.group("Identity and depth")
    given = apply_both(graph, parts, who.faces, who.identity, conditioned(parts, text))
    both = graph.add(
        "ControlNetApplyAdvanced",
        "Apply depth ControlNet",
        positive=given["positive"],
        negative=given["negative"],
        control_net=depth_net["CONTROL_NET"],
        image=depth_map["IMAGE"],
        strength=0.65,
        start_percent=0.0,
        end_percent=0.35,
    )
    given |= {name: both[name] for name in ("positive", "negative")}
    picture(graph, parts, given, "depth")
    return graph


def stylized(object_info: ObjectInfo) -> Graph:
    about = """
        # A person in a drawn or painted style

        The prompt names the style. The identity has a lower weight than usual, so that it does not
        pull the image back towards a photo.

        1. Choose the photo.
        2. Put the style into the prompt, and what you do not want ("photo, photorealistic") into
           the negative prompt.
        3. Run. Then change `likeness weight` and `pose strength` in steps of 0.1.

        Other settings of **Apply Adapter** that leave room for the style: a `start at` of 0.1 to
        0.2; the advanced input `weight over layers`, which lowers the weight in some layers;
        `weight over time` set to `fade in`.
        """
    amounts = (
        "**weight 0.5 and strength 0.5**, not 0.8. If the likeness is low, raise the weight "
        "first. If it looks like a filtered photo, lower both."
    )
    advice = replace(USUAL, amounts=amounts)
    graph = Graph("stylized", object_info, note(about, advice=advice))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Text", below=True)
    text = texts(
        graph,
        parts,
        "watercolor painting of a person reading in a garden, loose brush strokes, paper texture",
        f"photo, photorealistic, 3d render, {NEGATIVE}",
    )
    graph.group("Identity, at half its weight")
    given = apply_both(graph, parts, who.faces, who.identity, conditioned(parts, text), 0.5)
    picture(graph, parts, given, "stylized")
    return graph


def style_lora(object_info: ObjectInfo) -> Graph:
    about = """
        # A person and a style LoRA

        The LoRA comes before **Apply Adapter**: it changes the model's weights, and the identity is
        added to that. Both orders work.

        1. Choose the photo.
        2. Choose the LoRA, and write its trigger word into the prompt (here `papercut`).
        3. Run. More style: raise `strength_model` of the LoRA to 1. More likeness: raise
           `likeness weight`.

        Any SDXL LoRA works, and so do several in a chain.
        """
    amounts = (
        "**weight 0.6 and strength 0.6**, since a style LoRA and a full identity interfere "
        "with each other."
    )
    file = (
        "LoRA (`papercut.safetensors` of "
        f"[TheLastBen/Papercut_SDXL]({HUB}/TheLastBen/Papercut_SDXL), as an example): "
        "`models/loras`"
    )
    advice = replace(USUAL, amounts=amounts)
    graph = Graph("style_lora", object_info, note(about, [file], advice))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Style", below=True)
    parts = with_lora(graph, parts, PAPERCUT, 0.8)
    text = texts(graph, parts, "papercut of a person in a forest, layered paper, soft shadows")
    graph.group("Identity")
    given = apply_both(graph, parts, who.faces, who.identity, conditioned(parts, text), 0.6)
    picture(graph, parts, given, "style_lora")
    return graph


LIGHTNING_ABOUT = """
    # Four steps

    With a Lightning LoRA, SDXL needs four steps. At CFG 1 the negative prompt is not computed,
    which halves the cost of each step; the identity then acts on the positive side only, as
    intended.

    1. Choose the photo and write the prompt.
    2. Run.

    With an LCM LoRA use the sampler `lcm`, 6 to 8 steps and a CFG of 1 to 1.5. With the 8-step
    Lightning LoRA set 8 steps.
    """


def lightning(object_info: ObjectInfo) -> Graph:
    advice = replace(
        USUAL,
        cfg="**CFG 1**: distilled models are made for it. Higher values burn.",
        sampler="`euler` with `sgm_uniform`, and as many steps as the name of the LoRA says.",
    )
    file = (
        "Lightning LoRA (`sdxl_lightning_4step_lora.safetensors` of "
        f"[ByteDance/SDXL-Lightning]({HUB}/ByteDance/SDXL-Lightning)): `models/loras`"
    )
    graph = Graph("lightning", object_info, note(LIGHTNING_ABOUT, [file], advice))
    parts = models(graph)
    lora = graph.add(
        "LoraLoaderModelOnly",
        "Load Lightning LoRA",
        [LIGHTNING],
        model=parts.model,
        lora_name=LIGHTNING.name,
        strength_model=1.0,
    )
    parts = replace(parts, model=lora["MODEL"])
    who = one_person(graph, parts)
    graph.group("Text", below=True)
    text = texts(graph, parts)
    graph.group("Identity")
    given = apply_both(graph, parts, who.faces, who.identity, conditioned(parts, text))
    fast = {"steps": 4, "cfg": 1.0, "sampler_name": "euler", "scheduler": "sgm_uniform"}
    picture(graph, parts, given, "lightning", **fast)
    return graph


PORTRAITS: tuple[Callable[[ObjectInfo], Graph], ...] = (
    basic,
    app,
    composed,
    depth_controlnet,
    stylized,
    style_lora,
    lightning,
)
