"""`dev.py evaluate`: a run that ends early leaves what it has measured."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.painting_server import PaintingServer, measurements_on

from tools.comfyui.client import ClientError
from tools.evaluate import command
from tools.evaluate.figures import Section, Table


def test_finished_experiments_outlive_a_failure(
    analyzer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(_: Any) -> Section:
        raise ClientError("the server is gone")

    done = Section("ablation", "Parts", "", tables=[Table("Means", ["", "value"], [["a", 0.5]])])
    monkeypatch.setattr(command, "RUNS", {"ablation": lambda _: done, "text": fails})
    monkeypatch.setattr(command, "facts", lambda *_: {"time": "now"})
    run = measurements_on(PaintingServer(), analyzer)
    backend: Any = SimpleNamespace(
        setup=run.setup, subjects=[one.subject for one in run.people], poses=run.poses,
        scorer=run.scorer, judges=(), attributes=None, by_judge=False, notes=(),
    )  # fmt: skip
    options = Namespace(only=["ablation", "text"])
    reports = command.measure(options, run.plan, backend, run.runner, 0.0)
    with pytest.raises(ClientError):
        command.written(reports, tmp_path)
    figures = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert list(figures["sections"]) == ["ablation"]
    assert (tmp_path / "report.html").exists()
