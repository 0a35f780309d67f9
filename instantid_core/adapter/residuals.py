"""Residuals of a ControlNet: by stage of the UNet, one tensor per block or None."""

from __future__ import annotations

from itertools import zip_longest

import torch

from .masks import Region, Resampling
from .rows import BatchRows

Residuals = dict[str, list[torch.Tensor | None]]


def sum_residuals(first: Residuals | None, second: Residuals | None) -> Residuals | None:
    """The sum of two nets' residuals, place by place; a missing one counts as zero."""
    if first is None or second is None:
        return second if first is None else first
    return {
        stage: [_sum(*pair) for pair in zip_longest(first[stage], second[stage])] for stage in first
    }


def limit_residuals(
    residuals: Residuals | None, region: Region | None, rows: BatchRows
) -> Residuals | None:
    """Residuals within a region alone."""
    if residuals is None or region is None:
        return residuals
    return {
        stage: [each if each is None else each * _mask(region, rows, each) for each in several]
        for stage, several in residuals.items()
    }


def bytes_of(residuals: Residuals) -> int:
    """Memory that they take, in bytes."""
    every = (each for several in residuals.values() for each in several if each is not None)
    return sum(each.numel() * each.element_size() for each in every)


def _sum(first: torch.Tensor | None, second: torch.Tensor | None) -> torch.Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _mask(region: Region, rows: BatchRows, residual: torch.Tensor) -> torch.Tensor:
    """[B or 1, 1, h, w]: the region at the size of a residual [B, C, h, w]."""
    height, width = residual.shape[-2:]
    return region.for_rows(rows, (height, width), residual, Resampling.RESIDUALS).unsqueeze(1)
