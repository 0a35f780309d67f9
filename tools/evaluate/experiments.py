"""The experiments on single people at their own pose, and the list of all experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import metrics
from . import people as people_experiments
from .control import other_net
from .figures import Bar, Chart, Entry, Estimate, Grid, Line, Section, Table
from .measurements import Lab, Measures, Variant, likenesses, mean, reference, text_scores
from .runner import EVERY, Person

TIMES_WITHOUT = 3.0
"""Likeness with InstantID, of that without."""
STYLE_KEPT = 0.9
"""Text followed with an identity, of that without."""
SHOWN_PEOPLE = 4
"""In a grid."""


def ablation(lab: Lab) -> Section:
    """Both parts of the method, either one, and neither."""
    found: dict[str, Measures] = {}
    for key, variant in lab.variants.items():
        lab.say(f"  {variant.name}")
        found[key] = lab.portraits(lab.people, variant, lab.plan.ablation_texts)
    about = (
        "The paper's ablation: the same people, texts and seeds without InstantID, with the image "
        "adapter alone, with IdentityNet alone, and with both. Keypoints are those of the person's "
        "reference photo; without IdentityNet their error is what chance gives. A picture without "
        "a clear face (detection below 0.65) counts as likeness 0."
    )
    names = {key: variant.name for key, variant in lab.variants.items()}
    rows = [_ablation_row(lab, names[key], found[key]) for key in names]
    columns = ["variant", "likeness", "clear face", "keypoint error", "saturation", "clipped"]
    compared, bars = _compared(found, names)
    return Section(
        "ablation",
        "What each part brings",
        about,
        tables=[
            Table("Means over people", [*columns, *lab.judge.names, "pictures"], rows),
            compared,
            _yardsticks(lab),
        ],
        grids=[_ablation_grid(lab, found, names)],
        bars=bars,
    )


def _ablation_row(lab: Lab, name: str, found: Measures) -> list[Entry]:
    return [
        name,
        metrics.mean(likenesses(found)),
        mean(found, lambda one: one.has_face),
        mean(found, lambda one: one.error),
        mean(found, lambda one: one.saturation),
        mean(found, lambda one: one.clipped),
        *(metrics.mean(text_scores(found, score)) for score in lab.judge.names),
        sum(map(len, found)),
    ]


def _compared(found: dict[str, Measures], names: dict[str, str]) -> tuple[Table, list[Bar]]:
    both = likenesses(found["both"])
    times = metrics.ratio(both, likenesses(found["none"]))
    over = {part: metrics.difference(both, likenesses(found[part])) for part in ("adapter", "net")}
    least = min(over.values(), key=lambda one: one.value)
    rows: list[list[Entry]] = [["InstantID / without InstantID", times]]
    rows += [[f"InstantID - {names[part]}", gap] for part, gap in over.items()]
    notes = [f"In the ratio a mean below {metrics.LEAST} counts as {metrics.LEAST}."]
    bars = [
        Bar("Likeness over that without", times, TIMES_WITHOUT, "times"),
        Bar("Likeness above either part alone", least, 0.0, "cosine above the better part", True),
    ]
    return Table("Compared on the same people", ["", "likeness"], rows, notes), bars


def _yardsticks(lab: Lab) -> Table:
    """How alike photos are: of one person, and of two."""
    own, others = [], []
    for person in lab.people:
        cosines = [_photo_cosine(lab, person, other) for other in lab.people]
        own.append([cosines.pop(lab.people.index(person))] if person.subject.is_unseen else [])
        others.append(cosines)
    rows: list[list[Entry]] = [
        ["two photos of one person", metrics.mean(own)],
        ["photos of two people", metrics.mean(others)],
    ]
    painters = _painters(lab)
    if painters.known:
        rows.insert(1, ["the painter's own pictures in the styles of the texts", painters])
    unseen = sum(person.subject.is_unseen for person in lab.people)
    notes = [
        f"For {unseen} of {len(lab.people)} people likeness is measured against photos that "
        "generation did not see; for the others against the reference itself, as published figures "
        "are."
    ]
    return Table(
        "Yardsticks: reference photos against target photos", ["", "likeness"], rows, notes
    )


def _painters(lab: Lab) -> Estimate:
    """Likeness of pictures that nothing could paint better; unknown of photos."""
    found = []
    for person in lab.people:
        frames = lab.studio.analysed(person.subject.examples, EVERY).frames
        cosines = [lab.studio.cosine(person.target, frame) for frame in frames]
        found.append([0.0 if cosine is None else cosine for cosine in cosines])
    return metrics.mean(found)


def _photo_cosine(lab: Lab, reference: Person, target: Person) -> float:
    return metrics.cosine(
        reference.identity.references.numpy()[0], target.target.references.numpy()[0]
    )


def _ablation_grid(lab: Lab, found: dict[str, Measures], names: dict[str, str]) -> Grid:
    rows = []
    for person in lab.people[:SHOWN_PEOPLE]:
        tiles = [found[key][person.number][0].tile for key in names]
        rows.append((person.subject.name, [reference(person), *tiles]))
    return Grid("The same text and seed", ["reference", *names.values()], rows)


def weight_curve(lab: Lab) -> Section:
    """Likeness, saturation and text over the adapter's weight."""
    people = lab.people[: lab.plan.weight_people]
    found = []
    for weight in lab.plan.weights:
        lab.say(f"  weight {weight:g}")
        variant = Variant(f"weight {weight:g}", weight, lab.setup.strength)
        found.append(lab.portraits(people, variant, texts=1))
    quantities = {
        "likeness": [metrics.mean(likenesses(each)) for each in found],
        "saturation": [mean(each, lambda one: one.saturation) for each in found],
        "clipped": [mean(each, lambda one: one.clipped) for each in found],
    }
    for name in lab.judge.names:
        quantities[name] = [metrics.mean(text_scores(each, name)) for each in found]
    rows = [
        [f"{w:g}", *(each[n] for each in quantities.values())]
        for n, w in enumerate(lab.plan.weights)
    ]
    about = (
        f"The adapter's weight at IdentityNet strength {lab.setup.strength:g}; each person with "
        "one text and seed. Saturation is the mean of HSV, clipped the share of pixels with a "
        "channel at either end: colours that burn show in both."
    )
    return Section(
        "weight",
        "Likeness against weight",
        about,
        tables=[Table("By weight", ["weight", *quantities], rows)],
        charts=[_weight_chart(lab, name, quantities[name]) for name in ("likeness", "saturation")],
    )


def _weight_chart(lab: Lab, name: str, estimates: Sequence[Estimate]) -> Chart:
    line = Line(name, lab.plan.weights, estimates)
    return Chart(f"{name.capitalize()} over weight", "weight of the adapter", name, [line])


def text_kept(lab: Lab) -> Section:
    """Whether the text is followed with an identity as without."""
    without, both = (
        by_style(lab, lab.portraits(lab.people, lab.variants[name])) for name in ("none", "both")
    )
    about = (
        "The same texts and seeds with and without InstantID, each style once for every person. "
        "Kept is the ratio of the two."
    )
    rows, bars = [], []
    for name in lab.judge.names:
        plain, identity = text_scores(without, name), text_scores(both, name)
        kept = metrics.ratio(identity, plain)
        rows.append([name, metrics.mean(plain), metrics.mean(identity), kept])
        if name == lab.judge.main:
            bars.append(Bar(f"Text kept ({name})", kept, STYLE_KEPT, "of that without"))
    table = Table("Text followed", ["score", "without", "with InstantID", "kept"], rows)
    if not lab.judge.names:
        about = (
            "Nothing here can tell whether a picture shows its text. Name a folder with a CLIP "
            "model (--clip) for CLIP-T."
        )
    return Section(
        "text",
        "Text kept",
        about,
        tables=[table, *_style_tables(lab, without, both)] if rows else [],
        grids=[_style_grid(lab, without, both)],
        bars=bars,
    )


def by_style(lab: Lab, found: Measures) -> Measures:
    """Every person's pictures in the order of the setup's styles."""
    place = {style: number for number, style in enumerate(lab.setup.styles)}
    return [sorted(each, key=lambda one: place[one.style]) for each in found]


def _style_tables(lab: Lab, without: Measures, both: Measures) -> list[Table]:
    rows: list[list[Entry]] = []
    for number, style in enumerate(lab.setup.styles):
        column = [[[each[number]] for each in found] for found in (without, both)]
        scores = [metrics.mean(text_scores(found, lab.judge.main)) for found in column]
        rows.append([style, *scores, metrics.mean(likenesses(column[1]))])
    columns = ["style", "without", "with InstantID", "likeness"]
    return [Table(f"By style: {lab.judge.main}, and likeness with InstantID", columns, rows)]


def _style_grid(lab: Lab, without: Measures, both: Measures) -> Grid:
    rows = []
    for person in lab.people[: SHOWN_PEOPLE - 1]:
        for name, found in (("without", without), ("with", both)):
            tiles = [one.tile for one in found[person.number]]
            rows.append((f"{person.subject.name}, {name}", [reference(person), *tiles]))
    columns = ["reference", *lab.setup.styles]
    return Grid("Styles without and with InstantID, likeness under each", columns, rows)


def groups(lab: Lab) -> Section:
    """Likeness of different groups of people."""
    both = likenesses(lab.portraits(lab.people, lab.variants["both"]))
    without = likenesses(lab.portraits(lab.people, lab.variants["none"]))
    own = [[_photo_cosine(lab, one, one)] if one.subject.is_unseen else [] for one in lab.people]
    rows: list[list[Entry]] = []
    for kind in _kinds(lab):
        members: dict[str, list[int]] = {}
        for person in lab.people:
            members.setdefault(person.subject.groups.get(kind, "not said"), []).append(
                person.number
            )
        for value, numbers in members.items():
            figures = [metrics.mean([of[n] for n in numbers]) for of in (both, without, own)]
            rows.append([f"{kind}: {value}", *figures, len(numbers)])
    about = (
        "Likeness with InstantID over all texts, by what is known of the people. Where the two "
        "photos of one person are less alike, the face models see that group less well, and no "
        "generation can make up for it. Intervals that do not meet are a bias."
    )
    if not rows:
        about = "No groups are known; a groups.json in the folder of photos may name them."
    columns = ["group", "with InstantID", "without", "two photos of one person", "people"]
    return Section("groups", "Groups of people", about, [Table("By group", columns, rows)])


def _kinds(lab: Lab) -> list[str]:
    kinds = [kind for person in lab.people for kind in person.subject.groups]
    return list(dict.fromkeys(kinds))


RUNS: dict[str, Callable[[Lab], Section]] = {
    "ablation": ablation,
    "text": text_kept,
    "weight": weight_curve,
    "views": people_experiments.views,
    "interpolation": people_experiments.interpolation,
    "group": people_experiments.together,
    "references": people_experiments.references,
    "groups": groups,
    "control": other_net,
}
"""What each of `evaluate_options.EXPERIMENTS` runs. Pictures that several need are painted once."""
