"""Experiment: the text names what a person does not have, such as glasses; does it appear?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from instantid_core.identity import editing

from . import metrics
from .attributes import AttributeJudge
from .controls import Edit, direction_file_name
from .figures import Entry, Grid, Table, Tile
from .measurements import Measure, Measurements, Variant, likenesses, reference, shares_of
from .runner import Person

GRID_ROWS = 2
COLUMNS = (
    "named",
    "not named, text alone",
    "text alone",
    "with the identity",
    "neutralised",
    "identity - text alone",
    "neutralised - identity",
    "likeness",
    "likeness, neutralised",
    "people",
)
GRID_COLUMNS = ("reference", "text alone", "with the identity", "neutralised")
ABOUT = (
    "Shares of pictures that show what the text names, of people who do not have it, by a "
    "classifier of pixels; a picture without a face shows nothing. Neutralise moves an identity "
    "to the middle of the direction, so that the text decides."
)


@dataclass(frozen=True)
class Named:
    """Figures and pictures."""

    table: Table
    grid: Grid


@dataclass(frozen=True)
class _Shown:
    """Pictures of one person who does not have the attribute."""

    person: Person
    unasked: Sequence[Measure]
    alone: Sequence[Measure]
    identity: Sequence[Measure]
    neutral: Sequence[Measure]


def named_in_text(run: Measurements, judge: AttributeJudge) -> Named:
    """Attributes that both the texts can name and the judge can see. Their directions are on the
    server already."""
    shown = {name: _shown(run, judge, name) for name in judge.names if name in run.setup.naming}
    rows = [_row(judge, name, several) for name, several in shown.items() if several]
    tiles = [_tiles(name, one) for name, several in shown.items() for one in several[:GRID_ROWS]]
    return Named(
        Table("Named in the text", COLUMNS, rows, [ABOUT]),
        Grid("Named in the text, likeness under each", GRID_COLUMNS, tiles),
    )


def _shown(run: Measurements, judge: AttributeJudge, name: str) -> list[_Shown]:
    both = run.variants["both"]
    edit = Edit(direction_file_name(name), 1.0, editing.NEUTRALISE)
    variants = (run.variants["none"], both, Variant("neutral", replace(both.control, edit=edit)))
    found = []
    for person in _people_without(run, judge, name):
        run.say(f"  {person.subject.name}, {name} in the text")
        jobs = [run.batch_job(person, variant, naming=name) for variant in variants]
        run.runner.prepare([run.batch_job(person, variants[0]), *jobs])
        named = (run.batch(person, variant, naming=name) for variant in variants)
        found.append(_Shown(person, run.batch(person, variants[0]), *named))
    return found


def _people_without(run: Measurements, judge: AttributeJudge, name: str) -> list[Person]:
    lacking = [
        person
        for person in run.people
        if person.subject.painted is not None and not judge.has(person.subject.painted, name)
    ]
    return lacking[: run.plan.control.people]


def _row(judge: AttributeJudge, name: str, shown: Sequence[_Shown]) -> list[Entry]:
    unasked, alone, identity, neutral = (
        [_seen(judge, name, getattr(one, kind)) for one in shown]
        for kind in ("unasked", "alone", "identity", "neutral")
    )
    return [
        name,
        *map(metrics.mean, (unasked, alone, identity, neutral)),
        metrics.difference(identity, alone),
        metrics.difference(neutral, identity),
        metrics.mean(likenesses([one.identity for one in shown])),
        metrics.mean(likenesses([one.neutral for one in shown])),
        len(shown),
    ]


def _seen(judge: AttributeJudge, name: str, measures: Sequence[Measure]) -> list[float]:
    return [float(share > 0.5) for share in shares_of(judge, measures, name)]


def _tiles(name: str, shown: _Shown) -> tuple[str, list[Tile]]:
    label = f"{name}, {shown.person.subject.name}"
    first = [each[0].tile for each in (shown.alone, shown.identity, shown.neutral)]
    return label, [reference(shown.person), *first]
