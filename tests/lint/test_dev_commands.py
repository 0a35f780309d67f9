"""The commands that the documents name exist, and take the options that they are shown with."""

from __future__ import annotations

import importlib.util
import re
import shlex
from argparse import ArgumentParser
from types import ModuleType

import pytest
from support.sources import REPOSITORY, documents

DOCUMENTS = documents()


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


def is_understood(command: str, parser: ArgumentParser) -> bool:
    name, *given = shlex.split(command)
    if not given:
        return name in choices_of(parser)
    try:
        options, rest = parser.parse_known_args(shlex.split(command))
    except SystemExit:
        return False
    return not rest or options.command == "test"


def test_documents_name_commands_that_exist(parser: ArgumentParser):
    assert len(commands()) > 10
    assert [command for command in commands() if not is_understood(command, parser)] == []


def test_every_command_is_in_a_document(parser: ArgumentParser):
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    assert [name for name in choices_of(parser) if f"dev.py {name}" not in text] == []
