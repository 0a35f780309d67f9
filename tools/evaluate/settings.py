"""Settings of an evaluation: models, sampling, texts, and the extent of each experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.small_world import random_files as small_models
from tools.small_world import trained as files

from .figures import EvaluationError

NEGATIVE_TEXT = "lowres, blurry, watermark, text, deformed"
OWN_PROMPTS = (
    ("photo", "portrait photo of a person, natural light, detailed skin, 85mm"),
    ("watercolour", "watercolor painting of a person, soft colors, paper texture"),
    ("comic", "comic book illustration of a person, bold ink lines, flat colors"),
    ("neon", "cinematic portrait of a person at night, neon light, rain"),
    ("statue", "marble statue of a person in a museum, studio light"),
)
"""Texts for a user's own models: a photo, and four very different styles."""


@dataclass(frozen=True)
class Text:
    """A prompt, and the style and background that its picture should show."""

    prompt: str
    style: str
    background: str = ""
    """Empty if backgrounds are not scored."""


@dataclass(frozen=True)
class Placing:
    """Position of faces in preset poses, as in `FacePlacement` of the core."""

    face_height: float
    eye_line: float


@dataclass(frozen=True)
class Setup:
    """Models, settings and texts."""

    name: str
    checkpoint: tuple[str, Mapping[str, Any]]
    """Node class with the outputs MODEL, CLIP and VAE, and its inputs."""
    adapter: str
    control_net: str
    size: tuple[int, int]
    """Width and height in pixels."""
    group_size: tuple[int, int]
    """Size for two people."""
    placing: Placing
    group_placing: Placing
    texts: tuple[Text, ...]
    group_texts: tuple[str, ...]
    """Texts for two people, used in turn."""
    steps: int
    cfg: float
    sampler: str = "euler"
    scheduler: str = "normal"
    negative_text: str = ""
    weight: float = 0.8
    strength: float = 0.8
    model_pack: str = "antelopev2"
    other_net: str = ""
    """Another ControlNet, for the colours behind people; empty if there is none."""
    face_id: str = ""
    """Adapter in the form of IP-Adapter FaceID, trained on embeddings of the same recogniser; empty
    if there is none."""
    naming: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Prompts of `texts` that also name something of the person, such as glasses, by its name."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles, in the order of the texts."""
        return tuple(dict.fromkeys(text.style for text in self.texts))

    def texts_of(self, person: int) -> tuple[Text, ...]:
        """One text per style; the order of styles and the backgrounds rotate with the person."""
        chosen = []
        for number in range(person, person + len(self.styles)):
            style = self.styles[number % len(self.styles)]
            of_style = [text for text in self.texts if text.style == style]
            chosen.append(of_style[(number + person) % len(of_style)])
        return tuple(chosen)


@dataclass(frozen=True)
class ControlPlan:
    """Extent of the experiment `control`."""

    people: int = 8
    """People whom controls are compared on."""
    edited: int = 20
    """People whose identities are edited."""
    pictures: int = 2
    """Pictures per person for each setting."""
    photos: int = 200
    """Painted photos on either side that a direction is learnt from."""
    gallery: int = 400
    """Held-out people among whom an edited identity looks for its own."""
    batches: int = 6
    """People of whom the best picture is kept."""
    candidates: int = 8
    """Pictures that the best one is chosen from."""


@dataclass(frozen=True)
class Plan:
    """Extent of the experiments: numbers of people, texts and stages."""

    people: int
    ablation_texts: int
    """Texts per person for which all four variants are generated."""
    weight_people: int
    weights: tuple[float, ...]
    view_people: int
    yaws: tuple[float, ...]
    """Degrees."""
    pairs: int
    """Pairs of people for interpolation."""
    stages: int
    """Stages of an interpolation, including both ends."""
    groups: int
    """Pairs of people for Apply Group, each with two seeds."""
    references: int
    """Maximum number of photos in the references experiment."""
    seeds: int = 2
    """Different seeds per text, used in turn by the people."""
    control: ControlPlan = ControlPlan()


FULL = Plan(
    people=24,
    ablation_texts=2,
    weight_people=12,
    weights=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2),
    view_people=12,
    yaws=(-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0),
    pairs=8,
    stages=7,
    groups=12,
    references=4,
)
QUICK = Plan(
    people=4,
    ablation_texts=1,
    weight_people=2,
    weights=(0.0, 0.4, 0.8),
    view_people=2,
    yaws=(-25.0, 0.0, 25.0),
    pairs=2,
    stages=3,
    groups=2,
    references=4,
    seeds=1,
    control=ControlPlan(
        people=2, edited=2, pictures=1, photos=12, gallery=24, batches=1, candidates=3
    ),
)


def small_world(styles: Sequence[str], backgrounds: Sequence[str]) -> Setup:
    """The trained small world of `tools/small_world/files`.

    styles, backgrounds: of `training.world`, whose captions the model was trained on.
    """
    from training.world import ATTRIBUTES, caption
    from training.world.scenes import SIDE

    texts = tuple(
        Text(caption(style, background), style, background)
        for style in styles
        for background in backgrounds
    )
    naming = {
        name: tuple(caption(one.style, one.background, attributes=(name,)) for one in texts)
        for name in ATTRIBUTES
    }
    return Setup(
        name="small world",
        checkpoint=(files.CHECKPOINT_NODE, {"ckpt_name": files.BASE_MODEL}),
        adapter=files.ADAPTER,
        control_net=files.IDENTITY_NET,
        size=(SIDE, SIDE),
        group_size=(3 * SIDE // 2, SIDE),
        placing=Placing(face_height=0.55, eye_line=0.5),
        group_placing=Placing(face_height=0.5, eye_line=0.5),
        texts=texts,
        group_texts=tuple(
            caption(style, background, people=2)
            for style, background in zip(styles, backgrounds, strict=False)
        ),
        steps=12,
        # Chosen by the likeness of 24 people of the training set.
        cfg=1.5,
        weight=1.5,
        strength=1.2,
        other_net=files.SURROUNDINGS_NET,
        face_id=files.FACE_ID,
        naming=naming,
    )


def random_models() -> Setup:
    """The small models with random weights: everything runs, without any likeness."""
    texts = tuple(Text(f"a {style} portrait of a person", style) for style in ("plain", "red"))
    return Setup(
        name="random weights",
        checkpoint=(small_models.CHECKPOINT_NODE, {}),
        adapter=small_models.ADAPTER_FILE,
        control_net=small_models.CONTROLNET_FILE,
        size=(128, 128),
        group_size=(192, 128),
        placing=Placing(face_height=0.53, eye_line=0.46),
        group_placing=Placing(face_height=0.46, eye_line=0.46),
        texts=texts,
        group_texts=("a plain portrait of two people",),
        steps=2,
        cfg=4.5,
    )


@dataclass(frozen=True)
class OwnModels:
    """Models of a user's own ComfyUI."""

    checkpoint: str = "sd_xl_base_1.0.safetensors"
    adapter: str = "ip-adapter.bin"
    identity_net: str = "instantid/diffusion_pytorch_model.safetensors"
    prompts: Path | None = None


def own_models(models: OwnModels) -> Setup:
    """A user's own ComfyUI with the published weights, at the settings of the shipped workflows."""
    texts = read_prompts(models.prompts) if models.prompts else _texts(OWN_PROMPTS)
    return Setup(
        name="own ComfyUI",
        checkpoint=("CheckpointLoaderSimple", {"ckpt_name": models.checkpoint}),
        adapter=models.adapter,
        control_net=models.identity_net,
        size=(1016, 1016),
        group_size=wide(1016, 1016),
        placing=Placing(face_height=0.53, eye_line=0.34),
        group_placing=Placing(face_height=0.40, eye_line=0.40),
        texts=texts,
        group_texts=("photo of two people side by side, plain background",),
        steps=30,
        cfg=4.5,
        sampler="ddpm",
        scheduler="karras",
        negative_text=NEGATIVE_TEXT,
    )


@dataclass(frozen=True)
class Overrides:
    """Settings from the command line; None keeps the default."""

    size: str | None = None
    steps: int | None = None
    cfg: float | None = None
    weight: float | None = None
    strength: float | None = None


def with_overrides(setup: Setup, overrides: Overrides) -> Setup:
    """The setup with the given settings replaced."""
    named = {name: value for name, value in vars(overrides).items() if value is not None}
    if overrides.size is not None:
        named["size"] = read_size(overrides.size)
        named["group_size"] = wide(*named["size"])
    return replace(setup, **named)


def wide(width: int, height: int) -> tuple[int, int]:
    """Size of a picture of two people, given that of a portrait."""
    return _multiple_of_8(width * 1.2), _multiple_of_8(height * 0.8)


def read_size(text: str) -> tuple[int, int]:
    """Width and height in pixels, multiples of 8, from a text such as `1016x1016`."""
    sides = text.lower().split("x")
    if len(sides) == 2 and all(side.isdecimal() for side in sides):
        width, height = map(int, sides)
        if width % 8 == height % 8 == 0 and min(width, height) >= 64:
            return width, height
    raise EvaluationError(
        f"--size should be width x height in pixels, multiples of 8 and at least 64, such as "
        f"1016x1016; found '{text}'."
    )


def read_prompts(path: Path) -> tuple[Text, ...]:
    """One text per line, `label: prompt` or the prompt alone; ignores empty lines and # lines."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"--prompts should name a text file: {error}.") from error
    pairs = []
    for line in (line.strip() for line in lines):
        if line and not line.startswith("#"):
            label, colon, prompt = line.partition(":")
            named = bool(colon) and len(label.split()) <= 3
            found = (label.strip(), prompt.strip()) if named else (f"text {len(pairs) + 1}", line)
            pairs.append(found)
    if not pairs or not all(prompt for _, prompt in pairs):
        raise EvaluationError(
            f"{path} holds no prompt, or a label without one. Write one per line."
        )
    labels = [label for label, _ in pairs]
    if len(set(labels)) < len(labels):
        raise EvaluationError(f"{path} has a duplicate label. Give every prompt its own label.")
    return _texts(pairs)


def _texts(pairs: Sequence[tuple[str, str]]) -> tuple[Text, ...]:
    return tuple(Text(prompt, label) for label, prompt in pairs)


def _multiple_of_8(side: float) -> int:
    return max(64, round(side / 8) * 8)
