"""InstantID Keep Best in the host, behind scores as InstantID Score Identity gives them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

SCORES = [0.1, math.nan, 0.5, 0.3]


@pytest.fixture
def keep(pack: Any) -> Any:
    def run(images: list[torch.Tensor], scores: Any = SCORES, keep: int = 1, **more: Any) -> Any:
        given = {"keep": [keep], "at_least": [0.0], **more}
        return pack.run("InstantIDKeepBest", images=images, scores=scores, **given)

    return run


def pictures(count: int = 4, side: int = 8) -> torch.Tensor:
    """[count, side, side, 3], each of one grey."""
    return (torch.arange(count) / 8).view(-1, 1, 1, 1).expand(count, side, side, 3).clone()


def test_images_and_latents_stay_together(keep: Any) -> None:
    latents = {
        "samples": torch.arange(4.0).view(4, 1, 1, 1),
        "noise_mask": torch.ones(1, 1, 1),
        "batch_index": [4, 5, 6, 7],
    }
    images, kept, text = keep([pictures()], keep=2, latents=[latents])
    assert torch.equal(images, pictures()[[2, 3]])
    assert kept["samples"].flatten().tolist() == [2, 3]
    assert kept["batch_index"] == [6, 7] and len(kept["noise_mask"]) == 1
    assert text.startswith("image 3: 0.500, kept, number 1")
    assert latents["batch_index"] == [4, 5, 6, 7]


def test_a_list_of_batches_is_one_batch(keep: Any) -> None:
    images, latents, _ = keep([pictures()[:1], pictures()[1:]])
    assert torch.equal(images, pictures()[[2]]) and latents is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scores": SCORES[:3]}, "found 3 for 4"),
        ({"images": [pictures(2), pictures(2, side=16)]}, "one size, found 8 x 8, 16 x 16"),
        ({"latents": [{"samples": torch.zeros(2, 4, 1, 1)}]}, "found 2 for image 3"),
        ({"scores": [0.1, 2.0, 0.1, 0.1]}, "scores must be a number from -1"),
        ({"images": ["x"]}, "images takes images, found a value of type str"),
    ],
)
def test_what_does_not_fit_is_a_sentence(pack: Any, keep: Any, change: Any, said: str) -> None:
    error = pack.module("instantid_core.errors").SettingError
    with pytest.raises(error, match=said):
        keep(**{"images": [pictures()], **change})
