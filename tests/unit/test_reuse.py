"""Residuals that are kept for the next steps: when they are computed, and whose they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from instantid_core.adapter import reuse
from instantid_core.adapter.residuals import Residuals, bytes_of
from instantid_core.adapter.reuse import CallLayout, KeptResiduals
from instantid_core.adapter.rows import Area, Latent, Row
from instantid_core.adapter.settings import NetSettings
from instantid_core.adapter.window import Span
from instantid_core.errors import SettingError
from instantid_core.types import Polarity

LATENT = Latent(1, 16, 16)
WHOLE = CallLayout((Row(Polarity.POSITIVE, 0, None, LATENT),), (1, 4, 16, 16), ())
UNPLACED = CallLayout((Row(Polarity.POSITIVE, 0, None, None),), (1, 4, 16, 16), ())


def tile(top: int) -> CallLayout:
    rows = (Row(Polarity.POSITIVE, 0, Area(top, 0, 8, 16), LATENT),)
    return CallLayout(rows, (1, 4, 8, 16), ())


class Net:
    """A network that counts; what it gives is the number of the call."""

    def __init__(self, steps: int) -> None:
        self.kept = KeptResiduals(steps)
        self.calls = 0

    def compute(self) -> Residuals:
        self.calls += 1
        return {"input": [torch.tensor([float(self.calls)]), None], "middle": [], "output": []}

    def ask(self, level: float, *layouts: CallLayout) -> list[float]:
        """Answers to the calls of one evaluation."""
        sigma = torch.tensor([level])
        return [self.answer(each, sigma, level) for each in layouts]

    def answer(self, layout: CallLayout, sigma: torch.Tensor, level: float) -> float:
        found = self.kept.at(layout, sigma, level, self.compute)
        assert found is not None
        value = found["input"].pop(0)  # as the UNet does, which empties the lists
        assert value is not None
        return float(value)


@pytest.mark.parametrize(
    ("steps", "expected"), [(2, [1, 1, 2, 2, 3]), (3, [1, 1, 1, 2, 2]), (1, [1, 2, 3, 4, 5])]
)
def test_every_nth_step_computes(steps: int, expected: list[float]) -> None:
    net = Net(steps)
    assert [net.ask(9.0 - step, WHOLE)[0] for step in range(5)] == expected


def test_a_second_evaluation_at_a_level_is_the_same_step() -> None:
    """As Heun's method does."""
    net = Net(2)
    levels = [9.0, 8.0, 8.0, 7.0, 7.0, 6.0, 6.0]
    assert [net.ask(level, WHOLE)[0] for level in levels] == [1, 1, 1, 2, 2, 2, 2]


def test_a_second_evaluation_is_known_without_a_place() -> None:
    """The first level had the layout once, so it is all of the picture."""
    net = Net(2)
    levels = [9.0, 8.0, 8.0, 7.0, 7.0, 6.0, 6.0]
    assert [net.ask(level, UNPLACED)[0] for level in levels] == [1, 1, 1, 2, 2, 2, 2]
    assert not list(net.kept.advice())


def test_a_layout_that_comes_later_is_not_known_to_be_whole() -> None:
    net, window = Net(2), replace(UNPLACED, shape=(1, 4, 8, 16))
    net.ask(9, UNPLACED)
    assert [net.ask(level, window)[0] for level in (8, 8, 7, 7)] == [2, 3, 4, 5]


def test_each_layout_has_its_own() -> None:
    net, tiles = Net(2), (tile(0), tile(8))
    assert net.ask(9, *tiles) == [1, 2]
    assert net.ask(8, *reversed(tiles)) == [2, 1]
    assert net.ask(7, *tiles) == [3, 4]


def test_a_layout_that_was_not_there_is_computed() -> None:
    net = Net(3)
    assert net.ask(9, WHOLE) == [1]
    for change in ({"rest": ("another strength",)}, {"shape": (1, 4, 32, 32)}, {"rows": ()}):
        assert net.ask(8, replace(WHOLE, **change)) != [1]
    assert net.ask(7, WHOLE) == [1]


def test_a_layout_twice_in_an_evaluation_is_never_kept() -> None:
    """Two windows of which nobody says which, or a second latent, as SAG's."""
    net = Net(2)
    assert [net.ask(level, WHOLE, WHOLE) for level in (9, 8, 7)] == [[1, 2], [3, 4], [5, 6]]
    assert list(net.kept.advice()) == [reuse.ASKED_AGAIN]


def test_windows_without_a_place_are_never_kept() -> None:
    """Each has a tensor of its own for the same level."""
    net = Net(2)
    found = [net.ask(level, UNPLACED)[0] for level in (9, 9, 8, 8)]
    assert found == [1, 2, 3, 4]


def test_a_whole_picture_without_a_place_is_kept() -> None:
    net = Net(2)
    assert [net.ask(level, UNPLACED)[0] for level in (9, 8, 7)] == [1, 1, 2]
    assert not list(net.kept.advice())


@pytest.mark.parametrize(
    "lost",
    [
        replace(WHOLE, shape=(1, 4, 8, 8)),
        replace(UNPLACED, given=torch.zeros(1, 3, 128, 128)),
    ],
    ids=["smaller than its latent", "a hint of another pack"],
)
def test_a_part_that_nobody_knows_is_never_kept(lost: CallLayout) -> None:
    net = Net(2)
    assert [net.ask(level, lost)[0] for level in (9, 8, 7)] == [1, 2, 3]
    assert list(net.kept.advice()) == [reuse.ASKED_AGAIN]


def test_a_hint_put_before_a_run_is_kept() -> None:
    net, own = Net(2), replace(WHOLE, given=torch.zeros(1, 3, 128, 128))
    assert [net.ask(level, own)[0] for level in (9, 8, 7)] == [1, 1, 2]


def test_tiles_are_kept_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    net, tiles = Net(2), (tile(0), tile(4), tile(8))
    monkeypatch.setattr(reuse, "MOST_BYTES", 2 * bytes_of(Net(1).compute()))
    assert net.ask(9, *tiles) == [1, 2, 3]
    assert net.ask(8, *tiles) == [1, 2, 4]
    assert list(net.kept.advice()) == [reuse.TOO_MANY]


def test_a_single_call_is_kept_whatever_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(2)
    monkeypatch.setattr(reuse, "MOST_BYTES", 1)
    assert [net.ask(level, WHOLE)[0] for level in (9, 8)] == [1, 1]
    assert not list(net.kept.advice())


def test_nothing_is_kept_of_a_net_that_says_nothing() -> None:
    kept = KeptResiduals(2)
    assert kept.at(WHOLE, torch.ones(1), 1.0, lambda: None) is None


@pytest.mark.parametrize("value", [0, 4, 1.5, 2.0, "2"])
def test_reuse_has_a_range(value: object) -> None:
    with pytest.raises(SettingError, match=r"^reuse must be a whole number from 1 to 3, found"):
        NetSettings(0.8, Span(0, 1), reuse=value)  # pyright: ignore[reportArgumentType]
