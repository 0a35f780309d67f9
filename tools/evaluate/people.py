"""Experiments with other poses, several people, and several photos of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import metrics
from .controls import Control
from .figures import Chart, Entry, Estimate, Grid, Line, Section, Table, Tile
from .measurements import SEED, Measure, Measurements, likenesses, mean, reference
from .poses import points_of
from .prompts import GROUP, INTERPOLATION, Job
from .runner import GeneratedImage, Person, with_one_face

GRID_ROWS = 3
"""Rows shown in a grid."""
GROUP_SEEDS = 2


def views(run: Measurements) -> Section:
    """Novel views: the keypoints of another face, turned by yaw."""
    people = run.people[: run.plan.view_people]
    variant = run.variants["both"]
    rows: list[list[Entry]] = []
    found: list[list[list[Measure]]] = []
    wanted: list[Estimate] = []
    for yaw in run.plan.yaws:
        run.say(f"  yaw {yaw:g}")
        poses = [run.poses.view(person.number, yaw) for person in people]
        wanted.append(metrics.mean([[metrics.head_turn(points_of(pose)[0])] for pose in poses]))
        wanted_of = [
            (person, run.setup.texts_of(person.number)[0], variant, pose)
            for person, pose in zip(people, poses, strict=True)
        ]
        run.runner.prepare(run.job(*each) for each in wanted_of)
        found.append([[run.portrait(*each)] for each in wanted_of])
    turns = [mean(each, lambda one: one.head_turn) for each in found]
    likeness = [metrics.mean(likenesses(each)) for each in found]
    for n, yaw in enumerate(run.plan.yaws):
        error = mean(found[n], lambda one: one.error)
        rows.append([f"{yaw:g}", wanted[n], turns[n], error, likeness[n]])
    columns = ["yaw (degrees)", "wanted turn", "found turn", "keypoint error", "likeness"]
    notes = [f"Rank correlation of found turn and yaw per person: {_followed(run, found)}."]
    return Section(
        "views",
        "Novel views",
        "Each person at the keypoints of another face, turned by yaw. The turn is measured from "
        "detected keypoints: the offset of the nose from the centre of the eyes, in eye distances. "
        "Likeness should stay constant; only the angle should change.",
        tables=[Table("By yaw", columns, rows, notes)],
        charts=_view_charts(run.plan.yaws, wanted, turns, likeness),
        grids=[_view_grid(run, people, found)],
    )


def _followed(run: Measurements, found: Sequence[Sequence[Sequence[Measure]]]) -> str:
    correlations = [
        [metrics.rank_correlation(run.plan.yaws, [each[n][0].head_turn for each in found])]
        for n in range(len(found[0]))
    ]
    return in_words(metrics.mean(correlations))


def in_words(found: Estimate) -> str:
    """An estimate as text within a sentence."""
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
    run: Measurements, people: Sequence[Person], found: Sequence[Sequence[Sequence[Measure]]]
) -> Grid:
    rows = []
    for n, person in enumerate(people[:GRID_ROWS]):
        tiles = [each[n][0].tile for each in found]
        rows.append((person.subject.name, [reference(person), *tiles]))
    columns = ["reference", *(f"{yaw:g}" for yaw in run.plan.yaws)]
    return Grid("Views by yaw, likeness under each", columns, rows)


def interpolation(run: Measurements) -> Section:
    """Interpolation from one person to another."""
    pairs = pairs_of(run.people, run.plan.pairs)
    fractions = np.linspace(0, 1, run.plan.stages)
    pictures, to_a, to_b = [], [], []
    jobs = [_interpolation_job(run, number, a, b) for number, (a, b) in enumerate(pairs)]
    run.say(f"  {len(pairs)} pairs")
    run.runner.prepare(jobs)
    for (a, b), job in zip(pairs, jobs, strict=True):
        taken = run.runner.generate(job)
        pictures.append(taken)
        to_a.append([_likeness(run, a, picture) for picture in taken])
        to_b.append([_likeness(run, b, picture) for picture in taken])
    falling, rising = (
        [[metrics.rank_correlation(list(fractions), each)] for each in rows]
        for rows in (to_a, to_b)
    )
    mean_a, mean_b = (
        [metrics.mean([[each[n]] for each in rows]) for n in range(len(fractions))]
        for rows in (to_a, to_b)
    )
    rows = [[f"{t:.2f}", mean_a[n], mean_b[n]] for n, t in enumerate(fractions)]
    notes = [
        f"Rank correlation with t per pair: to A {in_words(metrics.mean(falling))}, to B "
        f"{in_words(metrics.mean(rising))}.",
        _monotone([one.value for one in mean_a], [one.value for one in mean_b]),
    ]
    lines = [Line("to A", list(fractions), mean_a), Line("to B", list(fractions), mean_b)]
    return Section(
        "interpolation",
        "Between two people",
        "InstantID Interpolate Identities (slerp) from A to B over a batch, all at the same pose "
        "of a third person and the same text.",
        tables=[Table("Likeness by stage", ["t", "to A", "to B"], rows, notes)],
        charts=[Chart("Likeness by stage", "t", "likeness", lines)],
        grids=[_interpolation_grid(pairs, pictures, to_a, to_b, fractions)],
    )


def _interpolation_job(run: Measurements, number: int, a: Person, b: Person) -> Job:
    return Job(
        run.setup.texts_of(number)[0].prompt,
        SEED + number,
        run.setup.size,
        count=run.plan.stages,
        people=(a.photo, b.photo),
        how=INTERPOLATION,
        control=Control(run.setup.weight, run.setup.strength),
        pose=run.poses.view(number, 0.0),
    )


def _monotone(to_a: Sequence[float], to_b: Sequence[float]) -> str:
    falls = "falls" if metrics.is_decreasing(to_a) else "does not fall"
    rises = "rises" if metrics.is_decreasing([-value for value in to_b]) else "does not rise"
    return f"The mean likeness to A {falls} at every step; that to B {rises} at every step."


def _interpolation_grid(
    pairs: Sequence[tuple[Person, Person]],
    pictures: Sequence[Sequence[GeneratedImage]],
    to_a: Sequence[Sequence[float]],
    to_b: Sequence[Sequence[float]],
    fractions: np.ndarray,
) -> Grid:
    rows = []
    for number, (a, b) in enumerate(pairs[:GRID_ROWS]):
        found = zip(pictures[number], to_a[number], to_b[number], strict=True)
        tiles = [
            Tile(picture.image, f"A {one:.2f}  B {other:.2f}") for picture, one, other in found
        ]
        name = f"{a.subject.name} to {b.subject.name}"
        rows.append((name, [reference(a), *tiles, reference(b)]))
    return Grid("From A to B", ["A", *(f"{t:.2f}" for t in fractions), "B"], rows)


def two_people(run: Measurements) -> Section:
    """Two people in one picture."""
    pairs = pairs_of(run.people, run.plan.groups)
    weights = {"with Apply Group": run.setup.weight, "text alone": 0.0}
    rows: list[list[Entry]] = []
    grid_rows = []
    for label, weight in weights.items():
        run.say(f"  {label}")
        jobs = [_pair_job(run, n, pair, weight) for n, pair in enumerate(pairs)]
        run.runner.prepare(jobs)
        pictures = [run.runner.generate(job) for job in jobs]
        rows.append([label, *_pair_figures(run, pairs, pictures)])
        for pair, taken in list(zip(pairs, pictures, strict=True))[:GRID_ROWS]:
            if weight:
                tiles = [_pair_tile(run, pairs.index(pair), pair, picture) for picture in taken]
                name = " and ".join(person.subject.name for person in pair)
                grid_rows.append((name, [*map(reference, pair), *tiles]))
    columns = ["", "two faces", "to the own", "to the other", "nearer to the own"]
    seeds = [f"seed {n + 1}" for n in range(GROUP_SEEDS)]
    return Section(
        "group",
        "Two people in one picture",
        "InstantID Apply Group with two identities at the two faces of a pose. In pictures with "
        "two or more faces, the face nearest to each wanted position is compared with the person "
        "who belongs there (own) and with the other one. With text alone no identity is used.",
        tables=[Table("Means over pairs", columns, rows)],
        grids=[Grid("Own likeness, left and right", ["left", "right", *seeds], grid_rows)],
    )


def _pair_job(run: Measurements, number: int, pair: tuple[Person, Person], weight: float) -> Job:
    text = run.setup.group_texts[number % len(run.setup.group_texts)]
    job = Job(text, SEED + number, run.setup.group_size, count=GROUP_SEEDS)
    if not weight:
        return job
    return replace(
        job,
        people=tuple(person.photo for person in pair),
        how=GROUP,
        control=Control(weight, run.setup.strength),
        pose=run.poses.pair(number),
    )


def _pair_figures(
    run: Measurements,
    pairs: Sequence[tuple[Person, Person]],
    pictures: Sequence[Sequence[GeneratedImage]],
) -> list[Entry]:
    two, own, other, nearer = [], [], [], []
    for number, (pair, taken) in enumerate(zip(pairs, pictures, strict=True)):
        cosines = [_cross_cosines(run, number, pair, picture) for picture in taken]
        known = [each for each in cosines if each is not None]
        two.append([each is not None for each in cosines])
        own.append([value for each in known for value in np.diag(each)])
        other.append([value for each in known for value in np.diag(each[:, ::-1])])
        nearer.append([float(each[i, i] > each[i, 1 - i]) for each in known for i in (0, 1)])
    return [metrics.share(two), metrics.mean(own), metrics.mean(other), metrics.mean(nearer)]


def _cross_cosines(
    run: Measurements, number: int, pair: tuple[Person, Person], picture: GeneratedImage
) -> np.ndarray | None:
    """[2, 2] cosines of the face at each position with each person; None without two faces."""
    faces = list(picture.frame.faces)
    if len(faces) < 2:
        return None
    cosines = np.zeros((2, 2))
    for place, wanted in enumerate(points_of(run.poses.pair(number))):
        distances = [
            float(np.linalg.norm(face.keypoints.mean(0) - wanted.mean(0))) for face in faces
        ]
        frame = with_one_face(picture.frame, faces.pop(int(np.argmin(distances))))
        found = [run.cosine(person, picture.image, frame) for person in pair]
        cosines[place] = [0.0 if cosine is None else cosine for cosine in found]
    return cosines


def _pair_tile(
    run: Measurements, number: int, pair: tuple[Person, Person], picture: GeneratedImage
) -> Tile:
    cosines = _cross_cosines(run, number, pair, picture)
    if cosines is None:
        return Tile(picture.image, "fewer than two faces")
    return Tile(picture.image, f"{cosines[0, 0]:.2f}  {cosines[1, 1]:.2f}")


def references(run: Measurements) -> Section:
    """One reference photo compared with several."""
    several = [one for one in run.people if len(one.photos) > 1]
    run.runner.prepare(job for person in several for job in _with_one_and_all(run, person))
    one, many = [], []
    for person in several:
        text = run.setup.texts_of(person.number)[0]
        for job, found in zip(_with_one_and_all(run, person), (one, many), strict=True):
            (picture,) = run.runner.generate(job)
            found.append([run.measure(picture, person, points_of(job.pose)[0], text)])
    about = (
        "The same pose, text and seed with one reference photo and with all of a person's "
        f"references ({run.plan.references} at most), averaged by InstantID Embed Identity."
    )
    if not several:
        about = "No person has several photos, so there is nothing to compare."
    gain = metrics.difference(likenesses(many), likenesses(one))
    rows: list[list[Entry]] = [
        ["one photo", metrics.mean(likenesses(one))],
        ["several photos, average", metrics.mean(likenesses(many))],
        ["gain", gain],
    ]
    tables = [Table("Likeness", ["", "likeness"], rows)] if several else []
    return Section("references", "Several photos of one person", about, tables)


def _with_one_and_all(run: Measurements, person: Person) -> list[Job]:
    """The same job with a person's first photo, and with all of them."""
    job = run.job(person, run.setup.texts_of(person.number)[0], run.variants["both"])
    return [replace(job, people=(photos,)) for photos in (person.photo, person.photos)]


def pairs_of(people: Sequence[Person], count: int) -> list[tuple[Person, Person]]:
    """Up to `count` pairs in a fixed order, in which each person occurs at most twice."""
    order = [*people[::2], *people[1::2]]
    pairs = [(order[n], order[(n + 1) % len(order)]) for n in range(len(order))]
    return pairs[:count] if len(people) > 1 else []


def _likeness(run: Measurements, person: Person, picture: GeneratedImage) -> float:
    cosine = run.cosine(person, picture.image, picture.frame)
    return 0.0 if cosine is None else cosine
