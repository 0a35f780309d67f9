"""Backends of an evaluation: the server's models, the people, the poses and the text scorer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.comfyui import workspace
from tools.comfyui.server import Launch
from tools.small_world import trained as files

from .attributes import AttributeJudge, PaintedAttributes
from .figures import EvaluationError
from .judges import ArcFaceJudge, Judge, judges_of
from .metrics import ClipScorer, NoTextScorer, StyleScorer, TextScorer
from .photos import Subject, drawn_people, painted_people, people_in
from .poses import ModelFacePoses, PaintedPoses, Poses
from .servers import for_small_models
from .settings import (
    Overrides,
    OwnModels,
    Plan,
    Setup,
    own_models,
    random_models,
    small_world,
    with_overrides,
)

INSIGHTFACE = Path("models") / "insightface"
WORLD_NOTE = (
    "The small world is a set of cartoon people for which a detector, a recogniser, a diffusion "
    "model, an adapter and an IdentityNet were trained for this repository. The people here are in "
    "none of the training data. Its figures show that the method works as wired here; they say "
    "nothing about photos."
)
RANDOM_NOTE = (
    "The models have random weights. This run is a control: no picture of it may show a likeness."
)
PUBLISHED_NOTE = (
    "Published figures to compare with: Face-MakeUp's model card gives InstantID FaceSim 71.2 and "
    "CLIP-T 24.8 on Unsplash-Face; the PuLID paper, quoted second-hand, 0.725 on DivID-120 and "
    "0.614 on Unsplash-50. They use other photos, prompts and partly another recogniser than the "
    "one that InstantID was trained with, which flatters InstantID here: read them as the right "
    "order of magnitude."
)


@dataclass(frozen=True)
class Backend:
    """Everything that an evaluation runs on."""

    setup: Setup
    launch: Callable[[Path], Launch]
    """Launch of a server, given a scratch folder."""
    faces: Callable[[Path], Path]
    """Folder of the face models, given the same scratch folder."""
    subjects: Sequence[Subject]
    poses: Poses
    scorer: TextScorer
    notes: tuple[str, ...]
    judges: tuple[Judge, ...] = ()
    """Second recognisers."""
    attributes: AttributeJudge | None = None
    """Names what faces show; None where nobody can."""
    by_judge: bool = False
    """Whether likeness is the first judge's cosine, not that of the recogniser that conditions."""
    servers: int = 1
    """Number of servers that make pictures side by side."""


def backend_of(options: argparse.Namespace, plan: Plan) -> Backend:
    """The backend that the command line selects."""
    names = vars(Overrides())
    overrides = Overrides(**{name: getattr(options, name) for name in names})
    judges = judges_of(options)
    if options.installed:
        return replace(own_backend(options, plan, overrides), judges=judges)
    _refuse_own_options(options)
    backend = (random_backend if options.random else world_backend)(plan, overrides)
    return replace(backend, judges=judges or backend.judges)


def _refuse_own_options(options: argparse.Namespace) -> None:
    """Raises EvaluationError for options that need --comfyui."""
    for name in ("photos", "prompts", "clip", "insightface", *vars(OwnModels())):
        if getattr(options, name) is not None:
            raise EvaluationError(
                f"--{name.replace('_', '-')} needs --comfyui DIR, your own ComfyUI. Without it the "
                "models, people and texts are those of the small world."
            )


def world_backend(plan: Plan, overrides: Overrides) -> Backend:
    """The trained small world, with people from outside its training data."""
    from training.world import BACKGROUNDS, STYLES

    setup = with_overrides(small_world(STYLES, BACKGROUNDS), overrides)
    missing = files.missing()
    if missing:
        raise EvaluationError(
            f"{files.FILES} should hold the trained models of the small world, but lacks "
            f"{', '.join(missing)}. Train them (training/README.md), or evaluate your own ComfyUI "
            "with --comfyui DIR --photos FOLDER."
        )
    return Backend(
        setup,
        lambda base: workspace.small_launch(workspace.current(), base, world=True),
        lambda base: base / INSIGHTFACE,
        painted_people(plan.people, plan.references),
        PaintedPoses(setup),
        StyleScorer(files.STYLE_CLASSIFIER, STYLES, BACKGROUNDS),
        (WORLD_NOTE,),
        judges=(ArcFaceJudge(files.JUDGE),),
        attributes=PaintedAttributes(files.ATTRIBUTE_CLASSIFIER),
        by_judge=True,
        servers=for_small_models(),
    )


def random_backend(plan: Plan, overrides: Overrides) -> Backend:
    """The small models with random weights."""
    setup = with_overrides(random_models(), overrides)
    return Backend(
        setup,
        lambda base: workspace.small_launch(workspace.current(), base),
        lambda base: base / INSIGHTFACE,
        drawn_people(plan.people),
        ModelFacePoses(setup),
        NoTextScorer(),
        (RANDOM_NOTE,),
        servers=for_small_models(),
    )


def own_backend(options: argparse.Namespace, plan: Plan, overrides: Overrides) -> Backend:
    """The user's ComfyUI and photos."""
    workspace.require_packages()
    if options.photos is None:
        raise EvaluationError(
            "With --comfyui the people come from your photos. Name a folder with --photos FOLDER: "
            "one file per person, or one subfolder per person with several photos."
        )
    named = {name: getattr(options, name) for name in vars(OwnModels())}
    given = {name: value for name, value in named.items() if value is not None}
    setup = with_overrides(own_models(OwnModels(**given)), overrides)
    host = workspace.current()
    faces = options.insightface or host.comfyui / INSIGHTFACE
    return Backend(
        setup,
        lambda base: workspace.installed_launch(host, base),
        lambda _: faces,
        people_in(options.photos, plan.references)[: plan.people],
        ModelFacePoses(setup),
        ClipScorer(options.clip) if options.clip else NoTextScorer(),
        (PUBLISHED_NOTE,),
    )
