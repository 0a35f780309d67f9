"""The common form of the pack's own files: one tensor with notes, in safetensors.

A file is written whole or not at all. Of a file from elsewhere everything is checked before its
numbers are used.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from ..errors import InstantIDError, TensorFileError
from ..libraries import first_line
from ..models import PACKS
from ..types import ColourOrder, Recogniser
from ..weights import require_sound_safetensors

UNKNOWN = "unknown"
ABANDONED = 3600
"""Age in seconds at which a draft counts as abandoned."""
COUNTING_NUMBER = re.compile("[1-9][0-9]{0,8}")
SHA256 = re.compile("[0-9a-f]{64}")
RECOGNISER_SHA256, RECOGNISER_COLOURS = "recogniser_sha256", "recogniser_colours"
RECOGNISER_PACK = "recogniser_pack"
"""Entries of the metadata."""


class Kind(NamedTuple):
    """One kind of file, and how its errors speak of it."""

    noun: str
    a_noun: str
    """The noun with its article."""
    format: str
    version: int
    """Of the format. Raised only when older packs could no longer read a file right."""
    tensor: str
    """Name of the one tensor."""
    sides: str
    """The tensor's shape, in words."""
    fits: Callable[[list[int]], bool]
    """Whether the tensor may have this shape."""
    node: str
    """The node that writes such files."""
    again: str
    """Advice on a damaged file."""
    renewed: str
    """Advice on NaN or infinite numbers."""
    error: type[InstantIDError]


def put(kind: Kind, path: Path, content: bytes, settle: Callable[[Path, Path], None]) -> None:
    """Write beside the final name, and move there in one step.

    settle: gives the finished draft that name; `claim` for a new file, `os.replace` for one that
    takes the place of another. Raises the kind's error when something of that name is there, or
    when the disk refuses.
    """
    try:
        _sweep(path.parent)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            settle(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as error:
        raise kind.error(
            f"'{path.name}' is there already and is not overwritten. Choose another name."
        ) from error
    except (OSError, ValueError) as error:
        raise kind.error(
            f"'{path.name}' cannot be written to {path.parent} ({first_line(error)}). Check the "
            "name, the free space and the rights of that folder."
        ) from error


def claim(draft: Path, path: Path) -> None:
    """Give a finished draft its final name. Raises FileExistsError for a name that is taken."""
    try:
        os.link(draft, path)  # whole or not at all, whenever the process ends
        return
    except FileExistsError:
        raise
    except OSError:
        pass  # a file system without hard links
    # Whoever creates the name owns it; a second writer fails here.
    path.open("xb").close()
    try:
        os.replace(draft, path)
    except OSError:
        path.unlink()
        raise


@contextmanager
def opened(kind: Kind, path: Path) -> Iterator[Any]:
    """A file of this kind whose format, name of tensor and shape are right, by `safe_open`.

    Raises the kind's error for anything else.
    """
    name = path.name
    try:
        require_sound_safetensors(path)
        with safe_open(path, framework="pt") as file:
            _require_format(kind, file.metadata() or {}, name)
            if list(file.keys()) != [kind.tensor]:
                raise kind.error(
                    f"'{name}' is damaged: expected one tensor called {kind.tensor}, found "
                    f"{', '.join(sorted(file.keys())) or 'none'}. {kind.again}"
                )
            _require_shape(kind, list(file.get_slice(kind.tensor).get_shape()), f"'{name}'")
            yield file
    except FileNotFoundError as error:
        raise not_there(kind, path) from error
    except (OSError, TensorFileError, SafetensorError) as error:
        raise kind.error(
            f"'{name}' cannot be read ({first_line(error)}). It is cut short or no safetensors "
            "file: copy it again from where it came from."
        ) from error


def not_there(kind: Kind, path: Path) -> InstantIDError:
    """The error about a file that is gone."""
    return kind.error(
        f"There is no {kind.noun} file '{path.name}' in {path.parent}. Refresh the list of files."
    )


def require_sound(kind: Kind, numbers: torch.Tensor, what: str) -> None:
    """Check shape, number format and numbers of a tensor. Raises the kind's error about `what`."""
    _require_shape(kind, list(numbers.shape), what)
    if numbers.dtype != torch.float32:
        raise kind.error(
            f"{what} has the wrong number format: expected float32, found "
            f"{str(numbers.dtype).removeprefix('torch.')}. {kind.again}"
        )
    if not torch.isfinite(numbers).all():
        raise kind.error(
            f"{what} holds NaN or infinite numbers, which would turn every picture black. "
            f"{kind.renewed}"
        )


def head_of(kind: Kind, recogniser: Recogniser, pack_version: str) -> dict[str, str]:
    """Entries of the metadata that every kind has."""
    pack = {RECOGNISER_PACK: recogniser.pack} if recogniser.pack else {}
    return {
        "format": kind.format,
        "format_version": str(kind.version),
        RECOGNISER_SHA256: recogniser.sha256,
        RECOGNISER_COLOURS: recogniser.colours.value,
        "pack_version": pack_version,
        **pack,
    }


def noted_recogniser(metadata: Mapping[str, str]) -> Recogniser | None:
    """The recogniser as noted; None where the notes make no sense."""
    noted, colours = metadata.get(RECOGNISER_SHA256, ""), metadata.get(RECOGNISER_COLOURS)
    if not SHA256.fullmatch(noted) or colours not in [each.value for each in ColourOrder]:
        return None
    pack = metadata.get(RECOGNISER_PACK, "")
    # A name that the loaders do not offer must not reach messages.
    return Recogniser(noted, ColourOrder(colours), pack if pack in PACKS else "")


def _sweep(folder: Path) -> None:
    """Remove drafts of processes that were killed while they wrote."""
    for draft in folder.glob(".*.safetensors.*.part"):
        with suppress(OSError):  # somebody else has swept it
            if time.time() - draft.stat().st_mtime > ABANDONED:
                draft.unlink()


def _require_format(kind: Kind, metadata: Mapping[str, str], name: str) -> None:
    if metadata.get("format") != kind.format:
        raise kind.error(
            f"'{name}' is not {kind.a_noun}: expected safetensors with the format "
            f"'{kind.format}', found '{metadata.get('format', 'none')}'. Choose a file of "
            f"{kind.node}."
        )
    version = metadata.get("format_version", "")
    if not COUNTING_NUMBER.fullmatch(version):
        raise kind.error(f"'{name}' is damaged: its format version is '{version}'. {kind.again}")
    if int(version) > kind.version:
        raise kind.error(
            f"'{name}' has format version {version}, written by InstantID Compose "
            f"{metadata.get('pack_version', UNKNOWN)}; this one reads up to {kind.version}. Update "
            "the pack."
        )


def _require_shape(kind: Kind, shape: list[int], what: str) -> None:
    if not kind.fits(shape):
        raise kind.error(
            f"{what} has the wrong shape: expected {kind.sides}, found {shape}. {kind.again}"
        )
