"""The memories of an adapter and of a run: made once, by content, within a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from instantid_core.adapter.keys_values import KeysValues
from instantid_core.adapter.memory import Memory
from instantid_core.adapter.projections import Projections, content_key
from instantid_core.adapter.run import Run
from instantid_core.identity import NegativeIdentity
from instantid_core.types import IdentityEmbedding, IdentityTokens, Recogniser

ZEROS = NegativeIdentity()


def counted(made: list[object], value: object = "value") -> Callable[[], object]:
    return lambda: made.append(value) or value


def test_a_value_is_made_once() -> None:
    memory, made = Memory(2), []
    assert [memory.once("key", counted(made)) for _ in range(3)] == ["value"] * 3
    assert len(made) == 1


def test_false_and_zero_are_values() -> None:
    memory, made = Memory(2), []
    assert [memory.once("key", counted(made, False)) for _ in range(2)] == [False] * 2
    assert len(made) == 1


def test_the_least_recently_used_goes_first() -> None:
    memory, made = Memory(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        memory.once(key, counted(made, key))
    assert made == ["a", "b", "c", "b"]
    assert len(memory) == 2


def test_sizes_count_where_they_are_given() -> None:
    memory, made = Memory(10, len), []
    for key in ("four", "five!", "three"):
        memory.once(key, counted(made, key))
    assert len(memory) == 2, "5 + 5"
    memory.once("longer than all", counted(made, "longer than all"))
    assert len(memory) == 1, "the latest stays"


def test_threads_may_share_one() -> None:
    memory, wrong = Memory(8), []

    def work(number: int) -> None:
        for turn in range(2000):
            key = (number * turn) % 13
            if memory.once(key, lambda key=key: key + 1) != key + 1:
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    memory.once("last", lambda: 0)
    assert len(memory) <= 8


def test_a_run_asks_the_model_once_per_point() -> None:
    asked: list[float] = []
    run = Run(lambda percent: asked.append(percent) or 10 * (1 - percent))
    assert [run.sigma_at(percent) for percent in (0.5, 0.75, 0.5)] == [5.0, 2.5, 5.0]
    assert asked == [0.5, 0.75]


# --- an adapter's ---------------------------------------------------------------------------------


def identity(value: float = 1.0) -> IdentityEmbedding:
    return IdentityEmbedding(torch.full((1, 1, 512), value), Recogniser("0" * 64))


def tokens(value: float = 1.0) -> IdentityTokens:
    side = torch.full((1, 16, 8), value)
    return IdentityTokens(side, -side)


def test_equal_embeddings_are_the_same_person() -> None:
    known, made = Projections(), []
    first = known.tokens(identity(), ZEROS, counted(made, tokens()))
    assert known.tokens(identity(), ZEROS, counted(made, tokens())) is first
    known.tokens(identity(1.0000001), ZEROS, counted(made, tokens()))
    known.tokens(identity(), NegativeIdentity("noise"), counted(made, tokens()))
    assert len(made) == 3


def test_content_is_bits_and_shape() -> None:
    values = torch.arange(6.0)
    assert content_key(values) == content_key(values.clone())
    assert content_key(values) != content_key(values.view(2, 3))
    assert content_key(torch.zeros(2)) != content_key(-torch.zeros(2))
    assert content_key(values.view(2, 3).T) == content_key(values.view(2, 3).T.contiguous())


def keys_values() -> KeysValues:
    return KeysValues.empty(1, 16, [8], torch.empty(()))


def test_keys_and_values_are_known_by_tokens_and_number_format() -> None:
    known, made = Projections(), []
    make = counted(made, keys_values())
    for given, dtype in (
        (tokens(), torch.float16),
        (tokens(), torch.float16),
        (tokens(), torch.float32),
        (tokens(2.0), torch.float16),
    ):
        known.keys_values(given, dtype, make)
    assert len(made) == 3


def test_what_an_adapter_remembers_has_a_limit() -> None:
    size = keys_values().nbytes
    known, made = Projections(most_bytes=2 * size), []
    for value in (1.0, 2.0, 3.0, 1.0):
        known.keys_values(tokens(value), torch.float32, lambda: made.append(1) or keys_values())
    assert len(made) == 4
    known.keys_values(tokens(3.0), torch.float32, lambda: made.append(1) or keys_values())
    assert len(made) == 4
