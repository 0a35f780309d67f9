"""A finding of the Doctor. Standard library only, like all modules of the Doctor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..errors import printable


class State(str, Enum):
    """Severity of a finding."""

    OK = "ok"
    NOTE = "note"
    """Works, or is not needed; worth knowing if something else fails."""
    PROBLEM = "problem"
    """A function of the pack will fail or give wrong pictures."""


@dataclass(frozen=True)
class Finding:
    """Result of one check."""

    check: str
    """Short name of the check, the same on every machine."""
    state: State
    found: str
    """Observation, in one line."""
    advice: str = ""
    """Recommended action, in one line; empty when there is none."""

    def __post_init__(self) -> None:
        # Frozen: paths and versions of other programs come in here.
        object.__setattr__(self, "found", printable(self.found))
        object.__setattr__(self, "advice", printable(self.advice))


def ok(check: str, found: str) -> Finding:
    """A finding that needs no action."""
    return Finding(check, State.OK, found)


def note(check: str, found: str, advice: str = "") -> Finding:
    """A finding worth knowing."""
    return Finding(check, State.NOTE, found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """A finding to repair."""
    return Finding(check, State.PROBLEM, found, advice)
