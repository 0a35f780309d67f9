"""Values of a workflow: models, nodes with their slots, and groups of nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.comfyui.widgets import InputSpec, Schema, inputs_of

Frame = tuple[int, int, int, int]
"""Left, top, width and height in the editor's pixels."""
AUTOGROW = "COMFY_AUTOGROW_V3"


@dataclass(frozen=True)
class Model:
    """A model file as the host's dialog for missing models shows it."""

    name: str
    """As the widget shows it: with its subfolder."""
    url: str
    directory: str


@dataclass(frozen=True)
class Output:
    """One output of a node: what a link starts from."""

    node: int
    slot: int
    kind: str


@dataclass(frozen=True)
class Slot:
    """One input as the editor draws it."""

    name: str
    kind: str
    label: str = ""
    """Label of a growing input, which replaces its long name."""
    optional: bool = False
    is_widget: bool = False


@dataclass
class Node:
    """One node and where it stands."""

    number: int
    schema: Schema
    title: str
    """Empty for the class's own, which the editor then shows in the user's language."""
    given: Mapping[str, Any]
    """Slot or widget name to widget value or to the `Output` that feeds it."""
    models: Sequence[Model] = ()
    mode: int = 0
    pos: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)

    def __getitem__(self, name: str) -> Output:
        slot = list(self.schema["output_name"]).index(name)
        return Output(self.number, slot, self.schema["output"][slot])

    @property
    def is_subgraph(self) -> bool:
        """Whether it stands for a subgraph, which no pack brings."""
        return not self.schema["python_module"]

    @property
    def slots(self) -> list[Slot]:
        """Inputs in the order in which the editor makes their slots: sockets, then widgets."""
        specs = sorted(inputs_of(self.schema), key=lambda spec: spec.is_widget)
        return [slot for spec in specs for slot in self._slots_of(spec)]

    def _slots_of(self, spec: InputSpec) -> Iterator[Slot]:
        if spec.kind == AUTOGROW:
            yield from self._growing(spec)
        elif not spec.options.get("socketless"):
            optional = spec.name in (self.schema["input"].get("optional") or {})
            yield Slot(spec.name, spec.kind, "", optional, spec.is_widget)

    def _growing(self, spec: InputSpec) -> Iterator[Slot]:
        """The connected slots of a growing input, and a free one behind them."""
        template = spec.options["template"]
        ((kind, *_),) = template["input"]["required"].values()
        connected = sum(name.startswith(f"{spec.name}.") for name in self.given)
        for number in range(min(connected + 1, template["max"])):
            label = f"{template['prefix']}{number}"
            yield Slot(f"{spec.name}.{label}", kind, label, number >= template["min"])


@dataclass
class Group:
    """Nodes in a titled frame."""

    title: str
    mode: int = 0
    below: bool = False
    """Whether the group is placed below the previous one instead of beside it."""
    column_height: int = 1000
    """Pixels at which its nodes begin another column."""
    nodes: list[Node] = field(default_factory=list)
    frame: Frame = (0, 0, 0, 0)
