"""Comparisons of several tensors, which fail on none instead of passing."""

from collections.abc import Iterable

import torch


def are_equal(ours: Iterable[torch.Tensor], theirs: Iterable[torch.Tensor]) -> bool:
    """Whether two rows of tensors are equal, bit for bit, wherever they lie.

    Raises ValueError for rows of different length and for empty ones, which prove nothing.
    """
    pairs = list(zip(ours, theirs, strict=True))
    if not pairs:
        raise ValueError("expected tensors to compare, found none")
    return all(torch.equal(one.cpu(), other.cpu()) for one, other in pairs)
