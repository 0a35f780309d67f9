"""Findings about ComfyUI, its model folders, the model files, and other packs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import FaceModelError
from ..libraries import REPAIR_PATHS, first_line
from ..models import (
    FOREIGN_RECOGNISERS,
    HOW_TO_GET,
    RECOGNISER,
    Found,
    Item,
    State,
    files_below,
    find_models,
    may_serve,
    published,
    scan,
    size_of,
)
from .finding import Finding, note, ok, problem
from .machine import Host

OLDEST_HOST = (0, 16, 3)
FACE_MODELS = "face_models"
"""Id of the entry in the published list."""
FOREIGN_SIZES = {174383860: "w600k_r50.onnx", 13613018: "w600k_mbf.onnx"}
"""Sizes of recognisers that people rename; their detector is identical to antelopev2's."""
WEIGHTS = (".bin", ".safetensors", ".sft", ".pt", ".pth", ".ckpt")
OLDER_PACKS = ("comfyui_instantid", "comfyui-instantid")
"""Prefixes of folder names in lower case; a branch, version or fork may follow."""
CALLERS = ("comfyui-easy-use", "comfyui_easy_use", "comfyui-easyuse")
"""The same of packs with nodes that call the older pack's classes by name."""
OWN_FOLDERS = ("comfyui_instantid_compose", "comfyui-instantid-compose")
"""Prefixes of folder names that match those but are this pack."""
OWN_NAME = "instantid-compose"


def file_findings(host: Host, hash_files: bool) -> Iterator[Finding]:
    """Findings about ComfyUI, model folders, model files and other packs."""
    yield comfyui(host)
    if host.model_roots:
        yield folders(host)
        yield from model_files(host, hash_files)
    yield from other_packs(host)


def comfyui(host: Host) -> Finding:
    """ComfyUI's version."""
    if host.version is None:
        return note(
            "comfyui",
            "none was inspected, so model files and other packs were not checked either",
            "Name yours: python -m instantid_core doctor --comfyui DIR",
        )
    if _numbers(host.version) < OLDEST_HOST:
        oldest = ".".join(map(str, OLDEST_HOST))
        return problem("comfyui", host.version, f"Update ComfyUI to {oldest} or newer.")
    return ok("comfyui", host.version)


def folders(host: Host) -> Finding:
    """The model folders, and any that ComfyUI or the pack cannot read."""
    if host.broken:
        return problem("folders", host.broken, REPAIR_PATHS)
    reasons = map(_unreadable, (root for roots in host.model_roots.values() for root in roots))
    closed = [reason for reason in reasons if reason]
    if closed:
        return problem(
            "folders",
            f"a model folder cannot be read: {'; '.join(dict.fromkeys(closed))}",
            "Check the permissions of that folder, or remove it from extra_model_paths.yaml.",
        )
    found = "; ".join(
        f"{kind}: {', '.join(map(str, roots))}" for kind, roots in host.model_roots.items()
    )
    if host.unknown:
        return note("folders", f"{found} ({host.unknown})")
    return ok("folders", found)


def _unreadable(root: Path) -> str:
    """Reason why an existing folder cannot be listed; empty if it can, or does not exist."""
    try:
        os.scandir(root).close()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return first_line(error)
    return ""


def model_files(host: Host, hash_files: bool) -> Iterator[Finding]:
    """The published files, one finding for each download."""
    try:
        items = scan(published(), host.model_roots, hash_files)
    except OSError as error:
        yield problem(
            "model files",
            f"a model file cannot be read: {first_line(error)}",
            "Check the permissions of that file, and its disk.",
        )
        return
    for item in items:
        yield _face_models(host, item) if item.download.id == FACE_MODELS else _one_file(item)


def _one_file(item: Item) -> Finding:
    (file,) = item.files
    check, title = item.download.id, item.download.title
    if file.state is State.MISSING:
        others = _others(item)
        if others:
            return note(
                check,
                f"{title}: the published file was not found, but others were: {', '.join(others)}",
                f"Choose one of them in its loader. {HOW_TO_GET}",
            )
        return problem(check, f"{title}: not found, expected {file.path}", HOW_TO_GET)
    if file.state is State.OTHER:
        return note(
            check,
            f"{title}: {file.path}, {file.detail}",
            "Leave it if you put it there on purpose; it may also be truncated. To replace it, "
            f"delete it. {HOW_TO_GET}",
        )
    return ok(check, f"{title}: {_described(file)}")


def _others(item: Item) -> list[str]:
    """Files of the same kind that may serve instead of the published one."""
    root = item.target
    return sorted(
        path.relative_to(root).as_posix()
        for path in files_below(root, WEIGHTS)
        if may_serve(item.download, root, path)
    )


def _face_models(host: Host, item: Item) -> Finding:
    check = item.download.id
    try:
        found = find_models(host.model_roots[item.download.kind])
    except FaceModelError as error:
        return problem(check, str(error), HOW_TO_GET)
    foreign = FOREIGN_SIZES.get(size_of(found.recogniser) or 0)
    if foreign:
        return problem(
            check,
            f"{found.recogniser} has the size of {foreign}, the recogniser of "
            f"{FOREIGN_RECOGNISERS[foreign]}, under another name: faces will not look alike",
            f"Delete it and put {RECOGNISER} of antelopev2 there. {HOW_TO_GET}",
        )
    others = [file for file in item.files if file.state is State.OTHER]
    if others:
        details = "; ".join(f"{file.path}: {file.detail}" for file in others)
        return problem(
            check,
            details,
            f"InstantID was trained on the published files. Delete it. {HOW_TO_GET}",
        )
    return ok(check, "; ".join(_described(file) for file in item.files))


def _described(file: Found) -> str:
    checked = (
        f"SHA-256 {file.file.sha256}, as published"
        if file.state is State.VERIFIED
        else "size as published, SHA-256 not checked"
    )
    return f"{file.path} ({checked})"


def other_packs(host: Host) -> Iterator[Finding]:
    """Older InstantID packs, whose nodes people confuse with this one's, and second copies."""
    if not host.custom_nodes:
        return
    packs = [path for root in host.custom_nodes for path in _subfolders(root)]
    own = [path for path in packs if _is_ours(path)]
    older = [path for path in packs if path not in own and _is_older(path.name.lower())]
    if older:
        yield note(
            "other packs",
            f"an older InstantID pack is installed too: {', '.join(map(str, older))}",
            "Both may stay, each for its own workflows. Its nodes cannot be connected to those of "
            "InstantID Compose; remove its folder when no workflow needs it any more.",
        )
    if len(own) > 1:
        yield problem(
            "other packs",
            f"InstantID Compose is installed {len(own)} times: {', '.join(map(str, own))}",
            "Remove all but one folder; which of them ComfyUI loads is undefined.",
        )
    yield from _callers(packs, has_older=bool(older))
    if not older and len(own) < 2:
        yield ok("other packs", "no older InstantID pack, no second copy of this one")


def _callers(packs: list[Path], *, has_older: bool) -> Iterator[Finding]:
    """Packs whose InstantID nodes ask for the older pack, which ComfyUI's replacements do not
    reach."""
    found = [path for path in packs if path.name.lower().startswith(CALLERS)]
    if found and not has_older:
        yield note(
            "older nodes",
            f"a pack has InstantID nodes that call the older pack's: {', '.join(map(str, found))}",
            "Its nodes easy instantIDApply and easy instantIDApplyADV say that ComfyUI_InstantID "
            "must be installed. Use the node InstantID in their place, which takes the model and "
            "the prompts out of the pipe.",
        )


def _subfolders(root: Path) -> list[Path]:
    try:
        found = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        # A configured folder that does not exist holds no packs.
        return []
    return [path for path in found if not path.name.endswith(".disabled")]


def _is_older(name: str) -> bool:
    return name.startswith(OLDER_PACKS) and not name.startswith(OWN_FOLDERS)


def _is_ours(folder: Path) -> bool:
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(rf'^name = "{OWN_NAME}"', text, re.MULTILINE) is not None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
