"""One buffer of keys and values for all sites: views where possible, one copy where not."""

from __future__ import annotations

import pytest
import torch

from instantid_core.adapter.attention import site_identities
from instantid_core.adapter.keys_values import KeysValues
from instantid_core.adapter.rows import Row, SamplingRows
from instantid_core.adapter.run import Run
from instantid_core.adapter.window import Span
from instantid_core.types import Polarity

WIDTHS, TOKENS = (32, 64, 32), 16
POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE
GRID = (2, 3)


def filled(identities: int = 1) -> KeysValues:
    stored = KeysValues.empty(identities, TOKENS, WIDTHS, torch.empty(()))
    generator = torch.Generator().manual_seed(identities)
    for position, width in enumerate(WIDTHS):
        stored.fill(position, *torch.randn(2, 2, identities, TOKENS, width, generator=generator))
    return stored


def call(*polarities: Polarity, pictures: int = 1) -> SamplingRows:
    rows = (Row(side, picture, None, None) for side in polarities for picture in range(pictures))
    return SamplingRows(tuple(rows), Run(lambda percent: 1 - percent), torch.tensor([1.0]))


def test_what_is_filled_in_is_found_at_its_site() -> None:
    stored = KeysValues.empty(2, TOKENS, WIDTHS, torch.empty(()))
    parts = [torch.randn(2, 2, 2, TOKENS, width) for width in WIDTHS]
    for position, (keys, values) in enumerate(parts):
        stored.fill(position, keys, values)
    for site, (keys, values) in zip(stored, parts, strict=True):
        assert torch.equal(site.keys, keys)
        assert torch.equal(site.values, values)


@pytest.mark.parametrize(
    ("entries", "is_view"), [((0, 1), True), ((1,), True), ((1, 2, 3), True), ((1, 0), False)]
)
def test_neighbouring_entries_are_taken_without_a_copy(
    entries: tuple[int, ...], is_view: bool
) -> None:
    stored = filled(identities=2)
    rows = call(POSITIVE)
    for site in stored:
        keys, values = site.of(entries, rows)
        assert torch.equal(keys, site.keys.flatten(0, 1)[list(entries)])
        assert torch.equal(values, site.values.flatten(0, 1)[list(entries)])
        shared = keys.untyped_storage().data_ptr() == stored.buffer.untyped_storage().data_ptr()
        assert shared is is_view
    assert len(rows.memory) == (not is_view)


def test_views_are_made_once_per_run_and_gone_with_it() -> None:
    (site, *_), first, other = filled(), call(POSITIVE), call(POSITIVE)
    again = SamplingRows(first.rows, first.run, first.sigma)
    assert site.of((0, 1), first)[0] is site.of((0, 1), again)[0]
    assert site.of((0, 1), first)[0] is not site.of((0, 1), other)[0]


def test_all_sites_of_a_call_share_one_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two positives and a negative, as DualCFG has them: their rows do not lie side by side."""
    stored, times = filled(), []
    real = KeysValues.gathered
    monkeypatch.setattr(KeysValues, "gathered", lambda *a: times.append(a) or real(*a))
    rows = call(POSITIVE, POSITIVE, NEGATIVE)
    for identity in site_identities(stored, [0.8] * 3, Span(0, 1), None):
        q = torch.randn(3, 6, identity.keys_values.keys.shape[-1])
        identity.add_to(torch.zeros_like(q), q, rows, GRID, attention)
    assert len(times) == 1


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(q, k, v)


def test_a_batch_of_one_person_repeats_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows with the same tokens become one row of more queries."""
    shapes = []

    def noted(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        shapes.append((q.shape[0], k.shape[0], q.shape[1]))
        return attention(q, k, v)

    (identity, *_) = site_identities(filled(), [0.8] * 3, Span(0, 1), None)
    q = torch.randn(8, 6, WIDTHS[0])
    together = identity.add_to(
        torch.zeros_like(q), q, call(NEGATIVE, POSITIVE, pictures=4), GRID, noted
    )
    assert shapes == [(2, 2, 4 * 6)]
    for row in range(8):
        side = call(NEGATIVE if row < 4 else POSITIVE)
        one = q[row : row + 1]
        alone = identity.add_to(torch.zeros_like(one), one, side, GRID, attention)
        torch.testing.assert_close(together[row], alone[0], rtol=1e-5, atol=1e-6)


def test_moving_one_site_moves_all_in_one_copy() -> None:
    stored, meta = filled(), torch.device("meta")
    moved = [site.to(meta).all_sites for site in stored]
    assert len({id(one) for one in moved}) == 1
    assert moved[0].buffer.device == meta
    assert all(site.to(torch.device("cpu")) is site for site in stored)


def test_a_copy_elsewhere_goes_with_those_who_hold_it() -> None:
    stored, meta = filled(), torch.device("meta")
    first = stored.to(meta)
    assert stored.to(meta) is first
    del first
    assert list(stored._copies) == [torch.device("cpu")]


def test_the_way_back_is_no_second_copy() -> None:
    """As when ComfyUI takes a model off its GPU: a copy is read nowhere, the first is still here.

    Tensors on `meta` have no numbers to read, so anything but the first would be an error.
    """
    stored, meta = filled(), torch.device("meta")
    before = stored.buffer.clone()
    site = stored[1].to(meta).to(torch.device("cpu"))
    assert site.all_sites is stored
    assert torch.equal(stored.buffer, before)
    there = stored.to(meta)
    assert there.to(torch.device("cpu")).to(meta) is there


def test_a_slice_is_a_list_of_sites() -> None:
    stored = filled()
    assert [site.position for site in stored[1:]] == [1, 2]
    assert stored[-1].position == 2
    with pytest.raises(IndexError):
        stored[3]
