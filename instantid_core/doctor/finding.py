"""What the Doctor says about one thing. Standard library only, as all modules of the Doctor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """How a thing is."""

    OK = "ok"
    NOTE = "note"
    """Works, or is not needed; worth knowing when something else does not work."""
    PROBLEM = "problem"
    """Something that the pack does will fail, or will give wrong pictures."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """Short name, the same on every machine."""
    state: State
    found: str
    """What there is, in one line."""
    advice: str = ""
    """What to do, in one line; empty when there is nothing to do."""


def ok(check: str, found: str) -> Finding:
    """A thing that is as it should be."""
    return Finding(check, State.OK, found)


def note(check: str, found: str, advice: str = "") -> Finding:
    """A thing to know about."""
    return Finding(check, State.NOTE, found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """A thing to repair."""
    return Finding(check, State.PROBLEM, found, advice)
