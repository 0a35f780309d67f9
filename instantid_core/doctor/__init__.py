"""Diagnosis of an installation: findings, and how to repair it.

Standard library only.
"""

from .machine import Host, this_machine
from .report import as_json, as_text, examine

__all__ = ["Host", "as_json", "as_text", "examine", "this_machine"]
