"""Noise levels of a run: read once, or known from a list that proved right."""

from __future__ import annotations

import pytest
import torch

from instantid_core.adapter import noise_levels
from instantid_core.adapter.noise_levels import NoiseLevels

SIGMAS = torch.tensor([8.0, 4.0, 2.0, 0.0])


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Tensors of which a number was read."""
    seen: list[torch.Tensor] = []
    note = lambda x: seen.append(x) or float(x)  # noqa: E731
    monkeypatch.setattr(noise_levels, "float", note, raising=False)
    return seen


def test_one_tensor_is_read_once(looks: list[torch.Tensor]) -> None:
    levels, sigma = NoiseLevels(), torch.tensor([5.0, 5.0])
    assert [levels.of(sigma) for _ in range(3)] == [5.0] * 3
    assert levels.of(torch.tensor([3.0])) == 3.0
    assert len(looks) == 2


def test_a_list_that_is_followed_is_compared_once(looks: list[torch.Tensor]) -> None:
    levels = NoiseLevels()
    levels.follow(SIGMAS)
    for step, sigma in enumerate(SIGMAS):
        levels.step = step
        assert levels.of(sigma[None]) == float(sigma)
    assert len(looks) == 1


def test_another_list_than_the_samplers_is_not_followed(looks: list[torch.Tensor]) -> None:
    levels = NoiseLevels()
    levels.follow(SIGMAS)
    for step, sigma in enumerate((7.0, 3.0)):
        levels.step = step
        assert levels.of(torch.tensor([sigma])) == sigma
    assert len(looks) >= 2


def test_what_was_followed_is_forgotten() -> None:
    levels = NoiseLevels()
    levels.follow(SIGMAS)
    assert levels.of(SIGMAS[:1]) == 8.0
    levels.follow(None)
    assert levels.of(torch.tensor([1.5])) == 1.5
