"""Makes `harness`, `instantid_core` and `training` importable without putting the repository root
on sys.path, where the folder nodes/ would shadow ComfyUI's nodes.py."""

import importlib.util
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent


def register(name: str) -> None:
    """Registers a package of the repository under its own name, from its location alone."""
    folder = TESTS.parent / name
    if name in sys.modules or not (folder / "__init__.py").is_file():
        return
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))
register("instantid_core")
register("training")
