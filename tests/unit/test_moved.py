"""Imports and commands of earlier versions say where their contents are now."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import instantid_core
from instantid_core.moved import ROOM_OF, MovedModules, explain_moved_modules
from tools.comfyui.environment import REPOSITORY


@pytest.mark.parametrize("name", ["face_models", "weights_pickle", "doctor_try"])
def test_an_old_module_names_its_room(name: str) -> None:
    expected = f"Import its names from instantid_core.{ROOM_OF[name]}"
    with pytest.raises(ImportError, match=expected):
        importlib.import_module(f"instantid_core.{name}")
    with pytest.raises(ImportError, match=expected):
        __import__("instantid_core", fromlist=[name])


def test_every_room_named_exists_and_no_module_of_today_is_listed() -> None:
    core = REPOSITORY / "instantid_core"
    assert all((core / room / "__init__.py").is_file() for room in ROOM_OF.values())
    assert not [
        name for name in ROOM_OF if (core / f"{name}.py").exists() or (core / name).exists()
    ]


def test_other_missing_modules_are_missing_as_usual() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'instantid_core\.nothing'"):
        importlib.import_module("instantid_core.nothing")


def test_one_finder_for_each_name_of_the_package() -> None:
    explain_moved_modules(instantid_core.__name__)
    found = [one for one in sys.meta_path if isinstance(one, MovedModules)]
    assert [one.package for one in found].count("instantid_core") == 1


@pytest.mark.parametrize("command", ["doctor", "models"])
def test_commands_that_moved_name_the_new_one(command: str) -> None:
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "dev.py"), command, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"python -m instantid_core {command}" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_lists_those_that_exist() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "instantid_core", "repair"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "doctor" in done.stderr
    assert "models" in done.stderr
