"""Experiments on single people at their own pose, and the table of all experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import metrics
from . import people as people_experiments
from .control import control
from .controls import Control
from .face_id import face_id
from .figures import Chart, Criterion, Entry, Estimate, Grid, Line, Section, Table
from .measurements import Measurements, Measures, Variant, likenesses, mean, reference, text_scores
from .other_net import other_net
from .recognisers import recognisers
from .runner import EVERY_FACE

MIN_RATIO = 3.0
"""Threshold: likeness with InstantID, relative to that without."""
MIN_STYLE_KEPT = 0.9
"""Threshold: text adherence with an identity, relative to that without."""
GRID_ROWS = 4
"""People shown in a grid."""


def ablation(run: Measurements) -> Section:
    """Ablation: both parts of the method, either one, and neither."""
    found: dict[str, Measures] = {}
    for key, variant in run.variants.items():
        run.say(f"  {variant.name}")
        found[key] = run.portraits(run.people, variant, run.plan.ablation_texts)
    about = (
        "The paper's ablation: the same people, texts and seeds without InstantID, with the image "
        "adapter alone, with IdentityNet alone, and with both. Keypoints are those of the person's "
        "reference photo; without IdentityNet their error is that of chance. A picture without "
        "a clear face (detection below 0.65) counts as likeness 0."
    )
    names = {key: variant.name for key, variant in run.variants.items()}
    rows = [_ablation_row(run, names[key], found[key]) for key in names]
    columns = ["variant", "likeness", "clear face", "keypoint error", "saturation", "clipped"]
    compared, criteria = _comparison(found, names)
    return Section(
        "ablation",
        "Contribution of each part",
        about,
        tables=[
            Table("Means over people", [*columns, *run.scorer.names, "pictures"], rows),
            compared,
            _yardsticks(run),
        ],
        grids=[_ablation_grid(run, found, names)],
        criteria=criteria,
    )


def _ablation_row(run: Measurements, name: str, found: Measures) -> list[Entry]:
    return [
        name,
        metrics.mean(likenesses(found)),
        mean(found, lambda one: one.has_face),
        mean(found, lambda one: one.error),
        mean(found, lambda one: one.saturation),
        mean(found, lambda one: one.clipped),
        *(metrics.mean(text_scores(found, score)) for score in run.scorer.names),
        sum(map(len, found)),
    ]


def _comparison(found: dict[str, Measures], names: dict[str, str]) -> tuple[Table, list[Criterion]]:
    both = likenesses(found["both"])
    times = metrics.ratio(both, likenesses(found["none"]))
    over = {part: metrics.difference(both, likenesses(found[part])) for part in ("adapter", "net")}
    least = min(over.values(), key=lambda one: one.value)
    rows: list[list[Entry]] = [["InstantID / without InstantID", times]]
    rows += [[f"InstantID - {names[part]}", gap] for part, gap in over.items()]
    notes = [
        f"In the ratio a mean below {metrics.MIN_DENOMINATOR} counts as {metrics.MIN_DENOMINATOR}."
    ]
    criteria = [
        Criterion("Likeness over that without", times, MIN_RATIO, "times"),
        Criterion(
            "Likeness above either part alone", least, 0.0, "cosine above the better part", True
        ),
    ]
    return Table("Compared on the same people", ["", "likeness"], rows, notes), criteria


def _yardsticks(run: Measurements) -> Table:
    """Likeness between photos of one person, and of two."""
    own, others = [], []
    for person in run.people:
        cosines = [run.photo_cosine(person, other) for other in run.people]
        own.append([cosines.pop(run.people.index(person))] if person.subject.is_unseen else [])
        others.append(cosines)
    rows: list[list[Entry]] = [
        ["two photos of one person", metrics.mean(own)],
        ["photos of two people", metrics.mean(others)],
    ]
    painters = _painter_likeness(run)
    if painters.known:
        rows.insert(1, ["the painter's own pictures in the styles of the texts", painters])
    unseen = sum(person.subject.is_unseen for person in run.people)
    notes = [
        f"For {unseen} of {len(run.people)} people likeness is measured against photos that "
        "generation did not see; for the others against the reference itself, like published "
        "figures."
    ]
    return Table(
        "Yardsticks: reference photos against target photos", ["", "likeness"], rows, notes
    )


def _painter_likeness(run: Measurements) -> Estimate:
    """Likeness of ideal pictures, painted by the small world's painter; unknown for photos."""
    found = []
    for person in run.people:
        pictures = person.subject.examples
        frames = run.runner.analyse_pictures(pictures, EVERY_FACE).frames
        cosines = [
            run.cosine(person, picture, frame)
            for picture, frame in zip(pictures, frames, strict=True)
        ]
        found.append([0.0 if cosine is None else cosine for cosine in cosines])
    return metrics.mean(found)


def _ablation_grid(run: Measurements, found: dict[str, Measures], names: dict[str, str]) -> Grid:
    rows = []
    for person in run.people[:GRID_ROWS]:
        tiles = [found[key][person.number][0].tile for key in names]
        rows.append((person.subject.name, [reference(person), *tiles]))
    return Grid("The same text and seed", ["reference", *names.values()], rows)


def weight_curve(run: Measurements) -> Section:
    """Likeness, saturation and text adherence over the adapter's weight."""
    people = run.people[: run.plan.weight_people]
    found = []
    for weight in run.plan.weights:
        run.say(f"  weight {weight:g}")
        variant = Variant(f"weight {weight:g}", Control(weight, run.setup.strength))
        found.append(run.portraits(people, variant, texts=1))
    quantities = {
        "likeness": [metrics.mean(likenesses(each)) for each in found],
        "saturation": [mean(each, lambda one: one.saturation) for each in found],
        "clipped": [mean(each, lambda one: one.clipped) for each in found],
    }
    for name in run.scorer.names:
        quantities[name] = [metrics.mean(text_scores(each, name)) for each in found]
    rows = [
        [f"{w:g}", *(each[n] for each in quantities.values())]
        for n, w in enumerate(run.plan.weights)
    ]
    about = (
        f"The adapter's weight at IdentityNet strength {run.setup.strength:g}; each person with "
        "one text and seed. Saturation is the mean of HSV, clipped the share of pixels with a "
        "channel at either end: oversaturated colours show in both."
    )
    return Section(
        "weight",
        "Likeness against weight",
        about,
        tables=[Table("By weight", ["weight", *quantities], rows)],
        charts=[_weight_chart(run, name, quantities[name]) for name in ("likeness", "saturation")],
    )


def _weight_chart(run: Measurements, name: str, estimates: Sequence[Estimate]) -> Chart:
    line = Line(name, run.plan.weights, estimates)
    return Chart(f"{name.capitalize()} over weight", "weight of the adapter", name, [line])


def text_kept(run: Measurements) -> Section:
    """Text adherence with an identity, compared with that without."""
    without, both = (
        by_style(run, run.portraits(run.people, run.variants[name])) for name in ("none", "both")
    )
    about = (
        "The same texts and seeds with and without InstantID, each style once for every person. "
        "Kept is the ratio of the two."
    )
    rows, criteria = [], []
    for name in run.scorer.names:
        plain, identity = text_scores(without, name), text_scores(both, name)
        kept = metrics.ratio(identity, plain)
        rows.append([name, metrics.mean(plain), metrics.mean(identity), kept])
        if name == run.scorer.main:
            criteria.append(
                Criterion(f"Text kept ({name})", kept, MIN_STYLE_KEPT, "of that without")
            )
    table = Table("Text followed", ["score", "without", "with InstantID", "kept"], rows)
    if not run.scorer.names:
        about = (
            "No scorer of text adherence is available. Name a folder with a CLIP model (--clip) "
            "for CLIP-T."
        )
    return Section(
        "text",
        "Text kept",
        about,
        tables=[table, *_style_tables(run, without, both)] if rows else [],
        grids=[_style_grid(run, without, both)],
        criteria=criteria,
    )


def by_style(run: Measurements, found: Measures) -> Measures:
    """Each person's pictures, in the order of the setup's styles."""
    place = {style: number for number, style in enumerate(run.setup.styles)}
    return [sorted(each, key=lambda one: place[one.style]) for each in found]


def _style_tables(run: Measurements, without: Measures, both: Measures) -> list[Table]:
    rows: list[list[Entry]] = []
    for number, style in enumerate(run.setup.styles):
        column = [[[each[number]] for each in found] for found in (without, both)]
        scores = [metrics.mean(text_scores(found, run.scorer.main)) for found in column]
        rows.append([style, *scores, metrics.mean(likenesses(column[1]))])
    columns = ["style", "without", "with InstantID", "likeness"]
    return [Table(f"By style: {run.scorer.main}, and likeness with InstantID", columns, rows)]


def _style_grid(run: Measurements, without: Measures, both: Measures) -> Grid:
    rows = []
    for person in run.people[: GRID_ROWS - 1]:
        for name, found in (("without", without), ("with", both)):
            tiles = [one.tile for one in found[person.number]]
            rows.append((f"{person.subject.name}, {name}", [reference(person), *tiles]))
    columns = ["reference", *run.setup.styles]
    return Grid("Styles without and with InstantID, likeness under each", columns, rows)


def groups(run: Measurements) -> Section:
    """Likeness by group of people."""
    both = likenesses(run.portraits(run.people, run.variants["both"]))
    without = likenesses(run.portraits(run.people, run.variants["none"]))
    own = [[run.photo_cosine(one, one)] if one.subject.is_unseen else [] for one in run.people]
    rows: list[list[Entry]] = []
    for kind in _kinds(run):
        members: dict[str, list[int]] = {}
        for person in run.people:
            members.setdefault(person.subject.groups.get(kind, "unspecified"), []).append(
                person.number
            )
        for value, numbers in members.items():
            figures = [metrics.mean([of[n] for n in numbers]) for of in (both, without, own)]
            rows.append([f"{kind}: {value}", *figures, len(numbers)])
    about = (
        "Likeness with InstantID over all texts, by group. Where two photos of one person are less "
        "alike, the face models recognise that group less well, and generation cannot make up for "
        "it. Intervals that do not overlap indicate a bias."
    )
    if not rows:
        about = "No groups are known; a groups.json in the folder of photos may name them."
    columns = ["group", "with InstantID", "without", "two photos of one person", "people"]
    return Section("groups", "Groups of people", about, [Table("By group", columns, rows)])


def _kinds(run: Measurements) -> list[str]:
    kinds = [kind for person in run.people for kind in person.subject.groups]
    return list(dict.fromkeys(kinds))


RUNS: dict[str, Callable[[Measurements], Section]] = {
    "ablation": ablation,
    "text": text_kept,
    "weight": weight_curve,
    "views": people_experiments.views,
    "interpolation": people_experiments.interpolation,
    "group": people_experiments.two_people,
    "references": people_experiments.references,
    "groups": groups,
    "recognisers": recognisers,
    "face_id": face_id,
    "other_net": other_net,
    "control": control,
}
"""Function of each of `options.EXPERIMENTS`. Pictures that several need are generated once."""
