"""Recognisers: compatibility of their embeddings, and the colour order of their input.

InstantID for SD 1.5 (TheDenk/InstantID-SD1.5) gives insightface RGB where it expects BGR, in
training (`process_laion_dataset.py`) as in use (`instantid/utils/load_components.py`). Its adapter
knows people by embeddings of crops whose red and blue are exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import IdentityError, one_of
from ..models import (
    BUFFALO,
    BUFFALO_RECOGNISER,
    MODEL_PACK,
    PACKS,
    PUBLISHED_BUFFALO,
    PUBLISHED_RECOGNISER,
    RECOGNISER,
)
from ..types import FAMILIES, ColourOrder, IdentityEmbedding, Recogniser

BASE_MODELS = tuple(family.name for family in FAMILIES)
"""Base models for which there is an InstantID."""
PUBLISHED = {PUBLISHED_RECOGNISER: RECOGNISER, PUBLISHED_BUFFALO: BUFFALO_RECOGNISER}
"""Names of the published files, by their SHA-256."""
PUBLISHED_PACKS = {PUBLISHED_RECOGNISER: MODEL_PACK, PUBLISHED_BUFFALO: BUFFALO}
"""The packs that they belong to."""
SHOWN = 12
"""Digits of a hash that messages quote."""


def colours_for(base_model: str, pack: str = MODEL_PACK) -> ColourOrder:
    """The order of colours in which InstantID for a base model read faces in its training.

    Other packs than antelopev2 are of adapters that read faces as insightface does.
    """
    one_of("base_model", base_model, BASE_MODELS)
    if pack != MODEL_PACK:
        return ColourOrder.BGR
    return next(family.colours for family in FAMILIES if family.name == base_model)


def base_model_of(recogniser: Recogniser) -> str:
    """The base model whose InstantID an embedding was made for."""
    return next(family.name for family in FAMILIES if family.colours is recogniser.colours)


def published_name(recogniser: Recogniser) -> str | None:
    """Name of the published file that this recogniser is; None for another file."""
    return PUBLISHED.get(recogniser.sha256)


def pack_of(recogniser: Recogniser) -> str:
    """The pack of face models that a recogniser belongs to: by its file where that is published,
    otherwise as it was loaded; empty where that is not known."""
    return PUBLISHED_PACKS.get(recogniser.sha256, recogniser.pack)


def require_pack(
    identity: IdentityEmbedding, pack: str, adapter: str, assumed_of: str = ""
) -> None:
    """Check that an identity comes from the recogniser that an adapter was trained on.

    pack: the adapter's face models. adapter: what messages call it. assumed_of: the adapter's file
    where its layout alone speaks for the pack, and the user may know better. An identity of unknown
    origin passes. Raises IdentityError.
    """
    found = pack_of(identity.recogniser)
    if identity.is_nobody or found in ("", pack):
        return
    raise IdentityError(
        f"The adapter is {adapter} and was trained on embeddings of {pack}'s recogniser; this "
        f"identity was read by {found}'s, whose numbers mean other things: the likeness would be "
        f"lost. Choose {pack} as model_pack of InstantID Load Face Analyzer and embed the photos "
        f"again, or connect an adapter that was trained on {found}."
        + _better_known(assumed_of, found)
    )


def _better_known(file: str, pack: str) -> str:
    if not file or pack not in PACKS:
        return ""
    return (
        f" '{file}' is no published file: if you know that it was trained on {pack}, set "
        f"recogniser of InstantID Load Adapter to {pack}."
    )


def mismatch_message(named: Mapping[str, Recogniser | None]) -> str:
    """Reason why embeddings of two recognisers do not go together, and what to do.

    named: the two recognisers by their names in the message. None stands for a pose.
    """
    (one, first), (other, second) = named.items()
    if first is None or second is None:
        pose, read = (one, other) if first is None else (other, one)
        return (
            f"{pose} is a pose that nobody holds, {read} was read from a photo. Analyse a photo "
            "for both."
        )
    models = base_model_of(first), base_model_of(second)
    if models[0] != models[1]:
        return (
            f"{one} was read for InstantID on {models[0]}, {other} for {models[1]}; their numbers "
            "mean different things. Choose one base_model in InstantID Load Face Analyzer, and "
            "embed the photos of the other one again."
        )
    digits = [each.sha256[:SHOWN] for each in (first, second)]
    return (
        f"{one} and {other} come from different face recognisers (sha256 {digits[0]} and "
        f"{digits[1]}); their numbers mean different things. Embed the photos of both with "
        "the same face analyzer."
    )


def require_recogniser(identity: IdentityEmbedding, recogniser: Recogniser | None) -> None:
    """Check that an identity was read by this recogniser, the face analyzer's. Raises
    IdentityError."""
    if identity.recogniser != recogniser:
        pair = {"The identity": identity.recogniser, "what the face analyzer reads": recogniser}
        raise IdentityError(mismatch_message(pair))
