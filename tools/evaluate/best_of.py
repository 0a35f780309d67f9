"""Experiment: the best of several pictures, judged by others than the recogniser that chose it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from instantid_core.identity import angles, best

from . import metrics
from .attributes import AttributeJudge, shares_in
from .figures import Entry, Grid, Section, Table, Tile
from .judges import ConditioningJudge, Judge
from .measurements import Measurements, reference
from .recognisers import NO_SECOND, album_of, embedding_in
from .runner import GeneratedImage, Person

GRID_ROWS = 3


@dataclass(frozen=True)
class _Batch:
    """Pictures of one person, and the place of the one that Keep Best keeps."""

    person: Person
    pictures: Sequence[GeneratedImage]
    scores: Sequence[float]
    """Cosines by the recogniser that conditioned; NaN without a clear face."""
    kept: int


def best_of(run: Measurements) -> Section:
    """Keep Best: chosen by the conditioning recogniser, judged by it and by the others."""
    plan = run.plan.control
    people = run.people[: plan.batches]
    run.say(f"  best of {plan.candidates}")
    both, count = run.variants["both"], plan.candidates
    run.runner.prepare(run.batch_job(person, both, count) for person in people)
    batches = [batch for person in people if (batch := _batch(run, person)) is not None]
    rows: list[list[Entry]] = []
    for judge in (ConditioningJudge(run.runner.analyzer), *run.judges):
        rows.append([judge.name, *_judged(run, judge, batches)])
    if run.attributes is not None:
        rows.append(
            ["attributes of the person, by pixels (share right)", *_shown(run.attributes, batches)]
        )
    about = (
        f"Of {plan.candidates} pictures of a person with the same text, InstantID Keep Best keeps "
        "the one that is most alike by the recogniser that conditioned them. Likeness is to "
        "photos that generation has not seen; a picture without a clear face counts as 0."
    )
    columns = ["judge", "all pictures", "the one kept", "gain"]
    notes = () if run.judges else (NO_SECOND,)
    return Section(
        "best_of",
        f"The best of {plan.candidates}",
        about,
        tables=[Table("Means over people", columns, rows, notes)],
        grids=[_grid(batches)],
    )


def _batch(run: Measurements, person: Person) -> _Batch | None:
    """None where no picture has a clear face, and Keep Best says so."""
    measures = run.batch(person, run.variants["both"], run.plan.control.candidates)
    pictures = [measure.picture for measure in measures]
    cosines = [run.runner.cosine(person.identity, picture.frame) for picture in pictures]
    scores = [math.nan if cosine is None else cosine for cosine in cosines]
    if all(map(math.isnan, scores)):
        return None
    kept = best(scores, keep=1, at_least=-1.0).order[0]
    return _Batch(person, pictures, scores, kept)


def _judged(run: Measurements, judge: Judge, batches: Sequence[_Batch]) -> list[Entry]:
    found = []
    for batch in batches:
        album = album_of(run, judge, batch.person)
        wanted = angles.mean_direction(album.held_out or album.references)
        read = [embedding_in(judge, picture) for picture in batch.pictures]
        found.append([0.0 if one is None else angles.cosine(one, wanted) for one in read])
    return _compared(batches, found)


def _shown(judge: AttributeJudge, batches: Sequence[_Batch]) -> list[Entry]:
    found = []
    for batch in batches:
        found.append([_share_right(judge, batch.person, one) for one in batch.pictures])
    return _compared(batches, found)


def _share_right(judge: AttributeJudge, person: Person, picture: GeneratedImage) -> float:
    """Share of the judge's attributes that a picture's largest face shows as the person has them;
    0 without a face."""
    shares, number = shares_in(judge, picture), person.subject.painted
    if not shares or number is None:
        return 0.0
    return float(np.mean([(share > 0.5) == judge.has(number, n) for n, share in shares.items()]))


def _compared(batches: Sequence[_Batch], found: Sequence[Sequence[float]]) -> list[Entry]:
    """Means of all pictures and of those kept, and the difference on the same people."""
    kept = [[each[batch.kept]] for batch, each in zip(batches, found, strict=True)]
    return [metrics.mean(found), metrics.mean(kept), metrics.difference(kept, found)]


def _grid(batches: Sequence[_Batch]) -> Grid:
    rows = []
    for batch in batches[:GRID_ROWS]:
        tiles = [
            Tile(picture.image, f"{score:.2f}{', kept' if n == batch.kept else ''}")
            for n, (picture, score) in enumerate(zip(batch.pictures, batch.scores, strict=True))
        ]
        rows.append((batch.person.subject.name, [reference(batch.person), *tiles]))
    columns = [f"{n + 1}" for n in range(len(rows[0][1]) - 1)] if rows else []
    return Grid("Pictures by score", ["reference", *columns], rows)
