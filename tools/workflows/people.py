"""Shipped workflows with two people in one picture."""

from collections.abc import Callable
from dataclasses import replace

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .parts import (
    NEGATIVE,
    PHOTO,
    USUAL,
    Parts,
    apply_both,
    conditioned,
    empty_latent,
    models,
    note,
    sampled,
    saved,
    texts,
    two_photos,
)
from .values import Output

LANDSCAPE = (1208, 824)
LANDSCAPE_SIZE = (
    "**1208 x 824**: about as many pixels as 1016 x 1016, and not a standard size, at which the "
    "published weights tend to draw watermarks."
)


def two_people(object_info: ObjectInfo) -> Graph:
    about = """
        # Two people in one image

        1. Choose a photo of each person.
        2. Choose a **pose photo** with two faces. It sets the positions of the faces; no likeness
           is taken from it.
        3. Describe the scene. The prompt acts on the whole image.
        4. Run.

        **Apply Group** assigns the first identity to the left face and the second to the right one,
        each within a mask made from its face. The model runs once per step, as for one person. For
        a third person connect one more identity, and use a pose photo with three faces. Faces
        without an identity are left to the prompt.

        If likeness leaks from one person to the other, lower `padding`. If hair or neck do not
        match, raise it.
        """
    advice = replace(USUAL, size=LANDSCAPE_SIZE)
    graph = Graph("instantid_two_people", object_info, note(about, advice=advice))
    parts = models(graph)
    first, second = two_photos(graph, parts, "First person (left)", "Second person (right)")
    graph.group("Text and pose", below=True)
    text = texts(graph, parts, "photo of two friends laughing at a cafe table, evening light")
    pose = pose_photo(graph, parts, "left_to_right")
    graph.group("Identities")
    applied = graph.add(
        "InstantIDApplyGroup",
        **conditioned(parts, text),
        adapter=parts.adapter,
        control_net=parts.identity_net,
        faces=pose,
        identities=[first.identity, second.identity],
    )
    given = {name: applied[name] for name in ("model", "positive", "negative")}
    graph.group("Picture")
    saved(graph, sampled(graph, parts, given, empty_latent(graph, *LANDSCAPE)), "two_people")
    return graph


def pose_photo(graph: Graph, parts: Parts, select: str) -> Output:
    """The faces of a photo that says only where faces go."""
    photo = graph.add("LoadImage", "Pose photo with two faces", image=PHOTO)
    found = graph.add(
        "InstantIDAnalyzeFaces",
        "Where the faces go",
        analyzer=parts.analyzer,
        image=photo["IMAGE"],
        select=select,
    )
    return found["faces"]


def two_people_two_styles(object_info: ObjectInfo) -> Graph:
    about = """
        # Two people, each in their own style

        **Face Mask** with `each_face` splits the image between the two faces of the pose photo. Its
        first mask is the left person's part, its inverse the right person's. Each part has a prompt
        (Conditioning Set Mask) and an identity, in a chain of Apply Adapter and Apply IdentityNet.

        1. Choose a photo of each person and a **pose photo** with two faces.
        2. Write one prompt for the left part and one for the right. Both should name the same
           scene.
        3. Run.

        The identities add no run of the model: every step computes three rows (left prompt, right
        prompt, negative), as for two prompts without identities. Each person has a separate weight,
        strength and window; here the weights are lowered for the styles.
        """
    amounts = (
        "**weight 0.6 and strength 0.6** for both people, because both parts are stylised. For a "
        "photographic part use 0.8."
    )
    advice = replace(USUAL, size=LANDSCAPE_SIZE, amounts=amounts)
    graph = Graph("instantid_two_people_two_styles", object_info, note(about, advice=advice))
    parts = models(graph)
    people = two_photos(graph, parts, "First person (left)", "Second person (right)")
    graph.group("Pose", below=True)
    photo = graph.add("LoadImage", "Pose photo with two faces", image=PHOTO)["IMAGE"]
    faces = [pose_of(graph, parts, photo, title, n) for n, title in enumerate(("Left", "Right"))]
    graph.group("Parts of the picture")
    masks = halves(graph, parts, photo)
    graph.group("Two prompts")
    given = conditioned(parts, styled_texts(graph, parts, masks))
    graph.group("Two identities, chained")
    for who, pose, mask in zip(people, faces, masks, strict=True):
        given = apply_both(graph, parts, pose, who.identity, given, 0.6, mask)
    graph.group("Picture")
    image = sampled(graph, parts, given, empty_latent(graph, *LANDSCAPE))
    saved(graph, image, "two_people_two_styles")
    return graph


def pose_of(graph: Graph, parts: Parts, photo: Output, side: str, index: int) -> Output:
    """One face of a pose photo, counted from the left."""
    found = graph.add(
        "InstantIDAnalyzeFaces",
        f"{side} face of the pose",
        analyzer=parts.analyzer,
        image=photo,
        select="index",
        index=index,
    )
    return found["faces"]


def halves(graph: Graph, parts: Parts, photo: Output) -> tuple[Output, Output]:
    """Masks of the left person's part and of the rest, which together cover the picture."""
    both = graph.add(
        "InstantIDAnalyzeFaces",
        "Both faces",
        analyzer=parts.analyzer,
        image=photo,
        select="left_to_right",
    )
    masks = graph.add(
        "InstantIDFaceMask",
        faces=both["faces"],
        width=LANDSCAPE[0],
        height=LANDSCAPE[1],
        padding=4.0,
        feather=0.0,
        each_face=True,
    )
    # The host has no node that takes one mask out of a batch, but one that does so with images.
    images = graph.add("MaskToImage", mask=masks["mask"])
    first = graph.add("ImageFromBatch", "The first mask", image=images["IMAGE"])
    left = graph.add("ImageToMask", "Left part", image=first["IMAGE"], channel="red")["MASK"]
    return left, graph.add("InvertMask", "Right part", mask=left)["MASK"]


def styled_texts(graph: Graph, parts: Parts, masks: tuple[Output, Output]) -> tuple[Output, Output]:
    """One prompt per part of the picture, and a negative one for all of it."""
    styles = ("ink drawing, bold outlines", "oil painting, thick brush strokes")
    limited = []
    for side, style, mask in zip(("left", "right"), styles, masks, strict=True):
        text = f"two friends at a cafe table, {style}"
        wanted = graph.add(
            "CLIPTextEncode", f"Prompt for the {side} part", clip=parts.clip, text=text
        )
        limited.append(
            graph.add("ConditioningSetMask", conditioning=wanted["CONDITIONING"], mask=mask)
        )
    both = graph.add(
        "ConditioningCombine",
        conditioning_1=limited[0]["CONDITIONING"],
        conditioning_2=limited[1]["CONDITIONING"],
    )
    unwanted = graph.add(
        "CLIPTextEncode", "Negative prompt", clip=parts.clip, text=f"photo, {NEGATIVE}"
    )
    return both["CONDITIONING"], unwanted["CONDITIONING"]


PEOPLE: tuple[Callable[[ObjectInfo], Graph], ...] = (
    two_people,
    two_people_two_styles,
)
