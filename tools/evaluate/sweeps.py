"""Sweeps over controls of an identity: what likeness costs in style, text and colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from instantid_core.adapter import ADD, INSERTION, LIKENESS

from . import metrics
from .controls import Control, Scales
from .figures import Chart, Entry, Estimate, Grid, Line, Mark, Plane, Section, Series, Table
from .measurements import (
    Measurements,
    Measures,
    Variant,
    likenesses,
    mean,
    reference,
    text_scores,
    values,
)

FEW_STEPS = 4
SHARES = (1 / 3, 2 / 3, 1.0, 4 / 3)
"""Weights of today's curve, over the default weight."""
INSERTED = SHARES[1:]
"""Weights of the insertion rules' curves."""
LOSS = 0.02
"""Likeness that a control may lose and still count as being at today's."""
RESCALE = 0.7
TODAY = "today"
COLOURS = "saturation error"
GRID_ROWS = 2


@dataclass(frozen=True)
class Curve:
    """Controls of one kind, by the labels of their marks."""

    name: str
    controls: tuple[tuple[str, Control], ...]
    joined: bool = True


@dataclass(frozen=True)
class Found:
    """Measures of a control, picture by picture."""

    label: str
    measures: Measures
    errors: Sequence[Sequence[float]]
    """Differences of saturation from the same text's picture without an identity."""

    def figures(self, names: Sequence[str]) -> dict[str, Sequence[Sequence[float]]]:
        """Quantities by name; larger is better, but for the saturation error."""
        texts = {name: text_scores(self.measures, name) for name in names}
        return {"likeness": likenesses(self.measures), **texts, COLOURS: self.errors}


def tradeoffs(run: Measurements) -> Section:
    """Likeness against style, text and colours at the usual number of steps."""
    curves = _curves(run.setup.weight, run.setup.strength, run.setup.cfg)
    about = (
        "Each point is a setting, with 95 % whiskers over people, the same people, texts and seeds "
        "everywhere. The curve of today is the adapter's weight at IdentityNet's default strength; "
        "likeness choices are those of InstantID Apply; guider points are text / identity. "
        "Saturation error is the difference of a picture's mean saturation from the one that the "
        "text alone gives with the same seed."
    )
    return _section(run, curves, ("tradeoffs", "Likeness against the text", about))


def few_steps(run: Measurements) -> Section:
    """The guider where there are four steps."""
    curves = _few_step_curves(run.setup.weight, run.setup.strength, run.setup.cfg)
    about = (
        f"The same with {FEW_STEPS} steps. This base model is not distilled: what a few-step model "
        "does is not known from it."
    )
    named = ("few_steps", f"{FEW_STEPS} steps", about)
    return _section(run.at_steps(FEW_STEPS), curves, named)


def reuse(run: Measurements) -> Section:
    """Likeness and keypoint error where IdentityNet is computed in every n-th step."""
    both = Control(run.setup.weight, run.setup.strength)
    prepare(run, [replace(both, reuse=n) for n in (1, 2, 3)])
    found = {n: _measured(run, f"reuse {n}", replace(both, reuse=n)) for n in (1, 2, 3)}
    rows: list[list[Entry]] = []
    likeness, error = [], []
    for n, each in found.items():
        likeness.append(metrics.mean(likenesses(each)))
        error.append(mean(each, lambda one: one.error))
        change = metrics.difference(likenesses(each), likenesses(found[1]))
        moved = metrics.difference(_errors_of(each), _errors_of(found[1]))
        rows.append([f"{n}", likeness[-1], change, error[-1], moved])
    columns = ["reuse", "likeness", "difference", "keypoint error", "difference"]
    axis, places = "steps for one computation", [float(n) for n in found]
    return Section(
        "reuse",
        "IdentityNet in every n-th step",
        f"Of {run.setup.steps} steps. The differences are to reuse 1, on the same pictures.",
        tables=[Table("By reuse", columns, rows)],
        charts=[
            Chart("Likeness", axis, "likeness", [Line("likeness", places, likeness)]),
            Chart("Keypoints", axis, "keypoint error", [Line("error", places, error)]),
        ],
    )


def _curves(weight: float, strength: float, cfg: float) -> list[Curve]:
    today = Control(weight, strength)
    shares = [(f"{share * weight:.2g}", replace(today, weight=share * weight)) for share in SHARES]
    inserted = shares[-len(INSERTED) :]
    choices = [(n, Control(a.weight, a.strength, a.window)) for n, a in LIKENESS.items()]
    equal = [_guided(today, scale, scale) for scale in (1.0, cfg, 2 * cfg)]
    unequal = [_guided(today, cfg, 2 * cfg), _guided(today, cfg, 3 * cfg)]
    unequal += [_guided(today, 2 * cfg, cfg), _guided(today, cfg, 3 * cfg, RESCALE)]
    return [
        Curve(TODAY, tuple(shares)),
        Curve("likeness choices", tuple(choices), joined=False),
        *(
            Curve(f"insertion {rule}", tuple((n, replace(c, insertion=rule)) for n, c in inserted))
            for rule in INSERTION
            if rule != ADD
        ),
        Curve("guider, equal", tuple(equal)),
        Curve("guider, unequal", tuple(unequal), joined=False),
    ]


def _few_step_curves(weight: float, strength: float, cfg: float) -> list[Curve]:
    today = Control(weight, strength)
    equal = [_guided(today, scale, scale) for scale in (1.0, 2 * cfg)]
    unequal = [_guided(today, *both) for both in ((1.0, cfg), (1.0, 2 * cfg), (cfg, 2 * cfg))]
    return [
        Curve(TODAY, ((f"{weight:g}", today),)),
        Curve("guider, equal", tuple(equal)),
        Curve("guider, unequal", tuple(unequal), joined=False),
    ]


def _guided(
    control: Control, text: float, identity: float, rescale: float = 0.0
) -> tuple[str, Control]:
    label = f"{text:g} / {identity:g}" + (f", rescale {rescale:g}" if rescale else "")
    return label, replace(control, scales=Scales(text, identity, rescale))


def _section(run: Measurements, curves: Sequence[Curve], named: tuple[str, str, str]) -> Section:
    plain = run.controlled(run.variants["none"])
    prepare(run, [control for curve in curves for _, control in curve.controls])
    found = {
        curve.name: [
            _found(run, label, _measured(run, label, control), plain)
            for label, control in curve.controls
        ]
        for curve in curves
    }
    base = _found(run, TODAY, _measured(run, TODAY, run.variants["both"].control), plain)
    name, title, about = named
    names = run.scorer.names
    return Section(
        name,
        title,
        about if names else f"{about} Nobody judges the text here.",
        tables=[_means(names, found), _compared(names, found, base)],
        charts=[_plane(curves, found, names, quantity) for quantity in (*names, COLOURS)],
        grids=[_grid(run, plain, base, found)],
    )


def prepare(run: Measurements, controls: Sequence[Control]) -> None:
    """Generate all pictures, person by person: so a server reads each photo once."""
    for person in run.control_people:
        run.say(f"  {person.subject.name}")
        run.runner.prepare(run.batch_job(person, Variant("", control)) for control in controls)


def _measured(run: Measurements, name: str, control: Control) -> Measures:
    return run.controlled(Variant(name, control))


def _found(run: Measurements, label: str, measures: Measures, plain: Measures) -> Found:
    errors = [
        [abs(one.saturation - other.saturation) for one, other in zip(each, without, strict=True)]
        for each, without in zip(measures, plain, strict=True)
    ]
    return Found(label, measures, errors)


def _means(names: Sequence[str], found: dict[str, list[Found]]) -> Table:
    rows: list[list[Entry]] = []
    for curve, several in found.items():
        for each in several:
            figures = map(metrics.mean, each.figures(names).values())
            error = mean(each.measures, lambda one: one.error)
            rows.append([f"{curve} {each.label}", *figures, error])
    columns = ["setting", "likeness", *names, COLOURS, "keypoint error"]
    return Table("Means over people", columns, rows)


def _compared(names: Sequence[str], found: dict[str, list[Found]], base: Found) -> Table:
    """Differences from today's default on the same pictures, and what follows from them."""
    usual, rows = base.figures(names), []
    for curve, several in found.items():
        for each in several:
            own = each.figures(names)
            gaps = {name: metrics.difference(own[name], usual[name]) for name in own}
            rows.append([f"{curve} {each.label}", *gaps.values(), verdict(gaps)])
    columns = ["setting", "likeness", *names, COLOURS, "at today's likeness"]
    notes = [
        f"At today's likeness: the mean loses at most {LOSS:g}. Better or worse: the interval of "
        f"the difference leaves out 0. Of {len(rows)} settings about one in forty for each figure "
        "is better by chance."
    ]
    return Table("Difference from today's default", columns, rows, notes)


def verdict(gaps: dict[str, Estimate]) -> str:
    """Words on the differences of a setting: where it beats today's, or that it does not."""
    likeness = gaps["likeness"]
    if not likeness.known or likeness.value < -LOSS:
        return "less likeness"
    texts = {name: gap for name, gap in gaps.items() if name not in ("likeness", COLOURS)}
    better = [name for name, gap in texts.items() if gap.known and gap.low > 0]
    worse = [name for name, gap in texts.items() if gap.known and gap.high < 0]
    (better if gaps[COLOURS].high < 0 else worse if gaps[COLOURS].low > 0 else []).append(COLOURS)
    better += ["likeness"] if likeness.low > 0 else []
    words = [f"better {', '.join(better)}"] if better else []
    words += [f"worse {', '.join(worse)}"] if worse else []
    return "; ".join(words) or "no difference"


def _plane(
    curves: Sequence[Curve], found: dict[str, list[Found]], names: Sequence[str], quantity: str
) -> Plane:
    series = [
        Series(
            curve.name,
            [
                Mark(each.label, metrics.mean(figures["likeness"]), metrics.mean(figures[quantity]))
                for each in found[curve.name]
                for figures in [each.figures(names)]
            ],
            curve.joined,
        )
        for curve in curves
    ]
    return Plane(f"Likeness against {quantity}", "likeness", quantity, series)


def _grid(run: Measurements, plain: Measures, base: Found, found: dict[str, list[Found]]) -> Grid:
    """The last mark of each curve, beside the text alone and today's default."""
    last = {f"{name} {several[-1].label}": several[-1] for name, several in found.items()}
    columns = [
        "reference",
        "text alone",
        TODAY,
        *(name for name in last if not name.startswith(TODAY)),
    ]
    rows = []
    for n, person in enumerate(run.control_people[:GRID_ROWS]):
        tiles = [plain[n][0].tile, base.measures[n][0].tile]
        tiles += [each.measures[n][0].tile for name, each in last.items() if name in columns]
        rows.append((person.subject.name, [reference(person), *tiles]))
    return Grid("The same text and seed", columns, rows)


def _errors_of(measures: Measures) -> list[list[float]]:
    return values(measures, lambda one: one.error)
