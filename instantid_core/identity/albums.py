"""Several identities as one: their weighted mean, or the mean of those that agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..errors import SettingError, one_of
from ..types import IdentityEmbedding
from .bands import Bands, bands_of
from .blending import combine_identities, require_one_recogniser, same_batch, shares_of
from .people import mixed
from .robust import LITTLE, ROBUST, Weighing, left_out, weigh_vectors, weighted_mean

COMBINE_IDENTITIES = ("average", ROBUST)


class Combined(NamedTuple):
    """An identity made of several."""

    identity: IdentityEmbedding
    text: str
    """A line for each reference: its share, or why it is left out."""
    left_out: tuple[str, ...] = ()
    """Advice on references that count little or nothing."""


def combine_album(
    identities: Mapping[str, IdentityEmbedding], weights: Sequence[float] = (), how: str = "average"
) -> Combined:
    """Make one identity of several.

    identities: by the names that messages call them. weights: one for each, or none for all alike.
    how: `average` is the weighted mean (`combine_identities`); `robust` takes all references of
    all identities, leaves out those that disagree with the majority, and gives one reference
    [N, 1, 512]; there weights are the most that each may count. Raises SettingError for
    meaningless weights, IdentityError for identities that do not go together and, robustly, where
    no two are of one person.
    """
    if one_of("combine", how, COMBINE_IDENTITIES) == ROBUST:
        return _robustly(identities, tuple(weights))
    combined = combine_identities(identities, weights)
    shares = shares_of(tuple(weights), len(identities))
    listed = zip(identities, (shares / shares.sum()).tolist(), strict=True)
    return Combined(combined, "\n".join(f"{name}: share {share:.2f}" for name, share in listed))


def _robustly(identities: Mapping[str, IdentityEmbedding], weights: tuple[float, ...]) -> Combined:
    require_one_recogniser(identities)
    shares = shares_of(weights, len(identities)).numpy()
    if (shares < 0).any():
        found = ", ".join(f"{weight:g}" for weight in weights)
        raise SettingError(
            f"With combine = {ROBUST} a weight is the most that a photo may count, from 0 up; "
            f"found {found}. To lead away from an identity set combine to average."
        )
    references = torch.cat(same_batch(identities), dim=1)
    clear = np.repeat(shares, [each.references.shape[1] for each in identities.values()])
    recogniser = next(iter(identities.values())).recogniser
    bands, labels = bands_of(recogniser), _labels(identities)
    means, judged = [], []
    for number, each in enumerate(references, start=1):
        weighing = weigh_vectors(each.numpy(), clear, bands)
        means.append(weighted_mean(each, weighing.weights))
        batch = f"identity {number} of the batch, " if len(references) > 1 else ""
        judged += _judged([batch + label for label in labels], weighing, clear, bands)
    named = [f"{each.label} ({each.reason})" for each in judged if each.reason]
    text = "\n".join(each.line for each in judged)
    combined = IdentityEmbedding(torch.stack(means), recogniser, mixed(identities.values()))
    return Combined(combined, text, left_out(named, len(judged), "references"))


class _Judged(NamedTuple):
    """One reference among the others."""

    label: str
    share: float
    agreement: float
    reason: str
    """Empty if it counts."""

    @property
    def line(self) -> str:
        if self.reason:
            return f"{self.label}: left out, {self.reason}"
        return f"{self.label}: share {self.share:.2f}, {self.agreement:.2f} to the others"


def _judged(
    labels: Sequence[str], weighing: Weighing, clear: np.ndarray, bands: Bands
) -> list[_Judged]:
    """All references in their order, with the reason where disagreement took their weight."""
    kept = weighing.weights / np.where(clear > 0, clear, np.inf)
    lost = (clear > 0) & (kept < LITTLE * kept.max())
    return [
        _Judged(label, share, agreement, _reason(agreement, bands) if gone else "")
        for label, share, agreement, gone in zip(labels, *weighing, lost, strict=True)
    ]


def _reason(agreement: float, bands: Bands) -> str:
    return f"{bands.of_photos(agreement)}, {agreement:.2f} to the others"


def _labels(identities: Mapping[str, IdentityEmbedding]) -> list[str]:
    """Names of all references, numbered where an identity has several, as in a comparison."""
    return [
        f"{name}.{number}" if identity.references.shape[1] > 1 else name
        for name, identity in identities.items()
        for number in range(identity.references.shape[1])
    ]
