"""The experiments on a server that paints: what it does right must show, and what it does wrong.

Faces are found and recognised by the real analyzer on the synthetic models; only generation is
replaced, by a painter that reads the prompt.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from support.painting_server import SIDE, PaintingServer, measurements_on

from tools.comfyui.client import ClientError
from tools.evaluate.experiments import RUNS
from tools.evaluate.figures import Estimate, Report
from tools.evaluate.measurements import Measurements
from tools.evaluate.options import EXPERIMENTS
from tools.evaluate.prompts import Job
from tools.evaluate.report import html
from tools.evaluate.runner import Clock


@pytest.fixture(scope="module")
def run(analyzer) -> Measurements:
    return measurements_on(PaintingServer(), analyzer)


@pytest.fixture(scope="module")
def blind(analyzer) -> Measurements:
    """The same with a server that has no idea of people."""
    return measurements_on(PaintingServer(knows_people=False), analyzer)


def rows_of(section, title):
    """A table as {label: {column: entry}}."""
    (table,) = [table for table in section.tables if table.title == title]
    return {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}


def test_every_experiment_of_the_command_line_runs():
    assert tuple(RUNS) == EXPERIMENTS


def test_the_ablation_tells_the_parts_apart(run):
    section = RUNS["ablation"](run)
    rows = rows_of(section, "Means over people")
    none, adapter, net, both = rows.values()
    assert both["likeness"].value > 0.8
    assert adapter["likeness"].value > 0.8
    assert abs(none["likeness"].value) < 0.2
    assert none["likeness"].value < net["likeness"].value < adapter["likeness"].value
    assert both["keypoint error"].value < 0.03
    assert net["keypoint error"].value < 0.03
    assert min(none["keypoint error"].value, adapter["keypoint error"].value) > 0.1
    assert {row["clear face"].value for row in rows.values()} == {1.0}
    assert both["pictures"] == len(run.people)
    likeness, above = section.criteria
    assert likeness.verdict == "pass"
    assert above.found.value == pytest.approx(both["likeness"].value - adapter["likeness"].value)


def test_a_server_that_knows_nobody_passes_no_bar(blind):
    section = RUNS["ablation"](blind)
    assert [criterion.passed for criterion in section.criteria] == [False, False]
    rows = rows_of(section, "Means over people")
    assert max(abs(row["likeness"].value) for row in rows.values()) < 0.2


def test_likeness_against_weight_has_the_amounts_of_the_plan(run):
    section = RUNS["weight"](run)
    rows = rows_of(section, "By weight")
    assert list(rows) == ["0", "0.4", "0.8"]
    assert rows["0"]["likeness"].value < rows["0.4"]["likeness"].value
    (likeness, saturation) = section.charts
    assert [one.value for one in likeness.lines[0].y] == [
        row["likeness"].value for row in rows.values()
    ]
    assert saturation.lines[0].x == run.plan.weights


def test_views_follow_the_angle(run):
    rows = rows_of(RUNS["views"](run), "By yaw")
    wanted, found = (
        [row[name].value for row in rows.values()] for name in ("wanted turn", "found turn")
    )
    assert wanted[1] == pytest.approx(0, abs=1e-6)
    assert found == pytest.approx(wanted, abs=0.05)
    assert found[0] < -0.1 < 0.1 < found[2]
    assert all(row["likeness"].value > 0.6 for row in rows.values())
    assert all(row["keypoint error"].value < 0.05 for row in rows.values())


def test_the_way_between_two_people_goes_from_one_to_the_other(run):
    section = RUNS["interpolation"](run)
    rows = rows_of(section, "Likeness by stage")
    assert list(rows) == ["0.00", "0.50", "1.00"]
    assert rows["0.00"]["to A"].value > 0.8 > 0.2 > rows["0.00"]["to B"].value
    assert rows["1.00"]["to B"].value > 0.8 > 0.2 > rows["1.00"]["to A"].value
    # The painter jumps from A to B, so that likeness does not fall at every step.
    assert "to A does not fall at every step" in section.tables[0].notes[1]


def test_two_people_are_told_apart_by_their_places(run, blind):
    rows = rows_of(RUNS["group"](run), "Means over pairs")
    group = rows["with Apply Group"]
    assert group["two faces"].value == 1
    assert group["nearer to the own"].value == 1
    assert group["to the own"].value > 0.8
    assert abs(group["to the other"].value) < 0.2
    assert rows["text alone"]["two faces"].value == 0
    assert not rows["text alone"]["to the own"].known
    same = rows_of(RUNS["group"](blind), "Means over pairs")["with Apply Group"]
    assert same["to the own"].value == pytest.approx(same["to the other"].value, abs=0.1)


def test_a_person_in_the_place_of_another_is_noticed(analyzer):
    run = measurements_on(PaintingServer(paints_twins=True), analyzer)
    group = rows_of(RUNS["group"](run), "Means over pairs")["with Apply Group"]
    assert group["nearer to the own"].value == pytest.approx(0.5)
    assert group["to the own"].value == pytest.approx(group["to the other"].value, abs=0.1)


def test_several_photos_are_compared_at_one_pose(run):
    rows = rows_of(RUNS["references"](run), "Likeness")
    one, several = rows["one photo"], rows["several photos, average"]
    assert one["likeness"].n == several["likeness"].n == len(run.people)
    gain = rows["gain"]["likeness"].value
    assert gain == pytest.approx(several["likeness"].value - one["likeness"].value)


def test_pictures_are_painted_once(run):
    RUNS["ablation"](run)
    before = run.runner.clients[0].prompts
    RUNS["ablation"](run)
    assert run.runner.clients[0].prompts == before
    assert run.runner.clock.pictures == len(run.runner.clients[0].files)


class Meeting(PaintingServer):
    """Paints only when the other server has a job, too."""

    def __init__(self, both: threading.Barrier) -> None:
        super().__init__()
        self.both = both

    def run(self, prompt):
        self.both.wait(30)
        return super().run(prompt)


def test_jobs_run_on_as_many_servers_as_there_are(run):
    both = threading.Barrier(2)
    clients = [Meeting(both), Meeting(both)]
    runner = replace(run.runner, clients=clients, clock=Clock(), _done={})
    jobs = [Job(f"text {n % 6}", 1, (SIDE, SIDE)) for n in range(8)]
    runner.prepare(jobs)
    assert [client.prompts for client in clients] == [3, 3]
    assert runner.clock.pictures == 6
    assert all(len(runner.generate(job)) == 1 for job in jobs)
    assert sum(client.prompts for client in clients) == 6


def test_a_job_that_fails_ends_the_others(run):
    class Failing(PaintingServer):
        def run(self, prompt):
            answer = super().run(prompt)
            if self.prompts == 1:
                raise ClientError("the first job fails")
            time.sleep(0.5)
            return answer

    client = Failing()
    runner = replace(run.runner, clients=[client], _done={})
    with pytest.raises(ClientError, match="first"):
        runner.prepare(Job(f"text {n}", 1, (SIDE, SIDE)) for n in range(20))
    assert client.prompts <= 2


def test_what_nobody_can_judge_is_said(run):
    section = RUNS["text"](run)
    assert "Name a folder with a CLIP model" in section.about
    assert not section.tables
    assert not section.criteria
    assert "No groups are known" in RUNS["groups"](run).about


def test_groups_are_measured_apart(run):
    people = run.people
    for person, glasses in zip(people, ("yes", "no", "no", "no"), strict=True):
        person.subject.groups["glasses"] = glasses
    try:
        rows = rows_of(RUNS["groups"](run), "By group")
    finally:
        for person in people:
            person.subject.groups.clear()
    assert {label: row["people"] for label, row in rows.items()} == {
        "glasses: yes": 1,
        "glasses: no": 3,
    }
    assert all(row["with InstantID"].value > 0.8 for row in rows.values())


def test_everything_fits_on_the_page(run):
    page = html(Report("Evaluation", {}, [experiment(run) for experiment in RUNS.values()]))
    assert page.count("<svg") == 9
    assert ">nan" not in page
    assert isinstance(RUNS["ablation"](run).criteria[0].found, Estimate)
