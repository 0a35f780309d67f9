"""Which recogniser made an embedding, and which colours it was shown.

InstantID for SD 1.5 (TheDenk/InstantID-SD1.5) gives insightface RGB where it expects BGR, in
training (`process_laion_dataset.py`) as in use (`instantid/utils/load_components.py`). Its adapter
knows people by embeddings of crops whose red and blue are exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import IdentityError, SettingError
from ..types import IdentityEmbedding

SDXL, SD15 = "SDXL", "SD 1.5"
BASE_MODELS = (SDXL, SD15)
"""Base models for which there is an InstantID."""
CONTEXT_WIDTHS = {768: SD15, 2048: SDXL}
"""Width of the text context of each, by which its adapter and its IdentityNet are known."""
EXCHANGED = "exchanged:"
SHOWN = 12
"""Digits of a hash that messages quote."""


def is_exchanged(base_model: str) -> bool:
    """Whether its InstantID was trained on crops with red and blue exchanged."""
    if base_model not in BASE_MODELS:
        raise SettingError(
            f"base_model must be one of {', '.join(BASE_MODELS)}; found '{base_model}'."
        )
    return base_model == SD15


def identifier(sha256: str, exchanged: bool) -> str:
    """What travels with an embedding; two that differ must not be mixed."""
    return f"{EXCHANGED}{sha256}" if exchanged else sha256


def base_model_of(identifier: str) -> str:
    """The base model whose InstantID an embedding was made for."""
    return SD15 if identifier.startswith(EXCHANGED) else SDXL


def are_apart(named: Mapping[str, str]) -> str:
    """Why embeddings of two identifiers cannot be taken together, and what to do.

    named: the two, each by what a message calls it.
    """
    (one, first), (other, second) = named.items()
    models = base_model_of(first), base_model_of(second)
    if models[0] != models[1]:
        return (
            f"{one} was read for InstantID on {models[0]}, {other} for {models[1]}; their numbers "
            "mean different things. Choose one base_model in InstantID Load Face Analyzer, and "
            "embed the photos of the other one again."
        )
    digits = [each.removeprefix(EXCHANGED)[:SHOWN] for each in (first, second)]
    return (
        f"{one} and {other} come from different face recognisers (sha256 {digits[0]} and "
        f"{digits[1]}); their numbers mean different things. Embed the photos of both with "
        "the same face analyzer."
    )


def require_recogniser(identity: IdentityEmbedding, recogniser_id: str) -> None:
    """Check that an identity was read by this recogniser.

    recogniser_id: as `FaceAnalyzer` has it. Raises IdentityError.
    """
    if identity.recogniser != recogniser_id:
        pair = {"The identity": identity.recogniser, "what the face analyzer reads": recogniser_id}
        raise IdentityError(are_apart(pair))
