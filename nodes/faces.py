"""Nodes from a photo to an identity and to a keypoint picture."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import torch
from comfy_api.latest import io, ui

from ..instantid_core.faces import (
    ON_NO_FACE,
    SELECT,
    Analysis,
    FaceAnalyzer,
    Selection,
    advice,
    face_report,
    preview,
    read_numbers,
    thumbnails,
)
from ..instantid_core.identity import combine, robust
from ..instantid_core.images import batch_of, frames_of
from ..instantid_core.keypoints import drawing
from ..instantid_core.types import Extent, Faces, IdentityEmbedding
from . import inputs, sockets
from .host.notices import warn
from .host.progress import progress

PICKER = "instantid_faces"
"""Key of the node's output under which `web/js/face_picker.js` looks."""
MIN_SCORE = 0.5
"""Detections below are not faces: the threshold of the reference."""


def analyse_images(
    analyzer: FaceAnalyzer, image: torch.Tensor, selection: Selection, min_score: float = MIN_SCORE
) -> Analysis:
    """Analyse an image batch, with progress on the running node."""
    return analyse_frames(analyzer, frames_of(image), selection, min_score)


def analyse_frames(
    analyzer: FaceAnalyzer,
    frames: tuple[np.ndarray, ...],
    selection: Selection,
    min_score: float = MIN_SCORE,
) -> Analysis:
    """The same for frames that the caller needs as well."""
    return analyzer.analyse(frames, selection, min_score, progress(len(frames)))


class AnalyzeFaces(io.ComfyNode):
    """Finds and embeds faces."""

    HAS_INTERMEDIATE_OUTPUT = True  # pyright: ignore[reportAssignmentType]
    """A page that was reloaded gets the faces of a run that had nothing to do. As an attribute,
    because the schema of older hosts does not know the word; those send nothing."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDAnalyzeFaces",
            display_name="InstantID Analyze Faces",
            category=inputs.PARTS,
            description="Finds the faces in photos, selects the ones you want, and computes "
            "their embeddings. Find faces shows them with numbers and scores before anything else "
            "runs; click a face to select it.",
            search_aliases=["face", "detect face", "faceid", "portrait", "identity", "InstantID"],
            inputs=[
                inputs.analyzer(),
                io.Image.Input(
                    "image", tooltip="One photo or a batch; each image is analysed on its own."
                ),
                *_choice(),
            ],
            outputs=[
                sockets.Faces.Output(
                    display_name="faces",
                    tooltip="The selected faces with keypoints and embeddings, image by image.",
                ),
                io.Image.Output(
                    display_name="preview", tooltip="The photos with every face marked."
                ),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="White rectangles over the selected faces, at the size of the photo.",
                ),
                io.Int.Output(display_name="count", tooltip="Number of selected faces."),
            ],
        )

    @classmethod
    def execute(
        cls,
        analyzer: FaceAnalyzer,
        image: torch.Tensor,
        select: str,
        index: int,
        min_score: float,
        on_no_face: Literal["error", "skip"],
        numbers: str = "",
    ) -> io.NodeOutput:
        several = _several(numbers, index) if select == "index" else ()
        selection = Selection(select, index, on_no_face, several)
        frames = frames_of(image)
        analysis = analyse_frames(analyzer, frames, selection, min_score)
        warn(advice.about_pictures(analysis))
        picture = preview.annotated(frames, analysis)
        mask = preview.box_masks(analysis)
        small = thumbnails(frames)
        shown = ui.PreviewImage(preview.annotated(small, analysis), cls=cls).as_dict()
        faces = analysis.faces
        return io.NodeOutput(
            faces, picture, mask, faces.count, ui={**shown, **_picker(small, analysis)}
        )


class DrawKeypoints(io.ComfyNode):
    """Draws the picture that IdentityNet takes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDDrawKeypoints",
            display_name="InstantID Draw Keypoints",
            category=inputs.PARTS,
            description="Draws five keypoints per face in the style IdentityNet was trained on, "
            "at the size of the image to be generated. One keypoint image per analysed photo.",
            search_aliases=[
                "face keypoints",
                "landmarks",
                "kps",
                "face pose",
                "openpose",
                "InstantID",
            ],
            inputs=[
                inputs.faces_or_pose(),
                *inputs.picture_size(),
                inputs.fit(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="One keypoint image per analysed photo."
                )
            ],
        )

    @classmethod
    def execute(cls, faces: Faces, width: int, height: int, fit: str) -> io.NodeOutput:
        extent = Extent(width, height)
        warn(filter(None, [advice.about_size(extent)]))
        return io.NodeOutput(drawing.draw(faces, extent, fit))


class EmbedIdentity(io.ComfyNode):
    """Makes one identity of the analysed faces."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDEmbedIdentity",
            display_name="InstantID Embed Identity",
            category=inputs.PARTS,
            description="Combines all faces that come in into one identity. Several sharp photos "
            "of one person give a steadier likeness than one.",
            search_aliases=["identity", "face embedding", "faceid", "likeness", "InstantID"],
            inputs=[
                sockets.Faces.Input(
                    "faces",
                    tooltip="Faces of one person. For several photos, batch them before "
                    "InstantID Analyze Faces.",
                ),
                inputs.combine(),
            ],
            outputs=[
                sockets.Identity.Output(
                    display_name="identity",
                    tooltip="The identity, for the Apply nodes and the other identity nodes.",
                )
            ],
        )

    @classmethod
    def execute(cls, faces: Faces, combine: str) -> io.NodeOutput:
        return io.NodeOutput(identity_of(faces, combine))


def _choice() -> list[io.Input]:
    """Inputs that select faces."""
    return [
        io.Combo.Input(
            "select",
            options=list(SELECT),
            default=SELECT[0],
            tooltip="Which faces of each image are used. largest: the largest one. all: all of "
            "them, sorted by size. left_to_right: all of them, sorted by position. center: the "
            "one nearest the centre. index: the one with the number in index.",
        ),
        io.Int.Input(
            "index",
            default=0,
            min=-64,
            max=64,
            tooltip="Number of the face, for select = index, counted from 0: 0 is face 1, the "
            "leftmost, and -1 the rightmost.",
        ),
        *_detection(),
        io.String.Input(
            "numbers",
            default="",
            optional=True,
            advanced=True,
            tooltip="Numbers of several faces, for select = index, counted from 0, such as 0, 2. "
            "Clicks on the image fill it in. If empty, index is used.",
        ),
    ]


def _detection() -> list[io.Input]:
    """The lowest score of a face, and what happens without one."""
    return [
        io.Float.Input(
            "min_score",
            default=MIN_SCORE,
            min=0.05,
            max=1.0,
            step=0.01,
            tooltip="Lowest detection score that counts as a face; 0.5 is the reference. Lower "
            "it for blurred or partly hidden faces.",
        ),
        io.Combo.Input(
            "on_no_face",
            options=list(ON_NO_FACE),
            default=ON_NO_FACE[0],
            tooltip="What happens if an image has no face. error: the run stops and names the "
            "image. skip: the image is left out, for batches and video.",
        ),
    ]


def _several(numbers: str, index: int) -> tuple[int, ...]:
    """Numbers that the widget lists; none, and a warning, where it lists something else."""
    found = read_numbers(numbers)
    if found is None:
        warn([advice.about_numbers(numbers, index)])
    return found or ()


def _picker(small: tuple[np.ndarray, ...], analysis: Analysis) -> dict[str, Any]:
    """Small pictures and faces for the front end's face picker, as JSON: the host counts other
    values of a node's output as pictures that the run has made."""
    saved = ui.PreviewImage(batch_of(small)).as_dict()["images"]
    report = [
        {**seen, "image": dict(picture)}
        for seen, picture in zip(face_report(analysis), saved, strict=True)
    ]
    return {PICKER: [json.dumps(report)]}


make_identity = combine
"""The core function, under a name that no widget shadows."""


def identity_of(faces: Faces, how: str) -> IdentityEmbedding:
    """One identity of all these faces, with advice on those that are hardly seen or left out."""
    identity = make_identity(faces, how)
    warn([*advice.about_identity(faces), *robust.about_left_out(faces, how)])
    return identity
