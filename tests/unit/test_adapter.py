"""The adapter's keys and values, what they weigh, and which models it refuses."""

from __future__ import annotations

import pytest
import torch
from support.recognisers import RECOGNISER
from torch import nn

from instantid_core.adapter.checkpoint import AdapterConfig, read_checkpoint
from instantid_core.adapter.image_adapter import (
    IdentityAdapter,
    project_keys_values,
    project_tokens,
    require_matching_sites,
)
from instantid_core.adapter.resampler import ResamplerConfig
from instantid_core.adapter.sites import AttentionSite
from instantid_core.errors import IncompatibleModelError
from instantid_core.identity.embedding import NegativeIdentity
from instantid_core.types import IdentityEmbedding, IdentityTokens, Polarity
from tools.small_world import adapter as small_adapter
from tools.small_world import published_shapes

CPU = torch.device("cpu")
SIZES = small_adapter.AdapterSizes((64, 96, 128), context_dim=48)
# float32 products of a batch and of single rows use other kernels: the last bits differ.
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def weights() -> dict[str, dict[str, torch.Tensor]]:
    return small_adapter.adapter_weights(SIZES)


@pytest.fixture(scope="module")
def adapter(weights: dict[str, dict[str, torch.Tensor]]) -> IdentityAdapter:
    return IdentityAdapter.from_checkpoint(read_checkpoint(weights, "small"), nn)


@pytest.fixture(scope="module")
def sdxl() -> AdapterConfig:
    return read_checkpoint(published_shapes.published(), "published").config


def identity(count: int = 1, sequence: int = 1) -> IdentityEmbedding:
    generator = torch.Generator().manual_seed(count)
    return IdentityEmbedding(torch.randn(count, sequence, 512, generator=generator), RECOGNISER)


def tokens(count: int = 1) -> IdentityTokens:
    generator = torch.Generator().manual_seed(9)
    shape = (count, SIZES.tokens, SIZES.context_dim)
    return IdentityTokens(*(torch.randn(shape, generator=generator) for _ in range(2)))


# --- loading --------------------------------------------------------------------------------------


def test_the_adapter_holds_the_tensors_of_the_file_and_no_copies(
    adapter: IdentityAdapter, weights: dict[str, dict[str, torch.Tensor]]
) -> None:
    loaded = {parameter.data_ptr() for parameter in adapter.parameters()}
    given = {tensor.data_ptr() for part in weights.values() for tensor in part.values()}
    assert loaded == given
    assert 0 not in loaded


def test_the_adapter_is_not_for_training(adapter: IdentityAdapter) -> None:
    assert not any(parameter.requires_grad for parameter in adapter.parameters())
    assert not adapter.training


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "sequence"), [(1, 1), (3, 1), (2, 4)])
def test_tokens_of_both_polarities(adapter: IdentityAdapter, count: int, sequence: int) -> None:
    given = identity(count, sequence)
    made = project_tokens(adapter, given, NegativeIdentity(), CPU)
    assert torch.equal(made.positive, adapter(given.references))
    assert torch.equal(made.negative, adapter(torch.zeros(count, sequence, 512)))
    assert tuple(made.positive.shape) == (count, 16, 48)
    assert not torch.allclose(made.positive, made.negative)


def test_noise_reaches_only_the_negative_tokens(adapter: IdentityAdapter) -> None:
    plain, noisy = (
        project_tokens(adapter, identity(), NegativeIdentity(kind), CPU)
        for kind in ("zeros", "noise")
    )
    assert torch.equal(plain.positive, noisy.positive)
    assert not torch.equal(plain.negative, noisy.negative)


def test_stacked_tokens_are_indexed_by_polarity() -> None:
    made = tokens(2)
    assert torch.equal(made.stacked()[Polarity.POSITIVE], made.positive)
    assert torch.equal(made.stacked()[Polarity.NEGATIVE], made.negative)


# --- keys and values ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_keys_and_values_are_products_with_the_weights_of_the_file(
    adapter: IdentityAdapter, weights: dict[str, dict[str, torch.Tensor]], count: int
) -> None:
    made = tokens(count)
    projected = project_keys_values(adapter, made, CPU, (CPU, torch.float32))
    assert len(projected) == len(SIZES.site_widths)
    for number, site in zip((1, 3, 5), projected, strict=True):
        for polarity, side in enumerate((made.negative, made.positive)):
            for kind, found in (("k", site.keys), ("v", site.values)):
                weight = weights["ip_adapter"][f"{number}.to_{kind}_ip.weight"]
                assert torch.allclose(found[polarity], side @ weight.T, **ROUNDING)


def test_keys_and_values_have_one_row_per_polarity_and_identity(adapter: IdentityAdapter) -> None:
    projected = project_keys_values(adapter, tokens(3), CPU, (CPU, torch.float16))
    shapes = [tuple(part.shape) for site in projected for part in (site.keys, site.values)]
    assert shapes == [(2, 3, 16, width) for width in SIZES.site_widths for _ in range(2)]
    assert projected.buffer.dtype == torch.float16


def test_keys_and_values_keep_nothing_of_the_adapter_alive(adapter: IdentityAdapter) -> None:
    owned = {parameter.untyped_storage().data_ptr() for parameter in adapter.parameters()}
    made = tokens()
    owned |= {side.untyped_storage().data_ptr() for side in (made.positive, made.negative)}
    with torch.inference_mode():
        projected = project_keys_values(adapter, made, CPU, (CPU, torch.float32))
    storages = {part.untyped_storage() for site in projected for part in (site.keys, site.values)}
    assert {storage.data_ptr() for storage in storages}.isdisjoint(owned)
    assert {storage.nbytes() for storage in storages} == {projected.nbytes}
    assert projected.nbytes == sum(site.nbytes for site in projected)


@pytest.mark.parametrize("identities", [1, 3])
def test_sdxl_keys_and_values_take_10_6_megabytes_per_identity(
    sdxl: AdapterConfig, identities: int
) -> None:
    meta = torch.device("meta")
    published = IdentityAdapter(sdxl, nn, device=meta)
    side = torch.empty(identities, 16, 2048, device=meta)
    projected = project_keys_values(
        published, IdentityTokens(side, side), meta, (meta, torch.float16)
    )
    values = 2 * 16 * 2 * sum(published_shapes.SITE_WIDTHS) * identities
    assert sum(site.nbytes for site in projected) == 2 * values
    assert 2 * values / identities == pytest.approx(10.6e6, rel=0.005)


# --- other models ---------------------------------------------------------------------------------


def sites(widths: list[int], context_dim: int) -> tuple[AttentionSite, ...]:
    return tuple(
        AttentionSite("input", number, 0, width, context_dim) for number, width in enumerate(widths)
    )


SD15 = [320] * 2 + [640] * 2 + [1280] * 2 + [1280] * 3 + [640] * 3 + [320] * 3 + [1280]
REFINER = [768] * 8 + [1536] * 8 + [1536] * 12 + [768] * 12 + [1536] * 4


def test_sdxl_is_accepted(sdxl: AdapterConfig) -> None:
    require_matching_sites(sdxl, sites(published_shapes.SITE_WIDTHS, 2048))


@pytest.mark.parametrize(
    ("model", "found"),
    [
        pytest.param(sites(SD15, 768), "16 sites and a context of width 768 (SD 1.5)", id="SD 1.5"),
        pytest.param(sites(SD15, 1024), "16 sites and a context of width 1024 (SD 2)", id="SD 2"),
        pytest.param(
            sites(REFINER, 1280),
            "44 sites and a context of width 1280 (SDXL refiner)",
            id="refiner",
        ),
        pytest.param(
            sites([640] * 42, 2048), "42 sites and a context of width 2048 (SDXL-like)", id="pruned"
        ),
        pytest.param(sites([640], 4096), "1 sites and a context of width 4096", id="another"),
        pytest.param((), "it is not a UNet with text cross-attention", id="no UNet"),
    ],
)
def test_other_models_are_named(
    sdxl: AdapterConfig, model: tuple[AttentionSite, ...], found: str
) -> None:
    with pytest.raises(IncompatibleModelError) as caught:
        require_matching_sites(sdxl, model)
    message = str(caught.value)
    assert "70 cross-attention sites and a context of width 2048" in message
    assert found in message
    assert "Connect an SDXL checkpoint." in message
    with pytest.raises(IncompatibleModelError, match="the connected model, Flux, has"):
        require_matching_sites(sdxl, model, "Flux")


def test_the_adapter_for_sd15_asks_for_sd15() -> None:
    resampler = ResamplerConfig(512, 64, 64, 256, 2, 16, 768)
    config = AdapterConfig(resampler, tuple(SD15))
    require_matching_sites(config, sites(SD15, 768))
    with pytest.raises(IncompatibleModelError, match=r"Connect an SD 1\.5 checkpoint"):
        require_matching_sites(config, sites(published_shapes.SITE_WIDTHS, 2048))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda widths: widths[::-1], id="another order"),
        pytest.param(lambda widths: widths[:-1], id="one site less"),
        pytest.param(lambda widths: [*widths[:-1], 640], id="one width"),
    ],
)
def test_every_site_must_match(sdxl: AdapterConfig, change) -> None:
    with pytest.raises(IncompatibleModelError):
        require_matching_sites(sdxl, sites(change(published_shapes.SITE_WIDTHS), 2048))
