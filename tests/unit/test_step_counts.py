"""What the counter of the benchmark calls a launch, a wait and a copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tools.bench.operations import StepCounts

META = torch.device("meta")


def counted(work: Any) -> StepCounts:
    counts = StepCounts(META)
    with torch.inference_mode(), counts:
        work()
    return counts


def test_views_and_room_are_no_launches() -> None:
    x = torch.empty(4, 6, device=META)
    assert counted(lambda: x.view(6, 4).transpose(0, 1)[1:].unsqueeze(0)).launches == 0
    assert counted(lambda: torch.empty_like(x)).launches == 0


def test_each_operation_is_a_launch() -> None:
    x = torch.empty(4, 6, device=META)
    found = counted(lambda: torch.add(x * 2, x, alpha=0.5))
    assert found.by_operation == {"mul": 1, "add": 1}


def test_operations_are_multiplications_and_additions() -> None:
    x, weight = torch.empty(2, 5, 7, device=META), torch.empty(11, 7, device=META)
    assert counted(lambda: torch.nn.functional.linear(x, weight)).operations == 2 * 10 * 7 * 11
    picture, kernel = torch.empty(1, 3, 8, 8, device=META), torch.empty(4, 3, 3, 3, device=META)
    convolved = counted(lambda: torch.nn.functional.conv2d(picture, kernel, padding=1))
    assert convolved.operations == 2 * (4 * 8 * 8) * (3 * 3 * 3)


def test_attention_is_one_launch_of_two_products() -> None:
    q, k = torch.empty(2, 10, 8, device=META), torch.empty(2, 3, 8, device=META)
    counts = StepCounts(META)
    assert counts.attention(q, k, k, 2).shape == q.shape
    assert (counts.launches, counts.operations) == (1, 2 * 2 * 2 * 10 * 3 * 8)


def test_a_copy_to_the_device_is_counted_once() -> None:
    found = counted(lambda: torch.ones(3, 4).to(META))
    assert (found.copies, found.launches) == (1, 0)


def test_resizing_is_counted() -> None:
    picture = torch.empty(1, 3, 8, 8, device=META)
    found = counted(lambda: torch.nn.functional.interpolate(picture, size=(4, 4)))
    assert found.resized == 1


def test_a_value_cannot_be_read_back() -> None:
    x = torch.empty(1, device=META)
    with pytest.raises(RuntimeError, match="meta"):
        counted(lambda: float(x))
