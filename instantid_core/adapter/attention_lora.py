"""The LoRA that IP-Adapter FaceID was trained together with: changes of the UNet's attention.

Its layers lie beside the adapter's keys and values in the file, numbered as diffusers numbers all
attention processors: 0, 2, 4, ... are self-attention, 1, 3, 5, ... the cross-attention of the same
transformer layer. IP-Adapter's `attention_processor_faceid.py` adds them at scale 1, whatever the
adapter's weight is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch

from ..errors import CheckpointError
from .face_id import WHAT_TO_DO

TRAINED = 1.0
"""The strength that it had in training."""
KEY = re.compile(r"[0-9]{1,5}\.to_(?:q|k|v|out)_lora\.(?:down|up)\.weight")
LAYERS = {"to_q": "to_q", "to_k": "to_k", "to_v": "to_v", "to_out": "to_out.0"}
"""The layers of an attention, as adapter files and as the UNet call them."""
StateDict = Mapping[str, torch.Tensor]


def split_lora(ip_adapter: StateDict) -> tuple[StateDict, StateDict]:
    """(LoRA, the rest) of a file's ip_adapter part."""
    lora = {key: tensor for key, tensor in ip_adapter.items() if KEY.fullmatch(key)}
    return lora, {key: tensor for key, tensor in ip_adapter.items() if key not in lora}


def require_whole_lora(
    lora: StateDict, site_widths: Sequence[int], context_dim: int, name: str
) -> None:
    """Check that a LoRA has every layer of the UNet that the adapter's sites describe.

    name: the file's. Raises CheckpointError that names the first layer which is missing, or whose
    two matrices are of different rank or of other sizes than the UNet's.
    """
    for position, width in enumerate(site_widths):
        for number, source in ((2 * position, width), (2 * position + 1, context_dim)):
            for layer in LAYERS:
                taken = source if layer in ("to_k", "to_v") else width
                _require_layer(lora, f"{number}.{layer}", taken, width, name)
    expected = 2 * len(site_widths) * len(LAYERS) * 2
    if len(lora) != expected:
        raise CheckpointError(
            f"'{name}' is damaged: expected {expected} tensors in its LoRA part, found "
            f"{len(lora)}. {WHAT_TO_DO}"
        )


def _require_layer(lora: StateDict, layer: str, taken: int, given: int, name: str) -> None:
    keys = [f"{layer}_lora.{half}.weight" for half in ("down", "up")]
    missing = [key for key in keys if key not in lora]
    if missing:
        raise CheckpointError(
            f"'{name}' has a LoRA part that is incomplete: {missing[0]} is missing. {WHAT_TO_DO}"
        )
    down, up = (tuple(lora[key].shape) for key in keys)
    if down == (down[0] if down else 0, taken) and up == (given, down[0]) and down[0] > 0:
        return
    raise CheckpointError(
        f"'{name}' has a LoRA part that does not fit together: {keys[0]} of {list(down)} and "
        f"{keys[1]} of {list(up)}; expected [rank, {taken}] and [{given}, rank] of one rank. "
        f"{WHAT_TO_DO}"
    )


def lora_targets(layer_paths: Sequence[str]) -> dict[str, str]:
    """The UNet's weight for every layer name of a LoRA part.

    layer_paths: of the transformer layers, in the order of the sites.
    """
    return {
        f"{2 * position + cross}.{layer}": f"{path}.attn{1 + cross}.{place}.weight"
        for position, path in enumerate(layer_paths)
        for cross in range(2)
        for layer, place in LAYERS.items()
    }
