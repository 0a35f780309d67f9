"""Sizes and words of the repository's own source files. Each check lists every offender."""

import re
from pathlib import Path

from support.sources import (
    REPOSITORY,
    all_python,
    code,
    docstrings,
    documents,
    files,
    functions,
    named,
    scripts,
    text_of,
)

LONGEST_FILE = 350
LONGEST_FUNCTION = 40
RIDDLES = ("What", "Where", "How", "Which", "Who", "Whose")
"""Words that begin a docstring which tells less than a noun or a verb would."""
HOME = re.compile(r"(?<![\w.])(/(?:home|Users|root|work)/\w|[A-Z]:\\\\?Users\\\\?\w)")
NAMED_FILE = re.compile(
    r"(?<![\w/.-])((?:instantid_core|nodes|tools|tests|training|web|docs|workflows)/[\w/.-]*\w"
    r"\.(?:py|js|md|json|css))\b"
)
STAND_IN = re.compile(r"/[A-Z]+\.\w+$")
INDEX_HOSTS = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|/simple/\b")


def test_the_files_are_found() -> None:
    """Otherwise every check below would pass on nothing."""
    assert len(code()) > 150
    assert len(all_python()) > len(code()) + 100
    assert len(scripts()) > 20
    assert len(documents()) > 50


def test_files_are_short() -> None:
    long = {
        named(path): count
        for path in [*code(), *files("tests/support", ".py"), *scripts()]
        if (count := len(text_of(path).splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_functions_are_short() -> None:
    long = {
        f"{named(path)}: {function.name}": lines
        for path in [*code(), *files("tests/support", ".py")]
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


def test_docstrings_begin_with_a_noun_or_a_verb() -> None:
    texts = [(named(path), text) for path in code() for text in docstrings(path)]
    assert len(texts) > 2000
    riddles = [f"{path}: {text[:60]}" for path, text in texts if text.split()[0] in RIDDLES]
    assert not riddles, "\n".join(riddles)


def test_sources_are_readable_on_windows() -> None:
    """A tool that reads them in the code page of Western Europe sees what was written."""
    unreadable = []
    for path in all_python():
        try:
            text_of(path).encode("cp1252")
        except UnicodeEncodeError as error:
            unreadable.append(f"{named(path)}: {error}")
    assert unreadable == []


def test_code_is_plain_ascii() -> None:
    assert [named(path) for path in code() if not text_of(path).isascii()] == []


def test_files_that_are_named_exist() -> None:
    """Comments and pages name the files of today. Names in capitals stand for others."""
    own = named(Path(__file__))
    missing = [
        f"{named(path)}: {name}"
        for path in [*code(), *files("tests/support", ".py"), *documents(), *scripts()]
        if named(path) not in (own, "CHANGELOG.md")
        for name in NAMED_FILE.findall(text_of(path))
        if not ((REPOSITORY / name).exists() or (path.parent / name).exists())
    ]
    assert [name for name in missing if not STAND_IN.search(name)] == []


def test_nothing_names_a_folder_of_one_machine() -> None:
    places = [*all_python(), *documents(), *scripts(), *files("tools/locks", ".in", ".lock")]
    found = [
        f"{named(path)}: {match[0]}" for path in places for match in HOME.finditer(text_of(path))
    ]
    assert found == []


def test_nothing_names_a_package_index() -> None:
    """Which index packages come from is the user's configuration of pip."""
    places = [*all_python(), *documents(), *files("tools/locks", ".in", ".lock")]
    places += [*files(".github", ".yml"), *files("tests/js", ".json")]
    names = [
        f"{named(path)}: {m[0]}" for path in places for m in INDEX_HOSTS.finditer(text_of(path))
    ]
    assert [name for name in names if "tests/lint/test_sources.py" not in name] == []
