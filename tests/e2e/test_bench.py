"""The benchmark of SDXL's sizes runs through with small ones, on the code that a GPU runs too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.comfyui.environment import child_environ, module_command

pytestmark = pytest.mark.thorough

Tables = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    command = module_command(Path(sys.executable), "tools.bench.command", "--full")
    command += ["--dims=small", "--out", str(folder / "page.md"), "--json", str(folder / "data")]
    environ = child_environ(COMFYUI_PATH=os.environ["COMFYUI_PATH"])
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def tables(files: Path) -> Tables:
    """Rows by title and label."""
    data = json.loads((files / "data").read_text(encoding="utf-8"))
    return {
        table["title"]: {row["label"]: row for row in table["rows"]} for table in data["tables"]
    }


def named(tables: Tables, start: str) -> dict[str, dict[str, Any]]:
    return next(rows for title, rows in tables.items() if title.startswith(start))


def test_every_part_has_its_table(tables: Tables) -> None:
    for start in (
        "Launches in a step",
        "Waits, copies and resizing",
        "Waits in a step, by sampler",
        "Operations in a step",
        "A step with both parts by reuse",
        "Rates of the device",
        "70 cross-attention sites",
        "One step",
        "A step with both parts by reuse of IdentityNet, 64 x 64, batch 1, CFG, bfloat16, cpu",
        "torch profiler",
        "Memory on the device",
        "Face analysis",
        "From a change to the end of the first step",
        "From a change to the first step",
        "Files of the whole steps",
        "Peak memory added by an adapter file",
        "Targets",
    ):
        assert named(tables, start)


def test_counts_tell_the_two_ways_apart(tables: Tables) -> None:
    launches = {label: row["value"] for label, row in named(tables, "Launches").items()}
    plain = launches["plain"]
    assert launches["+ adapter"] - plain == 2 * 70
    assert launches["+ adapter, baseline"] - plain > 2 * (launches["+ adapter"] - plain)
    waits = named(tables, "Waits")
    assert waits["+ adapter, baseline: waits for the device"]["value"] == 70
    assert waits["two people with masks: waits for the device"]["value"] == 0


def test_windows_add_no_wait_where_the_sampler_has_none(tables: Tables) -> None:
    """What other samplers wait for themselves is ComfyUI's; a window adds one per evaluation."""
    waits = {label: row["value"] for label, row in named(tables, "Waits in a step, by").items()}
    none = "euler, ddim: "
    assert (waits[none + "by themselves"], waits[none + "more with a window"]) == (0, 0)
    more = {label: value for label, value in waits.items() if "with a window" in label}
    free = {label.split(",")[0] for label, value in more.items() if not value}
    assert free == {"euler", "uni_pc"}


def test_whole_steps_stand_beside_their_floors_and_the_baseline(tables: Tables) -> None:
    rows = {label: row["value"] for label, row in named(tables, "One step").items()}
    floors = {label.removesuffix(": floor"): rows[label] for label in rows if "floor" in label}
    assert set(floors) == {label for label in rows if "floor" not in label}
    assert floors["+ both"] == floors["+ both, baseline"]
    order = ("plain", "+ adapter", "+ both", "two people with masks", "four people with masks")
    assert [floors[name] for name in order] == sorted({floors[name] for name in order})


def test_every_change_is_followed_to_the_first_step(tables: Tables) -> None:
    rows = named(tables, "From a change to the end of the first step")
    for change in (
        "another photo, after its analysis",
        "another weight",
        "another pose",
        "nothing",
    ):
        found = [row["value"] for label, row in rows.items() if label.startswith(change)]
        assert len(found) == 3, "ours, baseline, the floor"
        assert all(found)


def test_targets_that_are_counts_hold(tables: Tables) -> None:
    targets = {label: row["ratio"] for label, row in named(tables, "Targets").items()}
    assert targets["adapter's launches / the baseline's (target: half)"] <= 0.5
    assert targets["two people / one: UNet's operations (target: 1.05)"] <= 1.05
    assert targets["two people / one: IdentityNet's operations (target: 2)"] <= 2
    assert targets["step with both parts at reuse 2 / plain: operations (target: 1.23)"] <= 1.23


def test_a_file_takes_little_more_memory_than_its_size(tables: Tables) -> None:
    """With sites of a quarter of the published widths and the published resampler; no clock."""
    rows = named(tables, "Peak memory added by an adapter file")
    ratios = [row["ratio"] for row in rows.values() if row["ratio"] is not None]
    assert len(ratios) >= 4
    assert max(ratios) <= 1.3


def test_what_needs_a_gpu_says_so(tables: Tables, files: Path) -> None:
    rows = [row for table in tables.values() for row in table.values()]
    unknown = [row for row in rows if row["value"] is None]
    assert all("needs" in row["unit"] for row in unknown)
    page = (files / "page.md").read_text(encoding="utf-8")
    assert page.count("not measured: ") == len(unknown)
    assert "| plain |" in page
