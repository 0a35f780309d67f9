"""Experiment: an adapter in the form of IP-Adapter FaceID beside InstantID, as the paper does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from . import metrics
from .controls import Control
from .figures import Entry, Grid, Section, Table
from .judges import ConditioningJudge, Judge
from .measurements import Measurements, Measures, Variant, mean, reference, text_scores, values
from .recognisers import album_of, embeddings_in, held_out_likeness
from .settings import Setup

TEXTS = 1
"""Per person."""
SHARES = (0.5, 0.75, 1.0)
"""Weights of FaceID's adapter, over the default weight of InstantID's."""
WITHOUT, INSTANTID = "without an identity", "InstantID"
GRID_ROWS = 4
Figures = Mapping[str, Sequence[Sequence[float]]]
"""Quantities by name, of each picture of each person."""
NOTHING_HERE = "Not measured: there is no adapter of FaceID's form beside InstantID's here."
ABOUT = (
    "The paper's comparison. Both adapters were trained on the same pictures with the same "
    "recogniser, the base model frozen; training/README.md says how long, and by what loss. FaceID "
    "has four tokens and a LoRA of the base model's attention, InstantID a resampler, and "
    "IdentityNet beside it. The same people, texts and seeds everywhere. Likeness is to photos "
    "that generation has not seen."
)


def face_id(run: Measurements) -> Section:
    """Likeness, text and colours of both, with differences on the same pictures."""
    title = "InstantID beside FaceID"
    if not run.setup.face_id:
        return Section("face_id", title, NOTHING_HERE)
    found: dict[str, Measures] = {}
    for name, control in _controls(run.setup).items():
        run.say(f"  {name}")
        found[name] = run.portraits(run.people, Variant(name, control), TEXTS)
    figures = _figures(run, found)
    return Section(
        "face_id",
        title,
        ABOUT,
        tables=[_means(found, figures), _differences(figures)],
        grids=[_grid(run, found)],
    )


def _controls(setup: Setup) -> dict[str, Control]:
    alone = Control(setup.weight, face_id=True)
    of_face_id = {
        f"FaceID, weight {share * setup.weight:.2g}": replace(alone, weight=share * setup.weight)
        for share in SHARES
    }
    return {
        WITHOUT: Control(),
        **of_face_id,
        "FaceID and IdentityNet": replace(alone, strength=setup.strength),
        "InstantID, adapter only": Control(setup.weight),
        INSTANTID: Control(setup.weight, setup.strength),
    }


def _figures(run: Measurements, found: Mapping[str, Measures]) -> dict[str, Figures]:
    """Quantities by name for each variant, picture by picture."""
    judges: tuple[Judge, ...] = (ConditioningJudge(run.runner.analyzer), *run.judges)
    albums = {judge: [album_of(run, judge, person) for person in run.people] for judge in judges}

    def of(measures: Measures) -> Figures:
        likeness = {
            f"likeness, {judge.name}": held_out_likeness(photos, embeddings_in(judge, measures))
            for judge, photos in albums.items()
        }
        texts = {name: text_scores(measures, name) for name in run.scorer.names}
        return {**likeness, **texts, "saturation": values(measures, lambda one: one.saturation)}

    return {name: of(measures) for name, measures in found.items()}


def _means(found: Mapping[str, Measures], figures: Mapping[str, Figures]) -> Table:
    rows: list[list[Entry]] = []
    for name, measures in found.items():
        means = map(metrics.mean, figures[name].values())
        error = mean(measures, lambda one: one.error)
        rows.append([name, *means, error, sum(map(len, measures))])
    columns = ["", *figures[INSTANTID], "keypoint error", "pictures"]
    return Table("Means over people", columns, rows)


def _differences(figures: Mapping[str, Figures]) -> Table:
    """InstantID less each of the others, on the same people, texts and seeds."""
    own = figures[INSTANTID]
    rows: list[list[Entry]] = []
    for name, other in figures.items():
        if name not in (WITHOUT, INSTANTID):
            gaps = (metrics.difference(own[quantity], other[quantity]) for quantity in own)
            rows.append([f"{INSTANTID} - {name}", *gaps])
    return Table("InstantID less each of the others", ["", *own], rows)


def _grid(run: Measurements, found: Mapping[str, Measures]) -> Grid:
    rows = [
        (
            person.subject.name,
            [reference(person), *(each[person.number][0].tile for each in found.values())],
        )
        for person in run.people[:GRID_ROWS]
    ]
    return Grid("The same text and seed", ["reference", *found], rows)
