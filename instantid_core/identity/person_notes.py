"""Notes on a person in an identity file: name, picture, consent.

Optional entries of the file's metadata, which other readers ignore. Invalid entries count as
missing: nothing here keeps an identity from being loaded.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import PurePath

from ..errors import SettingError
from ..faces import portraits
from ..types import Person
from .people import LONGEST_CONSENT, LONGEST_NAME, one_line

NAME, PICTURE, CONSENT = "name", "picture", "consent"
NUMBERED = re.compile(r"(.*?)_(\d{5,})_?")
"""A file name as Save Identity makes it: the prefix and a number."""


def notes_of(person: Person) -> dict[str, str]:
    """Entries for a file's metadata; none for what is not known."""
    picture = base64.b64encode(person.portrait).decode("ascii")
    entries = {NAME: person.name, PICTURE: picture, CONSENT: person.consent}
    return {key: value for key, value in entries.items() if value}


def person_in(metadata: Mapping[str, str], file_name: str) -> Person:
    """The person of an identity file, named after the file where it notes no name."""
    name = one_line(metadata.get(NAME, ""), LONGEST_NAME)
    consent = one_line(metadata.get(CONSENT, ""), LONGEST_CONSENT)
    return Person(name or name_of_file(file_name), _picture(metadata.get(PICTURE, "")), consent)


def name_of_file(file_name: str) -> str:
    """`anna` of `anna_00001_.safetensors`, `anna 2` of the next, and `a` of `a.safetensors`."""
    stem = PurePath(file_name).stem
    found = NUMBERED.fullmatch(stem)
    if not found or not found[1]:
        return one_line(stem, LONGEST_NAME)
    number = int(found[2])
    return one_line(found[1] if number == 1 else f"{found[1]} {number}", LONGEST_NAME)


def checked_name(name: str) -> str:
    """A name that somebody has written, in one line. Raises SettingError for none and for one that
    is too long or cannot be shown."""
    name = name.strip()
    if not name or one_line(name, LONGEST_NAME) != name:
        raise SettingError(
            f"A name has 1 to {LONGEST_NAME} characters, in one line and without control "
            f"characters; found '{name}'. Choose another."
        )
    return name


def checked_consent(consent: str) -> str:
    """A line of consent as it is kept. Raises SettingError for one that is too long."""
    line = one_line(consent, 2 * LONGEST_CONSENT)
    if len(line) > LONGEST_CONSENT:
        raise SettingError(
            f"consent is one line of at most {LONGEST_CONSENT} characters, found {len(consent)}. "
            "Name who agreed and to what, and keep the whole text elsewhere."
        )
    return line


def _picture(text: str) -> bytes:
    """The picture that a file holds; empty for anything else than a small JPEG."""
    if len(text) > 2 * portraits.MOST_BYTES:
        return b""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return content if portraits.is_portrait(content) else b""
