"""Identities as data: between two, from one to another, and several together.

An identity is compared and mixed reference by reference. Sums run in float64 and are rounded once,
so that weights which leave an identity alone leave its bits alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch

from ..errors import IdentityError, SettingError, finite, one_of
from ..faces import mismatch_message
from ..types import IdentityEmbedding
from .people import mixed

METHODS = ("slerp", "lerp")
PARALLEL = 1e-6
"""Angle in radians below which two directions are one, and as near to pi, opposites."""
NO_WEIGHT = 1e-9
"""Sum of the weights over the sum of their sizes, from which on the mean has no meaning."""


def blend(
    a: IdentityEmbedding, b: IdentityEmbedding, ratio: float, method: str = METHODS[0]
) -> IdentityEmbedding:
    """An identity between two: `a` at ratio 0 and `b` at 1, bit for bit.

    method: `slerp` turns the direction along the sphere and changes the length evenly, so between
    embeddings of one length that length stays; `lerp` goes straight, and is shorter midway. A batch
    of one goes with a batch of any size. Raises SettingError for a ratio outside 0..1, and
    IdentityError for identities that do not go together or that point in opposite directions.
    """
    one_of("how", method, METHODS)
    if not 0 <= ratio <= 1:  # also refuses NaN
        raise SettingError(f"ratio must be a number from 0 to 1, found {ratio}.")
    named = {"identity_a": a, "identity_b": b}
    require_compatible(named)
    first, second = same_batch(named)
    if ratio in (0, 1):
        end, person = (second, b.person) if ratio else (first, a.person)
        return IdentityEmbedding(end, a.recogniser, person)
    between = _slerp if method == "slerp" else torch.lerp
    mixture = between(first.double(), second.double(), ratio).float()
    return IdentityEmbedding(mixture, a.recogniser, mixed((a, b)))


def interpolate(
    a: IdentityEmbedding, b: IdentityEmbedding, steps: int, method: str = METHODS[0]
) -> IdentityEmbedding:
    """A batch of identities [steps, S, 512] from `a` to `b`, both included, at even ratios.

    Raises SettingError for fewer than two steps, IdentityError as `blend` does and for batches.
    """
    if steps < 2:
        raise SettingError(
            f"steps must be at least 2, one for either end; found {steps}. For a single identity "
            "between the two use InstantID Blend Identities."
        )
    for name, identity in (("identity_a", a), ("identity_b", b)):
        count = identity.references.shape[0]
        if count > 1:
            raise IdentityError(
                f"Interpolation goes from one identity to one other; {name} is a batch of {count}. "
                "Connect a single identity."
            )
    stages = [blend(a, b, step / (steps - 1), method).references for step in range(steps)]
    return IdentityEmbedding(torch.cat(stages), a.recogniser, mixed((a, b)))


def combine_identities(
    identities: Mapping[str, IdentityEmbedding], weights: Sequence[float] = ()
) -> IdentityEmbedding:
    """The weighted mean of identities.

    identities: by the names that messages call them. weights: one for each, in their order; they
    need not sum to one, and negative ones lead away. None at all weighs every identity alike.
    Raises SettingError for weights that are not finite, too few or too many, or that cancel out,
    IdentityError for identities that do not go together.
    """
    require_compatible(identities)
    shares = shares_of(tuple(weights), len(identities))
    references = torch.stack(same_batch(identities)).double()
    mean = (references * shares.view(-1, 1, 1, 1)).sum(0) / shares.sum()
    recogniser = next(iter(identities.values())).recogniser
    return IdentityEmbedding(mean.float(), recogniser, mixed(identities.values()))


def parse_weights(text: str) -> tuple[float, ...]:
    """Numbers written with commas, semicolons, spaces or line breaks between them."""
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    try:
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise SettingError(
            f"weights must be numbers with commas between them, such as '1, 0.5'; found '{text}'."
        ) from error


def require_compatible(identities: Mapping[str, IdentityEmbedding]) -> None:
    """Check that identities can be mixed. Raises IdentityError that names the odd one."""
    require_one_recogniser(identities)
    first, lengths = next(iter(identities)), {}
    for name, identity in identities.items():
        lengths[name] = identity.references.shape[1]
        if lengths[name] != lengths[first]:
            raise IdentityError(
                f"Identities are mixed reference by reference: {first} holds {lengths[first]} per "
                f"person, {name} holds {lengths[name]}. In InstantID Embed Identity use combine = "
                "average for both, or the same number of photos."
            )


def require_one_recogniser(identities: Mapping[str, IdentityEmbedding]) -> None:
    """Check that there are identities, each of somebody, and all of one recogniser."""
    if not identities:
        raise IdentityError("Expected at least one identity, found none. Connect one.")
    first = next(iter(identities))
    for name, identity in identities.items():
        if identity.is_nobody:
            raise IdentityError(
                f"{name} is nobody: no face was found in its photos. Use photos that show a face, "
                "or disconnect it."
            )
        if identity.recogniser != identities[first].recogniser:
            pair = {first: identities[first].recogniser, name: identity.recogniser}
            raise IdentityError(mismatch_message(pair))


def same_batch(identities: Mapping[str, IdentityEmbedding]) -> list[torch.Tensor]:
    """References [N, S, 512] of all, a batch of one repeated to the size N of the others.

    Raises IdentityError for batches of different sizes.
    """
    sizes = {name: identity.references.shape[0] for name, identity in identities.items()}
    batch = max(sizes.values())
    odd = next((name for name, size in sizes.items() if size not in (1, batch)), None)
    if odd is not None:
        raise IdentityError(
            f"{odd} is a batch of {sizes[odd]} identities beside a batch of {batch}. Batches must "
            "have one size, or be a single identity that goes with all."
        )
    return [
        identity.references.expand(batch, *identity.references.shape[1:])
        for identity in identities.values()
    ]


def shares_of(weights: tuple[float, ...], count: int) -> torch.Tensor:
    """Weights [count] float64, the largest of size 1; all alike where none is given.

    Raises SettingError for numbers that are not finite, too few or too many, or that cancel out.
    """
    weights = weights or (1.0,) * count
    if len(weights) != count:
        raise SettingError(
            f"Expected one weight for each of {count} identities, found {len(weights)}. Leave "
            "weights empty to weigh all alike."
        )
    for number, weight in enumerate(weights, start=1):
        finite(f"weight {number}", weight)
    shares = torch.tensor(weights, dtype=torch.float64)
    # To at most 1 each, so that no sum overflows; where all are zero they stay so.
    shares = shares / (shares.abs().max() or 1)
    if shares.sum().abs() <= NO_WEIGHT * shares.abs().sum():
        raise SettingError(
            f"The weights {', '.join(f'{weight:g}' for weight in weights)} sum to zero, so there "
            "is nothing to divide by. Make one of them larger."
        )
    return shares


def _slerp(a: torch.Tensor, b: torch.Tensor, ratio: float) -> torch.Tensor:
    """Between [..., 512] float64 vectors: directions on the sphere, lengths on a line."""
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    if not (length_a.all() and length_b.all()):
        raise IdentityError(
            "slerp turns one direction into another, and an identity of zeros has none. Use lerp."
        )
    u, v = a / length_a, b / length_b
    # Exact at all angles, where the arc cosine loses half its digits near 0 and pi.
    angle = 2 * torch.atan2((u - v).norm(dim=-1, keepdim=True), (u + v).norm(dim=-1, keepdim=True))
    if (angle > torch.pi - PARALLEL).any():
        raise IdentityError(
            "slerp is undefined for two identities that point in opposite directions. Use lerp."
        )
    parallel = angle < PARALLEL
    safe = torch.where(parallel, 1.0, angle)
    from_a = torch.where(parallel, 1 - ratio, torch.sin((1 - ratio) * safe) / torch.sin(safe))
    from_b = torch.where(parallel, ratio, torch.sin(ratio * safe) / torch.sin(safe))
    direction = from_a * u + from_b * v
    length = (1 - ratio) * length_a + ratio * length_b
    return direction / direction.norm(dim=-1, keepdim=True) * length
