"""Widgets among a node's inputs, and the saved values that belong to them.

A saved workflow lists a node's widget values without names. Their order is that of the node's
schema, which a running ComfyUI serves at `/object_info`; the editor adds widgets of its own
behind some of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
"""Entry of one node class in `/object_info`."""

CONTROL = "control_after_generate"
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
SLIDER = "IMAGECOMPARE"
"""A widget that holds two pictures; the editor sends it and does not save it."""
# Types that the editor draws as a widget; every other type is a socket.
WIDGET_TYPES = frozenset(
    {
        "INT",
        "FLOAT",
        "BOOLEAN",
        "STRING",
        "MARKDOWN",
        "COMBO",
        "COLOR",
        "COLORS",
        "BOUNDING_BOX",
        "BOUNDING_BOXES",
        "CURVE",
        "RANGE",
        "TEXTAREA",
        DYNAMIC_COMBO,
        SLIDER,
    }
)
NEUTRAL = {"INT": 0, "FLOAT": 0.0, "BOOLEAN": False, "STRING": "", SLIDER: ["", ""]}


class WidgetError(ValueError):
    """A saved value does not fit the widget whose turn it is."""


@dataclass(frozen=True)
class InputSpec:
    """One input of a node class."""

    name: str
    kind: str
    options: Mapping[str, Any]
    choices: tuple[Any, ...] = ()
    """Of a combo box."""

    @property
    def is_widget(self) -> bool:
        return self.kind in WIDGET_TYPES and not self.options.get("forceInput")

    @property
    def is_saved(self) -> bool:
        """Whether a workflow file holds the widget's value."""
        return self.is_widget and self.kind != SLIDER

    @property
    def default(self) -> Any:
        fallback = self.choices[0] if self.choices else NEUTRAL.get(self.kind)
        return self.options.get("default", fallback)

    @property
    def trailing(self) -> int:
        """Saved values that the editor's own widgets take right behind this one."""
        if self.kind == "INT":
            # Seeds get a control unless the schema says no.
            chosen = self.options.get(CONTROL)
            return int(self.name in ("seed", "noise_seed") if chosen is None else bool(chosen))
        if self.kind == "COMBO" and self.options.get(CONTROL):
            return 2  # the control, and a filter for its choices
        return 0


def inputs_of(schema: Schema) -> Iterator[InputSpec]:
    """Every input in the order in which the editor makes them: required ones, then optional."""
    order = schema.get("input_order") or {}
    for group in ("required", "optional"):
        specs = schema["input"].get(group) or {}
        for name in order.get(group) or specs:
            yield input_spec(name, specs[name])


def input_spec(name: str, declared: Sequence[Any]) -> InputSpec:
    """One entry of `/object_info`, with combo boxes in the old or the new form."""
    kind = declared[0]
    options = declared[1] if len(declared) > 1 and declared[1] else {}
    if isinstance(kind, (list, tuple)):
        return InputSpec(name, "COMBO", options, tuple(kind))
    choices = options.get("options") or ()
    if kind == DYNAMIC_COMBO:
        choices = [choice["key"] for choice in choices]
    return InputSpec(name, options.get("widgetType", kind), options, tuple(choices))


def widget_values(schema: Schema, saved: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Input name to value, from the values saved with a node of this class.

    Values that are missing at the end get their defaults, as in the editor; surplus ones belong
    to widgets without an input, such as upload buttons.
    """
    if isinstance(saved, Mapping):
        named = (spec.name for spec in inputs_of(schema) if spec.is_widget)
        return {name: as_literal(saved[name]) for name in named if name in saved}
    values = iter(saved)
    found: dict[str, Any] = {}
    for spec in inputs_of(schema):
        found.update(_take(spec, values))
    return found


def _take(spec: InputSpec, values: Iterator[Any]) -> dict[str, Any]:
    if not spec.is_widget:
        return {}
    value = next(values, spec.default) if spec.is_saved else spec.default
    _check(spec, value)
    for _ in range(spec.trailing):
        next(values, None)
    taken = {spec.name: as_literal(value)}
    if spec.kind == DYNAMIC_COMBO:
        for inner in _chosen_inputs(spec, value):
            taken.update(_take(inner, values))
    return taken


def _chosen_inputs(spec: InputSpec, key: Any) -> Iterator[InputSpec]:
    """Inputs that a dynamic combo box shows while `key` is chosen."""
    for choice in spec.options["options"]:
        if choice["key"] == key:
            for group in ("required", "optional"):
                for name, declared in (choice["inputs"].get(group) or {}).items():
                    yield input_spec(f"{spec.name}.{name}", declared)


def _check(spec: InputSpec, value: Any) -> None:
    """Refuses a number or switch of the wrong type: the saved values have slipped by one."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    wrong = (spec.kind in ("INT", "FLOAT") and not numeric) or (
        spec.kind == "BOOLEAN" and not isinstance(value, (bool, int))
    )
    if wrong:
        raise WidgetError(
            f"its input '{spec.name}' takes {spec.kind}, but the saved value is {value!r}"
        )


def as_literal(value: Any) -> Any:
    """A list is wrapped, because a bare one means a link."""
    return {"__value__": value} if isinstance(value, list) else value


def with_widget_values(
    schema: Schema, saved: Sequence[Any], values: Mapping[str, Any]
) -> list[Any]:
    """The saved values of a node with some of them replaced, by input name.

    For classes without dynamic combo boxes, whose saved values have a fixed order.
    """
    edited = list(saved)
    index = 0
    for spec in inputs_of(schema):
        if spec.is_saved:
            if spec.name in values:
                edited[index] = values[spec.name]
            index += 1 + spec.trailing
    return edited
