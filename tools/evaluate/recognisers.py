"""Likeness by several recognisers, beside what photos of the same people reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from instantid_core.faces import SURE_DETECTION
from instantid_core.identity import angles
from instantid_core.types import Face

from . import metrics
from .figures import NOTHING, Entry, Estimate, Section, Table
from .judges import SFACE, ConditioningJudge, Judge
from .measurements import Measurements, Measures
from .runner import GeneratedImage, Person

COLUMNS = (
    "",
    "likeness to held-out photos",
    "of the ceiling",
    "copy-paste",
    "right person first",
    "mean rank",
)
ABOUT = (
    "The pictures of the ablation, judged by each recogniser. Likeness is the cosine to photos "
    "that generation has not seen, one by one; the ceiling is what two photos of one person reach. "
    "Copy-paste is (angle to the held-out photo - angle to the reference) / angle between these "
    "two photos, from -1 to 1: at 0 a picture is as near to either, so that it shows the person; "
    "above 0 it leans towards the photo that it was made from, and at 1 it repeats that photo; "
    "below 0 it is nearer to the held-out one. Rank is the place of the right person among all, 1 "
    "the nearest. Of several clear faces in a picture the largest counts; without one likeness "
    "is 0 and the rank the last."
)
NO_SECOND = (
    "Only the recogniser that conditioned the pictures judges here, which flatters them. Name a "
    f"second one: --sface FILE ({SFACE} of OpenCV's model zoo), or --recogniser FILE."
)
NO_HELD_OUT = (
    "Nobody here has a second photo, so there is no ceiling, and pictures cannot be told from "
    "copies: give each person a folder with several photos. Ranks are against the very photos that "
    "the pictures were made from."
)
Values = Sequence[Sequence[float]]
"""Per person."""
Results = Sequence[Sequence[np.ndarray | None]]
"""Per person, embeddings of pictures; None without a clear face."""


@dataclass(frozen=True)
class Album:
    """One person's photos and pictures as one recogniser reads them; embeddings are [D]."""

    references: Sequence[np.ndarray]
    """The first one conditioned the pictures."""
    held_out: Sequence[np.ndarray]
    """Photos that generation has not seen; empty for a single photo."""

    @property
    def all(self) -> list[np.ndarray]:
        return [*self.references, *self.held_out]

    @property
    def entry(self) -> np.ndarray:
        """The person in the gallery that ranks are counted in."""
        return angles.mean_direction(self.held_out or self.references[:1])


def recognisers(run: Measurements) -> Section:
    """Likeness, copying and ranks by the recogniser that conditioned and by others."""
    found = {
        variant.name: run.portraits(run.people, variant, run.plan.ablation_texts)
        for variant in (run.variants["both"], run.variants["none"])
    }
    rows: list[list[Entry]] = []
    judges = (ConditioningJudge(run.runner.analyzer), *run.judges)
    albums = {
        judge.name: [album_of(run, judge, person) for person in run.people] for judge in judges
    }
    for judge in judges:
        run.say(f"  {judge.name}")
        rows += _rows(judge, albums[judge.name], found)
    table = Table("By recogniser", COLUMNS, rows, _notes(run, albums[judges[0].name]))
    return Section("recognisers", "Likeness against what photos reach", ABOUT, tables=[table])


def _rows(
    judge: Judge, albums: Sequence[Album], found: Mapping[str, Measures]
) -> list[list[Entry]]:
    """A recogniser's rows: pictures with and without InstantID, photos of the person, of others."""
    ceiling = [angles.pair_cosines(album.all) for album in albums]
    rows: list[list[Entry]] = []
    for name, measures in found.items():
        results = embeddings_in(judge, measures)
        likeness = held_out_likeness(albums, results)
        figures = (metrics.mean(likeness), metrics.ratio(likeness, ceiling))
        copies = metrics.mean(_copies(albums, results))
        rows.append([f"{judge.name}: {name}", *figures, copies, *_ranks(albums, results)])
    return [*rows, _photo_row(judge, albums, ceiling), _stranger_row(judge, albums, ceiling)]


def _photo_row(judge: Judge, albums: Sequence[Album], ceiling: Values) -> list[Entry]:
    """The ceiling. Copying needs a third photo, which takes the place of a picture."""
    others = [album.references[1:] for album in albums]
    seen = [album.references[:1] if album.held_out else () for album in albums]
    copies = metrics.mean(_copies(albums, others))
    label = f"{judge.name}: two photos of one person"
    return [label, metrics.mean(ceiling), "", copies, *_ranks(albums, seen)]


def _stranger_row(judge: Judge, albums: Sequence[Album], ceiling: Values) -> list[Entry]:
    strangers = [
        [other.references[0] for other in albums if other is not album] for album in albums
    ]
    likeness = held_out_likeness(albums, strangers)
    figures = (metrics.mean(likeness), metrics.ratio(likeness, ceiling))
    copies = metrics.mean(_copies(albums, strangers))
    return [f"{judge.name}: photos of two people", *figures, copies, "", ""]


def held_out_likeness(albums: Sequence[Album], results: Results) -> Values:
    """Cosines to held-out photos; 0 without a clear face."""
    return [
        [
            0.0 if result is None else angles.cosine(result, photo)
            for result in each
            for photo in album.held_out
        ]
        for album, each in zip(albums, results, strict=True)
    ]


def _copies(albums: Sequence[Album], results: Results) -> Values:
    return [
        [
            angles.copy_score(result, photo, album.references[0])
            for result in each
            if result is not None
            for photo in album.held_out
        ]
        for album, each in zip(albums, results, strict=True)
    ]


def _ranks(albums: Sequence[Album], results: Results) -> tuple[Estimate, Estimate]:
    """Share of results whose nearest person is the right one, and mean rank."""
    if len(albums) < 2:
        return NOTHING, NOTHING
    gallery = [album.entry for album in albums]
    last = len(albums)
    ranks = [
        [last if result is None else angles.rank(result, gallery, own) for result in each]
        for own, each in enumerate(results)
    ]
    first = metrics.share([[rank == 1 for rank in each] for each in ranks])
    return first, metrics.mean(ranks)


def album_of(run: Measurements, judge: Judge, person: Person) -> Album:
    """A person's photos as a recogniser reads them."""
    subject = person.subject
    references, held_out = (
        run.embeddings(judge, photos)
        for photos in (subject.references, subject.targets if subject.is_unseen else ())
    )
    return Album(references, held_out)


def embeddings_in(judge: Judge, measures: Measures) -> Results:
    """Embedding of each picture."""
    return [[embedding_in(judge, one.picture) for one in each] for each in measures]


def embedding_in(judge: Judge, picture: GeneratedImage) -> np.ndarray | None:
    """Embedding [D] of a picture's largest clear face; None without one."""
    faces = [
        face
        for face in picture.frame.faces
        if isinstance(face, Face) and face.score >= SURE_DETECTION
    ]
    largest = max(faces, key=lambda face: face.box.area, default=None)
    return None if largest is None else judge.embedding(picture.image, largest)


def _notes(run: Measurements, albums: Sequence[Album]) -> list[str]:
    count, unseen = len(albums), sum(bool(album.held_out) for album in albums)
    notes = [
        f"{unseen} of {count} people have photos that generation does not see; only they count in "
        "likeness and copy-paste. Ranks of the others are against the photo that their pictures "
        f"were made from. By chance 1 of {count} is first, and the mean rank {(count + 1) / 2:g}."
    ]
    closest = max(
        ((max(angles.pair_cosines(album.all), default=-2.0), n) for n, album in enumerate(albums)),
        default=(-2.0, 0),
    )
    if closest[0] >= -1:
        notes.append(
            f"The two photos of one person that are most alike have {closest[0]:.2f} "
            f"({run.people[closest[1]].subject.name}). A photo that is there twice raises the "
            "ceiling: keep one copy."
        )
    notes += [] if unseen else [NO_HELD_OUT]
    return notes if run.judges else [*notes, NO_SECOND]
