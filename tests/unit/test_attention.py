"""Identity attention at one site, by properties that hold whatever the weights are."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from instantid_core.adapter.attention import SiteIdentity, site_identities
from instantid_core.adapter.keys_values import SiteKeysValues
from instantid_core.adapter.masks import RegionMask
from instantid_core.adapter.rows import Row, SamplingRows
from instantid_core.adapter.run import Run
from instantid_core.adapter.window import Span
from instantid_core.types import Polarity

HEADS, WIDTH, TOKENS = 2, 32, 16
GRID = (4, 6)
EVERYTHING = Span(0, 1)
POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE
# Rows of different batches may run through different kernels: the last bits differ.
ROUNDING = {"rtol": 1e-5, "atol": 1e-6}


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """What a host binds in: torch's attention with this site's heads."""
    heads = (x.unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (q, k, v))
    return torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)


def softmax(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The same, written out."""
    out = []
    for part in range(HEADS):
        columns = slice(part * WIDTH // HEADS, (part + 1) * WIDTH // HEADS)
        likeness = q[..., columns] @ k[..., columns].mT / (WIDTH // HEADS) ** 0.5
        out.append(likeness.softmax(-1) @ v[..., columns])
    return torch.cat(out, dim=-1)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def stored(identities: int = 1, seed: int = 1) -> SiteKeysValues:
    keys, values = random(2, 2, identities, TOKENS, WIDTH, seed=seed)
    return SiteKeysValues.alone(keys, values)


def site(**changes: Any) -> SiteIdentity:
    settings = {"keys_values": stored(), "weight": 0.8, "window": EVERYTHING, "region": None}
    return SiteIdentity(**(settings | changes))


def rows(*polarities: Polarity, pictures: int = 1, sigma: float = 5.0) -> SamplingRows:
    """A call with sigma falling from 10 to 0."""
    stacked = tuple(
        Row(polarity, picture, None, None) for polarity in polarities for picture in range(pictures)
    )
    return SamplingRows(stacked, Run(lambda percent: 10 * (1 - percent)), torch.tensor([sigma]))


def queries(count: int, seed: int = 2) -> torch.Tensor:
    """[count, 24, WIDTH]: the same queries in every row, so that only K and V tell rows apart."""
    return random(1, GRID[0] * GRID[1], WIDTH, seed=seed).expand(count, -1, -1)


def added(identity: SiteIdentity, q: torch.Tensor, call: SamplingRows) -> torch.Tensor:
    return identity.add_to(torch.zeros_like(q), q, call, GRID, attention)


def delta(identity: SiteIdentity, call: SamplingRows) -> torch.Tensor:
    return added(identity, queries(len(call.rows)), call)


def region(*masks: torch.Tensor) -> RegionMask:
    return RegionMask(torch.stack(masks))


# --- what is added --------------------------------------------------------------------------------


def test_delta_is_the_weighted_attention_to_the_row_s_keys_and_values() -> None:
    kv = stored()
    found = delta(site(keys_values=kv, weight=0.8), rows(POSITIVE, NEGATIVE))
    for row, polarity in enumerate((POSITIVE, NEGATIVE)):
        expected = 0.8 * softmax(queries(1)[0], kv.keys[polarity, 0], kv.values[polarity, 0])
        assert torch.allclose(found[row], expected, **ROUNDING)


@pytest.mark.parametrize("weight", [0.5, 1.0, 3.0, -1.0])
def test_delta_is_proportional_to_the_weight(weight: float) -> None:
    call = rows(POSITIVE, NEGATIVE)
    one = delta(site(weight=1.0), call)
    assert torch.allclose(delta(site(weight=weight), call), weight * one, **ROUNDING)


def test_swapped_rows_swap_the_delta() -> None:
    usual = delta(site(), rows(POSITIVE, NEGATIVE))
    swapped = delta(site(), rows(NEGATIVE, POSITIVE))
    assert torch.allclose(swapped, usual.flip(0), **ROUNDING)
    assert not torch.allclose(usual[0], usual[1], atol=0.1)


@pytest.mark.parametrize("polarity", [POSITIVE, NEGATIVE])
def test_a_lone_row_gets_its_own_side(polarity: Polarity) -> None:
    both = delta(site(), rows(NEGATIVE, POSITIVE))
    assert torch.allclose(delta(site(), rows(polarity))[0], both[polarity], **ROUNDING)


def test_a_batch_of_identities_goes_picture_by_picture() -> None:
    kv = stored(identities=3)
    found = delta(site(keys_values=kv), rows(NEGATIVE, POSITIVE, pictures=4))
    picked = [(side, number) for side in (NEGATIVE, POSITIVE) for number in (0, 1, 2, 0)]
    for row, (polarity, number) in enumerate(picked):
        parts = (part[:, number : number + 1] for part in (kv.keys, kv.values))
        expected = delta(site(keys_values=SiteKeysValues.alone(*parts)), rows(polarity))
        assert torch.allclose(found[row], expected[0], **ROUNDING)


def test_a_curve_scales_the_weight_of_its_window() -> None:
    call = rows(POSITIVE, NEGATIVE, sigma=6.0)  # four tenths of the way, half of the window
    plain = delta(site(window=Span(0.2, 0.6)), call)
    faded = delta(site(window=Span(0.2, 0.6), curve="fade in"), call)
    # The search for the place in the process ends after 12 halvings.
    assert torch.allclose(faded, 0.5 * plain, rtol=2e-3, atol=1e-6)
    assert torch.equal(delta(site(window=Span(0.2, 0.6), curve="constant"), call), plain)


# --- when nothing is added ------------------------------------------------------------------------


def test_weight_zero_adds_nothing_and_asks_nothing() -> None:
    def untouched(*args: torch.Tensor) -> torch.Tensor:
        raise AssertionError("attention ran for a weight of zero")

    q = queries(1)
    out = torch.zeros_like(q)
    assert site(weight=0.0).add_to(out, q, rows(POSITIVE), GRID, untouched) is out


@pytest.mark.parametrize(("sigma", "acts"), [(9.0, False), (7.0, True), (4.0, True), (1.0, False)])
def test_nothing_is_added_outside_the_window(sigma: float, acts: bool) -> None:
    q = queries(1)
    out = torch.zeros_like(q)
    limited = site(window=Span(0.25, 0.75))
    found = limited.add_to(out, q, rows(POSITIVE, sigma=sigma), GRID, attention)
    assert (found is not out) is acts


# --- masks ----------------------------------------------------------------------------------------

LEFT = torch.zeros(32, 48)
LEFT[:, :24] = 1
RIGHT = 1 - LEFT


def test_a_full_mask_changes_nothing() -> None:
    call = rows(POSITIVE, NEGATIVE)
    masked = delta(site(region=region(torch.ones(32, 48))), call)
    assert torch.equal(masked, delta(site(), call))


def test_an_empty_mask_adds_zero() -> None:
    assert not delta(site(region=region(torch.zeros(32, 48))), rows(POSITIVE, NEGATIVE)).any()


def test_a_mask_keeps_tokens_inside_it_in_both_polarities() -> None:
    call = rows(POSITIVE, NEGATIVE)
    plain = delta(site(), call).unflatten(1, GRID)
    masked = delta(site(region=region(LEFT)), call).unflatten(1, GRID)
    assert torch.equal(masked[:, :, :3], plain[:, :, :3])
    assert not masked[:, :, 3:].any()


def test_soft_masks_scale() -> None:
    call = rows(POSITIVE)
    half = delta(site(region=region(torch.full((32, 48), 0.5))), call)
    assert torch.allclose(half, 0.5 * delta(site(), call))


def test_two_identities_with_disjoint_masks_do_not_disturb_each_other() -> None:
    call = rows(POSITIVE, NEGATIVE)
    first, second = stored(seed=1), stored(seed=4)
    total = delta(site(keys_values=first, region=region(LEFT)), call) + delta(
        site(keys_values=second, region=region(RIGHT)), call
    )
    total = total.unflatten(1, GRID)
    for kv, columns in ((first, slice(0, 3)), (second, slice(3, 6))):
        alone = delta(site(keys_values=kv), call).unflatten(1, GRID)
        assert torch.equal(total[:, :, columns], alone[:, :, columns])


def test_each_picture_has_its_own_mask() -> None:
    call = rows(POSITIVE, NEGATIVE, pictures=2)
    found = delta(site(region=region(LEFT, RIGHT)), call).unflatten(1, GRID)
    assert [bool(row[:, :3].any()) for row in found] == [True, False, True, False]
    assert [bool(row[:, 3:].any()) for row in found] == [False, True, False, True]


# --- dtypes, devices, sites -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_delta_has_the_dtype_of_the_query(dtype: torch.dtype) -> None:
    call = rows(POSITIVE)
    assert added(site(region=region(LEFT)), queries(1).to(dtype), call).dtype == dtype


def test_inputs_are_left_alone() -> None:
    kv = stored()
    before = kv.all_sites.buffer.clone()
    q = queries(2).contiguous()
    out = torch.zeros_like(q)
    site(keys_values=kv).add_to(out, q, rows(POSITIVE, NEGATIVE), GRID, attention)
    assert torch.equal(q, queries(2))
    assert not out.any()
    assert torch.equal(kv.all_sites.buffer, before)


def test_moving_keeps_the_settings_and_itself_where_nothing_changes() -> None:
    one = site(region=region(LEFT), window=Span(0.1, 0.9))
    assert one.to(torch.device("cpu")) is one
    moved = one.to(torch.device("meta"))
    assert moved.keys_values.keys.device.type == "meta"
    assert (moved.weight, moved.window, moved.region) == (0.8, Span(0.1, 0.9), one.region)


def test_every_site_gets_its_own_weight() -> None:
    made = site_identities([stored(), stored()], [0.1, 0.2], EVERYTHING, None, "peak")
    assert [(one.weight, one.curve) for one in made] == [(0.1, "peak"), (0.2, "peak")]
    with pytest.raises(ValueError, match="zip"):
        site_identities([stored()], [0.1, 0.2], EVERYTHING, None)
