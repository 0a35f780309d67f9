"""Whether another ControlNet is followed beside IdentityNet as it is alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import metrics
from .figures import Bar, EvaluationError, Grid, Section, Table, Tile
from .measurements import Lab, Measure, Variant, likenesses, reference
from .runner import Person
from .settings import Text

KEPT = 0.8
"""The other net's hold with an identity, of that without."""
LEAST = 0.05
"""A hold that is as good as none."""
SHOWN = 4
NO_OTHER_NET = (
    "Left out: there is no other ControlNet here whose hold on a picture could be measured. That "
    "other nets see exactly the text they would see alone is held by "
    "tests/host/test_identity_net.py and tests/host/test_parity.py."
)
ABOUT = (
    "A ControlNet that was trained to follow the colours behind people, before IdentityNet in one "
    "chain. It is given the colours of another scene with the same words. Colours apart is the "
    "root mean square between the picture and those colours, away from the face, in levels of 255; "
    "without the net it is what text and chance give, and the share that the net takes off it is "
    "its hold."
)
Found = Mapping[tuple[str, bool], Sequence[Measure]]
"""By the name of the variant, and whether the other net acted: a picture of each person."""


@dataclass(frozen=True)
class _Sight:
    """The surroundings that one picture is to have, and its text."""

    text: Text
    scene: np.ndarray
    """[H, W, 3] uint8: a picture with those colours."""
    hint: np.ndarray
    """[H, W, 3] uint8, grey where nothing is asked for."""
    boxes: np.ndarray
    """Of the faces around which nothing is, [1, 4] pixels."""
    name: str
    """Of the hint, in the server's input folder."""

    def apart(self, measure: Measure) -> float:
        """How far a picture's colours are from those of the scene, in levels."""
        from training.background_hint import deviation

        return deviation(measure.shot.image, self.scene, self.boxes)


def other_net(lab: Lab) -> Section:
    """A ControlNet that follows the colours behind people, with and without InstantID."""
    people = lab.people[: lab.plan.view_people]
    people = [one for one in people if one.subject.elsewhere is not None]
    if not lab.setup.other_net or not people:
        return Section("control", "Another ControlNet", NO_OTHER_NET)
    sights = [_sight(lab, person) for person in people]
    found = {}
    for variant in (lab.variants["none"], lab.variants["both"]):
        for surrounded in (False, True):
            lab.say(f"  {variant.name}, {'with' if surrounded else 'without'} the other net")
            found[variant.name, surrounded] = _pictures(lab, people, sights, variant, surrounded)
    return _told(lab, people, sights, found)


def _sight(lab: Lab, person: Person) -> _Sight:
    from training.background_hint import colours

    text = lab.setup.texts_of(person.number)[0]
    paint_elsewhere = person.subject.elsewhere
    if paint_elsewhere is None:
        raise EvaluationError(f"Nobody can paint {person.subject.name} elsewhere.")
    scene = paint_elsewhere(text.style, text.background)
    hint = (255 * colours(scene.image, scene.boxes)).round().astype(np.uint8)
    name = lab.studio.upload(hint, f"surroundings_{person.number}")
    return _Sight(text, scene.image, hint, scene.boxes, name)


def _pictures(
    lab: Lab, people: Sequence[Person], sights: Sequence[_Sight], variant: Variant, surrounded: bool
) -> list[Measure]:
    measures = []
    for person, sight in zip(people, sights, strict=True):
        job = lab.job(person, sight.text, variant)
        (shot,) = lab.studio.take(replace(job, surroundings=sight.name if surrounded else ""))
        measures.append(lab.measure(shot, person, person.face.keypoints, sight.text))
    return measures


def _told(lab: Lab, people: Sequence[Person], sights: Sequence[_Sight], found: Found) -> Section:
    apart = {
        key: [[sight.apart(one)] for sight, one in zip(sights, measures, strict=True)]
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
    kept = metrics.estimate(_kept, list(apart.values()))
    return Section(
        "control",
        "Another ControlNet kept",
        ABOUT,
        tables=[Table("Means over people", ["", "colours apart", "likeness"], rows)],
        grids=[_grid(people, sights, found)],
        bars=[Bar("Hold of the other net", kept, KEPT, "of that without InstantID")],
    )


def _kept(apart: np.ndarray) -> np.ndarray:
    """[..., people, 4] without InstantID and with it, each without the other net and with it ->
    the net's hold beside InstantID over that without."""
    alone, held = apart.mean(axis=-2)[..., 0::2], apart.mean(axis=-2)[..., 1::2]
    hold = 1 - held / alone
    return hold[..., 1] / np.maximum(hold[..., 0], LEAST)


def _grid(people: Sequence[Person], sights: Sequence[_Sight], found: Found) -> Grid:
    rows = []
    for place, (person, sight) in enumerate(list(zip(people, sights, strict=True))[:SHOWN]):
        tiles = [measures[place].tile for measures in found.values()]
        rows.append((person.subject.name, [reference(person), Tile(sight.hint, "hint"), *tiles]))
    columns = [f"{name}, {'with it' if held else 'without it'}" for name, held in found]
    return Grid("The same text and seed", ["reference", "hint", *columns], rows)
