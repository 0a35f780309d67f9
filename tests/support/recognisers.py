"""Recognisers for tests in which no model runs."""

from instantid_core.types import Recogniser

RECOGNISER = Recogniser("5e" * 32)
ANOTHER = Recogniser("a0" * 32)
