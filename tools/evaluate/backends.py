"""What an evaluation stands on: the server's models, the people, the poses, the judge."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.comfyui import workspace
from tools.comfyui.server import Launch
from tools.demo.command import require_packages
from tools.small_world import trained as files

from .figures import EvaluationError
from .photos import Subject, drawn_people, painted_people, people_in
from .poses import ModelFacePoses, PaintedPoses, Poses
from .settings import (
    Changes,
    OwnModels,
    Plan,
    Setup,
    changed,
    own_models,
    random_models,
    small_world,
)
from .text_scorers import ClipJudge, Judge, NoJudge, StyleJudge

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
class Ground:
    """One way to evaluate."""

    setup: Setup
    launch: Callable[[Path], Launch]
    """A server, from a scratch folder."""
    faces: Callable[[Path], Path]
    """The folder of the face models, from the same scratch folder."""
    subjects: Sequence[Subject]
    poses: Poses
    judge: Judge
    notes: tuple[str, ...]


def ground_of(options: argparse.Namespace, plan: Plan) -> Ground:
    """What the command line asks for."""
    names = vars(Changes())
    changes = Changes(**{name: getattr(options, name) for name in names})
    if options.installed:
        return own_ground(options, plan, changes)
    _require_own_none(options)
    return random_ground(plan, changes) if options.random else world_ground(plan, changes)


def _require_own_none(options: argparse.Namespace) -> None:
    """What only a user's own models can use."""
    for name in ("photos", "prompts", "clip", "insightface", *vars(OwnModels())):
        if getattr(options, name) is not None:
            raise EvaluationError(
                f"--{name.replace('_', '-')} goes with --comfyui DIR, your own ComfyUI. Without it "
                "the models, people and texts are those of the small world."
            )


def world_ground(plan: Plan, changes: Changes) -> Ground:
    """The trained small world, and people that it has not seen."""
    from training.world import BACKGROUNDS, STYLES

    setup = changed(small_world(STYLES, BACKGROUNDS), changes)
    missing = files.missing()
    if missing:
        raise EvaluationError(
            f"{files.FILES} should hold the trained models of the small world, but lacks "
            f"{', '.join(missing)}. Train them (training/README.md), or evaluate your own ComfyUI "
            "with --comfyui DIR --photos FOLDER."
        )
    return Ground(
        setup,
        lambda base: workspace.small_launch(workspace.current(), base, world=True),
        lambda base: base / INSIGHTFACE,
        painted_people(plan.people, plan.references),
        PaintedPoses(setup),
        StyleJudge(files.STYLE_CLASSIFIER, STYLES, BACKGROUNDS),
        (WORLD_NOTE,),
    )


def random_ground(plan: Plan, changes: Changes) -> Ground:
    """The small models with random weights."""
    setup = changed(random_models(), changes)
    return Ground(
        setup,
        lambda base: workspace.small_launch(workspace.current(), base),
        lambda base: base / INSIGHTFACE,
        drawn_people(plan.people),
        ModelFacePoses(setup),
        NoJudge(),
        (RANDOM_NOTE,),
    )


def own_ground(options: argparse.Namespace, plan: Plan, changes: Changes) -> Ground:
    """The user's own ComfyUI and photos."""
    require_packages()
    if options.photos is None:
        raise EvaluationError(
            "With --comfyui the people come from your photos. Name a folder with --photos FOLDER: "
            "one file per person, or one subfolder per person with several photos."
        )
    named = {name: getattr(options, name) for name in vars(OwnModels())}
    given = {name: value for name, value in named.items() if value is not None}
    setup = changed(own_models(OwnModels(**given)), changes)
    host = workspace.current()
    faces = options.insightface or host.comfyui / INSIGHTFACE
    return Ground(
        setup,
        lambda base: workspace.installed_launch(host, base),
        lambda _: faces,
        people_in(options.photos, plan.references)[: plan.people],
        ModelFacePoses(setup),
        ClipJudge(options.clip) if options.clip else NoJudge(),
        (PUBLISHED_NOTE,),
    )
