"""A wire brings any value to any input. Each number is checked as its widget would check it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from comfy_api.latest import io

import nodes as host_nodes

HUGE = 10**400


def nodes_of(pack: Any) -> list[type[io.ComfyNode]]:
    return pack.module("nodes").NODES


def numbers_of(node: type[io.ComfyNode]) -> list[Any]:
    inputs = node.define_schema().inputs
    return [each for each in inputs if isinstance(each, (io.Int.Input, io.Float.Input))]


def growing_of(node: type[io.ComfyNode]) -> list[Any]:
    return [each for each in node.define_schema().inputs if isinstance(each, io.Autogrow.Input)]


def wired(node: type[io.ComfyNode], value: Any) -> Any:
    """A value as a wire brings it: in a list for a node that takes whole lists."""
    return [value] if node.define_schema().is_input_list else value


def beyond(number: Any) -> Iterator[Any]:
    """Values that no widget would let in."""
    yield from (number.min - 1, number.max + 1, HUGE, -HUGE, math.inf, -math.inf)
    if not number.extra_dict:
        yield math.nan
    yield from ("5", [], {}, object(), 1j, "\ud800" * 5000)
    if isinstance(number, io.Int.Input):
        yield number.min + 0.5


def test_every_number_has_bounds(pack: Any) -> None:
    numbers = [(node, each) for node in nodes_of(pack) for each in numbers_of(node)]
    assert len(numbers) > 50
    for node, each in numbers:
        assert each.min is not None and each.max is not None, (node, each.id)
        assert each.force_input or each.min <= each.default <= each.max, (node, each.id)


def test_no_number_beyond_its_widget_comes_in(pack: Any) -> None:
    setting_error = pack.module("instantid_core.errors").SettingError
    refused = 0
    for node in nodes_of(pack):
        run = host_nodes.NODE_CLASS_MAPPINGS[node.define_schema().node_id].execute
        for number in numbers_of(node):
            for value in beyond(number):
                with pytest.raises(setting_error, match=f"^{number.id} must be a"):
                    run(**{number.id: wired(node, value)})
                refused += 1
    assert refused > 500


def others_of(node: type[io.ComfyNode]) -> list[Any]:
    taken = (io.Int.Input, io.Float.Input, io.Autogrow.Input)
    return [each for each in node.define_schema().inputs if not isinstance(each, taken)]


def test_no_value_of_another_type_comes_in(pack: Any) -> None:
    setting_error = pack.module("instantid_core.errors").SettingError
    refused = 0
    for node in nodes_of(pack):
        for each in others_of(node):
            for value in (object(), 3.5, [1, 2], {"samples": 1}, b"x"):
                with pytest.raises(setting_error, match=f"^{each.id} takes .*, found a value of"):
                    node.execute(**{each.id: wired(node, value)})
                refused += 1
    assert refused > 400


def test_a_switch_that_brings_nothing(pack: Any) -> None:
    """Refused where something is needed; else as if nothing were connected."""
    setting_error = pack.module("instantid_core.errors").SettingError
    switched = [(n, each) for n in nodes_of(pack) for each in (*others_of(n), *numbers_of(n))]
    assert len(switched) > 100
    for node, each in switched:
        wanted = f"^{each.id} (takes|must be) .*, found (nothing|a NoneType)"
        with pytest.raises(TypeError if each.optional else setting_error) as found:
            node.execute(**{each.id: wired(node, None)})
        if each.optional:
            assert "required" in str(found.value), "the node goes on to what it lacks"
        else:
            assert re.search(wanted, str(found.value))


@pytest.mark.parametrize("count", [1, 3])
def test_growing_inputs_take_one_type(pack: Any, count: int) -> None:
    setting_error = pack.module("instantid_core.errors").SettingError
    growing = [(node, each) for node in nodes_of(pack) for each in growing_of(node)]
    assert len(growing) >= 3
    for node, each in growing:
        given = {f"identity{number}": 5 for number in range(count)}
        with pytest.raises(setting_error, match=r"^identity0 takes an identity, found"):
            node.execute(**{each.id: given})


@pytest.mark.parametrize("count", [0, 17, 99])
def test_growing_inputs_have_a_least_and_a_most(pack: Any, count: int) -> None:
    setting_error = pack.module("instantid_core.errors").SettingError
    growing = [(node, each) for node in nodes_of(pack) for each in growing_of(node)]
    assert len(growing) >= 3
    for node, each in growing:
        connected = {f"identity{number}": object() for number in range(count)}
        for given in (connected, {**connected, "identity200": None}):
            with pytest.raises(
                setting_error, match=f"{each.id} takes at least 1 and at most 16, found {count}"
            ):
                node.execute(**{each.id: given})
        with pytest.raises(setting_error, match=f"{each.id} takes at most 16"):
            node.execute(**{f"{each.id}.identity16": object()})
        with pytest.raises(setting_error, match="There is no input called nothing"):
            node.execute(nothing=1)


def test_what_a_widget_lets_in_passes(pack: Any) -> None:
    within = pack.module("instantid_core.errors").within
    numbers = [number for node in nodes_of(pack) for number in numbers_of(node)]
    assert len(numbers) > 50
    for number in numbers:
        whole = isinstance(number, io.Int.Input)
        for value in (number.min, number.max, number.default or number.min):
            assert within(number.id, value, number.min, number.max, whole=whole) == value


def test_a_replaced_file_is_noticed(pack: Any, models_dir: Any) -> None:
    """Same size and date, another file."""
    loaders, paths = pack.module("nodes.loaders"), pack.module("nodes.host.paths")
    (name, *_) = paths.adapter_names()
    path = models_dir / "instantid" / name
    before = loaders.LoadAdapter.fingerprint_inputs(name)
    assert before == loaders.LoadAdapter.fingerprint_inputs(adapter_name=name)
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    status = path.stat()
    path.rename(path.with_name("kept"))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)
    try:
        assert loaders.LoadAdapter.fingerprint_inputs(name) != before
    finally:
        path.unlink()
        path.with_name("kept").rename(path)
    assert loaders.LoadAdapter.fingerprint_inputs(name) == before
    assert loaders.LoadAdapter.fingerprint_inputs() == "missing"
    face_models = loaders.LoadFaceAnalyzer.fingerprint_inputs(model_pack="antelopev2")
    assert face_models == loaders.LoadFaceAnalyzer.fingerprint_inputs()
    assert loaders.LoadFaceAnalyzer.fingerprint_inputs(model_pack="../x") == "missing"
