"""Every text of panels and dialogs is in one place; `tests/js` compares the two languages."""

import re
from pathlib import Path

from support.sources import SCRIPTS, named, scripts

TEXTS = SCRIPTS / "texts"
MODULES = [path for path in scripts() if path.parent != TEXTS]
SENTENCE = re.compile(r"""["`][A-Z][a-z]*(?:\$\{[^}]*\})? \w+""")
TRANSLATED_BY_THE_HOST = re.compile(
    '"(?:Get InstantID models|Check InstantID|Seconds that a message stays|'
    'Say when model files are missing)"'
)
"""Labels of commands and settings: `locales/zh` has their translations."""


def code(path: Path) -> list[str]:
    """The lines of a script without comments and without what it tells the console."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^\s*/\*.*?\*/", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in text.splitlines() if not line.strip().startswith("//")]
    return [line for line in lines if "console." not in line]


def keys(name: str) -> list[str]:
    """Every key in the order of the file."""
    lines = (TEXTS / name).read_text(encoding="utf-8").splitlines()
    found = [re.match(r"(?:const|  |    )\s*(\w+)(?: =|:)", line) for line in lines]
    return [match[1] for match in found if match]


def test_no_sentence_stands_anywhere_else():
    elsewhere = [
        f"{named(path)}: {line.strip()}"
        for path in MODULES
        for line in code(path)
        if SENTENCE.search(TRANSLATED_BY_THE_HOST.sub('""', line))
    ]
    assert elsewhere == []


def test_every_text_is_used():
    """A key that no module names is left over; some are chosen by a value, as `t[state]`."""
    everything = "\n".join("\n".join(code(path)) for path in MODULES)
    by_value = {"missing", "present", "verified", "other", "yaw", "pitch", "roll"}
    by_value |= {"waiting", "fetching", "checking", "done", "failed", "cancelled"}
    by_value |= set(re.findall(r"^  (\w+): \{ yaw", everything, re.MULTILINE))
    named = set(re.findall(r"\.(\w+)\b", everything))
    tables = {"models", "doctor", "messages", "photos", "picker", "likeness", "result", "pose"}
    tables |= {"editor", "people"}
    assert set(keys("english.js")) - by_value - named - tables == set()
