"""Experiment: another ControlNet in a chain with IdentityNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import metrics
from .figures import Criterion, EvaluationError, Grid, Section, Table, Tile
from .measurements import Measure, Measurements, Variant, likenesses, reference
from .runner import Person
from .settings import Text

MIN_KEPT = 0.8
"""Threshold: the other net's effect with an identity, relative to that without."""
MIN_EFFECT = 0.05
"""Lower bound of an effect that is divided by."""
GRID_ROWS = 4
NO_OTHER_NET = (
    "Skipped: this backend has no other ControlNet whose effect could be measured. That other nets "
    "see exactly the text they would see alone is tested in tests/host/test_identity_net.py and "
    "tests/host/test_parity.py."
)
ABOUT = (
    "A ControlNet that was trained to follow the colours behind people, chained before "
    "IdentityNet. "
    "Its hint holds the colours of another scene with the same text. The colour difference is the "
    "root mean square between the picture and the hint, away from the face, in levels of 255. "
    "Without the net it is what text and chance give; the net's effect is the share by which it "
    "reduces the difference."
)
Found = Mapping[tuple[str, bool], Sequence[Measure]]
"""Name of the variant and whether the other net was used -> one picture per person."""


@dataclass(frozen=True)
class _Assignment:
    """Text and background that one picture should have."""

    text: Text
    scene: np.ndarray
    """[H, W, 3] uint8: a painted picture with that background."""
    hint: np.ndarray
    """[H, W, 3] uint8; grey where it gives no colour."""
    boxes: np.ndarray
    """Boxes of the faces that the hint leaves out, [1, 4] pixels."""
    name: str
    """File name of the hint in the server's input folder."""

    def difference(self, measure: Measure) -> float:
        """Difference between a picture's colours and those of the scene, in levels."""
        from training.background_hint import deviation

        return deviation(measure.picture.image, self.scene, self.boxes)


def other_net(run: Measurements) -> Section:
    """A ControlNet that follows the background colours, with and without InstantID."""
    people = run.people[: run.plan.view_people]
    people = [one for one in people if one.subject.repaint is not None]
    if not run.setup.other_net or not people:
        return Section("other_net", "Another ControlNet", NO_OTHER_NET)
    assignments = [_assign(run, person) for person in people]
    found = {}
    for variant in (run.variants["none"], run.variants["both"]):
        for surrounded in (False, True):
            run.say(f"  {variant.name}, {'with' if surrounded else 'without'} the other net")
            found[variant.name, surrounded] = _pictures(
                run, people, assignments, variant, surrounded
            )
    return _section(run, people, assignments, found)


def _assign(run: Measurements, person: Person) -> _Assignment:
    from training.background_hint import colours

    text = run.setup.texts_of(person.number)[0]
    paint_elsewhere = person.subject.repaint
    if paint_elsewhere is None:
        raise EvaluationError(f"{person.subject.name} cannot be painted before another background.")
    scene = paint_elsewhere(text.style, text.background)
    hint = (255 * colours(scene.image, scene.boxes)).round().astype(np.uint8)
    name = run.runner.upload(hint, f"surroundings_{person.number}")
    return _Assignment(text, scene.image, hint, scene.boxes, name)


def _pictures(
    run: Measurements,
    people: Sequence[Person],
    assignments: Sequence[_Assignment],
    variant: Variant,
    surrounded: bool,
) -> list[Measure]:
    measures = []
    jobs = [
        replace(run.job(person, one.text, variant), surroundings=one.name if surrounded else "")
        for person, one in zip(people, assignments, strict=True)
    ]
    run.runner.prepare(jobs)
    for person, assignment, job in zip(people, assignments, jobs, strict=True):
        (picture,) = run.runner.generate(job)
        measures.append(run.measure(picture, person, person.face.keypoints, assignment.text))
    return measures


def _section(
    run: Measurements, people: Sequence[Person], assignments: Sequence[_Assignment], found: Found
) -> Section:
    apart = {
        key: [
            [assignment.difference(one)]
            for assignment, one in zip(assignments, measures, strict=True)
        ]
        for key, measures in found.items()
    }
    rows = [
        [
            f"{name}, {'with' if surrounded else 'without'} the other net",
            metrics.mean(apart[name, surrounded]),
            metrics.mean(likenesses([[one] for one in measures])),
        ]
        for (name, surrounded), measures in found.items()
    ]
    kept = metrics.estimate(_relative_effect, list(apart.values()))
    return Section(
        "other_net",
        "Another ControlNet kept",
        ABOUT,
        tables=[Table("Means over people", ["", "colour difference", "likeness"], rows)],
        grids=[_grid(people, assignments, found)],
        criteria=[
            Criterion("Effect of the other net", kept, MIN_KEPT, "of that without InstantID")
        ],
    )


def _relative_effect(apart: np.ndarray) -> np.ndarray:
    """Effect of the other net with InstantID, relative to that without.

    [..., people, 4], the columns being without InstantID and with it, each without the other net
    and with it -> [...].
    """
    without, with_net = apart.mean(axis=-2)[..., 0::2], apart.mean(axis=-2)[..., 1::2]
    effect = 1 - with_net / without
    return effect[..., 1] / np.maximum(effect[..., 0], MIN_EFFECT)


def _grid(people: Sequence[Person], assignments: Sequence[_Assignment], found: Found) -> Grid:
    rows = []
    for place, (person, assignment) in enumerate(
        list(zip(people, assignments, strict=True))[:GRID_ROWS]
    ):
        tiles = [measures[place].tile for measures in found.values()]
        rows.append(
            (person.subject.name, [reference(person), Tile(assignment.hint, "hint"), *tiles])
        )
    columns = [f"{name}, {'with it' if used else 'without it'}" for name, used in found]
    return Grid("The same text and seed", ["reference", "hint", *columns], rows)
