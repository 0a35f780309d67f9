"""Nodes that measure how much faces look alike."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io, ui

from ..instantid_core.faces import FaceAnalyzer, Selection, portraits
from ..instantid_core.identity import (
    bands,
    best,
    likeness,
    likeness_figures,
    people,
    require_as_many,
)
from ..instantid_core.images import batch_of, frames_of
from ..instantid_core.types import Box, IdentityEmbedding
from . import sockets
from .faces import analyse_frames
from .host.batches import joined, picked, picked_latent
from .identities import WORDS
from .inputs import CHECKS, growing_identities
from .values import NAN

PANEL = "instantid_likeness"
"""Key of the node's output under which `web/js/likeness_panel.js` looks."""
PANEL_CROP = 256
"""Pixels: side of the faces in the panel."""
EVERY_FACE = Selection("all", on_no_face="skip", has_inputs=False)
LARGEST_FACE = Selection("largest", on_no_face="skip", has_inputs=False)


class ScoreIdentity(io.ComfyNode):
    """Measures how well pictures keep an identity."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDScoreIdentity",
            display_name="InstantID Score Identity",
            category=CHECKS,
            description="Scores how closely the face in each image resembles an identity, as the "
            "cosine similarity of their embeddings: 1 is the photo itself, and two photos of one "
            "person reach 0.3 to 0.8. Without a clear face (detection score of at least 0.65) the "
            "score is NaN and the text says n/a.",
            search_aliases=[*WORDS, "likeness", "similarity", "cosine", "face score", "compare"],
            is_output_node=True,
            inputs=_score_inputs(),
            outputs=[
                io.Float.Output(
                    display_name="scores",
                    tooltip="One number per image, from -1 to 1; NaN where there is no score.",
                    is_output_list=True,
                ),
                io.String.Output(
                    display_name="text",
                    tooltip="One line per image, and the mean of several; n/a where there is no "
                    "score.",
                ),
                io.Image.Output(display_name="picture", tooltip="Face crops with bars."),
            ],
        )

    @classmethod
    def execute(
        cls,
        analyzer: FaceAnalyzer,
        identity: IdentityEmbedding,
        image: torch.Tensor,
        reference_image: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        frames = frames_of(image)
        faces = analyse_frames(analyzer, frames, EVERY_FACE).faces
        found = likeness.score(identity, faces)
        reference = None if reference_image is None else _reference(analyzer, reference_image)
        text = likeness.score_text(found, people.label_of(identity.person))
        small = None if reference is None else likeness_figures.face_crop(*reference)
        picture = likeness_figures.score_sheet(frames, found, small)
        scores = [math.nan if one.cosine is None else one.cosine for one in found]
        panel = _panel(frames, found, _person_shown(reference, identity), identity.person.name)
        shown = {**_shown(picture, text, cls), **panel}
        return io.NodeOutput(scores, text, picture, ui=shown)


class CompareIdentities(io.ComfyNode):
    """Measures how much identities look alike."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDCompareIdentities",
            display_name="InstantID Compare Identities",
            category=CHECKS,
            description="Compares every reference with every other and says whether photos show "
            "the same person. Cosine similarity: from 0.32 the same person, below 0.28 another "
            "one, in between unsure.",
            search_aliases=[*WORDS, "similarity", "same person", "cosine", "matrix", "verify"],
            is_output_node=True,
            inputs=[
                growing_identities(
                    "Identities to compare, all made with the same face analyzer. References of a "
                    "sequence or batch are compared one by one. Connecting one adds a socket for "
                    "the next."
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="text",
                    tooltip="Table of cosine similarities, and the two least similar references.",
                ),
                io.Image.Output(
                    display_name="picture",
                    tooltip="The table as coloured cells: green is the same person, yellow unsure, "
                    "red another person.",
                ),
            ],
        )

    @classmethod
    def execute(cls, identities: io.Autogrow.Type) -> io.NodeOutput:
        comparison = likeness.compare(people.named(identities))
        text = likeness.comparison_text(comparison)
        picture = likeness_figures.matrix_sheet(comparison)
        return io.NodeOutput(text, picture, ui=_shown(picture, text, cls))


class KeepBest(io.ComfyNode):
    """Keeps the pictures with the highest scores."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDKeepBest",
            display_name="InstantID Keep Best",
            category=CHECKS,
            description="Keeps the images that resemble the person most, the best first, and their "
            "latents with them. Images without a score are left out.",
            search_aliases=[*WORDS, "best of batch", "best", "sort", "filter", "select images"],
            is_input_list=True,
            is_output_node=True,
            inputs=_best_inputs(),
            outputs=[
                io.Image.Output(display_name="images", tooltip="The images kept, the best first."),
                io.Latent.Output(
                    display_name="latents", tooltip="Their latents, where latents are connected."
                ),
                io.String.Output(
                    display_name="text", tooltip="One line per image: its score, kept or why not."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: list[torch.Tensor],
        scores: list[float],
        keep: list[int],
        at_least: list[float],
        latents: list[dict[str, Any]] | None = None,
    ) -> io.NodeOutput:
        batch = joined(images)
        require_as_many(scores, len(batch))
        chosen = best(scores, keep[0], at_least[0])
        kept = picked(batch, chosen.order)
        rest = picked_latent(latents[0], chosen.order) if latents else None
        return io.NodeOutput(kept, rest, chosen.text, ui=_shown(kept, chosen.text, cls))


def _score_inputs() -> list[io.Input]:
    return [
        sockets.Analyzer.Input(
            "analyzer",
            tooltip="From InstantID Load Face Analyzer; use the one that made the identity.",
        ),
        sockets.Identity.Input(
            "identity",
            tooltip="The person the images should show. A batch is matched to the images "
            "one by one. Several references are averaged.",
        ),
        io.Image.Input(
            "image",
            tooltip="Images to score. If an image has several faces, the most similar "
            "one counts; without a clear face the score is NaN.",
        ),
        io.Image.Input(
            "reference_image",
            optional=True,
            tooltip="A photo of the person, for display only: at the top of the picture, "
            "and beside each result on the node.",
        ),
    ]


def _best_inputs() -> list[io.Input]:
    return [
        io.Image.Input("images", tooltip="The images that were scored."),
        io.Float.Input(
            "scores",
            min=-1.0,
            max=1.0,
            force_input=True,
            extra_dict={NAN: True},
            tooltip="From InstantID Score Identity, one for each image.",
        ),
        io.Int.Input("keep", default=1, min=1, max=4096, tooltip="Images to keep at most."),
        io.Float.Input(
            "at_least",
            default=0.0,
            min=-1.0,
            max=1.0,
            step=0.01,
            tooltip="Lowest score that is kept. The run stops with a message when no image "
            "reaches it.",
        ),
        io.Latent.Input(
            "latents",
            optional=True,
            tooltip="The latents of the images, for another pass over the best ones.",
        ),
    ]


def _reference(analyzer: FaceAnalyzer, images: torch.Tensor) -> tuple[np.ndarray, Box | None]:
    """The first picture, and where its face is if it has one."""
    first = frames_of(images[:1])
    frame = analyse_frames(analyzer, first, LARGEST_FACE).faces.frames[0]
    return first[0], frame.faces[0].box if frame.faces else None


def _person_shown(
    reference: tuple[np.ndarray, Box | None] | None, identity: IdentityEmbedding
) -> np.ndarray | None:
    """The face beside the results: the photo's, or the one that the identity was saved with."""
    if reference is not None:
        return likeness_figures.face_crop(*reference, PANEL_CROP)
    return portraits.pixels_of(identity.person.portrait)


def _panel(
    frames: Sequence[np.ndarray],
    found: Sequence[likeness.Likeness],
    person: np.ndarray | None,
    name: str,
) -> dict[str, Any]:
    """Crops and figures for the front end's likeness panel, as JSON: the host counts other values
    of a node's output as pictures that the run has made."""
    results = _saved(likeness_figures.result_crops(frames, found, PANEL_CROP))
    report = {
        "reference": None if person is None else _saved([person])[0],
        "name": name,
        "results": [
            {**figures, "image": picture}
            for figures, picture in zip(likeness.score_report(found), results, strict=True)
        ],
        "limits": _limits(found[0].bands),
    }
    return {PANEL: [json.dumps(report)]}


def _limits(limits: bands.Bands) -> dict[str, float]:
    """Cosines from which the panel uses each word."""
    return {
        bands.COPY: limits.copy,
        bands.STRONG: limits.typical,
        bands.MODERATE: limits.same,
    }


def _saved(crops: Sequence[np.ndarray]) -> list[dict[str, str]]:
    """Addresses of pictures in the temporary folder, for the browser."""
    return [dict(one) for one in ui.PreviewImage(batch_of(crops)).as_dict()["images"]]


def _shown(picture: torch.Tensor, text: str, cls: type[io.ComfyNode]) -> dict[str, Any]:
    """Picture and text on the node."""
    return {**ui.PreviewImage(picture, cls=cls).as_dict(), **ui.PreviewText(text).as_dict()}
