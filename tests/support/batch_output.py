"""Output lines of `dev.py batch`."""

import re
from typing import NamedTuple

FINISHED = re.compile(r"^\[ *\d+/\d+\] (\S+)  (worker \d)", re.MULTILINE)


class Finished(NamedTuple):
    """A line about a finished prompt."""

    prompt: str
    worker: str


def finished(said: str) -> list[Finished]:
    """The finished prompts, in their order."""
    return [Finished(*found) for found in FINISHED.findall(said)]


def finished_prompts(said: str) -> list[str]:
    """Their names."""
    return [each.prompt for each in finished(said)]
