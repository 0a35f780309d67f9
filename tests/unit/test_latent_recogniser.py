"""The recogniser of latents, and what it adds to InstantID's training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from training.alignment import similarities, ways_back
from training.diffusion import add_noise, noise_loss, signal_shares, size_numbers
from training.instantid_training import instantid_loss
from training.latent_recogniser import (
    SIDE,
    LatentRecogniser,
    damaged,
    embedding_loss,
    latent_crops,
)

POINTS = np.array(
    [[[80, 80], [114, 83], [97, 99], [83, 118], [112, 120]],
     [[70, 70], [105, 70], [88, 89], [72, 110], [103, 109]]], np.float32
)  # fmt: skip
WHOLE = size_numbers(192, 192, 2)


def ramps() -> torch.Tensor:
    """Latents of 192 x 192 pixels whose channels are a place's x and y in pixels."""
    line = 8 * torch.arange(24.0) + 3.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y, 0 * x, 0 * x])[None].repeat(2, 1, 1, 1)


def test_crops_of_latents_lie_where_those_of_pictures_do():
    found, inside = latent_crops(ramps(), ways_back(POINTS), WHOLE)
    assert found.shape == (2, 4, SIDE, SIDE)
    for crop, matrix in zip(found, similarities(POINTS), strict=True):
        # From a place in the picture to one in the crop of 112 pixels, of which each cell is 7.
        x, y = crop[:2].double().numpy()
        places = np.einsum("ij,jvu->ivu", matrix, np.stack([x, y, np.ones_like(x)]))
        expected = 7 * (np.arange(SIDE) + 0.5) - 0.5
        clear = slice(2, -2)
        assert np.abs(places[0] - expected)[clear, clear].max() < 0.01
        assert np.abs(places[1] - expected[:, None])[clear, clear].max() < 0.01
    assert inside.tolist() == [1.0, 1.0]


def test_a_window_gives_the_crop_that_the_whole_picture_gives():
    corners = np.array([[24, 40], [64, 16]])
    cut = [
        latents[:, y // 8 : y // 8 + 16, x // 8 : x // 8 + 16]
        for latents, (y, x) in zip(ramps(), corners.tolist(), strict=True)
    ]
    back, sizes = ways_back(POINTS), size_numbers(192, 192, 2)
    sizes[:, 2:4], sizes[:, 4:] = torch.from_numpy(corners), 128
    found, inside = latent_crops(torch.stack(cut), back, sizes)
    whole, _ = latent_crops(ramps(), back, WHOLE)
    clear = slice(2, -2)
    assert torch.allclose(found[0, :, clear, clear], whole[0, :, clear, clear], atol=1e-3)
    assert inside[0] > 0.95
    # The other window begins below the eyes.
    assert 0.5 < inside[1] < 0.9


def test_only_faces_that_lie_in_their_view_are_learned_from():
    given = {
        "crops": torch.randn(2, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),
        "embeddings": torch.randn(2, 512, generator=torch.Generator().manual_seed(1)),
        "inside": torch.tensor([1.0, 0.5]),
    }
    torch.manual_seed(0)
    network = LatentRecogniser()
    loss, figures = embedding_loss(network, given)
    cosines = nn.functional.cosine_similarity(network(given["crops"]), given["embeddings"])
    assert loss.item() == pytest.approx(1 - cosines[0].item(), abs=1e-6)
    assert figures["cosine"].item() == pytest.approx(cosines[0].item(), abs=1e-6)


def test_damage_leaves_latents_near_themselves():
    latents = torch.randn(64, 4, 24, 24, generator=torch.Generator().manual_seed(0))
    found = damaged(latents, torch.Generator().manual_seed(1))
    change = (found - latents).square().mean((1, 2, 3)).sqrt()
    assert 0 < change.min() < 0.1 < 0.5 < change.max() < 1.1


class Answer(nn.Module):
    """A network that has been told the noise."""

    def __init__(self, noise: torch.Tensor) -> None:
        super().__init__()
        self.noise = nn.Parameter(noise)

    def forward(self, *_: torch.Tensor) -> torch.Tensor:
        return self.noise


def test_people_who_are_recognised_cost_nothing():
    torch.manual_seed(0)
    reader = LatentRecogniser().requires_grad_(False).eval()
    generator = torch.Generator().manual_seed(2)
    latents, noise = torch.randn(2, 2, 4, 24, 24, generator=generator)
    timesteps = torch.tensor([100, 500])
    back, shares = ways_back(POINTS), signal_shares()[timesteps]
    own = reader(latent_crops(latents, back, WHOLE)[0])
    given = {
        "noisy": add_noise(latents, noise, shares), "noise": noise, "timesteps": timesteps,
        "importance": 1 / shares, "places": torch.ones(2, 1, 24, 24), "sizes": WHOLE, "back": back,
        "hints": noise, "embeddings": own,
    }  # fmt: skip
    network = Answer(noise)
    assert instantid_loss(reader, 2.0)(network, given)[0].item() == pytest.approx(0, abs=1e-4)
    strangers = given | {"embeddings": own.flip(0)}
    loss, figures = instantid_loss(reader, 2.0)(network, strangers)
    plain = noise_loss(network(), strangers)[0]
    unlike = 1 - nn.functional.cosine_similarity(own, own.flip(0))
    expected = (2 * unlike * shares.sqrt() * (1 - shares)).mean().item()
    assert (loss - plain).item() == pytest.approx(expected, rel=1e-3)
    assert figures["faces"].item() == pytest.approx(expected, rel=1e-3)
    loss.backward()
    assert network.noise.grad is not None
    assert network.noise.grad.abs().sum() > 0
    assert instantid_loss()(network, strangers)[0].item() == plain.item()
