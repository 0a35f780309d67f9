"""Prompts for long-running servers: one graph with other photos, seeds and weights."""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from pathlib import Path

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient, Progress, RunFailedError
from tools.comfyui.prompts import Prompt
from tools.comfyui.server import Launch

UNFINISHED = (".part", ".tmp", ".draft")


def launch(base: Path, *arguments: str) -> Launch:
    """A server on the small models in `base`, started with further arguments."""
    usual = workspace.small_launch(workspace.current(), base)
    return replace(usual, arguments=[*usual.arguments, *arguments])


def turned(prompt: Prompt, number: int, photo: str | None = None) -> Prompt:
    """The same graph at work on something else: another seed and weight, or another photo, too."""
    changed = {node: {**entry, "inputs": dict(entry["inputs"])} for node, entry in prompt.items()}
    for entry in changed.values():
        given = entry["inputs"]
        if "seed" in given:
            given["seed"] = number
        if "weight" in given:
            given["weight"] = 0.5 + 0.05 * (number % 10)
        if photo and entry["class_type"] == "LoadImage":
            given["image"] = photo
    return changed


def interrupted_at(client: ComfyClient, prompt: Prompt, node: str) -> tuple[str, list[str]]:
    """Runs a prompt and stops it once a node has begun.

    Returns how the run ended, and the titles of that node and of those that began after it:
    ComfyUI notes a cancellation when a node reports progress, or before the next one.
    """
    begun: list[str] = []

    def stop(progress: Progress) -> None:
        if not begun and progress.node == node:
            interrupt(client)
        if begun or progress.node == node:
            begun.append(progress.title)

    try:
        client.run(prompt, stop)
    except RunFailedError as error:
        return str(error), begun
    return "done", begun


def interrupt(client: ComfyClient) -> None:
    """Requests what the editor's Cancel requests."""
    request = urllib.request.Request(f"{client.url}/interrupt", data=b"{}", method="POST")
    request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(request, timeout=60).close()


def resident(pid: int) -> float:
    """Resident memory of a process, in MB; Linux only."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def drafts_in(base: Path) -> list[Path]:
    """Incomplete files, wherever they are."""
    kept = (path for path in base.rglob("*") if path.is_file())
    return [path for path in kept if path.name.startswith(".") or path.suffix in UNFINISHED]


def files_in(base: Path) -> set[str]:
    """Everything that a server has written for its user."""
    folders = (base / "input", base / "output")
    return {path.name for folder in folders for path in folder.rglob("*") if path.is_file()}
