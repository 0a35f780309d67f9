"""Runs a module of this repository: `python tools/run.py tools.demo.command ARGUMENTS`.

Standard library only. The repository's folder stays off sys.path, where its `nodes` would shadow
ComfyUI's module of that name; a finder resolves the repository's own packages in its place.
"""

import importlib.machinery
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[1]
TOOLS = REPOSITORY / "tools"
PACKAGES = ("instantid_core", "tools", "training")


class RepositoryFinder(MetaPathFinder):
    """Finds the repository's packages, and nothing else, in the repository's folder."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of one of PACKAGES; None for every other name."""
        if fullname not in PACKAGES:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, [str(REPOSITORY)])


def make_importable() -> None:
    """Lets this process import PACKAGES by their own names."""
    sys.meta_path.insert(0, RepositoryFinder())


def main(arguments: list[str]) -> None:
    """Runs the named module as a program with the arguments after its name."""
    make_importable()
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != TOOLS]
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
