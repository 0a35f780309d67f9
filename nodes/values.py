"""Checks of the values that links bring, as strict as those of the widgets.

ComfyUI compares a number with the bounds of its widget only if the widget holds it, and a switch
node takes any value into any socket. So each node's `execute` is wrapped once, for all of
its inputs.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from comfy_api.latest import io

from ..instantid_core.errors import InstantIDError, SettingError, within
from .host.on_screen import shorten
from .sockets import TRAVELS

NAN = "instantid_nan"
"""Key in the extra settings of a number's input for which NaN has a meaning."""


def checked(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The node, whose `execute` refuses values beyond its schema with a SettingError, and whose
    errors name no folders of the server."""
    execute = node.__dict__["execute"].__func__
    if hasattr(execute, "__wrapped__"):
        return node
    schema = node.define_schema()
    inputs = {each.id: each for each in schema.inputs}
    check = _each_checked if schema.is_input_list else _checked

    @functools.wraps(execute)
    def guarded(cls: type[io.ComfyNode], *values: Any, **named: Any) -> io.NodeOutput:
        try:
            given = {name: check(inputs, name, value) for name, value in named.items()}
            # An optional input to which a switch brings nothing is as one that is not connected.
            given = {name: value for name, value in given.items() if value is not None}
            return execute(cls, *values, **given)
        except InstantIDError as error:
            shorten(error)
            raise

    setattr(node, "execute", classmethod(guarded))  # noqa: B010
    return node


def _checked(inputs: dict[str, io.Input], name: str, value: Any) -> Any:
    found = inputs.get(name)
    if found is None:
        raise SettingError(_unknown(inputs, name))
    if isinstance(found, io.Autogrow.Input):
        return _grown(found, value)
    if value is None and found.optional:
        return None
    if isinstance(found, (io.Int.Input, io.Float.Input)):
        if NAN in (found.extra_dict or {}) and isinstance(value, float) and math.isnan(value):
            return value
        whole = isinstance(found, io.Int.Input)
        return within(name, value, found.min, found.max, whole=whole)
    return _fitting(found, name, value)


def _each_checked(inputs: dict[str, io.Input], name: str, values: Any) -> Any:
    """The values of a node that takes whole lists; a switch may bring a list of nothing."""
    found = [_checked(inputs, name, value) for value in values]
    return [value for value in found if value is not None] or None


def _fitting(found: io.Input, name: str, value: Any) -> Any:
    wanted = TRAVELS[found.get_io_type()]
    if not wanted.fits(value):
        brought = "nothing" if value is None else f"a value of type {type(value).__name__}"
        raise SettingError(
            f"{name} takes {wanted.name}, found {brought}. Connect an output of type "
            f"{found.get_io_type()}; if a switch stands between, look at what it passes on."
        )
    return value


def _grown(found: io.Autogrow.Input, value: Any) -> dict[str, Any]:
    """The connected values: a switch may bring nothing."""
    if not isinstance(value, dict):
        raise SettingError(f"{found.id} takes connected sockets, found a {type(value).__name__}.")
    connected = {name: one for name, one in value.items() if one is not None}
    most = len(found.template.names)
    if not found.template.min <= len(connected) <= most:
        raise SettingError(
            f"{found.id} takes at least {found.template.min} and at most {most}, found "
            f"{len(connected)}. Connect that many."
        )
    return {name: _fitting(found.template.input, name, one) for name, one in connected.items()}


def _unknown(inputs: dict[str, io.Input], name: str) -> str:
    growing = inputs.get(name.partition(".")[0])
    if growing is not None and isinstance(growing, io.Autogrow.Input):
        most = len(growing.template.names)
        return (
            f"{growing.id} takes at most {most}, found one more at {name}. Connect fewer, or use "
            "several nodes."
        )
    return f"There is no input called {name}. Expected {', '.join(inputs)}."
