"""Identity attention at one site, by properties that hold whatever the weights are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import insertion_rules

from instantid_core.adapter.attention import SiteIdentity, site_identities
from instantid_core.adapter.insertion import INSERTION
from instantid_core.adapter.keys_values import SiteKeysValues
from instantid_core.adapter.masks import RegionMask
from instantid_core.adapter.rows import Row, SamplingRows
from instantid_core.adapter.run import Run
from instantid_core.adapter.window import Span
from instantid_core.errors import SettingError
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


# --- insertion rules ------------------------------------------------------------------------------


def inserted(
    insertion: str, text: torch.Tensor, **changes: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a rule adds beside a text, and the identity's whole attention."""
    call, q = rows(POSITIVE, NEGATIVE), queries(2)
    identity = site(insertion=insertion, weight=1.0, **changes)
    return identity.add_to(text, q, call, GRID, attention) - text, delta(site(weight=1.0), call)


def test_normalised_has_the_norm_of_the_text_in_every_row() -> None:
    text = random(2, GRID[0] * GRID[1], WIDTH, seed=4) * torch.tensor([3.0, 0.2]).view(2, 1, 1)
    found, whole = inserted("normalised", text)
    assert torch.allclose(found.norm(dim=(1, 2)), text.norm(dim=(1, 2)), **ROUNDING)
    along = torch.nn.functional.cosine_similarity(found.flatten(1), whole.flatten(1))
    assert torch.allclose(along, torch.ones(2), **ROUNDING)


def test_orthogonal_has_no_part_along_the_text_in_any_channel() -> None:
    text = random(2, GRID[0] * GRID[1], WIDTH, seed=4)
    found, whole = inserted("orthogonal", text)
    assert torch.allclose((found * text).sum(dim=1), torch.zeros(2, WIDTH), atol=1e-4)
    slope = ((whole - found) * text).sum(dim=1, keepdim=True) / (text * text).sum(1, keepdim=True)
    assert torch.allclose(whole - found, slope * text, atol=1e-4), "nothing else is taken out"


@pytest.mark.parametrize("insertion", ["normalised", "orthogonal"])
def test_a_text_of_nothing_and_an_identity_of_nothing_are_no_faults(insertion: str) -> None:
    nothing = torch.zeros(2, GRID[0] * GRID[1], WIDTH)
    assert inserted(insertion, nothing)[0].isfinite().all()
    kv = stored()
    empty = SiteKeysValues.alone(kv.keys, torch.zeros_like(kv.values))
    found, _ = inserted(insertion, random(*nothing.shape, seed=4), keys_values=empty)
    assert torch.equal(found, nothing)


@pytest.mark.parametrize("rule", insertion_rules.RULES)
def test_rules_are_those_of_their_papers(rule: str) -> None:
    text, face = random(2, 3, 40, WIDTH, seed=6)
    theirs = insertion_rules.RULES[rule](text, face)
    # Both in float32, summed in another order.
    assert torch.allclose(INSERTION[rule](face, text), theirs, rtol=1e-5, atol=1e-5)


def test_rules_compare_with_the_text_and_not_with_other_identities() -> None:
    call, q, text = rows(POSITIVE), queries(1), random(1, GRID[0] * GRID[1], WIDTH, seed=4)
    so_far = text + 5 * random(*text.shape, seed=5)
    ours = site(insertion="normalised")
    found = ours.add_to(so_far, q, call, GRID, attention, text) - so_far
    assert torch.allclose(found, ours.add_to(text, q, call, GRID, attention) - text, atol=1e-4)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(SettingError, match="insertion"):
        site_identities([stored()], [0.1], EVERYTHING, None, insertion="gently")


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
