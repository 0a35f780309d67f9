"""Packages of this repository by their own names, without the repository root on sys.path, where
the folder nodes/ would shadow ComfyUI's nodes.py."""

import importlib.util
import sys

from .environment import REPOSITORY


def register(*names: str) -> None:
    """Makes packages of the repository importable, each from its location alone."""
    for name in names:
        if name not in sys.modules:
            _register(name)


def _register(name: str) -> None:
    folder = REPOSITORY / name
    init = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        name, init, submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{init} cannot be imported.", name=name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
