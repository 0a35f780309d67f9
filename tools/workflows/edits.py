"""Shipped workflows that change a picture."""

from collections.abc import Callable

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .parts import (
    PHOTO,
    SIDE,
    apply_both,
    conditioned,
    models,
    note,
    one_person,
    sampled,
    saved,
    score,
    texts,
)

IMG2IMG_ABOUT = """
    # A person in an existing image

    Sampling starts from your image instead of pure noise. Its layout and colours stay, its face
    becomes the person's, and the prompt changes the rest.

    1. Choose the photo of the person.
    2. Choose the **picture to start from**. It is scaled to the output's size, and its face is
       detected at that size, so the position and pose of the face stay.
    3. Run. `denoise` sets how much changes: 0.4 is a little, 0.8 keeps only the layout.

    If the image has no face, connect `faces` of the photo to Apply IdentityNet instead. To
    change only the face, use the workflow `instantid_face_swap`.
    """


def img2img(object_info: ObjectInfo) -> Graph:
    graph = Graph("instantid_img2img", object_info, note(IMG2IMG_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Picture to start from", below=True)
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
    graph.group("Text", below=True)
    text = texts(graph, parts)
    graph.group("Identity")
    given = apply_both(graph, parts, found["faces"], who.identity, conditioned(parts, text))
    graph.group("Picture")
    image = sampled(graph, parts, given, latent["LATENT"], denoise=0.6)
    saved(graph, image, "img2img")
    return graph


FACE_SWAP_ABOUT = """
    # Regenerate a face in an image

    **Crop Face** crops the face with some surroundings and enlarges it, so that even a small
    face in a group photo is generated at full size. Only the masked part of the crop is
    sampled. **Paste Face** puts it back; outside the mask the image is unchanged, bit for bit.

    1. Choose the photo of the person.
    2. Choose the **picture to change**. Its largest face is regenerated; to select another one,
       click it in the preview after a run.
    3. Describe the image in the prompt.
    4. Run. A `denoise` of 0.8 keeps light and pose; lower keeps more of the old face.

    The last node scores the result against the photo. The mask covers only part of the hair:
    raise `padding`, an advanced input of Crop Face, to include more.
    """


def face_swap(object_info: ObjectInfo) -> Graph:
    graph = Graph("instantid_face_swap", object_info, note(FACE_SWAP_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Picture to change", below=True)
    scene = graph.add("LoadImage", "Picture to change", image=PHOTO)
    found = graph.add(
        "InstantIDAnalyzeFaces",
        "Which face to change",
        analyzer=parts.analyzer,
        image=scene["IMAGE"],
    )
    crop = graph.add(
        "InstantIDCropFace",
        faces=found["faces"],
        image=scene["IMAGE"],
        size=SIDE,
        padding=0.2,
        feather=0.2,
    )
    encoded = graph.add("VAEEncode", pixels=crop["image"], vae=parts.vae)
    latent = graph.add("SetLatentNoiseMask", samples=encoded["LATENT"], mask=crop["mask"])
    graph.group("Text", below=True)
    text = texts(graph, parts, "photo of a person, natural light, detailed skin")
    graph.group("Identity")
    given = apply_both(graph, parts, crop["faces"], who.identity, conditioned(parts, text))
    graph.group("Picture")
    image = sampled(graph, parts, given, latent["LATENT"], denoise=0.8)
    pasted = graph.add(
        "InstantIDPasteFace",
        image=scene["IMAGE"],
        crop_image=image,
        crop=crop["crop"],
        match_colour="mean_std",
        mask=crop["mask"],
    )
    saved(graph, pasted["image"], "face_swap")
    score(graph, parts, who, pasted["image"])
    return graph


EDITS: tuple[Callable[[ObjectInfo], Graph], ...] = (
    img2img,
    face_swap,
)
