"""Identities on disk: safetensors with metadata, the same on every machine."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..errors import IdentityError, IdentityFileError, TensorFileError
from ..libraries import first_line
from ..types import EMBEDDING_WIDTH, ColourOrder, Extent, IdentityEmbedding, Person, Recogniser
from ..weights import require_sound_safetensors
from .person_notes import NAME, notes_of, person_in

FORMAT = "instantid-compose identity"
VERSION = 2
"""Of the format. Raised only when older packs could no longer read a file right."""
RGB_MARK = "exchanged:"
"""Begins the recogniser's hash in files of version 1, where it was shown RGB."""
TENSOR = "references"
UNKNOWN = "unknown"
ABANDONED = 3600
"""Age in seconds at which nobody writes a draft any more."""
SAVE_AGAIN = "Save the identity again with InstantID Save Identity."


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
    """What a file says about itself, read without its numbers."""

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
    _require_sound(identity.references, "The identity to be saved")
    references = identity.references.detach().cpu().contiguous()
    metadata = _metadata(identity, notes) | notes_of(identity.person)
    _put(path, save({TENSOR: references}, metadata=metadata), _claim)


def read(path: Path) -> IdentityFile:
    """Read what `write` wrote. Raises IdentityFileError that says what is wrong with the file."""
    with _opened(path) as file:
        metadata = file.metadata()
        # A copy: the file may be replaced while its memory map is in use.
        references = file.get_tensor(TENSOR).clone()
    _require_sound(references, f"'{path.name}'")
    return IdentityFile(*_contents(references, metadata, path.name))


def summary(path: Path) -> Summary:
    """Read a file's notes and leave its numbers alone. Raises IdentityFileError as `read` does."""
    with _opened(path) as file:
        count, references, _ = file.get_slice(TENSOR).get_shape()
        return Summary(person_in(file.metadata(), path.name), count, references)


def rename(path: Path, name: str) -> None:
    """Give the person of a file a name; nothing else of the file changes, not its own name either.

    At every moment the file is the old one or the new one. Raises IdentityFileError for a file
    that cannot be read or written.
    """
    with _opened(path) as file:
        metadata, references = file.metadata() | {NAME: name}, file.get_tensor(TENSOR).clone()
    _put(path, save({TENSOR: references}, metadata=metadata), os.replace)


def delete(path: Path) -> None:
    """Delete a file. Raises IdentityFileError where the folder does not allow it."""
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise _not_there(path) from error
    except OSError as error:
        raise IdentityFileError(
            f"'{path.name}' cannot be deleted from {path.parent} ({first_line(error)}). Check the "
            "rights of that folder, or delete the file by hand."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An identity file whose format, name of tensor and shape are right."""
    name = path.name
    try:
        require_sound_safetensors(path)
        with safe_open(path, framework="pt") as file:
            _require_format(file.metadata() or {}, name)
            if list(file.keys()) != [TENSOR]:
                raise IdentityFileError(
                    f"'{name}' is damaged: expected one tensor called {TENSOR}, found "
                    f"{', '.join(sorted(file.keys())) or 'none'}. {SAVE_AGAIN}"
                )
            _require_shape(list(file.get_slice(TENSOR).get_shape()), f"'{name}'")
            yield file
    except FileNotFoundError as error:
        raise _not_there(path) from error
    except (OSError, TensorFileError, SafetensorError) as error:
        raise IdentityFileError(
            f"'{name}' cannot be read ({first_line(error)}). It is cut short or no safetensors "
            "file: "
            "copy it again from where it came from."
        ) from error


def _not_there(path: Path) -> IdentityFileError:
    return IdentityFileError(
        f"There is no identity file '{path.name}' in {path.parent}. Refresh the list of files."
    )


def _metadata(identity: IdentityEmbedding, notes: Notes) -> dict[str, str]:
    count, sequence, _ = identity.references.shape
    return {
        "format": FORMAT,
        "format_version": str(VERSION),
        "identities": str(count),
        "references_each": str(sequence),
        "recogniser_sha256": identity.recogniser.sha256,
        "recogniser_colours": identity.recogniser.colours.value,
        "source_sizes": json.dumps(notes.source_sizes) if notes.source_sizes else UNKNOWN,
        "pack_version": notes.pack_version,
    }


def _put(path: Path, content: bytes, settle: Callable[[Path, Path], None]) -> None:
    """Write beside the final name, and move there in one step. settle: gives the finished draft
    that name. Raises IdentityFileError."""
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
        raise IdentityFileError(
            f"'{path.name}' is there already and is not overwritten. Choose another name."
        ) from error
    except (OSError, ValueError) as error:
        raise IdentityFileError(
            f"'{path.name}' cannot be written to {path.parent} ({first_line(error)}). Check the "
            "name, the free space and the rights of that folder."
        ) from error


def _claim(draft: Path, path: Path) -> None:
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


def _sweep(folder: Path) -> None:
    """Remove drafts of processes that were killed while they wrote."""
    for draft in folder.glob(".*.safetensors.*.part"):
        with suppress(OSError):  # somebody else has swept it
            if time.time() - draft.stat().st_mtime > ABANDONED:
                draft.unlink()


def _require_format(metadata: dict[str, str], name: str) -> None:
    if metadata.get("format") != FORMAT:
        raise IdentityFileError(
            f"'{name}' is not an identity: expected safetensors with the format '{FORMAT}', found "
            f"'{metadata.get('format', 'none')}'. Choose a file of InstantID Save Identity."
        )
    version = metadata.get("format_version", "")
    if not re.fullmatch("[1-9][0-9]{0,8}", version):
        raise IdentityFileError(
            f"'{name}' is damaged: its format version is '{version}'. {SAVE_AGAIN}"
        )
    if int(version) > VERSION:
        raise IdentityFileError(
            f"'{name}' has format version {version}, written by InstantID Compose "
            f"{metadata.get('pack_version', UNKNOWN)}; this one reads up to {VERSION}. Update the "
            "pack."
        )


def _require_shape(shape: list[int], what: str) -> None:
    if len(shape) != 3 or shape[-1] != EMBEDDING_WIDTH or 0 in shape:
        raise IdentityFileError(
            f"{what} has the wrong shape: expected [identities, references, {EMBEDDING_WIDTH}], "
            f"found {shape}. {SAVE_AGAIN}"
        )


def _require_sound(references: torch.Tensor, what: str) -> None:
    _require_shape(list(references.shape), what)
    if references.dtype != torch.float32:
        raise IdentityFileError(
            f"{what} has the wrong number format: expected float32, found "
            f"{str(references.dtype).removeprefix('torch.')}. {SAVE_AGAIN}"
        )
    if not torch.isfinite(references).all():
        raise IdentityFileError(
            f"{what} holds NaN or infinite numbers, which would turn every picture black. "
            "Embed its photos again."
        )


def _contents(
    references: torch.Tensor, metadata: dict[str, str], name: str
) -> tuple[IdentityEmbedding, Notes]:
    noted = (metadata.get("identities"), metadata.get("references_each"))
    found = tuple(str(size) for size in references.shape[:2])
    recogniser = _recogniser(metadata)
    sizes = _sizes(metadata.get("source_sizes", UNKNOWN))
    if noted != found or recogniser is None or sizes is None:
        noted_recogniser = metadata.get("recogniser_sha256", "")[:12]
        raise IdentityFileError(
            f"'{name}' is damaged: what it notes about itself (identities {noted[0]}, references "
            f"each {noted[1]}, recogniser '{noted_recogniser}' with colours "
            f"{metadata.get('recogniser_colours')}, source sizes {metadata.get('source_sizes')}) "
            f"does not fit its numbers. {SAVE_AGAIN}"
        )
    notes = Notes(sizes, metadata.get("pack_version", UNKNOWN))
    return IdentityEmbedding(references, recogniser, person_in(metadata, name)), notes


def _recogniser(metadata: dict[str, str]) -> Recogniser | None:
    """The recogniser as noted; None where the notes make no sense."""
    noted = metadata.get("recogniser_sha256", "")
    if metadata["format_version"] == "1":
        colours = ColourOrder.RGB if noted.startswith(RGB_MARK) else ColourOrder.BGR
        sha256 = noted.removeprefix(RGB_MARK)
        return Recogniser(sha256, colours) if sha256 else None
    colours = metadata.get("recogniser_colours")
    if not re.fullmatch("[0-9a-f]{64}", noted) or colours not in [
        each.value for each in ColourOrder
    ]:
        return None
    return Recogniser(noted, ColourOrder(colours))


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
