"""Text from files, workflows and servers is printable in every error, log line and finding.

A lone surrogate in a log line ends ComfyUI's prompt worker; control characters make false lines.
"""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import re
from collections.abc import Iterator

import pytest

import instantid_core
from instantid_core.doctor.finding import note, ok, problem
from instantid_core.errors import LONGEST_TEXT, InstantIDError, is_file_name, printable
from tools.comfyui.environment import say

HOSTILE = "\ud800\x1b[2J\x85\x00\n\u202e\u2066\u2028"
ESCAPED = r"\ud800\x1b[2J\x85\x00\n\u202e\u2066\u2028"
SHOWN = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{0,1000}")


def error_classes() -> list[type[InstantIDError]]:
    for module in pkgutil.walk_packages(instantid_core.__path__, "instantid_core."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(parent: type[InstantIDError]) -> Iterator[type[InstantIDError]]:
        yield parent
        for child in parent.__subclasses__():
            yield from below(child)

    return sorted(set(below(InstantIDError)), key=lambda each: each.__name__)


CLASSES = error_classes()


def test_the_walk_finds_the_errors() -> None:
    assert len(CLASSES) >= 16
    assert {"TensorFileError", "UnknownNumbersError", "ExtraPathsError"} <= {
        each.__name__ for each in CLASSES
    }


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_printable_and_short(kind: type[InstantIDError]) -> None:
    assert f"found {ESCAPED}." in str(kind(f"found {HOSTILE}."))
    long = kind(f"Expected a name, found {HOSTILE * 100_000}. Choose another.")
    assert SHOWN.fullmatch(str(long))
    assert f"Expected a name, found {ESCAPED}" in str(long)
    assert "Choose another." in str(long)
    assert SHOWN.fullmatch(str(pickle.loads(pickle.dumps(long))))


def test_an_error_may_be_raised_around_another() -> None:
    assert str(InstantIDError(ValueError(HOSTILE))) == ESCAPED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a sentence, as it is.",
        "Gr\u00f6\u00dfe \u56fe",
        "\U0001f469\u200d\U0001f467 \u00e9",
        "x" * LONGEST_TEXT,
    ],
)
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_findings_of_the_doctor_are_printable() -> None:
    for finding in (ok("a", HOSTILE), note("a", HOSTILE, HOSTILE), problem("a", HOSTILE, HOSTILE)):
        assert finding.found == ESCAPED
        assert finding.advice in ("", ESCAPED)


def test_progress_on_the_console_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one\ntwo \ud800\x1b{'x' * 2000}")
    first, second = capsys.readouterr().out.splitlines()
    assert (first, len(second)) == ("one", LONGEST_TEXT)
    assert second.startswith(r"two \ud800\x1bx")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "C:",
            "a:b",
            "a\0",
            "a\nb",
            "\ud800",
            "a\u202eb",
            " a",
            "a ",
        ),
        *("CON", "nul.txt", "Com1", "lpt9.tar.gz", "aux", 'a"', "a*", "a?", "a|b", "<a", "a."),
        *("x" * 101, "\u00e9" * 51),
    ],
)
def test_names_that_some_system_refuses(name: str) -> None:
    assert not is_file_name(name)


@pytest.mark.parametrize(
    "name", ["anna", "Anna 2.1", "con_anna", "\u56fe", "x" * 100, ".hidden", "com10"]
)
def test_names_that_every_system_takes(name: str) -> None:
    assert is_file_name(name)
