"""An identity moved along a direction, so that an attribute is added or left to the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch

from ..errors import DirectionError, IdentityError, one_of, within
from ..faces import mismatch_message
from ..types import Direction, IdentityEmbedding
from .angles import cosine
from .blending import require_one_recogniser

ADD, NEUTRALISE = "add", "neutralise"
MODES = (ADD, NEUTRALISE)
LOWEST, HIGHEST = -3.0, 3.0
"""Range of the amount."""
ALMOST_ONE = 0.9
"""Cosine of two directions from which on hardly anything of one is left without the other."""
NOTHING_LEFT = 1e-6
"""Share of an embedding's length, at or below which an edit has removed all of it."""


class Edited(NamedTuple):
    """An identity that was moved."""

    identity: IdentityEmbedding
    text: str
    """A line per reference: cosine to the original, and its place on the direction before and
    after."""


def edit(
    identity: IdentityEmbedding,
    direction: Direction,
    amount: float = 1.0,
    mode: str = ADD,
    keep_length: bool = True,
    hold: Direction | None = None,
) -> Edited:
    """Move each reference of an identity along a direction; across it nothing changes.

    mode: `add` goes `amount` times from the mean without to the mean with; `neutralise` goes that
    share of the distance to the midpoint, where neither is expressed. keep_length: each
    reference is scaled to its former norm afterwards. amount: -3..3. hold: a direction on which the
    place stays but for that scaling; the move goes across it, so far that the place on `direction`
    is the same as without (conditional manipulation in InterFaceGAN, arXiv 2005.09635, but for that
    length). Raises SettingError for other amounts and modes, IdentityError for nobody, for
    directions of another recogniser, and where nothing is left; DirectionError where both
    directions lie along one line.
    """
    within("amount", amount, LOWEST, HIGHEST)
    one_of("mode", mode, MODES)
    require_one_recogniser({"identity": identity})
    _require_recogniser_of(identity, {"direction": direction, "hold": hold})
    rows = identity.references.double()
    moved = rows + _steps(rows, direction, amount, mode) * _way(direction, hold)
    lengths, new = rows.norm(dim=-1, keepdim=True), moved.norm(dim=-1, keepdim=True)
    if (new <= NOTHING_LEFT * lengths).any():
        raise IdentityError(
            f"amount = {amount:g} of '{direction.name}' takes away all of the identity. Choose an "
            "amount nearer to 0."
        )
    references = (moved * lengths / new if keep_length else moved).float()
    if not torch.isfinite(references).all():
        raise IdentityError(
            f"The identity or the direction {_named(direction, hold)} holds numbers that no face "
            "gives. Embed the face again, or learn the direction again."
        )
    edited = replace(identity, references=references)
    what = f"{mode} {amount:g}" + (f", {hold.name} held" if hold else "")
    return Edited(edited, _text(identity, edited, direction, what))


def _require_recogniser_of(
    identity: IdentityEmbedding, given: Mapping[str, Direction | None]
) -> None:
    for name, direction in given.items():
        if direction is not None and direction.recogniser != identity.recogniser:
            named = {"identity": identity.recogniser, name: direction.recogniser}
            raise IdentityError(mismatch_message(named))


def _named(direction: Direction, hold: Direction | None) -> str:
    return " or ".join(f"'{one.name}'" for one in (direction, hold) if one is not None)


def _way(direction: Direction, hold: Direction | None) -> torch.Tensor:
    """[512] float64: a step of 1 along `direction`, and of 0 along `hold`."""
    unit = _unit(direction)
    if hold is None:
        return unit
    shared = float(unit @ _unit(hold))
    if abs(shared) > ALMOST_ONE:
        raise DirectionError(
            f"Expected two directions that differ, but '{direction.name}' and '{hold.name}', which "
            f"hold keeps, lie along one line: their cosine is {shared:.2f}. Connect another "
            "direction to hold, or none."
        )
    return (unit - shared * _unit(hold)) / (1 - shared**2)


def _unit(direction: Direction) -> torch.Tensor:
    """[512] float64."""
    return direction.vector.double() / direction.length


def _steps(rows: torch.Tensor, direction: Direction, amount: float, mode: str) -> torch.Tensor:
    """[N, S, 1] float64: how far each row goes along the unit vector."""
    if mode == NEUTRALISE:
        return amount * (direction.midpoint - rows @ _unit(direction)).unsqueeze(-1)
    return torch.full((*rows.shape[:-1], 1), amount * direction.length, dtype=torch.float64)


def _text(
    before: IdentityEmbedding, after: IdentityEmbedding, direction: Direction, what: str
) -> str:
    count, references, _ = before.references.shape
    lines = [f"{direction.name}, {what}; places: 0 is the mean without it, 1 with it"]
    for n in range(count):
        for s in range(references):
            old, new = before.references[n, s], after.references[n, s]
            label = f"identity {n + 1}, " if count > 1 else ""
            label += f"reference {s + 1}, " if references > 1 else ""
            places = [_place(row, direction) for row in (old, new)]
            lines.append(
                f"{label}cosine to the original {cosine(old.numpy(), new.numpy()):.3f}, "
                f"from {places[0]:.2f} to {places[1]:.2f}"
            )
    return "\n".join(lines)


def _place(row: torch.Tensor, direction: Direction) -> float:
    """Place of an embedding [512] on a direction."""
    along = float(row.double() @ _unit(direction))
    return (along - direction.midpoint) / direction.length + 0.5
