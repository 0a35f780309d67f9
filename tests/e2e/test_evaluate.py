"""The evaluation as a user starts it: on the trained small world, and on random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.comfyui.environment import module_command
from tools.small_world import trained as small_world

pytestmark = pytest.mark.thorough

LARGEST_PAGE = 5_000_000


def evaluate(repository: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `dev.py evaluate` runs, in the Python of these tests."""
    options = [f"--output={output}", *arguments]
    command = module_command(Path(sys.executable), "tools.evaluate.command", *options)
    return subprocess.run(command, cwd=repository, env=os.environ, capture_output=True, text=True)


def rows_of(figures: dict, section: str, title: str) -> dict[str, dict]:
    """A table of the figures as {label: {column: entry}}."""
    tables = figures["sections"][section]["tables"]
    (table,) = [table for table in tables if table["title"] == title]
    names = table["columns"][1:]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in table["rows"]}


def figures_in(output: Path) -> dict:
    page = (output / "report.html").read_bytes()
    assert len(page) < LARGEST_PAGE
    assert b"http" not in page
    return json.loads((output / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def quick(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Figures of the quick run on the small world."""
    if small_world.missing():
        pytest.skip("InstantID is not trained in the small world yet: training/README.md")
    output = tmp_path_factory.mktemp("evaluation")
    done = evaluate(repository, output, "--quick")
    assert done.returncode == 0, done.stderr
    return figures_in(output)


def test_the_small_world_keeps_identity(quick: dict) -> None:
    rows = rows_of(quick, "ablation", "Means over people")
    likeness = {name: row["likeness"]["value"] for name, row in rows.items()}
    assert likeness["InstantID"] > 3 * likeness["without InstantID"]
    assert rows["InstantID"]["clear face"]["value"] > 0.7
    errors = {name: row["keypoint error"]["value"] for name, row in rows.items()}
    assert errors["InstantID"] < errors["adapter only"]


def test_every_experiment_has_figures(quick: dict) -> None:
    assert {criterion["name"] for criterion in quick["bars"]} == {
        "Likeness over that without",
        "Likeness above either part alone",
        "Text kept (style)",
        "Effect of the other net",
        "Edits that show",
        "Nearest to oneself",
    }
    assert all(criterion["found"] for criterion in quick["bars"])
    sections = list(quick["sections"].values())
    sections += sections[-1]["parts"].values()
    assert [part["title"] for part in sections[-5:]] == [
        "Likeness against the text",
        "4 steps",
        "IdentityNet in every n-th step",
        "Edited identities",
        "The best of 3",
    ]
    for section in sections:
        assert section["tables"], section["title"]


def test_controls_are_compared_with_today_and_with_the_text_alone(quick: dict) -> None:
    part = quick["sections"]["control"]["parts"]["tradeoffs"]
    means, gaps = (
        {row[0]: dict(zip(table["columns"][1:], row[1:], strict=True)) for row in table["rows"]}
        for table in part["tables"]
    )
    assert gaps["today 1.5"]["likeness"]["value"] == 0
    assert means["guider, equal 1.5 / 1.5"] == means["today 1.5"], "equal scales are plain CFG"
    assert gaps["likeness choices pose only"]["likeness"]["value"] < -0.1
    assert len(means) == len(gaps) == 21


def test_random_weights_pass_no_bar(repository: Path, tmp_path: Path) -> None:
    done = evaluate(repository, tmp_path, "--random", "--quick", "--only=ablation")
    assert done.returncode == 0, done.stderr
    verdicts = [criterion["verdict"].split(",")[0] for criterion in figures_in(tmp_path)["bars"]]
    assert verdicts == ["fail", "fail"]
    assert "fail: Likeness over that without" in done.stdout


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--installed", "Name a folder with --photos FOLDER"),
        ("--photos=people", "--photos needs --comfyui DIR"),
        ("--size=100x", "--size should be width x height in pixels"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    repository: Path, tmp_path: Path, argument: str, message: str
) -> None:
    done = evaluate(repository, tmp_path, argument)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
