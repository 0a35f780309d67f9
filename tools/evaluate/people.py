"""The experiments with other poses, with several people, and with several photos of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import metrics
from .figures import Chart, Entry, Estimate, Grid, Line, Section, Table, Tile
from .measurements import SEED, Lab, Measure, likenesses, mean, reference
from .poses import points_of
from .prompts import BETWEEN, TOGETHER, Job
from .runner import Person, Shot, alone

SHOWN = 3
"""Rows of a grid."""
GROUP_SEEDS = 2


def views(lab: Lab) -> Section:
    """Novel views: the keypoints of another face, turned."""
    people = lab.people[: lab.plan.view_people]
    variant = lab.variants["both"]
    rows: list[list[Entry]] = []
    found: list[list[list[Measure]]] = []
    wanted: list[Estimate] = []
    for yaw in lab.plan.yaws:
        lab.say(f"  yaw {yaw:g}")
        poses = [lab.poses.view(person.number, yaw) for person in people]
        wanted.append(metrics.mean([[metrics.turn(points_of(pose)[0])] for pose in poses]))
        found.append(
            [
                [lab.portrait(person, lab.setup.texts_of(person.number)[0], variant, pose)]
                for person, pose in zip(people, poses, strict=True)
            ]
        )
    turns = [mean(each, lambda one: one.turn) for each in found]
    likeness = [metrics.mean(likenesses(each)) for each in found]
    for n, yaw in enumerate(lab.plan.yaws):
        error = mean(found[n], lambda one: one.error)
        rows.append([f"{yaw:g}", wanted[n], turns[n], error, likeness[n]])
    columns = ["yaw (degrees)", "wanted turn", "found turn", "keypoint error", "likeness"]
    notes = [f"Rank correlation of found turn and yaw per person: {_followed(lab, found)}."]
    return Section(
        "views",
        "Novel views",
        "Each person at the keypoints of a face that is not theirs, turned by yaw. The turn is "
        "measured from detected keypoints: the way of the nose from the middle of the eyes, in eye "
        "distances. Likeness should stay; only the angle may change.",
        tables=[Table("By yaw", columns, rows, notes)],
        charts=_view_charts(lab.plan.yaws, wanted, turns, likeness),
        grids=[_view_grid(lab, people, found)],
    )


def _followed(lab: Lab, found: Sequence[Sequence[Sequence[Measure]]]) -> str:
    correlations = [
        [metrics.rank_correlation(lab.plan.yaws, [each[n][0].turn for each in found])]
        for n in range(len(found[0]))
    ]
    return spelled(metrics.mean(correlations))


def spelled(found: Estimate) -> str:
    """An estimate in a sentence."""
    if not found.known:
        return "not measured"
    return f"{found.value:.2f} (95 % interval {found.low:.2f} to {found.high:.2f}, n = {found.n})"


def _view_charts(
    yaws: Sequence[float],
    wanted: Sequence[Estimate],
    turns: Sequence[Estimate],
    likeness: Sequence[Estimate],
) -> list[Chart]:
    axis = "yaw of the keypoints (degrees)"
    both = [Line("wanted", yaws, wanted), Line("found", yaws, turns)]
    return [
        Chart("The angle is followed", axis, "turn (eye distances)", both),
        Chart("The identity is kept", axis, "likeness", [Line("likeness", yaws, likeness)]),
    ]


def _view_grid(
    lab: Lab, people: Sequence[Person], found: Sequence[Sequence[Sequence[Measure]]]
) -> Grid:
    rows = []
    for n, person in enumerate(people[:SHOWN]):
        tiles = [each[n][0].tile for each in found]
        rows.append((person.subject.name, [reference(person), *tiles]))
    columns = ["reference", *(f"{yaw:g}" for yaw in lab.plan.yaws)]
    return Grid("Views by yaw, likeness under each", columns, rows)


def interpolation(lab: Lab) -> Section:
    """The way from one person to another."""
    pairs = pairs_of(lab.people, lab.plan.pairs)
    ways = np.linspace(0, 1, lab.plan.stages)
    shots, to_a, to_b = [], [], []
    for number, (a, b) in enumerate(pairs):
        lab.say(f"  pair {number + 1} of {len(pairs)}")
        taken = lab.studio.take(_between(lab, number, a, b))
        shots.append(taken)
        to_a.append([_likeness(lab, a, shot) for shot in taken])
        to_b.append([_likeness(lab, b, shot) for shot in taken])
    falling, rising = (
        [[metrics.rank_correlation(list(ways), each)] for each in rows] for rows in (to_a, to_b)
    )
    mean_a, mean_b = (
        [metrics.mean([[each[n]] for each in rows]) for n in range(len(ways))]
        for rows in (to_a, to_b)
    )
    rows = [[f"{t:.2f}", mean_a[n], mean_b[n]] for n, t in enumerate(ways)]
    notes = [
        f"Rank correlation with t per pair: to A {spelled(metrics.mean(falling))}, to B "
        f"{spelled(metrics.mean(rising))}.",
        _monotone([one.value for one in mean_a], [one.value for one in mean_b]),
    ]
    lines = [Line("to A", list(ways), mean_a), Line("to B", list(ways), mean_b)]
    return Section(
        "interpolation",
        "Between two people",
        "InstantID Interpolate Identities (slerp) from A to B over a batch, all at the same pose "
        "of a third person and the same text.",
        tables=[Table("Likeness on the way", ["t", "to A", "to B"], rows, notes)],
        charts=[Chart("Likeness on the way", "t", "likeness", lines)],
        grids=[_way_grid(pairs, shots, to_a, to_b, ways)],
    )


def _between(lab: Lab, number: int, a: Person, b: Person) -> Job:
    return Job(
        lab.setup.texts_of(number)[0].prompt,
        SEED + number,
        lab.setup.size,
        count=lab.plan.stages,
        people=(a.photo, b.photo),
        how=BETWEEN,
        weight=lab.setup.weight,
        strength=lab.setup.strength,
        pose=lab.poses.view(number, 0.0),
    )


def _monotone(to_a: Sequence[float], to_b: Sequence[float]) -> str:
    falls = "falls" if metrics.falls(to_a) else "does not fall"
    rises = "rises" if metrics.falls([-value for value in to_b]) else "does not rise"
    return f"The mean likeness to A {falls} at every step; that to B {rises} at every step."


def _way_grid(
    pairs: Sequence[tuple[Person, Person]],
    shots: Sequence[Sequence[Shot]],
    to_a: Sequence[Sequence[float]],
    to_b: Sequence[Sequence[float]],
    ways: np.ndarray,
) -> Grid:
    rows = []
    for number, (a, b) in enumerate(pairs[:SHOWN]):
        found = zip(shots[number], to_a[number], to_b[number], strict=True)
        tiles = [Tile(shot.image, f"A {one:.2f}  B {other:.2f}") for shot, one, other in found]
        name = f"{a.subject.name} to {b.subject.name}"
        rows.append((name, [reference(a), *tiles, reference(b)]))
    return Grid("From A to B", ["A", *(f"{t:.2f}" for t in ways), "B"], rows)


def together(lab: Lab) -> Section:
    """Two people in one picture."""
    pairs = pairs_of(lab.people, lab.plan.groups)
    weights = {"with Apply Group": lab.setup.weight, "text alone": 0.0}
    rows: list[list[Entry]] = []
    grid_rows = []
    for label, weight in weights.items():
        lab.say(f"  {label}")
        shots = [lab.studio.take(_couple(lab, n, pair, weight)) for n, pair in enumerate(pairs)]
        rows.append([label, *_couple_figures(lab, pairs, shots)])
        for pair, taken in list(zip(pairs, shots, strict=True))[:SHOWN]:
            if weight:
                tiles = [_couple_tile(lab, pairs.index(pair), pair, shot) for shot in taken]
                name = " and ".join(person.subject.name for person in pair)
                grid_rows.append((name, [*map(reference, pair), *tiles]))
    columns = ["", "two faces", "to the own", "to the other", "nearer to the own"]
    seeds = [f"seed {n + 1}" for n in range(GROUP_SEEDS)]
    return Section(
        "group",
        "Two people in one picture",
        "InstantID Apply Group with two identities at the two faces of a pose. Of pictures with "
        "two faces or more, the face nearest to each wanted place is compared with the person who "
        "belongs there (own) and with the one beside (other). With text alone nobody is asked for.",
        tables=[Table("Means over pairs", columns, rows)],
        grids=[Grid("Own likeness, left and right", ["left", "right", *seeds], grid_rows)],
    )


def _couple(lab: Lab, number: int, pair: tuple[Person, Person], weight: float) -> Job:
    text = lab.setup.group_texts[number % len(lab.setup.group_texts)]
    job = Job(text, SEED + number, lab.setup.group_size, count=GROUP_SEEDS)
    if not weight:
        return job
    return replace(
        job,
        people=tuple(person.photo for person in pair),
        how=TOGETHER,
        weight=weight,
        strength=lab.setup.strength,
        pose=lab.poses.pair(number),
    )


def _couple_figures(
    lab: Lab, pairs: Sequence[tuple[Person, Person]], shots: Sequence[Sequence[Shot]]
) -> list[Entry]:
    two, own, other, nearer = [], [], [], []
    for number, (pair, taken) in enumerate(zip(pairs, shots, strict=True)):
        cosines = [_crossed(lab, number, pair, shot) for shot in taken]
        known = [each for each in cosines if each is not None]
        two.append([each is not None for each in cosines])
        own.append([value for each in known for value in np.diag(each)])
        other.append([value for each in known for value in np.diag(each[:, ::-1])])
        nearer.append([float(each[i, i] > each[i, 1 - i]) for each in known for i in (0, 1)])
    return [metrics.share(two), metrics.mean(own), metrics.mean(other), metrics.mean(nearer)]


def _crossed(lab: Lab, number: int, pair: tuple[Person, Person], shot: Shot) -> np.ndarray | None:
    """[2, 2] cosines: of the face at each place with each person. None without two faces."""
    faces = list(shot.frame.faces)
    if len(faces) < 2:
        return None
    cosines = np.zeros((2, 2))
    for place, wanted in enumerate(points_of(lab.poses.pair(number))):
        ways = [float(np.linalg.norm(face.keypoints.mean(0) - wanted.mean(0))) for face in faces]
        frame = alone(shot.frame, faces.pop(int(np.argmin(ways))))
        found = [lab.studio.cosine(person.target, frame) for person in pair]
        cosines[place] = [0.0 if cosine is None else cosine for cosine in found]
    return cosines


def _couple_tile(lab: Lab, number: int, pair: tuple[Person, Person], shot: Shot) -> Tile:
    cosines = _crossed(lab, number, pair, shot)
    if cosines is None:
        return Tile(shot.image, "fewer than two faces")
    return Tile(shot.image, f"{cosines[0, 0]:.2f}  {cosines[1, 1]:.2f}")


def references(lab: Lab) -> Section:
    """One photo against several."""
    several = [one for one in lab.people if len(one.photos) > 1]
    variant = lab.variants["both"]
    one, many = [], []
    for person in several:
        text = lab.setup.texts_of(person.number)[0]
        job = lab.job(person, text, variant)
        wanted = points_of(job.pose)[0]
        for photos, found in ((person.photo, one), (person.photos, many)):
            (shot,) = lab.studio.take(replace(job, people=(photos,)))
            found.append([lab.measure(shot, person, wanted, text)])
    about = (
        "The same pose, text and seed with one reference photo and with all of a person's "
        f"references ({lab.plan.references} at most), averaged by InstantID Embed Identity."
    )
    if not several:
        about = "Nobody has several photos, so there is nothing to compare."
    gain = metrics.difference(likenesses(many), likenesses(one))
    rows: list[list[Entry]] = [
        ["one photo", metrics.mean(likenesses(one))],
        ["several photos, average", metrics.mean(likenesses(many))],
        ["gain", gain],
    ]
    tables = [Table("Likeness", ["", "likeness"], rows)] if several else []
    return Section("references", "Several photos of one person", about, tables)


def pairs_of(people: Sequence[Person], count: int) -> list[tuple[Person, Person]]:
    """The first with the second, the third with the fourth, and so on, then shifted by one."""
    order = [*people[::2], *people[1::2]]
    pairs = [(order[n], order[(n + 1) % len(order)]) for n in range(len(order))]
    return pairs[:count] if len(people) > 1 else []


def _likeness(lab: Lab, person: Person, shot: Shot) -> float:
    cosine = lab.studio.cosine(person.target, shot.frame)
    return 0.0 if cosine is None else cosine
