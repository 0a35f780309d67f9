"""Shipped workflows that change a picture."""

from collections.abc import Callable

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .nodes import Nodes
from .parts import (
    PHOTO,
    SIDE,
    Parts,
    apply_both,
    conditioned,
    models,
    note,
    one_person,
    person,
    sampled,
    saved,
    score,
    texts,
)
from .values import Node, Output

SWAP_TEXT = "photo of a person, natural light, detailed skin"

IMG2IMG_ABOUT = """
    # A person in an existing image

    Sampling starts from your image instead of pure noise. Its layout and colours stay, its face
    becomes the person's, and the prompt changes the rest.

    1. Choose the photo of the person.
    2. Choose the **picture to start from**. It is scaled to the output's size, and its face is
       detected at that size, so the position and pose of the face stay.
    3. Run. `denoise` sets how much changes: 0.4 is a little, 0.8 keeps only the layout.

    If the image has no face, connect `faces` of the photo to Apply IdentityNet instead. To
    change only the face, use the template **12 Face swap with two photos**.
    """


def img2img(object_info: ObjectInfo) -> Graph:
    graph = Graph("img2img", object_info, note(IMG2IMG_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Text", below=True)
    text = texts(graph, parts)
    graph.group("Picture to start from")
    start = graph.add("LoadImage", "Picture to start from", image=PHOTO)
    scaled = graph.add(
        "ImageScale",
        image=start["IMAGE"],
        upscale_method="lanczos",
        width=SIDE,
        height=SIDE,
        crop="center",
    )
    found = graph.add(
        "InstantIDAnalyzeFaces",
        "Its face gives the pose",
        analyzer=parts.analyzer,
        image=scaled["IMAGE"],
    )
    latent = graph.add("VAEEncode", pixels=scaled["IMAGE"], vae=parts.vae)
    graph.group("Identity")
    given = apply_both(graph, parts, found["faces"], who.identity, conditioned(parts, text))
    graph.group("Picture")
    image = sampled(graph, parts, given, latent["LATENT"], denoise=0.6)
    saved(graph, image, "img2img")
    return graph


FACE_SWAP_ABOUT = """
    # Face swap with two photos

    1. **Photo of the person**: whose face it shall be.
    2. **Picture to change**: where it shall be. Its largest face is changed; to select another
       one, click it in the preview after a run.
    3. Run.

    The face is not copied from the photo: it is painted again, with the person's likeness, in the
    light and pose of the picture. **Crop Face** enlarges the face with some surroundings, so that
    even a small face in a group photo is painted at full size; **Paste Face** puts it back.
    Outside the mask the picture is unchanged, bit for bit.

    A `denoise` of 0.8 keeps light and pose; lower keeps more of the old face. Describe the picture
    in the prompt if it is not a photo. The last node scores the result against the photo. The mask
    covers only part of the hair: raise `margin`, an advanced input of Crop Face, to include more.

    Ask people before you put their face into a picture.
    """


def face_swap(object_info: ObjectInfo) -> Graph:
    graph = Graph("face_swap", object_info, note(FACE_SWAP_ABOUT))
    parts = models(graph)
    graph.group("Photo: whose face")
    who = person(graph, parts, "Photo of the person")
    graph.group("Picture: where it goes", below=True)
    scene = graph.add("LoadImage", "Picture to change", image=PHOTO)["IMAGE"]
    crop, latent = face_to_change(graph, parts, scene)
    graph.group("Text")
    text = texts(graph, parts, SWAP_TEXT)
    graph.group("Identity", below=True)
    given = apply_both(graph, parts, crop["faces"], who.identity, conditioned(parts, text))
    graph.group("Picture")
    image = sampled(graph, parts, given, latent, denoise=0.8)
    pasted = put_back(graph, scene, image, crop)
    saved(graph, pasted, "face_swap")
    score(graph, parts, who, pasted)
    return graph


def face_to_change(graph: Nodes, parts: Parts, scene: Output) -> tuple[Node, Output]:
    """The enlarged face of a picture, and the latent of which only its middle is sampled."""
    found = graph.add(
        "InstantIDAnalyzeFaces",
        "Which face to change",
        analyzer=parts.analyzer,
        image=scene,
    )
    crop = graph.add(
        "InstantIDCropFace",
        faces=found["faces"],
        image=scene,
        size=SIDE,
        padding=0.2,
        feather=0.2,
    )
    encoded = graph.add("VAEEncode", pixels=crop["image"], vae=parts.vae)
    latent = graph.add("SetLatentNoiseMask", samples=encoded["LATENT"], mask=crop["mask"])
    return crop, latent["LATENT"]


def put_back(graph: Nodes, scene: Output, image: Output, crop: Node) -> Output:
    """The picture with the new face."""
    pasted = graph.add(
        "InstantIDPasteFace",
        image=scene,
        crop_image=image,
        crop=crop["crop"],
        match_colour="mean_std",
        mask=crop["mask"],
    )
    return pasted["image"]


EDITS: tuple[Callable[[ObjectInfo], Graph], ...] = (
    img2img,
    face_swap,
)
