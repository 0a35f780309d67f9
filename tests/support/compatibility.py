"""`docs/COMPATIBILITY.md`: what the pack was tried with, and what came of it, made by the tests.

A test of `tests/host` or `tests/e2e` whose mark is `combination(group, name)` is a row. Run in
`tests`, in their environment:

    python -m support.compatibility                    # on every ComfyUI release; long
    python -m support.compatibility --host 0.30.0      # on one, and keep the others' columns

With `--suite` the rows of one folder alone are made again. The results of each release lie in
`tests/data/compatibility.json`, from which the page is written.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from tools.comfyui import hosts
from tools.comfyui.cache import cache_root
from tools.comfyui.environment import REPOSITORY, child_environ, ready_host

PAGE = REPOSITORY / "docs" / "COMPATIBILITY.md"
RESULTS = REPOSITORY / "tests" / "data" / "compatibility.json"
VARIABLE = "INSTANTID_COMPOSE_COMBINATIONS"
"""Names the file into which a test run writes its rows."""
MARK = "combination"
PASS, ABSENT, FAILED = "pass", "not there", "FAILED"
SUITES = ("host", "e2e")
"""Folders of `tests` that have rows, in the page's order."""
INTRODUCTION = """# Compatibility

Written by `python -m support.compatibility` from the results of the tests in `tests/host` and
`tests/e2e`; do not edit it. Each row is a test on the named ComfyUI releases, on a CPU, with small
models of SDXL's and SD 1.5's topology, or with networks of the published sizes without weights.
"refused" means that a node stops with that sentence; "not there" that this release lacks what the
row needs. That old graphs open in the editor is tested by `tests/browser`, on the newest release.
"""

Rows = dict[str, dict[str, str]]
"""Group to the name of a combination to its outcome."""
Suites = dict[str, Rows]
"""Folder of the tests to its rows."""


def row_of(item: Any) -> tuple[str, str] | None:
    """Group and name of a collected test, or None where it is not a row.

    `{}` in the name stands for the test's parameters.
    """
    mark = item.get_closest_marker(MARK)
    if mark is None:
        return None
    group, name = mark.args
    parameters = getattr(getattr(item, "callspec", None), "id", "")
    return group, name.replace("{}", parameters)


def page(results: Mapping[str, Suites]) -> str:
    """The page. results: ComfyUI release to its suites."""
    releases = sorted(results, key=_numbers)
    rows = {release: _together(results[release]) for release in releases}
    groups: dict[str, list[str]] = {}
    for release in reversed(releases):
        for group, named in rows[release].items():
            known = groups.setdefault(group, [])
            known += [name for name in named if name not in known]
    parts = [INTRODUCTION]
    for group, names in groups.items():
        head = ["combination", *(f"ComfyUI {release}" for release in releases)]
        lines = [_line(head), _line(["---"] * len(head))]
        for name in names:
            cells = [rows[release].get(group, {}).get(name, "not run") for release in releases]
            lines.append(_line([name, *_merged(cells)]))
        parts.append(f"## {group}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _together(suites: Suites) -> Rows:
    """The groups of all suites. Raises ValueError where two suites share one."""
    groups = [group for suite in suites.values() for group in suite]
    if len(groups) != len(set(groups)):
        raise ValueError(f"Two suites have rows in one group: {sorted(groups)}")
    return {group: rows for suite in SUITES for group, rows in suites.get(suite, {}).items()}


def _merged(cells: Sequence[str]) -> list[str]:
    """A long sentence that all releases share is written once."""
    same = len(set(cells)) == 1 and len(cells[0]) > len(ABSENT)
    return [cells[0], *(["the same"] * (len(cells) - 1))] if same else list(cells)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def read_results() -> dict[str, Suites]:
    """Results of the last runs, by release."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}


def run(release: str, suite: str) -> Rows:
    """Run the marked tests of a suite on one release. Raises SystemExit when one of them fails."""
    comfyui = ready_host(Path(sys.executable), cache_root(), release)
    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch) / "rows.json"
        command = [sys.executable, "-m", "pytest", "-q", "-m", MARK, suite]
        environ = child_environ(COMFYUI_PATH=str(comfyui), **{VARIABLE: str(rows)})
        done = subprocess.run(command, cwd=REPOSITORY / "tests", env=environ, check=False)
        if done.returncode:
            raise SystemExit(f"The tests failed on ComfyUI {release}; the page was not changed.")
        return json.loads(rows.read_text(encoding="utf-8"))


def main(arguments: Sequence[str]) -> int:
    """Runs the tests and writes the page."""
    parser = argparse.ArgumentParser(prog="support.compatibility")
    parser.add_argument("--host", action="append", choices=list(hosts.RELEASES))
    parser.add_argument("--suite", action="append", choices=SUITES)
    options = parser.parse_args(arguments)
    results = read_results()
    for release, suite in product(options.host or hosts.RELEASES, options.suite or SUITES):
        results.setdefault(release, {})[suite] = run(release, suite)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(results), encoding="utf-8")
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
