"""Search for the files of a face model pack, with an explanation when they are missing.

Standard library only, so that the Doctor can search without the libraries that run the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import FaceModelError, is_file_name
from .inventory import is_file, names_in
from .manifest import HOW_TO_GET

MODEL_PACK = "antelopev2"
BUFFALO = "buffalo_l"
"""The pack of IP-Adapter FaceID."""
DETECTOR = "scrfd_10g_bnkps.onnx"
RECOGNISER = "glintr100.onnx"
LANDMARKS = "2d106det.onnx"
"""Needed only by InstantID for SD 1.5."""
PUBLISHED_RECOGNISER = "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf"
"""SHA-256 of antelopev2's glintr100.onnx, as insightface's own server lists it."""
BUFFALO_DETECTOR = "det_10g.onnx"
BUFFALO_RECOGNISER = "w600k_r50.onnx"
PUBLISHED_BUFFALO = "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"
"""SHA-256 of buffalo_l's w600k_r50.onnx, as a dozen public projects pin it."""
FOREIGN_RECOGNISERS = {
    BUFFALO_RECOGNISER: BUFFALO,
    "w600k_mbf.onnx": "buffalo_s",
    "arcface_r100.onnx": "another ArcFace training",
}
PACKS = {MODEL_PACK: (DETECTOR, RECOGNISER), BUFFALO: (BUFFALO_DETECTOR, BUFFALO_RECOGNISER)}
"""Detector and recogniser of each pack that the loaders offer. Packs of other names have
antelopev2's."""
PLACES = 4
"""Folders below one root that may contain a pack."""


class FaceModelFiles(NamedTuple):
    """Paths of the two models, and of the third if it exists."""

    detector: Path
    recogniser: Path
    landmarks: Path | None = None

    @property
    def pack(self) -> str:
        """The pack whose recogniser this is, by its file's name."""
        return FOREIGN_RECOGNISERS.get(self.recogniser.name, MODEL_PACK)


def find_models(roots: Iterable[Path], pack: str = MODEL_PACK) -> FaceModelFiles:
    """Find the model pack in the host's insightface folders.

    roots: folders such as `models/insightface`. Searches `models/<pack>` and `<pack>` below each,
    and one level deeper, where unpacking the published archive puts the files. Raises
    FaceModelError, which lists the searched folders and says what is missing or wrong, and for a
    pack that is not a plain name: a link bypasses the choices of the widget.
    """
    if not is_file_name(pack):
        raise FaceModelError(
            f"model_pack must be the name of one folder in models/insightface/models, found "
            f"'{pack}'. Use {MODEL_PACK}, or {BUFFALO} for an IP-Adapter FaceID."
        )
    searched: list[Path] = []
    detector, recogniser = _names(pack)
    for folder in _pack_folders(roots, pack):
        searched.append(folder)
        marks = folder / LANDMARKS
        files = FaceModelFiles(
            folder / detector, folder / recogniser, marks if is_file(marks) else None
        )
        if is_file(files.detector) and is_file(files.recogniser):
            return files
    raise FaceModelError(_explain_missing(searched, pack))


def _names(pack: str) -> tuple[str, str]:
    """Files of the detector and the recogniser."""
    return PACKS.get(pack, PACKS[MODEL_PACK])


def _pack_folders(roots: Iterable[Path], pack: str) -> Iterator[Path]:
    for root in roots:
        for parent in (root / "models" / pack, root / pack):
            yield parent
            yield parent / pack


def _explain_missing(searched: list[Path], pack: str) -> str:
    if not searched:
        return (
            "No folder for insightface models is registered, so there is no place to search for "
            f"{pack}. Register one named 'insightface' in extra_model_paths.yaml."
        )
    names = _names(pack)
    wanted = f"Put {' and '.join(names)} of the {pack} pack into"
    for folder in searched:
        present = names_in(folder, ".onnx")
        foreign = next((name for name in present if name in FOREIGN_RECOGNISERS), None)
        if foreign and RECOGNISER in names and RECOGNISER not in present:
            return (
                f"{folder} holds {foreign}, the recogniser of {FOREIGN_RECOGNISERS[foreign]}. "
                "Its embeddings are not compatible with those that InstantID was trained on "
                f"({RECOGNISER}), so the likeness would be lost. {wanted} {folder}."
                f"{_how_to_get(pack)}"
            )
        if present:
            missing = ", ".join(n for n in names if n not in present)
            return (
                f"{folder} holds {', '.join(present)}, but {missing} is missing. {wanted} {folder}."
                f"{_how_to_get(pack)}"
            )
    # The first folder of each root is models/PACK; a list of all would be too long.
    roots = "; ".join(str(folder.parents[1]) for folder in searched[::PLACES])
    return (
        f"The face models of {pack} were not found. Searched models/{pack}, {pack}, and one level "
        f"deeper in each, below: {roots}. {wanted} {searched[0]}.{_how_to_get(pack)}"
    )


def _how_to_get(pack: str) -> str:
    """Instructions for getting a published pack; empty for others."""
    if pack == BUFFALO:
        return (
            f" 'Get InstantID models' in ComfyUI's menu under Extensions has {BUFFALO} among the "
            "optional files (289 MB); 'python -m instantid_core models --only buffalo_l' in the "
            "pack's folder downloads it as well."
        )
    return f" {HOW_TO_GET}" if pack == MODEL_PACK else ""
