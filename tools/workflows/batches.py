"""Shipped workflows with several photos of a person, or several pictures at once."""

from collections.abc import Callable

from tools.comfyui.prompts import ObjectInfo

from .graph import Graph
from .parts import (
    PHOTO,
    SIDE,
    Conditioned,
    Parts,
    Person,
    apply_both,
    conditioned,
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
from .values import Output

STEPS = 5
PRESETS = ("quarter_left", "slight_left", "front", "slight_right", "quarter_right", "up")


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
    graph = Graph("instantid_several_references", object_info, note(SEVERAL_REFERENCES_ABOUT))
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
        For more images raise `steps` and `batch_size` together. The last node scores every image
        against the first person.

        For a single face between two people use **Blend Identities**.
        """
    graph = Graph("instantid_interpolation", object_info, note(about))
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
    score(graph, parts, first, image)
    return graph


NOVEL_VIEW_ABOUT = f"""
    # One person from several sides

    1. Choose the photo.
    2. Run. The first image node shows {len(PRESETS)} preset views, the second a turn of the
       head in {STEPS} images.

    **Views**: each **Pose** makes one view, and its `preview` is the keypoint image. **Batch
    Images** collects them for the `image` input of Apply IdentityNet; with a latent batch of
    the same size each image gets its own. Add or remove poses, and set `batch_size` to match.

    **Turn**: **Interpolate Poses** goes from one pose to another in even steps; its `faces` are
    connected to Apply IdentityNet directly.

    A pose may also come from a photo: connect the `faces` of Analyze Faces to Pose, then scale,
    rotate or mirror it. All images have the same noise, so that they differ only by the view.
    If memory is short, make fewer at a time.
    """


def novel_view(object_info: ObjectInfo) -> Graph:
    graph = Graph("instantid_novel_view", object_info, note(NOVEL_VIEW_ABOUT))
    parts = models(graph)
    who = one_person(graph, parts)
    graph.group("Text", below=True)
    text = texts(graph, parts, "portrait photo of a person, plain grey background, soft light")
    graph.group("Identity")
    adapted = graph.add(
        "InstantIDApplyAdapter",
        model=parts.model,
        adapter=parts.adapter,
        identity=who.identity,
    )
    given = {**conditioned(parts, text), "model": adapted["model"]}
    graph.group("Views")
    poses = {name: view(graph, name) for name in PRESETS}
    graph.group("Pictures of the views")
    batch = graph.add("BatchImagesNode", images=[preview for _, preview in poses.values()])
    posed = with_pose(graph, parts, who, given, image=batch["IMAGE"])
    saved(graph, sampled(graph, parts, posed, latent_batch(graph, len(PRESETS))), "views")
    graph.group("Pictures of a turn", below=True)
    turn = graph.add(
        "InstantIDInterpolatePoses",
        faces_a=poses["quarter_left"][0],
        faces_b=poses["quarter_right"][0],
        steps=STEPS,
    )
    posed = with_pose(graph, parts, who, given, faces=turn["faces"])
    saved(graph, sampled(graph, parts, posed, latent_batch(graph, STEPS)), "turn")
    return graph


def view(graph: Graph, preset: str) -> tuple[Output, Output]:
    """Faces and keypoint picture of a preset."""
    pose = graph.add("InstantIDPose", preset=preset, width=SIDE, height=SIDE)
    return pose["faces"], pose["preview"]


def with_pose(
    graph: Graph, parts: Parts, who: Person, given: Conditioned, **pose: Output
) -> Conditioned:
    """`given` with IdentityNet at one pose."""
    controlled = graph.add(
        "InstantIDApplyIdentityNet",
        positive=given["positive"],
        negative=given["negative"],
        control_net=parts.identity_net,
        adapter=parts.adapter,
        identity=who.identity,
        **pose,
    )
    return {**given, **{name: controlled[name] for name in ("positive", "negative")}}


BATCHES: tuple[Callable[[ObjectInfo], Graph], ...] = (
    several_references,
    interpolation,
    novel_view,
)
