"""The comparison with an adapter of FaceID's form: which file each picture is asked for with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.painting_server import PaintingServer, measurements_on

from tools.evaluate.face_id import INSTANTID, NOTHING_HERE, WITHOUT, face_id
from tools.evaluate.runner import Runner

FILE = "another_adapter.bin"


class AdapterNoter(PaintingServer):
    """Notes the adapter, its weight and whether IdentityNet is there; FaceID's paints nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, str, float, bool]] = set()

    def people(self, prompt: dict[str, Any], number: int) -> Any:
        given = prompt.get("face_id") or prompt.get("adapter")
        adapter = given["inputs"] if given else {"adapter_name": ""}
        weight = prompt.get("applied", {"inputs": {"weight": 0.0}})["inputs"]["weight"]
        name, recogniser = adapter["adapter_name"], adapter.get("recogniser", "")
        self.asked.add((name, recogniser, round(weight, 3), "posed" in prompt))
        self.knows_people = name != FILE
        return super().people(prompt, number)


def test_both_adapters_are_asked_for_and_compared(analyzer: Any) -> None:
    server = AdapterNoter()
    run = measurements_on(server, analyzer)
    setup = replace(run.setup, face_id=FILE)
    runner = Runner(run.runner.clients, setup, analyzer, {})
    section = face_id(replace(run, setup=setup, runner=runner))
    assert server.asked == {
        ("", "", 0.0, False),
        *((FILE, "antelopev2", weight, False) for weight in (0.4, 0.6, 0.8)),
        (FILE, "antelopev2", 0.8, True),
        (setup.adapter, "", 0.8, False),
        (setup.adapter, "", 0.8, True),
    }
    means, gaps = section.tables
    likeness: dict[str, Any] = {str(row[0]): row[1] for row in means.rows}
    assert next(iter(likeness)) == WITHOUT
    assert list(likeness)[-1] == INSTANTID
    assert likeness[INSTANTID].value > 0.8 > 0.5 > likeness["FaceID and IdentityNet"].value
    difference: dict[str, Any] = {str(row[0]): row[1] for row in gaps.rows}
    assert len(difference) == 5
    assert difference["InstantID - FaceID and IdentityNet"].low > 0.3


def test_without_such_an_adapter_nothing_is_generated(analyzer: Any) -> None:
    server = PaintingServer()
    section = face_id(measurements_on(server, analyzer))
    assert (section.about, section.tables, server.prompts) == (NOTHING_HERE, (), 0)
