"""Whether the method does what it is for, on people of the small world that no model has seen.

Thresholds stand well below what `dev.py evaluate` measures (training/README.md has the figures):
they are there to fall when something breaks, not to be scraped past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.trained_world import needs_trained_world

from instantid_core.faces.analyzer import FaceAnalyzer
from instantid_core.models.face_model_files import find_models
from tools.comfyui.client import ComfyClient
from tools.comfyui.server import HostServer
from tools.evaluate import experiments as evaluate_experiments
from tools.evaluate import other_net as evaluate_other_net
from tools.evaluate import people as evaluate_people
from tools.evaluate.backends import world_backend
from tools.evaluate.figures import Estimate, Section
from tools.evaluate.measurements import Measurements
from tools.evaluate.runner import Runner
from tools.evaluate.settings import Overrides, Plan

pytestmark = [
    pytest.mark.thorough,
    needs_trained_world,
]

PLAN = Plan(
    people=12,
    ablation_texts=2,
    weight_people=8,
    weights=(0.0, 0.4, 0.8),
    view_people=8,
    yaws=(-25.0, 0.0, 25.0),
    pairs=12,
    stages=3,
    groups=8,
    references=4,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measurements]:
    backend = world_backend(PLAN, Overrides())
    base = tmp_path_factory.mktemp("world")
    with HostServer(backend.launch(base)) as server:
        analyzer = FaceAnalyzer(find_models([backend.faces(base)]), "cpu")
        client = ComfyClient(server.url)
        runner = Runner([client], backend.setup, analyzer, client.object_info())
        people = runner.upload_people(backend.subjects, print)
        assert len(people) == PLAN.people
        yield Measurements(
            backend.setup,
            PLAN,
            runner,
            people,
            backend.poses,
            backend.scorer,
            print,
            backend.judges,
            by=backend.judges[0],
        )


def values_of(section: Section, table: int = 0) -> dict[str, dict[str, Any]]:
    """A table as {label: {column: value}}, estimates by their value."""
    chosen = section.tables[table]
    names = chosen.columns[1:]
    return {
        row[0]: {
            name: entry.value if isinstance(entry, Estimate) else entry
            for name, entry in zip(names, row[1:], strict=True)
        }
        for row in chosen.rows
    }


@pytest.fixture(scope="module")
def measured(run: Measurements) -> Callable[[Callable[[Measurements], Section]], Section]:
    """Runs an experiment once."""
    done: dict[Callable[[Measurements], Section], Section] = {}

    def once(experiment: Callable[[Measurements], Section]) -> Section:
        if experiment not in done:
            done[experiment] = experiment(run)
        return done[experiment]

    return once


def test_identity_is_kept_and_both_parts_are_needed(measured):
    rows = values_of(measured(evaluate_experiments.ablation))
    likeness = {name: row["likeness"] for name, row in rows.items()}
    assert likeness["InstantID"] > 0.5
    assert likeness["InstantID"] >= 3 * likeness["without InstantID"]
    assert likeness["InstantID"] > likeness["adapter only"]
    assert likeness["InstantID"] > likeness["IdentityNet only"]


def test_keypoints_place_the_face(measured):
    rows = values_of(measured(evaluate_experiments.ablation))
    errors = {name: row["keypoint error"] for name, row in rows.items()}
    assert errors["InstantID"] < 0.06
    assert errors["InstantID"] < errors["adapter only"]


def test_text_is_kept(measured):
    style = values_of(measured(evaluate_experiments.text_kept))["style"]
    assert style["with InstantID"] >= 0.93 * style["without"]


def test_weight_brings_likeness(measured):
    rows = values_of(measured(evaluate_experiments.weight_curve))
    likeness = [row["likeness"] for row in rows.values()]
    assert likeness[-1] > likeness[0] + 0.2


def test_the_angle_is_followed_and_the_identity_stays(measured):
    rows = list(values_of(measured(evaluate_people.views)).values())
    turns = [row["found turn"] for row in rows]
    assert turns == sorted(turns)
    assert min(row["likeness"] for row in rows) > 0.45


def test_the_way_between_two_people_is_steady(measured):
    rows = list(values_of(measured(evaluate_people.interpolation)).values())
    to_a, to_b = ([row[name] for row in rows] for name in ("to A", "to B"))
    # Over twelve pairs; single pairs may step back at one of many stages.
    assert to_a == sorted(to_a, reverse=True) and to_a[0] - to_a[-1] > 0.35
    assert to_b == sorted(to_b) and to_b[-1] - to_b[0] > 0.35


def test_two_people_keep_apart(measured):
    rows = values_of(measured(evaluate_people.two_people))
    group, text = rows["with Apply Group"], rows["text alone"]
    assert group["nearer to the own"] > max(0.75, text["nearer to the own"])
    assert group["to the own"] > group["to the other"] + 0.3


def test_nobody_is_left_behind(measured):
    rows = values_of(measured(evaluate_experiments.groups))
    likeness = [row["with InstantID"] for row in rows.values()]
    assert min(likeness) > 0.4


def test_another_control_net_is_followed_beside_identity(measured):
    section = measured(evaluate_other_net.other_net)
    by_itself, beside = (list(values_of(section).values())[n : n + 2] for n in (0, 2))
    for without, with_net in (by_itself, beside):
        assert with_net["colour difference"] < 0.75 * without["colour difference"]
    (kept,) = section.criteria
    assert kept.found.value > 0.7
    assert beside[1]["likeness"] > 0.8 * beside[0]["likeness"] > 0.4
