"""Report on an installation: what is present, what is wrong, and what to do. Changes nothing.

Standard library only: it has to work where nothing else does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .files import file_findings
from .finding import Finding, State
from .machine import Host, Machine
from .onnxruntime import runtime_findings
from .packages import package_findings

FORMAT = 1
"""Version of the JSON format; increased when a field changes its meaning."""


def examine(host: Host, machine: Machine, hash_files: bool = False) -> list[Finding]:
    """Findings of all checks, in order. hash_files: also hash model files, seconds per GB."""
    return [
        *package_findings(machine),
        *runtime_findings(machine),
        *file_findings(host, hash_files),
    ]


def has_problem(findings: Sequence[Finding]) -> bool:
    """Whether any finding is a problem."""
    return any(finding.state is State.PROBLEM for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """Report for people: one line per finding, and another one for its advice."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state.value:7}  {finding.check}: {finding.found}")
        if finding.advice:
            lines.append(f"         -> {finding.advice}")
    problems = sum(finding.state is State.PROBLEM for finding in findings)
    notes = sum(finding.state is State.NOTE for finding in findings)
    return "\n".join([*lines, "", f"{problems} problems, {notes} notes, {len(findings)} checks"])


def as_json(findings: Sequence[Finding]) -> str:
    """Report for programs."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "problems": sum(finding.state is State.PROBLEM for finding in findings),
        "findings": [
            {
                "check": finding.check,
                "state": finding.state.value,
                "found": finding.found,
                "advice": finding.advice,
            }
            for finding in findings
        ],
    }
    return json.dumps(content, indent=2)
