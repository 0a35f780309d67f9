"""Experiment: identities moved along directions, and what their pictures then show."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from instantid_core.identity import angles, direction_file, directions, editing
from instantid_core.types import Direction, Face

from . import metrics
from .attributes import AttributeJudge
from .controls import Edit, direction_file_name
from .figures import Criterion, Entry, Estimate, Grid, Section, Table, Tile
from .measurements import Measure, Measurements, Variant, likenesses, reference, shares_of
from .named import named_in_text
from .photos import gallery_photos, matched_photos
from .report import as_text
from .runner import LARGEST_FACE, Person

MIN_RIGHT = 0.8
"""Threshold: share of edited pictures that show what the edit asked for."""
MIN_NEAREST = 0.95
"""Threshold: share of edited embeddings whose nearest person is still the same one."""
GRID_ROWS = 2
BEFORE_AFTER = ("before", "after")
FOLDER = "directions"
"""Of the server's output folder, where InstantID Load Direction looks."""
NO_JUDGE = (
    "Not measured: nobody here can tell what a face shows without the recogniser that conditions "
    "the pictures. In the small world a classifier of pixels does."
)
ABOUT = (
    "Directions are learnt from painted photos of people who are in none of these pictures, as "
    "many with something as without, alike in the other attributes. Beards are full ones and "
    "glasses clear ones, in the photos as among the people, because kinds lie in different "
    "directions. Each person is edited away from what they have (amount 1 or -1), and a classifier "
    "that sees pixels alone names what the picture shows. Held: the direction on which they stay, "
    "because the recogniser mixes the two up. Unedited: how often the picture of the "
    "person as they are shows what they have, which is the most that an edit can be held to. "
    "Others moved: the largest mean change of another attribute's share, by the same classifier. "
    "Nearest: edited embeddings whose nearest person among all held-out ones is still the same one."
)


@dataclass(frozen=True)
class _Shown:
    """Pictures of one person for one attribute."""

    person: Person
    amount: float
    """1 towards the attribute, -1 away from it."""
    plain: Sequence[Measure]
    before: Sequence[Measure]
    after: Sequence[Measure]


def edits(run: Measurements) -> Section:
    """Edited identities, attribute by attribute, and what the text alone could ask for."""
    judge = run.attributes
    if judge is None or any(one.subject.painted is None for one in run.people):
        return Section("edits", "Edited identities", NO_JUDGE)
    gallery = _gallery(run)
    learnt = {name: _learnt(run, judge, name) for name in judge.names}
    shown = _shown(run, judge)
    nearest = {name: _nearest(run, judge, gallery, learnt, name) for name in judge.names}
    named = named_in_text(run, judge)
    return Section(
        "edits",
        "Edited identities",
        ABOUT,
        tables=[_table(judge, learnt, shown, nearest), named.table],
        grids=[Grid("Edits, likeness under each", GRID_COLUMNS, _grid_rows(shown)), named.grid],
        criteria=_criteria(judge, shown, nearest),
    )


def _shown(run: Measurements, judge: AttributeJudge) -> dict[str, list[_Shown]]:
    """Edited people by attribute, made person by person: so the server reads each photo once."""
    shown: dict[str, list[_Shown]] = {name: [] for name in judge.names}
    for person in run.people:
        wanted = [name for name in judge.names if len(shown[name]) < run.plan.control.edited]
        wanted = [name for name in wanted if _is_of_one_kind(judge, person, name)]
        if wanted:
            run.say(f"  {person.subject.name}, edited: {', '.join(wanted)}")
        run.runner.prepare(
            run.batch_job(person, variant)
            for name in wanted
            for variant in _variants(run, judge, name, person)
        )
        for name in wanted:
            shown[name].append(_pictures(run, judge, name, person))
    return shown


def _is_of_one_kind(judge: AttributeJudge, person: Person, name: str) -> bool:
    number = person.subject.painted
    return number is not None and judge.is_of_one_kind(number, name)


def _criteria(
    judge: AttributeJudge,
    shown: Mapping[str, Sequence[_Shown]],
    nearest: Mapping[str, Mapping[int, float]],
) -> list[Criterion]:
    right = [
        (one.person.number, share)
        for name, several in shown.items()
        for one in several
        for share in _edited_right(judge, name, one)
    ]
    own = [found for each in nearest.values() for found in each.items()]
    return [
        Criterion("Edits that show", _over_all(right), MIN_RIGHT, "of edited pictures"),
        Criterion("Nearest to oneself", _over_all(own), MIN_NEAREST, "of edited people"),
    ]


def _table(
    judge: AttributeJudge,
    learnt: Mapping[str, Direction],
    shown: Mapping[str, Sequence[_Shown]],
    nearest: Mapping[str, Mapping[int, float]],
) -> Table:
    rows: list[list[Entry]] = [
        [
            name,
            judge.held(name) or "-",
            learnt[name].evidence.auc,
            *_edit_figures(judge, name, shown[name]),
            metrics.mean([[one] for one in nearest[name].values()]),
        ]
        for name in judge.names
    ]
    return Table("Edits by 1", COLUMNS, rows)


COLUMNS = (
    "attribute",
    "held",
    "AUC of the direction",
    "unedited, right",
    "edited, right",
    "share moved",
    "others moved",
    "likeness before",
    "likeness after",
    "nearest to oneself",
)
GRID_COLUMNS = ("reference", "text alone", "unedited", "edited")


def _learnt(run: Measurements, judge: AttributeJudge, name: str) -> Direction:
    """The direction from painted photos, also put into the server's folder."""
    with_it, without_it = (
        run.runner.analyse_pictures(photos, LARGEST_FACE)
        for photos in matched_photos(judge, name, run.plan.control.photos)
    )
    direction = directions.learn(with_it, without_it, name).direction
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, direction_file_name(name))
        direction_file.write(path, direction)
        run.runner.clients[0].upload(path.name, path.read_bytes(), type="output", subfolder=FOLDER)
    return direction


def _pictures(run: Measurements, judge: AttributeJudge, name: str, person: Person) -> _Shown:
    found = (run.batch(person, variant) for variant in _variants(run, judge, name, person))
    return _Shown(person, _amount(judge, person, name), *found)


def _variants(
    run: Measurements, judge: AttributeJudge, name: str, person: Person
) -> tuple[Variant, ...]:
    """Without an identity, with it, and with an edited one."""
    both = run.variants["both"]
    held = judge.held(name)
    hold = direction_file_name(held) if held else ""
    amount = _amount(judge, person, name)
    edit = Edit(direction_file_name(name), amount, editing.ADD, hold)
    return run.variants["none"], both, Variant("edited", replace(both.control, edit=edit))


def _amount(judge: AttributeJudge, person: Person, name: str) -> float:
    number = person.subject.painted
    return -1.0 if number is not None and judge.has(number, name) else 1.0


def _edited_right(judge: AttributeJudge, name: str, shown: _Shown) -> list[float]:
    """1 for each edited picture that shows what was asked for; without a face nothing does."""
    shares = shares_of(judge, shown.after, name)
    return [float(share > 0.5 if shown.amount > 0 else share <= 0.5) for share in shares]


def _unedited_right(judge: AttributeJudge, name: str, shown: _Shown) -> list[float]:
    """1 for each picture of the person as they are that shows what they have."""
    shares = shares_of(judge, shown.before, name)
    return [float(share > 0.5 if shown.amount < 0 else share <= 0.5) for share in shares]


def _edit_figures(judge: AttributeJudge, name: str, shown: Sequence[_Shown]) -> list[Entry]:
    moved = {other: _moved(judge, other, shown) for other in judge.names}
    own = moved.pop(name)
    other, largest = max(moved.items(), key=lambda one: abs(one[1].value))
    return [
        metrics.mean([_unedited_right(judge, name, one) for one in shown]),
        metrics.mean([_edited_right(judge, name, one) for one in shown]),
        own,
        f"{other} {as_text(largest)}",
        *(metrics.mean(likenesses([getattr(one, when) for one in shown])) for when in BEFORE_AFTER),
    ]


def _moved(judge: AttributeJudge, name: str, shown: Sequence[_Shown]) -> Estimate:
    """Mean change of an attribute's share along the edits."""
    ends = [
        [[one.amount * share for share in shares_of(judge, measures, name)] for measures in several]
        for one, several in ((one, (one.after, one.before)) for one in shown)
    ]
    return metrics.difference([each[0] for each in ends], [each[1] for each in ends])


def _gallery(run: Measurements) -> tuple[list[int], list[np.ndarray]]:
    """Numbers of held-out people, those of the run first, and an embedding of each."""
    own = [one.subject.painted for one in run.people if one.subject.painted is not None]
    numbers, photos = gallery_photos(own, run.plan.control.gallery)
    faces = run.runner.analyse_pictures(photos, LARGEST_FACE)
    found = [
        (number, face.embedding)
        for number, frame in zip(numbers, faces.frames, strict=True)
        for face in frame.faces
        if isinstance(face, Face)
    ]
    return [number for number, _ in found], [embedding for _, embedding in found]


def _nearest(
    run: Measurements,
    judge: AttributeJudge,
    gallery: tuple[list[int], list[np.ndarray]],
    learnt: Mapping[str, Direction],
    name: str,
) -> dict[int, float]:
    """By number of a person, 1 if their edited embedding is nearest to themselves among all."""
    numbers, embeddings = gallery
    direction, hold = learnt[name], learnt.get(judge.held(name))
    found = {}
    for person in run.people:
        if person.subject.painted in numbers and _is_of_one_kind(judge, person, name):
            amount = _amount(judge, person, name)
            edited = editing.edit(person.identity, direction, amount, hold=hold).identity
            (row,) = edited.references.numpy()[0]
            place = angles.rank(row, embeddings, numbers.index(person.subject.painted))
            found[person.number] = float(place == 1)
    return found


def _over_all(found: Sequence[tuple[int, float]]) -> Estimate:
    """Over attributes and people by number, whole people resampled."""
    by_person: dict[int, list[float]] = {}
    for number, value in found:
        by_person.setdefault(number, []).append(value)
    return metrics.mean([*by_person.values()])


def _grid_rows(shown: Mapping[str, Sequence[_Shown]]) -> list[tuple[str, list[Tile]]]:
    rows = []
    for name, several in shown.items():
        for one in several[:GRID_ROWS]:
            first = [each[0].tile for each in (one.plain, one.before, one.after)]
            label = f"{name} {one.amount:+g}, {one.person.subject.name}"
            rows.append((label, [reference(one.person), *first]))
    return rows
