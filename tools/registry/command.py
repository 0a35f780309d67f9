"""Archive for the Comfy Registry: validation, packing, checks and publication.

comfy-cli does the first two and the last; it works on a copy of the tree, so that nothing of its
making lies about here. Standard library only.
"""

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from instantid_core.models import sha256_of
from tools.comfyui.cache import CacheError, cache_root
from tools.comfyui.environment import REPOSITORY, child_environ, ready_python, say

from . import checkout

LOCK = REPOSITORY / "tools" / "locks" / "comfy_cli.lock"
ARCHIVE = "node.zip"
"""Its name as comfy-cli has it."""
PLACEHOLDER = "PUBLISHER-NOT-SET"
IN_THE_README = "REPOSITORY-URL"
MAY_NAME_THEM = ("tests/", "tools/", "docs/RELEASING.md")
"""Files that speak about the placeholders."""
TOKEN_VARIABLE = "REGISTRY_ACCESS_TOKEN"
WITHOUT_TOKEN = "from comfy_cli.__main__ import main; main()"
WITH_TOKEN = f"import sys; sys.argv += ['--token', sys.stdin.readline().strip()]; {WITHOUT_TOKEN}"
VALID = "All validation checks passed successfully"
LARGEST_ARCHIVE, LARGEST_FILE = 2_000_000, 500_000  # bytes
NEVER = re.compile(
    r"^(tests|training|docs|output|\.git|\.github|\.ci)/|(^|/)__pycache__/"
    r"|(^|/)(\.env|\.netrc|\.pypirc|id_(rsa|ed25519))$"
    r"|\.(pem|key|p12|pyc|onnx|safetensors|bin|pt|pth|ckpt)$"
)
SECRETS = {
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a token of GitHub": rb"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a token of Hugging Face": rb"\bhf_[A-Za-z0-9]{30,}",
    "a token of a package index": rb"\bpypi-[A-Za-z0-9_-]{40,}",
    "a key of a cloud": rb"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "a password in an address": rb"https?://[^\s/:@\"'<>]+:[^\s/:@\"'<>]+@",
    "a token written out": rb"(?i)\b(api_?key|token|secret|password)\s*[:=]\s*[\"'][\w-]{20,}[\"']",
}


class RegistryError(CacheError):
    """The pack cannot be published as it is; the message says why and what to do."""


def run(output: Path, publish: bool, tag: str | None, archive: Path | None = None) -> int:
    """`dev.py registry`: validates, builds the archive and checks it; publishes it on request.

    tag: the version that is meant, as a tag of git. archive: one that was built before, instead of
    building one. The archive is left in `output`. Raises RegistryError.
    """
    places = placeholders(REPOSITORY)
    if publish:
        refuse_unready(places)
    # Out of the environment: no other program that runs from here on gets to see it.
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if tag:
        refuse_other_version(tag, (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        copy = unpacked(archive, Path(scratch)) if archive else built(output, Path(scratch))
        if publish:
            say(comfy(copy, "publish", token=token))
    for place in places:
        say(f"placeholder: {place}")
    return 0


def built(output: Path, scratch: Path) -> Path:
    """The copy of the tree whose archive, validated and checked, is left in `output`."""
    copy = checkout.copy_of_the_tree(scratch)
    say(validate(copy))
    kept = pack(copy)
    refuse_faulty(kept)
    output.mkdir(parents=True, exist_ok=True)
    kept = Path(shutil.copy2(kept, output / "instantid-compose.zip"))
    say(f"{kept}: {kept.stat().st_size / 1e3:.0f} kB, SHA-256 {sha256_of(kept)}")
    return copy


def unpacked(archive: Path, scratch: Path) -> Path:
    """The files of an archive that another job has built, checked again."""
    refuse_faulty(archive)
    say(f"{archive}: SHA-256 {sha256_of(archive)}")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(scratch)  # which takes `..` and roots off the names
    say(validate(scratch))
    return scratch


def refuse_faulty(archive: Path) -> None:
    """Raises RegistryError for an archive with something in it that may not be published."""
    if faults := archive_faults(archive):
        raise RegistryError("The archive may not be published: " + "; ".join(faults) + ".")


def refuse_unready(places: list[str]) -> None:
    """Raises RegistryError where publishing may not begin; `places` are the placeholder's."""
    if places:
        raise RegistryError(
            f"Nothing was published: a placeholder stands in {', '.join(places)}. Put the "
            "publisher's id of the registry and the repository's address there, then try again."
        )
    if checkout.git(REPOSITORY, "status", "--porcelain"):
        raise RegistryError("Nothing was published: commit the changes of the working tree first.")
    if not os.environ.get(TOKEN_VARIABLE):
        raise RegistryError(
            f"Nothing was published: {TOKEN_VARIABLE} is empty. Put a token of the registry there."
        )


def refuse_other_version(tag: str, project: str) -> None:
    """Raises RegistryError unless `tag` is `v` and the version in the text of pyproject.toml."""
    found = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    version = found[1] if found else "none"
    if tag != f"v{version}":
        raise RegistryError(
            f"Nothing was published: the tag {tag} does not name the version {version} of "
            "pyproject.toml. Change one of them."
        )


def comfy(folder: Path, *arguments: str, token: str = "") -> str:
    """Runs `comfy node ...` in a repository; returns its output. Raises RegistryError with it.

    It keeps settings below the home folder, so it gets one of its own; it sends no statistics.
    token: goes through a pipe, so that no list of processes and no other program shows it.
    """
    python = ready_python(LOCK, cache_root())
    program = [str(python), "-c", WITH_TOKEN if token else WITHOUT_TOKEN]
    with tempfile.TemporaryDirectory() as home:
        apart = {"HOME": home, "USERPROFILE": home, "LOCALAPPDATA": home, "XDG_CONFIG_HOME": home}
        done = subprocess.run(
            [*program, "--skip-prompt", "--no-enable-telemetry", "node", *arguments],
            cwd=folder,
            env=child_environ(DO_NOT_TRACK="1", NO_COLOR="1", **apart),
            input=f"{token}\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
    if done.returncode:
        raise RegistryError(f"`comfy node {arguments[0]}` failed:\n{done.stdout.strip()}")
    return done.stdout.strip()


def validate(folder: Path) -> str:
    """Runs `comfy node validate`; returns its output. Raises RegistryError even for a warning."""
    said = comfy(folder, "validate")
    if VALID not in said or "warning" in said.lower():
        raise RegistryError(f"`comfy node validate` is not content:\n{said}")
    return said


def pack(folder: Path) -> Path:
    """`comfy node pack`: the archive that publishing would upload."""
    comfy(folder, "pack")
    return folder / ARCHIVE


def placeholders(folder: Path) -> list[str]:
    """Positions of placeholders, as `file:line`."""
    return [
        f"{name}:{number}"
        for name in checkout.source_files()
        if not name.startswith(MAY_NAME_THEM)
        for number, line in enumerate(_lines(folder / name), 1)
        if not line.startswith("# ") and (PLACEHOLDER in line or IN_THE_README in line)
    ]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []  # a picture or a model


def archive_faults(archive: Path) -> list[str]:
    """Reasons why an archive must not be published; empty if there is none."""
    size = archive.stat().st_size
    too_large = f"{size} bytes in all, where {LARGEST_ARCHIVE} is the most"
    with zipfile.ZipFile(archive) as opened:
        found = [fault for entry in opened.infolist() for fault in _faults(opened, entry)]
    return ([too_large] if size > LARGEST_ARCHIVE else []) + found


def _faults(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[str]:
    name = entry.filename
    if NEVER.search(name):
        yield f"{name} does not belong in it"
    if entry.file_size > LARGEST_FILE:
        yield f"{name} has {entry.file_size} bytes, where {LARGEST_FILE} is the most"
        return
    content = opened.read(entry)
    yield from (
        f"{name} holds {kind}" for kind, sign in SECRETS.items() if re.search(sign, content)
    )
