"""Shipped workflows with several photos of a person, or several pictures at once."""

from collections.abc import Callable

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .parts import (
    PHOTO,
    SIDE,
    apply_both,
    conditioned,
    empty_latent,
    latent_batch,
    models,
    note,
    one_person,
    picture,
    sampled,
    saved,
    score,
    texts,
    two_photos,
)

STEPS = 5
BATCH = 4
CHARACTER = "portrait photo of a person, plain grey background, soft light"


SEVERAL_REFERENCES_ABOUT = """
    # Several photos of one person

    Three photos give a steadier likeness than one.

    1. Choose three photos of the person, each with a clear face. **Batch Images** crops them to
       the aspect ratio of the first one, so choose similar ratios.
    2. Look at **Compare Identities**: from 0.32 on it is the same person, below 0.28 another
       one. Replace a photo that shows somebody else.
    3. Run.

    Two methods of combining the photos are prepared: **average** takes their mean and is
    connected; **sequence** shows all of them to the adapter. To try it, connect the other Embed
    Identity to both Apply nodes.

    For photos of different aspect ratios, or if some should count more, analyse and embed each
    separately, and combine them with **Combine Identities**, which takes weights.
    """


def several_references(object_info: ObjectInfo) -> Graph:
    graph = Graph("several_references", object_info, note(SEVERAL_REFERENCES_ABOUT))
    parts = models(graph)
    graph.group("Photos")
    titles = ("First photo", "Second photo", "Third photo")
    photos = [graph.add("LoadImage", title, image=PHOTO)["IMAGE"] for title in titles]
    graph.group("Photos to identity")
    batch = graph.add("BatchImagesNode", images=photos)
    found = graph.add(
        "InstantIDAnalyzeFaces",
        analyzer=parts.analyzer,
        image=batch["IMAGE"],
        on_no_face="skip",
    )
    mean = graph.add("InstantIDEmbedIdentity", "Embed Identity (average)", faces=found["faces"])
    each = graph.add(
        "InstantIDEmbedIdentity",
        "Embed Identity (sequence)",
        faces=found["faces"],
        combine="sequence",
    )
    graph.add("InstantIDCompareIdentities", identities=[each["identity"]])
    graph.group("Text and pose", below=True)
    text = texts(graph, parts)
    pose = graph.add("InstantIDPose", width=SIDE, height=SIDE)
    graph.group("Identity")
    given = apply_both(graph, parts, pose["faces"], mean["identity"], conditioned(parts, text))
    picture(graph, parts, given, "several_references")
    return graph


def interpolation(object_info: ObjectInfo) -> Graph:
    about = f"""
        # From one person to another

        **Interpolate Identities** makes {STEPS} identities from the first person to the second.
        With a latent batch of {STEPS} every image gets its own, in one run.

        1. Choose the two photos.
        2. Run.

        All images have the first person's pose and the same noise, so that only the face changes.
        For more images raise `steps` and `batch_size` together. The last two nodes score every
        image against either person: one likeness falls from image to image as the other rises, so
        a weak score at the far end is as it should be.

        For a single face between two people use **Blend Identities**.
        """
    graph = Graph("interpolation", object_info, note(about))
    parts = models(graph)
    first, second = two_photos(graph, parts, "From this person", "To this second person")
    graph.group("Text", below=True)
    text = texts(graph, parts)
    graph.group("Between the two")
    between = graph.add(
        "InstantIDInterpolateIdentities",
        identity_a=first.identity,
        identity_b=second.identity,
        steps=STEPS,
    )
    graph.group("Identities")
    given = apply_both(graph, parts, first.faces, between["identity"], conditioned(parts, text))
    graph.group("Strip")
    image = sampled(graph, parts, given, latent_batch(graph, STEPS))
    saved(graph, image, "interpolation")
    graph.group("Likeness to either end", below=True)
    score(graph, parts, first, image, "Likeness to the first person")
    score(graph, parts, second, image, "Likeness to the second person")
    return graph


CHARACTER_SHEET_ABOUT = """
    # A character sheet of one person

    1. Choose the photo.
    2. Switch on the views that you want in **Pose Sheet**.
    3. Run. All views appear in one sheet, and each is saved as a file of its own, with the name
       of its view.

    Pose Sheet makes one pose per view and tells their number to the empty latent, so that every
    image gets its own. All images have the same noise, so that they differ only by the view. If
    memory is short, switch some views off and run again with the others.

    For a view of your own, use **InstantID Pose** and its editor in place of Pose Sheet.
    """


def character_sheet(object_info: ObjectInfo) -> Graph:
    graph = Graph("character_sheet", object_info, note(CHARACTER_SHEET_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Text and views", below=True)
    text = texts(graph, parts, CHARACTER)
    views = graph.add("InstantIDPoseSheet", width=SIDE, height=SIDE)
    graph.group("Identity")
    given = apply_both(graph, parts, views["faces"], who.identity, conditioned(parts, text))
    graph.group("Pictures")
    image = sampled(graph, parts, given, latent_batch(graph, views["count"]))
    graph.group("Sheet and single files")
    cells = {"columns": 3, "cell_width": 512, "cell_height": 512, "padding": 8}
    each = graph.add("RebatchImages", "One by one", images=image, batch_size=1)
    sheet = graph.add("ImageGrid", "All views in one picture", images=each["IMAGE"], **cells)
    saved(graph, sheet["images"], "character_sheet")
    folder = {"string_a": "InstantID/view", "delimiter": "_"}
    prefix = graph.add("StringConcatenate", "File names", string_b=views["names"], **folder)
    files = {"images": each["IMAGE"], "filename_prefix": prefix["STRING"]}
    graph.add("SaveImage", "Each view", **files)
    return graph


HEAD_TURN_ABOUT = f"""
    # A turn of the head

    1. Choose the photo.
    2. Run: {STEPS} images, from the first pose to the last.

    **Interpolate Poses** goes from one pose to the other in even steps; with a latent batch of the
    same size each image gets its own. For more images raise `steps` and `batch_size` together.

    A pose may also come from a photo: connect the `faces` of Analyze Faces to Pose, then scale,
    rotate or mirror it. All images have the same noise, so that they differ only by the pose. If
    memory is short, make fewer at a time.
    """


def head_turn(object_info: ObjectInfo) -> Graph:
    graph = Graph("head_turn", object_info, note(HEAD_TURN_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Text and poses", below=True)
    text = texts(graph, parts, CHARACTER)
    first, last = (
        graph.add("InstantIDPose", title, preset=preset, width=SIDE, height=SIDE)["faces"]
        for title, preset in (("From this pose", "quarter_left"), ("To this one", "quarter_right"))
    )
    turn = graph.add("InstantIDInterpolatePoses", faces_a=first, faces_b=last, steps=STEPS)
    graph.group("Identity")
    given = apply_both(graph, parts, turn["faces"], who.identity, conditioned(parts, text))
    graph.group("Pictures")
    saved(graph, sampled(graph, parts, given, latent_batch(graph, STEPS)), "head_turn")
    return graph


BEST_OF_BATCH_ABOUT = f"""
    # The best likeness of a batch

    {BATCH} pictures in one run, each with other noise, and the likeness of each to the photo.

    1. Choose the photo.
    2. Run. **Score Identity** shows every picture with its score, and whether that is strong,
       moderate or weak. **Keep Best** takes the one with the highest score and saves it as
       `best`; all of them are saved, too.

    To keep more than one, raise `images to keep`. More pictures to choose from: raise `batch_size`,
    or run again, which takes another seed.
    """


def best_of_batch(object_info: ObjectInfo) -> Graph:
    graph = Graph("best_of_batch", object_info, note(BEST_OF_BATCH_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Text", below=True)
    text = texts(graph, parts)
    graph.group("Identity")
    given = apply_both(graph, parts, who.faces, who.identity, conditioned(parts, text))
    graph.group("Pictures")
    image = sampled(graph, parts, given, empty_latent(graph, count=BATCH))
    saved(graph, image, "best_of_batch")
    graph.group("The best of them")
    scored = score(graph, parts, who, image, "Likeness of each picture")
    best = graph.add("InstantIDKeepBest", images=image, scores=scored["scores"])
    saved(graph, best["images"], "best")
    return graph


BATCHES: tuple[Callable[[ObjectInfo], Graph], ...] = (
    several_references,
    interpolation,
    character_sheet,
    head_turn,
    best_of_batch,
)
