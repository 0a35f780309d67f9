"""Nodes that mix identities, and keep them in files."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..instantid_core.faces import FaceAnalyzer, require_recogniser
from ..instantid_core.identity import blending
from ..instantid_core.types import Faces, IdentityEmbedding
from . import sockets
from .host import identity_files
from .inputs import CATEGORY

WORDS = ["InstantID", "identity", "face embedding", "faceid"]
MOST = 16
"""Identities that one node takes; more go through several nodes."""


def pair() -> list[io.Input]:
    return [
        sockets.Identity.Input("identity_a", tooltip="The identity to start from."),
        sockets.Identity.Input(
            "identity_b",
            tooltip="The identity to go to; embedded with the same face analyzer.",
        ),
    ]


def way() -> io.Combo.Input:
    return io.Combo.Input(
        "how",
        options=list(blending.HOW),
        default=blending.HOW[0],
        tooltip="slerp turns from one to the other and keeps the strength of the identity. lerp "
        "is the plain mean, weaker midway.",
    )


def growing_identities(tooltip: str) -> io.Autogrow.Input:
    one = sockets.Identity.Input(
        "identity", tooltip="An identity; a further socket appears when this one is connected."
    )
    template = io.Autogrow.TemplatePrefix(one, prefix="identity", min=1, max=MOST)
    return io.Autogrow.Input("identities", template=template, tooltip=tooltip)


class BlendIdentities(io.ComfyNode):
    """Makes an identity between two."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDBlendIdentities",
            display_name="InstantID Blend Identities",
            category=CATEGORY,
            description="Makes a face between two: at ratio 0 the first, at 1 the second.",
            search_aliases=[*WORDS, "blend", "mix faces", "morph", "interpolate"],
            inputs=[
                *pair(),
                io.Float.Input(
                    "ratio",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Share of identity_b: 0 is identity_a unchanged, 1 identity_b "
                    "unchanged.",
                ),
                way(),
            ],
            outputs=[sockets.Identity.Output(display_name="identity")],
        )

    @classmethod
    def execute(
        cls,
        identity_a: IdentityEmbedding,
        identity_b: IdentityEmbedding,
        ratio: float,
        how: str,
    ) -> io.NodeOutput:
        return io.NodeOutput(blending.blend(identity_a, identity_b, ratio, how))


class InterpolateIdentities(io.ComfyNode):
    """Makes a row of identities from one to another."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDInterpolateIdentities",
            display_name="InstantID Interpolate Identities",
            category=CATEGORY,
            description="Makes a batch of identities from one to another, both included. Over a "
            "latent batch of the same size every picture gets its own.",
            search_aliases=[*WORDS, "morph", "animation", "transition", "batch"],
            inputs=[
                *pair(),
                io.Int.Input(
                    "steps",
                    default=5,
                    min=2,
                    max=256,
                    tooltip="How many identities, both ends counted. Give the empty latent the "
                    "same batch size.",
                ),
                way(),
            ],
            outputs=[sockets.Identity.Output(display_name="identity")],
        )

    @classmethod
    def execute(
        cls,
        identity_a: IdentityEmbedding,
        identity_b: IdentityEmbedding,
        steps: int,
        how: str,
    ) -> io.NodeOutput:
        return io.NodeOutput(blending.interpolate(identity_a, identity_b, steps, how))


class CombineIdentities(io.ComfyNode):
    """Takes the weighted mean of identities."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDCombineIdentities",
            display_name="InstantID Combine Identities",
            category=CATEGORY,
            description="Takes the weighted mean of identities: of several photos of one person, "
            "or of several people for a new face.",
            search_aliases=[*WORDS, "average", "merge faces", "weights", "mix"],
            inputs=[
                growing_identities("Identities to combine, all from the same face analyzer."),
                io.String.Input(
                    "weights",
                    default="",
                    tooltip="One number for each identity with commas between, such as 1, 0.5. "
                    "They need not sum to one. Empty: all count alike.",
                ),
            ],
            outputs=[sockets.Identity.Output(display_name="identity")],
        )

    @classmethod
    def execute(cls, identities: io.Autogrow.Type, weights: str) -> io.NodeOutput:
        shares = blending.parse_weights(weights)
        return io.NodeOutput(blending.combine_identities(identities, shares))


class SaveIdentity(io.ComfyNode):
    """Writes an identity to a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDSaveIdentity",
            display_name="InstantID Save Identity",
            category=CATEGORY,
            description="Saves an identity to output/identities, to be used without its photos "
            "and on other machines. Never overwrites a file.",
            search_aliases=[*WORDS, "save embedding", "export", "safetensors"],
            is_output_node=True,
            inputs=[
                sockets.Identity.Input("identity", tooltip="The identity to save."),
                io.String.Input(
                    "filename_prefix",
                    default="identity",
                    tooltip="Beginning of the file name; a number is added. Folders may stand "
                    "before it: people/anna.",
                ),
                sockets.Faces.Input(
                    "faces",
                    optional=True,
                    tooltip="The faces it was made from: the sizes of their photos are noted in "
                    "the file. Nothing else of them is saved.",
                ),
            ],
            outputs=[],
        )

    @classmethod
    def execute(
        cls, identity: IdentityEmbedding, filename_prefix: str, faces: Faces | None = None
    ) -> io.NodeOutput:
        sizes = tuple(frame.extent for frame in faces.frames) if faces else ()
        name = identity_files.save(filename_prefix, identity, sizes)
        count, references, _ = identity.references.shape
        text = f"{identity_files.SAVED}/{name}\nidentities: {count}, references each: {references}"
        return io.NodeOutput(ui=ui.PreviewText(text))


class LoadIdentity(io.ComfyNode):
    """Reads an identity from a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDLoadIdentity",
            display_name="InstantID Load Identity",
            category=CATEGORY,
            description="Loads an identity that InstantID Save Identity has written.",
            search_aliases=[*WORDS, "load embedding", "import", "safetensors"],
            inputs=[
                io.Combo.Input(
                    "identity_name",
                    options=identity_files.identity_names(),
                    tooltip="File in output/identities or models/instantid_identities.",
                ),
                sockets.Analyzer.Input(
                    "analyzer",
                    optional=True,
                    tooltip="Connect it to refuse identities that another face recogniser made.",
                ),
            ],
            outputs=[sockets.Identity.Output(display_name="identity")],
        )

    @classmethod
    def fingerprint_inputs(cls, identity_name: str, analyzer: FaceAnalyzer | None = None) -> str:
        return identity_files.fingerprint(identity_name)

    @classmethod
    def execute(cls, identity_name: str, analyzer: FaceAnalyzer | None = None) -> io.NodeOutput:
        identity = identity_files.load(identity_name).identity
        if analyzer is not None:
            require_recogniser(identity, analyzer.recogniser_id)
        return io.NodeOutput(identity)
