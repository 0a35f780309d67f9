"""Comparison of a file's tensors with the network that its sizes describe."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ..errors import CheckpointError

Shape = tuple[int, ...]


def require_shapes(
    found: Mapping[str, Shape], network: nn.Module, name: str, what: str, what_to_do: str
) -> None:
    """Check that a file has every tensor of a network, in its shape, and no other.

    network: on the meta device will do. name: the file's. what: the part of the file, for messages.
    Raises CheckpointError that names the first difference and ends with what_to_do.
    """
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise CheckpointError(
                f"'{name}' is damaged or of another family: expected {len(expected)} tensors in "
                f"{what}, found {len(found)}; the first difference is {key}, expected "
                f"{expected.get(key, 'absent')}, found {found.get(key, 'absent')}. {what_to_do}"
            )
