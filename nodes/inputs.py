"""Inputs that several nodes share, so that ranges, defaults and wording are the same everywhere."""

from __future__ import annotations

from comfy_api.latest import io

from ..instantid_core.adapter import (
    ADD,
    CONSTANT,
    CURVES,
    CUSTOM,
    EVERY_STEP,
    INSERTION,
    LIKENESS_CHOICES,
    MOST_STEPS,
    PROFILES,
    UNIFORM,
)
from ..instantid_core.identity import COMBINE, NEGATIVE, NegativeIdentity
from ..instantid_core.keypoints import FITS
from . import sockets

CATEGORY = "InstantID"
"""Folder of the node library: what most graphs need. Its subfolders have the rest."""
PARTS = f"{CATEGORY}/single parts"
IDENTITIES = f"{CATEGORY}/identities"
POSES = f"{CATEGORY}/poses"
FACE_SWAP = f"{CATEGORY}/face swap"
CHECKS = f"{CATEGORY}/checks"
OLDER_FORMS = f"{CATEGORY}/older forms"
"""For graphs that were made with another pack."""
MOST_IDENTITIES = 16
"""Identities that one node takes; more go through several nodes."""
OUTPUT_SIDE = 1016
"""Default side of a picture: with exactly 1024, SDXL tends to paint watermarks."""


def model() -> io.Model.Input:
    return io.Model.Input(
        "model",
        tooltip="The diffusion model. A patched copy is returned; the original is unchanged.",
    )


def model_output(tooltip: str = "The model with the identity.") -> io.Model.Output:
    return io.Model.Output(display_name="model", tooltip=tooltip)


def prompts() -> list[io.Conditioning.Input]:
    return [
        io.Conditioning.Input(
            "positive",
            tooltip="Positive conditioning. A copy is returned; the original is unchanged.",
        ),
        io.Conditioning.Input(
            "negative",
            tooltip="Negative conditioning. A copy is returned; the original is unchanged.",
        ),
    ]


def prompt_outputs(added: str = "IdentityNet") -> list[io.Output]:
    return [
        io.Conditioning.Output(
            display_name=side, tooltip=f"{side.capitalize()} conditioning with {added}."
        )
        for side in ("positive", "negative")
    ]


def analyzer() -> io.Input:
    return sockets.Analyzer.Input("analyzer", tooltip="From InstantID Load Face Analyzer.")


def faces_or_pose() -> io.Input:
    return sockets.Faces.Input("faces", tooltip="From InstantID Analyze Faces or InstantID Pose.")


def growing_identities(
    tooltip: str, each: str = "An identity. Connecting it adds a socket for the next."
) -> io.Autogrow.Input:
    """1 to MOST_IDENTITIES sockets; tooltip: of all, each: of one."""
    one = sockets.Identity.Input("identity", tooltip=each)
    template = io.Autogrow.TemplatePrefix(one, prefix="identity", min=1, max=MOST_IDENTITIES)
    return io.Autogrow.Input("identities", template=template, tooltip=tooltip)


def picture_size() -> list[io.Int.Input]:
    return [
        io.Int.Input(
            side,
            default=OUTPUT_SIDE,
            min=64,
            max=8192,
            step=8,
            tooltip=f"{side.capitalize()} of the image to be generated, in pixels.",
        )
        for side in ("width", "height")
    ]


def adapter() -> io.Input:
    return sockets.Adapter.Input("adapter", tooltip="From InstantID Load Adapter.")


def identity() -> io.Input:
    return sockets.Identity.Input(
        "identity", tooltip="From InstantID Embed Identity or another identity node."
    )


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
        tooltip="Strength of the identity in cross-attention. 0.8 is a good start; lower it "
        "first if colours burn or the prompt is ignored. 0 turns it off.",
    )


def strength(default: float = 0.8) -> io.Float.Input:
    return io.Float.Input(
        "strength",
        default=default,
        min=0.0,
        max=10.0,
        step=0.01,
        tooltip="Strength of IdentityNet: how closely the position and shape of the face follow "
        "the keypoints. 0 turns it off.",
    )


def window() -> list[io.Float.Input]:
    return [
        io.Float.Input(
            "start_at",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.001,
            tooltip="When the identity starts to act, as a fraction of the sampling steps: 0 is "
            "the first step, 1 the last. A later start leaves the composition to the prompt.",
        ),
        io.Float.Input(
            "end_at",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.001,
            tooltip="When the identity stops acting, as a fraction of the sampling steps. An "
            "earlier end leaves fine detail to the prompt. Must be greater than start_at.",
        ),
    ]


def mask(what: str) -> io.Mask.Input:
    return io.Mask.Input(
        "mask",
        optional=True,
        tooltip=f"Limits where {what} acts: white is full strength, black is none. Any size; one "
        "mask for all images or one per image. It does not limit the prompt.",
    )


def fit(*, advanced: bool = False, optional: bool = False) -> io.Combo.Input:
    return io.Combo.Input(
        "fit",
        options=list(FITS),
        default=FITS[0],
        optional=optional,
        advanced=advanced,
        tooltip="How the photo is fitted to an image of another aspect ratio. letterbox: all of "
        "it is kept. crop: it fills the image, and faces at the edge may be cut off. stretch: "
        "proportions change.",
    )


def combine(*, optional: bool = False) -> io.Combo.Input:
    return io.Combo.Input(
        "combine",
        options=list(COMBINE),
        default=COMBINE[0],
        optional=optional,
        advanced=optional or None,  # pyright: ignore[reportArgumentType] - None is the default
        tooltip="How several photos become one identity. average: the mean, as recommended by "
        "InstantID's authors. normalized_average: every photo counts equally, even a weak one. "
        "sequence: the adapter sees all photos side by side. robust: photos of somebody else, and "
        "those that are blurred, dark or turned away, count little or nothing.",
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
            tooltip="Identity on the negative side. zeros: the adapter's output for an all-zero "
            "embedding, as in the reference. noise: its output for random noise, which can calm "
            "burnt colours.",
        ),
        io.Float.Input(
            "noise_strength",
            default=defaults.strength,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Amount of noise, for negative_identity = noise.",
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
            tooltip="Seed of the noise, for negative_identity = noise. Independent of the "
            "sampler's seed.",
        ),
    ]


def likeness() -> io.Combo.Input:
    return io.Combo.Input(
        "likeness",
        options=list(LIKENESS_CHOICES),
        default=CUSTOM,
        optional=True,
        tooltip="Sets weight, strength, start_at and end_at together, whatever they show. custom: "
        "the numbers of this node. faithful: weight 1, strength 0.9. balanced: 0.8 and 0.8. "
        "stylised: 0.6 and 0.5, from a tenth of the steps on, which leaves room for a drawn or "
        "painted style. pose only: weight 0, strength 0.8, so that little more than the position "
        "of the face is kept.",
    )


def profile() -> io.Combo.Input:
    return io.Combo.Input(
        "profile",
        options=list(PROFILES),
        default=UNIFORM,
        optional=True,
        advanced=True,
        tooltip="How the weight is distributed over the layers of the model; uniform is the "
        "reference. The names follow IP-Adapter's weight types.",
    )


def pose() -> list[io.Input]:
    return [
        sockets.Faces.Input(
            "faces",
            optional=True,
            tooltip="Faces that give the position and pose, from InstantID Analyze Faces or "
            "InstantID Pose. Their keypoints are drawn at the size the sampler works at, so no "
            "width or height is needed. Connect this or image, not both.",
        ),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="A finished keypoint image, used as it is. Connect this or faces, not both.",
        ),
    ]


def curve() -> io.Combo.Input:
    return io.Combo.Input(
        "curve",
        options=list(CURVES),
        default=CONSTANT,
        optional=True,
        advanced=True,
        tooltip="How the weight changes from start_at to end_at. constant: no change, as in the "
        "reference. fade in: from 0 to the full weight. fade out: from the full weight to 0. "
        "peak: full weight halfway.",
    )


def insertion() -> io.Combo.Input:
    return io.Combo.Input(
        "insertion",
        options=list(INSERTION),
        default=ADD,
        optional=True,
        advanced=True,
        tooltip="How the identity joins the text in cross-attention. add: beside it, as in the "
        "reference. normalised: with the strength that the text has at each layer, so that it "
        "drowns nothing. orthogonal: without its part along the text, which keeps more of the "
        "prompt's style.",
    )


def reuse() -> io.Int.Input:
    return io.Int.Input(
        "reuse",
        default=EVERY_STEP,
        min=EVERY_STEP,
        max=MOST_STEPS,
        optional=True,
        advanced=True,
        tooltip="Steps for which IdentityNet is computed once. 1: in every step, as in the "
        "reference. 2 halves what it adds to a step, 3 leaves a third. Keeps 54 MB of GPU memory "
        "at 1024 x 1024 for each row: two rows per image, one at CFG 1.",
    )
