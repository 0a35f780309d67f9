"""Identities on disk: safetensors with metadata, the same on every machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save

from ..errors import IdentityError, IdentityFileError
from ..libraries import first_line
from ..types import EMBEDDING_WIDTH, ColourOrder, Extent, IdentityEmbedding, Person, Recogniser
from .person_notes import NAME, notes_of, person_in
from .saved_file import (
    RECOGNISER_SHA256,
    UNKNOWN,
    Kind,
    claim,
    head_of,
    not_there,
    noted_recogniser,
    opened,
    put,
    require_sound,
)

FORMAT = "instantid-compose identity"
VERSION = 2
RGB_MARK = "exchanged:"
"""Begins the recogniser's hash in files of version 1, where it was shown RGB."""
TENSOR = "references"
SAVE_AGAIN = "Save the identity again with InstantID Save Identity."


def _fits(shape: list[int]) -> bool:
    return len(shape) == 3 and shape[-1] == EMBEDDING_WIDTH and 0 not in shape


KIND = Kind(
    noun="identity",
    a_noun="an identity",
    format=FORMAT,
    version=VERSION,
    tensor=TENSOR,
    sides=f"[identities, references, {EMBEDDING_WIDTH}]",
    fits=_fits,
    node="InstantID Save Identity",
    again=SAVE_AGAIN,
    renewed="Embed its photos again.",
    error=IdentityFileError,
)


class Notes(NamedTuple):
    """Facts about an identity beside its numbers."""

    source_sizes: tuple[Extent, ...] = ()
    """Sizes of the photos it was made from; empty when not known."""
    pack_version: str = UNKNOWN
    """Version of the pack that wrote the file."""


class IdentityFile(NamedTuple):
    """Contents of a file."""

    identity: IdentityEmbedding
    notes: Notes


class Summary(NamedTuple):
    """Notes of a file about itself, read without its numbers."""

    person: Person
    identities: int
    references_each: int


def write(path: Path, identity: IdentityEmbedding, notes: Notes) -> None:
    """Write an identity and its person to a new file: all of it or nothing.

    Raises IdentityFileError when something of that name is there, or when the disk refuses;
    IdentityError for nobody.
    """
    if identity.is_nobody:
        raise IdentityError(
            "There is nobody to save: no face was found for this identity. Use photos that show "
            "a face."
        )
    require_sound(KIND, identity.references, "The identity to be saved")
    references = identity.references.detach().cpu().contiguous()
    metadata = _metadata(identity, notes) | notes_of(identity.person)
    put(KIND, path, save({TENSOR: references}, metadata=metadata), claim)


def read(path: Path) -> IdentityFile:
    """Read what `write` wrote. Raises IdentityFileError that says what is wrong with the file."""
    with opened(KIND, path) as file:
        metadata = file.metadata()
        # A copy: the file may be replaced while its memory map is in use.
        references = file.get_tensor(TENSOR).clone()
    require_sound(KIND, references, f"'{path.name}'")
    return IdentityFile(*_contents(references, metadata, path.name))


def summary(path: Path) -> Summary:
    """Read a file's notes and leave its numbers alone. Raises IdentityFileError as `read` does."""
    with opened(KIND, path) as file:
        count, references, _ = file.get_slice(TENSOR).get_shape()
        return Summary(person_in(file.metadata(), path.name), count, references)


def rename(path: Path, name: str) -> None:
    """Give the person of a file a name; nothing else of the file changes, not its own name either.

    At every moment the file is the old one or the new one. Raises IdentityFileError for a file
    that cannot be read or written.
    """
    with opened(KIND, path) as file:
        metadata, references = file.metadata() | {NAME: name}, file.get_tensor(TENSOR).clone()
    put(KIND, path, save({TENSOR: references}, metadata=metadata), os.replace)


def delete(path: Path) -> None:
    """Delete a file. Raises IdentityFileError where the folder does not allow it."""
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise not_there(KIND, path) from error
    except OSError as error:
        raise IdentityFileError(
            f"'{path.name}' cannot be deleted from {path.parent} ({first_line(error)}). Check the "
            "rights of that folder, or delete the file by hand."
        ) from error


def _metadata(identity: IdentityEmbedding, notes: Notes) -> dict[str, str]:
    count, sequence, _ = identity.references.shape
    return {
        **head_of(KIND, identity.recogniser, notes.pack_version),
        "identities": str(count),
        "references_each": str(sequence),
        "source_sizes": json.dumps(notes.source_sizes) if notes.source_sizes else UNKNOWN,
    }


def _contents(
    references: torch.Tensor, metadata: dict[str, str], name: str
) -> tuple[IdentityEmbedding, Notes]:
    noted = (metadata.get("identities"), metadata.get("references_each"))
    found = tuple(str(size) for size in references.shape[:2])
    recogniser = _recogniser(metadata)
    sizes = _sizes(metadata.get("source_sizes", UNKNOWN))
    if noted != found or recogniser is None or sizes is None:
        digits = metadata.get(RECOGNISER_SHA256, "")[:12]
        raise IdentityFileError(
            f"'{name}' is damaged: what it notes about itself (identities {noted[0]}, references "
            f"each {noted[1]}, recogniser '{digits}' with colours "
            f"{metadata.get('recogniser_colours')}, source sizes {metadata.get('source_sizes')}) "
            f"does not fit its numbers. {SAVE_AGAIN}"
        )
    notes = Notes(sizes, metadata.get("pack_version", UNKNOWN))
    return IdentityEmbedding(references, recogniser, person_in(metadata, name)), notes


def _recogniser(metadata: dict[str, str]) -> Recogniser | None:
    """The recogniser as noted; None where the notes make no sense."""
    if metadata["format_version"] != "1":
        return noted_recogniser(metadata)
    noted = metadata.get(RECOGNISER_SHA256, "")
    colours = ColourOrder.RGB if noted.startswith(RGB_MARK) else ColourOrder.BGR
    sha256 = noted.removeprefix(RGB_MARK)
    return Recogniser(sha256, colours) if sha256 else None


def _sizes(text: str) -> tuple[Extent, ...] | None:
    """Sizes as noted; empty when unknown, None when they make no sense."""
    if text == UNKNOWN:
        return ()
    try:
        return tuple(_extent(pair) for pair in json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None


def _extent(pair: Any) -> Extent:
    width, height = pair
    if not (isinstance(width, int) and isinstance(height, int)):
        raise TypeError("a size is two whole numbers")
    return Extent(width, height)
