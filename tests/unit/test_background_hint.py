"""The colours behind people, as another ControlNet takes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from training.background_hint import MARGIN, UNKNOWN, cells_around, colours, deviation
from training.background_training import LEARNING, SurroundingsControl
from training.diffusion import size_numbers
from training.networks.autoencoder import FACTOR
from training.networks.denoiser import DenoiserConfig

SMALL = DenoiserConfig(widths=(64, 64, 64), context_dim=32)
NOBODY = np.zeros((0, 4))
FACE = np.array([[24.0, 24.0, 40.0, 40.0]])
ZERO = "controlnet_down_blocks.0.weight"
RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(edge: int) -> np.ndarray:
    """Red at the left of a column, blue from it on."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :edge], image[:, edge:] = RED, BLUE
    return image


def test_a_place_has_the_mean_of_its_colours():
    hint = colours(picture(12), NOBODY)
    assert hint.shape == (64, 64, 3) and hint.dtype == np.float32
    assert hint[0, 0].tolist() == [1, 0, 0] and hint[63, 63].tolist() == [0, 0, 1]
    assert np.allclose(hint[:, 8:16], (0.5, 0, 0.5))


def test_the_hint_is_grey_near_a_face():
    hint, free = colours(picture(12), FACE), cells_around(FACE, 64, 64)
    assert 0 < 16 * MARGIN < FACTOR / 2, "of no further place the middle is near this face"
    assert (hint[24:40, 24:40] == UNKNOWN).all()
    assert (hint[:, :8] == (1, 0, 0)).all()
    assert free.sum() == 64 - 2 * 2 and not free[3:5, 3:5].any()


@pytest.mark.parametrize(("edge", "expected"), [(32, 0.0), (0, 255 * (2 / 3 / 2) ** 0.5)])
def test_deviation_is_in_levels(edge, expected):
    assert deviation(picture(edge), picture(32), NOBODY) == pytest.approx(expected)


def test_a_face_does_not_count():
    changed = picture(32)
    changed[24:40, 24:40] = 255
    assert deviation(changed, picture(32), FACE) == 0
    assert deviation(changed, picture(32), NOBODY) > 0


def test_no_place_no_deviation():
    everywhere = np.array([[0.0, 0.0, 64.0, 64.0]])
    assert np.isnan(deviation(picture(1), picture(2), everywhere))


@pytest.fixture(scope="module")
def model() -> SurroundingsControl:
    torch.manual_seed(0)
    return SurroundingsControl(UNet2DConditionModel(**SMALL.unet))


def prediction(model: SurroundingsControl, hint: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    given = {
        "context": torch.randn(2, 5, 32, generator=generator),
        "pooled": torch.randn(2, SMALL.pooled_width, generator=generator),
        "noisy": torch.randn(2, 4, 8, 8, generator=generator),
        "timesteps": torch.tensor([10, 700]),
        "sizes": size_numbers(64, 64, 2),
        "hints": torch.full((2, 3, 64, 64), hint),
    }
    return model(given)


def test_a_new_net_changes_nothing_and_learns_of_the_hint_at_once(model):
    first = prediction(model, 0.2)
    assert torch.equal(first, prediction(model, 0.9))
    first.square().mean().backward()
    (zero,) = (value for name, value in model.net.named_parameters() if name == ZERO)
    assert zero.grad is not None and zero.grad.abs().max() > 0
    with torch.no_grad():
        encode = model.net.controlnet_cond_embedding
        one, other = (encode(torch.full((1, 3, 64, 64), level)) for level in (0.2, 0.9))
    assert (one - other).abs().mean() > 0.01, "the hint passes the encoder before it has learned"


def test_all_that_a_unet_has_stays_as_it_is(model):
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained and all(name.removeprefix("net.").startswith(LEARNING) for name in trained)
    base = model.unet.state_dict()
    for name, value in model.net.state_dict().items():
        if not name.startswith(LEARNING):
            assert torch.equal(value, base[name]), name
