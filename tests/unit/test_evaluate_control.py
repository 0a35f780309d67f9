"""The page of controls: what counts as better, which photos teach a direction, who is kept."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.painting_server import NOBODY, PaintingServer, encoded, measurements_on

from tools.evaluate.attributes import PaintedAttributes
from tools.evaluate.best_of import best_of
from tools.evaluate.control import UNTRIED, control
from tools.evaluate.figures import Estimate, Section
from tools.evaluate.named import named_in_text
from tools.evaluate.photos import drawn_people, matched_photos
from tools.evaluate.prompts import OUTPUT_NODE
from tools.evaluate.runner import Runner
from tools.evaluate.settings import QUICK
from tools.evaluate.sweeps import COLOURS, few_steps, verdict
from tools.small_world import trained as small_world
from training.world import TRAINING, identity_of


def gap(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value, value - half, value + half, 12)


def rows_of(section: Section) -> list[Any]:
    """Rows of the section's first table."""
    return list(section.tables[0].rows)


@pytest.mark.parametrize(
    ("likeness", "style", "colours", "words"),
    [
        (0.0, 0.0, 0.0, "no difference"),
        (-0.03, 0.2, -0.1, "less likeness"),
        (-0.01, 0.2, 0.0, "better style"),
        (0.0, 0.0, -0.1, f"better {COLOURS}"),
        (0.1, -0.2, 0.1, f"better likeness; worse style, {COLOURS}"),
    ],
)
def test_better_is_what_its_interval_says(likeness, style, colours, words):
    gaps = {"likeness": gap(likeness), "style": gap(style), COLOURS: gap(colours)}
    assert verdict(gaps) == words


class Lucky(PaintingServer):
    """Paints the person in the second picture of a batch, and somebody else in the others."""

    def people(self, prompt: dict[str, Any], number: int) -> list[tuple[int, np.ndarray | None]]:
        found = super().people(prompt, number)
        return found if number == 1 else [(NOBODY, points) for _, points in found]


def test_the_best_one_is_kept_and_judged(analyzer):
    run = measurements_on(Lucky(), analyzer)
    section = best_of(run)
    ((judge, everybody, kept, gain),) = rows_of(section)
    assert "conditioned the pictures" in judge
    assert everybody.value < 0.5 < 0.8 < kept.value
    assert gain.value == pytest.approx(kept.value - everybody.value)
    captions = [tile.caption for tile in section.grids[0].rows[0][1]]
    assert [caption.endswith("kept") for caption in captions] == [False, False, True, False]


def test_four_steps_are_asked_for_there_alone(analyzer):
    server = StepCounter()
    run = measurements_on(server, analyzer)
    few_steps(run)
    run.batch(run.people[0], run.variants["both"])
    assert server.steps == {4, run.setup.steps}
    assert server.last == run.setup.steps


class StepCounter(PaintingServer):
    """Notes how many steps are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: set[int] = set()
        self.last = 0

    def run(self, prompt: dict[str, Any]) -> Any:
        (self.last,) = (
            node["inputs"]["steps"] for node in prompt.values() if "steps" in node["inputs"]
        )
        self.steps.add(self.last)
        return super().run(prompt)


def test_every_way_says_what_it_was_not_tried_on(analyzer):
    run = measurements_on(PaintingServer(), analyzer)
    section = control(run)
    rows = rows_of(section)
    assert [row[0] for row in rows] == [way for way, _ in UNTRIED]
    assert all(run.setup.name in row[1] and row[2] for row in rows)
    assert "--only other_net" in section.about
    (edited,) = [part for part in section.parts if part.name == "edits"]
    assert "Not measured" in edited.about


class Marking(PaintingServer):
    """Marks a corner of each picture whose text names glasses, unless an unedited identity is in
    the prompt."""

    def run(self, prompt: dict[str, Any]) -> Any:
        answer = super().run(prompt)
        named = "glasses" in prompt["positive"]["inputs"]["text"]
        shown = named and ("photo_0_0" not in prompt or "edited" in prompt)
        for index in range(len(self.files)):
            if index in answer.outputs[OUTPUT_NODE]["images"]:
                pixels = np.array(Image.open(io.BytesIO(self.files[index])))
                pixels[0, 0] = 255 * shown
                self.files[index] = encoded(pixels)
        return answer


class Corner:
    """A judge that sees glasses where the corner is marked; people of odd numbers wear some."""

    names: tuple[str, ...] = ("glasses", "dark skin")

    def shares(self, image: np.ndarray, face: Any) -> dict[str, float]:
        return {"glasses": float(image[0, 0, 0] == 255), "dark skin": 0.0}

    def has(self, number: int, name: str) -> bool:
        return number % 2 == 1

    def held(self, name: str) -> str:
        return ""


def test_what_the_text_names_is_looked_for_in_people_who_lack_it(analyzer):
    people = [replace(one, painted=n) for n, one in enumerate(drawn_people(QUICK.people))]
    run = measurements_on(Marking(), analyzer, people)
    prompts = tuple(f"{text.prompt}, glasses" for text in run.setup.texts)
    setup = replace(run.setup, naming={"glasses": prompts, "hat": prompts})
    runner = Runner(run.runner.clients, setup, analyzer, {})
    named = named_in_text(replace(run, setup=setup, runner=runner), Corner())
    (row,) = named.table.rows
    figures: dict[str, Any] = dict(zip(named.table.columns, row, strict=True))
    assert (figures["named"], figures["people"]) == ("glasses", 2)
    assert figures["not named, text alone"].value == 0
    assert figures["text alone"].value == figures["neutralised"].value == 1
    assert figures["with the identity"].value == 0
    assert figures["identity - text alone"].value == -1
    assert figures["neutralised - identity"].value == 1
    assert [label for label, _ in named.grid.rows] == ["glasses, drawing 0", "glasses, drawing 2"]


def test_photos_of_a_direction_differ_in_the_attribute_alone(monkeypatch):
    judge = PaintedAttributes(small_world.ATTRIBUTE_CLASSIFIER)
    painted: list[int] = []
    monkeypatch.setattr(
        "tools.evaluate.photos._photo_scene", lambda number, shot: painted.append(number)
    )
    monkeypatch.setattr("training.world.paint", lambda scene: type("P", (), {"image": scene}))
    matched_photos(judge, "beard", 30)
    with_it, without_it = painted[:30], painted[30:]
    assert len(set(painted)) == 60
    assert set(painted) <= set(TRAINING)
    for one, other in zip(with_it, without_it, strict=True):
        assert identity_of(one).beard == "full"
        assert not judge.has(other, "beard")
        others = [name for name in judge.names if name != "beard"]
        assert all(judge.has(one, name) == judge.has(other, name) for name in others)
