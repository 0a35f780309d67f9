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
from .subgraphs import Subgraph
from .values import Output

SIDES = ("left", "right")
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

        If likeness leaks from one person to the other, lower `margin`. If hair or neck do not
        match, raise it.
        """
    advice = replace(USUAL, size=LANDSCAPE_SIZE)
    graph = Graph("two_people", object_info, note(about, advice=advice))
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


TWO_STYLES_ABOUT = """
    # Two people, each in their own style

    **Split between two faces** is a subgraph; open it to see its nodes. **Face Mask** with
    `one mask per face` splits the image between the two faces of the pose photo: the first mask is
    the left person's part, its inverse the right person's. Each part has a prompt (Conditioning Set
    Mask) and an identity, in a chain of Apply Adapter and Apply IdentityNet.

    1. Choose a photo of each person and a **pose photo** with two faces.
    2. Write one prompt for the left part and one for the right. Both should name the same
       scene.
    3. Run.

    The identities add no run of the model: every step computes three rows (left prompt, right
    prompt, negative), as for two prompts without identities. Each person has a separate weight,
    strength and window; here the weights are lowered for the styles.
    """


def two_people_two_styles(object_info: ObjectInfo) -> Graph:
    amounts = (
        "**weight 0.6 and strength 0.6** for both people, because both parts are stylised. For a "
        "photographic part use 0.8."
    )
    advice = replace(USUAL, size=LANDSCAPE_SIZE, amounts=amounts)
    graph = Graph("two_people_two_styles", object_info, note(TWO_STYLES_ABOUT, advice=advice))
    parts = models(graph)
    people = two_photos(graph, parts, "First person (left)", "Second person (right)")
    graph.group("Two prompts and the pose", below=True)
    texts_of_parts, negative = styled_texts(graph, parts)
    photo = graph.add("LoadImage", "Pose photo with two faces", image=PHOTO)["IMAGE"]
    split = graph.place(
        split_between_faces(graph),
        "",
        analyzer=parts.analyzer,
        pose_photo=photo,
        **texts_of_parts,
    )
    graph.group("Two identities, chained")
    given = conditioned(parts, (split["positive"], negative))
    for who, side in zip(people, SIDES, strict=True):
        face, mask = split[f"{side}_face"], split[f"{side}_mask"]
        given = apply_both(graph, parts, face, who.identity, given, 0.6, mask)
    graph.group("Picture")
    image = sampled(graph, parts, given, empty_latent(graph, *LANDSCAPE))
    saved(graph, image, "two_people_two_styles")
    return graph


def split_between_faces(graph: Graph) -> Subgraph:
    """A part of the picture, a face and a prompt for each of two people, in one node."""
    inner = graph.subgraph(
        "Split between two faces",
        "Finds both faces of a pose photo, splits the picture between them, and gives each part "
        "its own prompt.",
    )
    analyzer = inner.takes("analyzer", "INSTANTID_ANALYZER")
    photo = inner.takes("pose_photo", "IMAGE")
    texts_in = [inner.takes(f"{side}_text", "CONDITIONING") for side in SIDES]
    faces = [pose_of(inner, analyzer, photo, side, n) for n, side in enumerate(SIDES)]
    masks = halves(inner, analyzer, photo)
    limited = [
        inner.add("ConditioningSetMask", conditioning=text, mask=mask)["CONDITIONING"]
        for text, mask in zip(texts_in, masks, strict=True)
    ]
    both = inner.add("ConditioningCombine", conditioning_1=limited[0], conditioning_2=limited[1])
    inner.gives(
        positive=both["CONDITIONING"],
        left_face=faces[0],
        left_mask=masks[0],
        right_face=faces[1],
        right_mask=masks[1],
    )
    return inner


def pose_of(inner: Subgraph, analyzer: Output, photo: Output, side: str, index: int) -> Output:
    """One face of a pose photo, counted from the left."""
    found = inner.add(
        "InstantIDAnalyzeFaces",
        f"{side.capitalize()} face of the pose",
        analyzer=analyzer,
        image=photo,
        select="index",
        index=index,
    )
    return found["faces"]


def halves(inner: Subgraph, analyzer: Output, photo: Output) -> tuple[Output, Output]:
    """Masks of the left person's part and of the rest, which together cover the picture."""
    both = inner.add(
        "InstantIDAnalyzeFaces",
        "Both faces",
        analyzer=analyzer,
        image=photo,
        select="left_to_right",
    )
    masks = inner.add(
        "InstantIDFaceMask",
        faces=both["faces"],
        width=LANDSCAPE[0],
        height=LANDSCAPE[1],
        padding=4.0,
        feather=0.0,
        each_face=True,
    )
    # The host has no node that takes one mask out of a batch, but one that does so with images.
    images = inner.add("MaskToImage", mask=masks["mask"])
    first = inner.add("ImageFromBatch", "The first mask", image=images["IMAGE"])
    left = inner.add("ImageToMask", "Left part", image=first["IMAGE"], channel="red")["MASK"]
    return left, inner.add("InvertMask", "Right part", mask=left)["MASK"]


def styled_texts(graph: Graph, parts: Parts) -> tuple[dict[str, Output], Output]:
    """One prompt per part of the picture, by the inputs that take them, and a negative one."""
    styles = ("ink drawing, bold outlines", "oil painting, thick brush strokes")
    wanted = {}
    for side, style in zip(SIDES, styles, strict=True):
        text = f"two friends at a cafe table, {style}"
        title = f"Prompt for the {side} part"
        made = graph.add("CLIPTextEncode", title, clip=parts.clip, text=text)
        wanted[f"{side}_text"] = made["CONDITIONING"]
    unwanted = graph.add(
        "CLIPTextEncode", "Negative prompt", clip=parts.clip, text=f"photo, {NEGATIVE}"
    )
    return wanted, unwanted["CONDITIONING"]


PEOPLE: tuple[Callable[[ObjectInfo], Graph], ...] = (
    two_people,
    two_people_two_styles,
)
