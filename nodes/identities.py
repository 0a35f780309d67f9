"""Nodes that mix identities, and keep them in files."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io, ui

from ..instantid_core.faces import FaceAnalyzer, require_recogniser
from ..instantid_core.identity import albums, blending, people, person_notes
from ..instantid_core.types import Faces, IdentityEmbedding
from . import sockets
from .host import identity_files
from .host.notices import warn
from .inputs import IDENTITIES, growing_identities

WORDS = ["InstantID", "identity", "face embedding", "faceid"]
PREFIX = "identity"
"""Beginning of a file's name before somebody has chosen one."""


def _pair() -> list[io.Input]:
    return [
        sockets.Identity.Input("identity_a", tooltip="The first identity."),
        sockets.Identity.Input(
            "identity_b",
            tooltip="The second identity, made with the same face analyzer.",
        ),
    ]


def _method() -> io.Combo.Input:
    return io.Combo.Input(
        "how",
        options=list(blending.METHODS),
        default=blending.METHODS[0],
        tooltip="Interpolation method. slerp: along the sphere, which preserves the strength of "
        "the identity. lerp: the weighted mean, which is weaker midway.",
    )


class BlendIdentities(io.ComfyNode):
    """Makes an identity between two."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDBlendIdentities",
            display_name="InstantID Blend Identities",
            category=IDENTITIES,
            description="Blends two identities into one face: ratio 0 is the first identity, 1 "
            "the second.",
            search_aliases=[*WORDS, "blend", "mix faces", "morph", "interpolate"],
            inputs=[
                *_pair(),
                io.Float.Input(
                    "ratio",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Share of identity_b: 0 returns identity_a unchanged, 1 returns "
                    "identity_b unchanged.",
                ),
                _method(),
            ],
            outputs=[
                sockets.Identity.Output(display_name="identity", tooltip="The blended identity.")
            ],
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
            category=IDENTITIES,
            description="Makes a batch of identities from one person to another, both ends "
            "included. With a latent batch of the same size, every image gets its own identity.",
            search_aliases=[*WORDS, "morph", "animation", "transition", "batch"],
            inputs=[
                *_pair(),
                io.Int.Input(
                    "steps",
                    default=5,
                    min=2,
                    max=256,
                    tooltip="Number of identities, both ends included. Set the batch size of the "
                    "empty latent to the same number.",
                ),
                _method(),
            ],
            outputs=[
                sockets.Identity.Output(
                    display_name="identity", tooltip="A batch of identities, one per step."
                )
            ],
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
            category=IDENTITIES,
            description="Takes the weighted mean of several identities: photos of one person, or "
            "several people merged into a new face. With combine = robust, strangers among the "
            "photos of one person are left out.",
            search_aliases=[*WORDS, "average", "merge faces", "weights", "mix", "album", "robust"],
            inputs=[
                growing_identities(
                    "Identities to combine, all made with the same face analyzer. Connecting one "
                    "adds a socket for the next."
                ),
                io.String.Input(
                    "weights",
                    default="",
                    tooltip="One number per identity, in the order of the sockets, separated by "
                    "commas, such as 1, 0.5. They need not sum to 1. If empty, all count equally.",
                ),
                io.Combo.Input(
                    "combine",
                    options=list(albums.COMBINE_IDENTITIES),
                    default=albums.COMBINE_IDENTITIES[0],
                    optional=True,
                    tooltip="average: the weighted mean. robust: for photos of one person that may "
                    "include others by mistake. Those that do not match the majority are left "
                    "out, and a weight is the most that a photo may count.",
                ),
            ],
            outputs=[
                sockets.Identity.Output(display_name="identity", tooltip="The combined identity."),
                io.String.Output(
                    display_name="text",
                    tooltip="One line per identity: its share or, with combine = robust, why it is "
                    "left out.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        identities: io.Autogrow.Type,
        weights: str,
        combine: str = albums.COMBINE_IDENTITIES[0],
    ) -> io.NodeOutput:
        shares = blending.parse_weights(weights)
        combined = albums.combine_album(people.named(identities), shares, combine)
        warn(combined.left_out)
        return io.NodeOutput(combined.identity, combined.text)


class SaveIdentity(io.ComfyNode):
    """Writes an identity to a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDSaveIdentity",
            display_name="InstantID Save Identity",
            category=IDENTITIES,
            description="Saves an identity to output/identities, with a small picture of the face, "
            "for use without its photos and on other machines. Existing files are never "
            "overwritten.",
            search_aliases=[*WORDS, "save embedding", "export", "safetensors"],
            is_output_node=True,
            inputs=[
                sockets.Identity.Input(
                    "identity", tooltip="The identity, or batch of identities, to save."
                ),
                io.String.Input(
                    "filename_prefix",
                    default=PREFIX,
                    tooltip="Start of the file name, and the name of the person; a number is "
                    "appended. It may contain folders, such as people/anna, and ComfyUI's "
                    "placeholders such as %year%.",
                ),
                sockets.Faces.Input(
                    "faces",
                    optional=True,
                    tooltip="The faces the identity was made from. The largest gives the picture, "
                    "and the sizes of their photos are noted in the file.",
                ),
                *_about_the_person(),
            ],
            outputs=[],
        )

    @classmethod
    def execute(
        cls,
        identity: IdentityEmbedding,
        filename_prefix: str,
        faces: Faces | None = None,
        consent: str = "",
        keep_picture: bool = True,
    ) -> io.NodeOutput:
        sizes = tuple(frame.extent for frame in faces.frames) if faces else ()
        seen = people.person_of(faces).portrait if faces else b""
        person = identity.person._replace(
            name=identity.person.name if filename_prefix == PREFIX else "",
            portrait=(seen or identity.person.portrait) if keep_picture else b"",
            consent=person_notes.checked_consent(consent) or identity.person.consent,
        )
        name = identity_files.save(filename_prefix, replace(identity, person=person), sizes)
        count, references, _ = identity.references.shape
        text = f"{identity_files.SAVED}/{name}\nidentities: {count}, references each: {references}"
        text += f", picture: {'kept' if person.portrait else 'none'}"
        return io.NodeOutput(ui=ui.PreviewText(text))


def _about_the_person() -> list[io.Input]:
    """Inputs for the notes that a file keeps beside the numbers."""
    return [
        io.String.Input(
            "consent",
            default="",
            optional=True,
            tooltip="Who agreed, and to what, in one line. It is kept in the file, shown "
            "where the identity is chosen, and written into pictures made with it.",
        ),
        io.Boolean.Input(
            "keep_picture",
            default=True,
            optional=True,
            tooltip="Keeps a small picture of the face in the file, 128 x 128 pixels and "
            "at most 12 KB, by which people are recognised in Load Identity. If off, the "
            "file has numbers only.",
        ),
    ]


class LoadIdentity(io.ComfyNode):
    """Reads an identity from a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDLoadIdentity",
            display_name="InstantID Load Identity",
            category=IDENTITIES,
            description="Loads an identity saved by InstantID Save Identity: choose a person from "
            "the pictures on the node.",
            search_aliases=[*WORDS, "load embedding", "import", "safetensors"],
            inputs=[
                io.Combo.Input(
                    "identity_name",
                    options=identity_files.identity_choices(),
                    tooltip="File in output/identities or models/instantid_identities.",
                ),
                sockets.Analyzer.Input(
                    "analyzer",
                    optional=True,
                    tooltip="Connect it to reject identities made with another face recogniser.",
                ),
            ],
            outputs=[
                sockets.Identity.Output(
                    display_name="identity",
                    tooltip="The identity, with the same numbers as when it was saved.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, identity_name: str, analyzer: FaceAnalyzer | None = None) -> str:
        return identity_files.fingerprint(identity_name)

    @classmethod
    def execute(cls, identity_name: str, analyzer: FaceAnalyzer | None = None) -> io.NodeOutput:
        identity = identity_files.load(identity_name).identity
        if analyzer is not None:
            require_recogniser(identity, analyzer.recogniser)
        return io.NodeOutput(identity)
