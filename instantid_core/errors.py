"""Failures that a user can cause, and the checks of single values that raise them.

Messages say what was expected, what was found, what to do. Standard library only.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Collection, Sequence
from typing import Any

LONGEST_TEXT = 1000
"""Characters of a sentence, whatever it quotes."""
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, marks that turn the reading direction, and halves of characters, which no
UTF-8 stream takes: one of them in a log line ends ComfyUI's prompt worker."""
_ENDING = 450
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)
_LONGEST_NAME = 100
"""Bytes; file systems take 255, and numbers and extensions are added."""


def printable(text: str) -> str:
    """One line that every log, terminal and page can show: escaped, at most LONGEST_TEXT long.

    Of a longer text the middle is left out, because sentences end with what to do.
    """
    text = _UNPRINTABLE.sub(_escaped, _shortened(text))
    return _shortened(text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[: LONGEST_TEXT - _ENDING - 5]} ... {text[-_ENDING:]}"


class InstantIDError(Exception):
    """Base of all errors raised on purpose by this package. Its text is printable."""

    def __init__(self, *said: object) -> None:
        super().__init__(*(printable(str(part)) for part in said))


class ImageError(InstantIDError):
    """An image or mask that cannot be read as pixels."""


class NoFaceError(InstantIDError):
    """A face was required and none was found."""


class FaceModelError(InstantIDError):
    """The face models (antelopev2) are missing, broken, or of another family."""


class CheckpointError(InstantIDError):
    """A file that is not an InstantID image adapter."""


class IncompatibleModelError(InstantIDError):
    """A base model or ControlNet that the loaded adapter was not trained for."""


class SettingError(InstantIDError):
    """A widget value, or a combination of values, that has no meaning."""


class DownloadError(InstantIDError):
    """A model file that could not be fetched, or that was not the published one."""


class DownloadCancelledError(InstantIDError):
    """A download that somebody stopped; what had come is kept for the next time."""


class ArchiveError(InstantIDError):
    """An archive that does not hold what it should, or holds what it should not."""


class InstallationError(InstantIDError):
    """A ComfyUI or its Python that was not found where it was looked for."""


class IdentityError(InstantIDError):
    """Identities that cannot be taken together, or nobody where somebody is needed."""


class IdentityFileError(InstantIDError):
    """A file that holds no identity, or that cannot be written."""


class DirectionError(InstantIDError):
    """Photos that no direction can be learnt from, or directions that exclude each other."""


class DirectionFileError(InstantIDError):
    """A file that holds no direction, or that cannot be written."""


class TensorFileError(InstantIDError):
    """A file whose figures do not fit its bytes. The message is a reason and names no file."""


class UnknownNumbersError(TensorFileError):
    """A whole file with numbers in a format that its kind cannot tell."""


def listed(numbers: Sequence[int], most: int = 8) -> str:
    """Numbers for a message, such as `1, 4`; of more than `most` the first ones and dots."""
    return ", ".join(map(str, numbers[:most])) + (", ..." if len(numbers) > most else "")


def is_file_name(text: str) -> bool:
    """Whether a text is one plain name that every file system takes as it is."""
    return (
        text == text.strip(" ")
        and not text.endswith(".")
        and printable(text) == text
        and 1 <= len(text.encode("utf-8")) <= _LONGEST_NAME
        and not _FORBIDDEN.search(text)
        and not _RESERVED.fullmatch(text)
    )


def within(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> Any:
    """Check that a value is a number from `low` to `high`. Raises SettingError for everything else.

    whole: refuse fractions.
    """
    kind = numbers.Integral if whole else numbers.Real
    number: Any = value
    if not isinstance(value, kind) or not low <= number <= high:
        wanted = "a whole number" if whole else "a number"
        raise SettingError(f"{name} must be {wanted} from {low} to {high}, found {_brief(value)}.")
    return number


def _brief(value: Any) -> str:
    """A value for a message; long numbers cannot be written, and tensors would fill a page."""
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return f"a number of {value.bit_length()} bits"
    return repr(value) if isinstance(value, (int, float, str)) else f"a {type(value).__name__}"


def one_of(name: str, value: str, choices: Collection[str]) -> str:
    """Check that a widget's choice is one of its list. Raises SettingError with the list."""
    if value not in choices:
        raise SettingError(f"{name} must be one of {', '.join(choices)}; found '{value}'.")
    return value


def finite(name: str, value: float) -> float:
    """Check that a widget's number is a number. Raises SettingError for NaN and infinity."""
    if not math.isfinite(value):
        raise SettingError(f"{name} must be a finite number, found {value}.")
    return value
