"""Nodes that learn directions of embeddings, keep them in files, and move identities along them."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..instantid_core.identity import directions, editing
from ..instantid_core.types import Direction, Faces, IdentityEmbedding
from . import sockets
from .host import direction_files
from .host.notices import warn
from .inputs import IDENTITIES, identity

WORDS = ["InstantID", "direction", "attribute", "slider", "glasses", "age", "beard"]
NAME = "direction"
"""Name before somebody has chosen one."""


class LearnDirection(io.ComfyNode):
    """Learns what sets two groups of faces apart."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDLearnDirection",
            display_name="InstantID Learn Direction",
            category=IDENTITIES,
            description="Learns from photos what faces with something have in common, such as "
            "glasses, a beard or age, for use in InstantID Edit Identity. It takes 8 photos on "
            "either side, or 4 pairs of one person each.",
            search_aliases=[*WORDS, "train direction", "concept", "disentangle"],
            is_output_node=True,
            inputs=_examples(),
            outputs=[
                sockets.Direction.Output(
                    display_name="direction",
                    tooltip="The direction, for InstantID Edit Identity.",
                ),
                io.String.Output(
                    display_name="text",
                    tooltip="How many photos, how well the direction tells photos apart that it "
                    "was not learnt from (AUC: 1 always, 0.5 by chance), and its length.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        with_faces: Faces,
        without_faces: Faces,
        name: str,
        filename_prefix: str,
        paired: bool,
    ) -> io.NodeOutput:
        learnt = directions.learn(with_faces, without_faces, name, paired)
        warn(learnt.advice)
        text = learnt.text
        if filename_prefix.strip():
            file = direction_files.save(filename_prefix, learnt.direction)
            text += f"\nsaved: {direction_files.SAVED}/{file}"
        return io.NodeOutput(learnt.direction, text, ui=ui.PreviewText(text))


def _examples() -> list[io.Input]:
    return [
        sockets.Faces.Input(
            "with_faces",
            tooltip="Faces with what is to be learnt, from InstantID Analyze Faces with a batch "
            "of photos: at least 8, of several people.",
        ),
        sockets.Faces.Input(
            "without_faces",
            tooltip="Faces without it, at least 8, made with the same face analyzer. The more "
            "they are like the others in everything else, the cleaner the direction.",
        ),
        io.String.Input(
            "name",
            default=NAME,
            tooltip="What the direction leads to, such as glasses: 1 to 80 characters, for texts "
            "and messages.",
        ),
        io.String.Input(
            "filename_prefix",
            default="",
            tooltip="Start of the file name in output/directions; a number is appended. It may "
            "contain folders, and ComfyUI's placeholders such as %year%. If empty, nothing is "
            "saved.",
        ),
        io.Boolean.Input(
            "paired",
            default=False,
            tooltip="Turn it on if both batches show the same people in the same order: then 4 "
            "pairs are enough. Batches of unequal length are compared as a whole.",
        ),
    ]


class LoadDirection(io.ComfyNode):
    """Reads a direction from a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDLoadDirection",
            display_name="InstantID Load Direction",
            category=IDENTITIES,
            description="Loads a direction saved by InstantID Learn Direction.",
            search_aliases=[*WORDS, "load direction", "import", "safetensors"],
            inputs=[
                io.Combo.Input(
                    "direction_name",
                    options=direction_files.direction_choices(),
                    tooltip="File in output/directions or models/instantid_directions.",
                )
            ],
            outputs=[
                sockets.Direction.Output(
                    display_name="direction",
                    tooltip="The direction, with the same numbers as when it was saved.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, direction_name: str) -> str:
        return direction_files.fingerprint(direction_name)

    @classmethod
    def execute(cls, direction_name: str) -> io.NodeOutput:
        return io.NodeOutput(direction_files.load(direction_name))


class EditIdentity(io.ComfyNode):
    """Moves an identity along a direction."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDEditIdentity",
            display_name="InstantID Edit Identity",
            category=IDENTITIES,
            description="Moves an identity along a direction: more or less of glasses, a beard or "
            "age, or neither, so that the prompt decides.",
            search_aliases=[*WORDS, "edit", "neutralize", "remove glasses", "older", "younger"],
            inputs=[identity(), *_move()],
            outputs=[
                sockets.Identity.Output(display_name="identity", tooltip="The edited identity."),
                io.String.Output(
                    display_name="text",
                    tooltip="One line per reference: its cosine similarity to the original, and "
                    "its place on the direction before and after, where 0 is the mean of the "
                    "photos without it and 1 of those with it.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        identity: IdentityEmbedding,
        direction: Direction,
        amount: float,
        mode: str,
        keep_length: bool = True,
        hold: Direction | None = None,
    ) -> io.NodeOutput:
        edited = editing.edit(identity, direction, amount, mode, keep_length, hold)
        return io.NodeOutput(edited.identity, edited.text)


def _move() -> list[io.Input]:
    return [
        sockets.Direction.Input(
            "direction",
            tooltip="From InstantID Learn Direction or InstantID Load Direction, made with the "
            "same face analyzer as the identity.",
        ),
        io.Float.Input(
            "amount",
            default=1.0,
            min=editing.LOWEST,
            max=editing.HIGHEST,
            step=0.05,
            round=0.001,
            tooltip="How far. With mode = add, 1 adds the whole difference between the photos with "
            "and without it, and -1 subtracts it. With mode = neutralise, 1 goes all the way to "
            "the middle.",
        ),
        io.Combo.Input(
            "mode",
            options=list(editing.MODES),
            default=editing.ADD,
            tooltip="add: moves the identity by the same distance wherever it stands. neutralise: "
            "moves it to the middle between with and without, so that the prompt decides.",
        ),
        io.Boolean.Input(
            "keep_length",
            default=True,
            optional=True,
            advanced=True,
            tooltip="Keeps the length of the embedding, on which the strength of the identity "
            "depends. Off leaves the numbers as the edit gives them.",
        ),
        sockets.Direction.Input(
            "hold",
            optional=True,
            tooltip="A second direction, of what must not change: with skin here, age is edited "
            "and the skin stays. Face recognisers mix up such attributes.",
        ),
    ]
