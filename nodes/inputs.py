"""Inputs that several nodes share, so that ranges, defaults and wording are the same everywhere."""

from __future__ import annotations

from comfy_api.latest import io

from ..instantid_core.adapter import CONSTANT, CURVES, PROFILES, UNIFORM
from ..instantid_core.identity import COMBINE, NEGATIVE, NegativeIdentity
from ..instantid_core.keypoints import FITS
from . import sockets

CATEGORY = "InstantID"
OUTPUT_SIDE = 1016
"""Default side of a picture: with exactly 1024, SDXL tends to paint watermarks."""


def model() -> io.Model.Input:
    return io.Model.Input("model", tooltip="An SDXL model. It is not changed; a copy comes out.")


def prompts() -> list[io.Conditioning.Input]:
    return [
        io.Conditioning.Input("positive", tooltip="The prompt. A copy comes out."),
        io.Conditioning.Input("negative", tooltip="The negative prompt. A copy comes out."),
    ]


def prompt_outputs() -> list[io.Output]:
    return [io.Conditioning.Output(display_name=name) for name in ("positive", "negative")]


def analyzer() -> io.Input:
    return sockets.Analyzer.Input("analyzer", tooltip="From InstantID Load Face Analyzer.")


def picture_size() -> list[io.Int.Input]:
    return [
        io.Int.Input(
            side,
            default=OUTPUT_SIDE,
            min=64,
            max=8192,
            step=8,
            tooltip=f"{side.capitalize()} of the picture to be generated.",
        )
        for side in ("width", "height")
    ]


def adapter() -> io.Input:
    return sockets.Adapter.Input("adapter", tooltip="From InstantID Load Adapter.")


def identity() -> io.Input:
    return sockets.Identity.Input("identity", tooltip="From InstantID Embed Identity.")


def control_net() -> io.ControlNet.Input:
    return io.ControlNet.Input(
        "control_net",
        tooltip="InstantID's ControlNet, from the core node Load ControlNet Model.",
    )


def weight(default: float = 0.8) -> io.Float.Input:
    return io.Float.Input(
        "weight",
        default=default,
        min=-1.0,
        max=5.0,
        step=0.01,
        tooltip="Strength of the identity in cross-attention. 0.8 is the usual value; lower it "
        "first when colours burn or the prompt is ignored. 0 switches it off.",
    )


def strength(default: float = 0.8) -> io.Float.Input:
    return io.Float.Input(
        "strength",
        default=default,
        min=0.0,
        max=10.0,
        step=0.01,
        tooltip="Strength of IdentityNet: how firmly place and shape of the face follow the "
        "keypoints. 0 switches it off.",
    )


def window() -> list[io.Float.Input]:
    return [
        io.Float.Input(
            "start_at",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.001,
            tooltip="When the identity begins to act: 0 is the first step, 1 the last. A later "
            "start leaves the composition to the prompt.",
        ),
        io.Float.Input(
            "end_at",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.001,
            tooltip="When the identity stops acting. Must not lie before start_at.",
        ),
    ]


def mask(what: str) -> io.Mask.Input:
    return io.Mask.Input(
        "mask",
        optional=True,
        tooltip=f"Where {what} acts, white is full. Any size; one mask for all pictures or one per "
        "picture. The prompt is not limited by it.",
    )


def fit(*, advanced: bool = False, optional: bool = False) -> io.Combo.Input:
    return io.Combo.Input(
        "fit",
        options=list(FITS),
        default=FITS[0],
        optional=optional,
        advanced=advanced,
        tooltip="How the photo is laid on a picture of another shape: letterbox shows all of it, "
        "crop fills the picture and may cut faces off, stretch changes proportions.",
    )


def combine(*, optional: bool = False) -> io.Combo.Input:
    return io.Combo.Input(
        "combine",
        options=list(COMBINE),
        default=COMBINE[0],
        optional=optional,
        advanced=optional or None,  # pyright: ignore[reportArgumentType] - None is the default
        tooltip="average: the mean, as InstantID's authors advise. normalized_average: "
        "every photo counts alike. sequence: the adapter sees all of them together.",
    )


def negative_identity() -> list[io.Input]:
    defaults = NegativeIdentity()
    return [
        io.Combo.Input(
            "negative_identity",
            options=list(NEGATIVE),
            default=defaults.kind,
            optional=True,
            advanced=True,
            tooltip="What the negative side sees in the identity's place: the adapter's answer to "
            "zeros (as published) or to noise, which can calm burnt colours.",
        ),
        io.Float.Input(
            "noise_strength",
            default=defaults.strength,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Amount of noise; only for negative_identity = noise.",
        ),
        io.Int.Input(
            "noise_seed",
            default=defaults.seed,
            min=0,
            max=0xFFFFFFFFFFFFFFFF,
            optional=True,
            advanced=True,
            # Without this the host would add a widget that changes the seed after every run.
            control_after_generate=False,
            tooltip="Seed of that noise; only for negative_identity = noise.",
        ),
    ]


def profile() -> io.Combo.Input:
    return io.Combo.Input(
        "profile",
        options=list(PROFILES),
        default=UNIFORM,
        optional=True,
        advanced=True,
        tooltip="How the weight is spread over the layers of the model; uniform as published. "
        "Names as in IP-Adapter.",
    )


def pose() -> list[io.Input]:
    return [
        sockets.Faces.Input(
            "faces",
            optional=True,
            tooltip="Where the face goes: drawn at the size of the picture being made. Connect "
            "this or image, not both.",
        ),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="A drawn keypoint picture, used as it is. Connect this or faces, not both.",
        ),
    ]


def curve() -> io.Combo.Input:
    return io.Combo.Input(
        "curve",
        options=list(CURVES),
        default=CONSTANT,
        optional=True,
        advanced=True,
        tooltip="How the weight runs from start_at to end_at: constant as published, rising, "
        "falling, or highest in the middle.",
    )
