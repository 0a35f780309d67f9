"""The commands that the documents name exist, and take the options that they are shown with."""

from __future__ import annotations

import importlib.util
import re
import shlex
from argparse import ArgumentParser
from types import ModuleType

import pytest

from tools.comfyui.environment import REPOSITORY

DOCUMENTS = (
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *(REPOSITORY / "docs").glob("*.md"),
    *(REPOSITORY / "tools").glob("*/*.md"),
    *(REPOSITORY / "training").glob("*.md"),
)


def load_dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev", REPOSITORY / "dev.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands() -> list[str]:
    """Every line of a document's blocks of commands that begins with dev.py, without remarks."""
    found = set()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        found |= set(re.findall(r"^python3? dev\.py ([^#\n]+)", text, re.MULTILINE))
    return sorted(command.strip() for command in found)


def choices_of(parser: ArgumentParser) -> list[str]:
    (choices,) = (action.choices for action in parser._actions if action.choices)
    return list(choices)


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    return load_dev().build_parser()


@pytest.mark.parametrize("command", commands())
def test_documents_name_commands_that_exist(command: str, parser: ArgumentParser):
    name, *given = shlex.split(command)
    if not given:
        assert name in choices_of(parser)
        return
    options, rest = parser.parse_known_args(shlex.split(command))
    assert not rest or options.command == "test"


def test_every_command_is_in_a_document(parser: ArgumentParser):
    told = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    assert [name for name in choices_of(parser) if f"dev.py {name}" not in told] == []
