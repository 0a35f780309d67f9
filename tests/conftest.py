"""Makes `harness` and `instantid_core` importable without putting the repository root on
sys.path, where the folder nodes/ would shadow ComfyUI's nodes.py."""

import importlib.util
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
CORE = TESTS.parent / "instantid_core"


def register_core() -> None:
    """Registers the pack's core under its own name, from its location alone."""
    if "instantid_core" in sys.modules or not (CORE / "__init__.py").is_file():
        return
    spec = importlib.util.spec_from_file_location(
        "instantid_core", CORE / "__init__.py", submodule_search_locations=[str(CORE)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["instantid_core"] = module
    spec.loader.exec_module(module)


if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))
register_core()
