"""InstantID for SD 1.5: an adapter in two files, `ip-state.ckpt` and `image_proj.ckpt`.

The names and the order of the layers are those of TheDenk/InstantID-SD1.5 (`train.py`), which saves
each part of a diffusers pipeline by itself. The third file, `controlnet.ckpt`, is a ControlNet in
diffusers' layout, which ComfyUI loads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .sites import checkpoint_index

LAYER = re.compile(
    r"(?:module\.)?(down_blocks|up_blocks|mid_block)(?:\.([0-9]{1,4}))?\.attentions\.([0-9]{1,4})"
    r"\.transformer_blocks\.([0-9]{1,4})\.attn2\.processor\.to_([kv])_ip\.weight"
)
STAGES = ("down_blocks", "up_blocks", "mid_block")
"""In the order of diffusers' attention processors, by which adapters number their sites."""
WORDS = {"ip_adapter": ("ip-state", "ip_state"), "image_proj": ("image_proj", "image-proj")}
"""Names of the parts' files; trainers append a number."""


def part_of(raw: Mapping[str, Any]) -> str | None:
    """`ip_adapter` or `image_proj` where the file holds one of the two parts alone."""
    if raw and all(isinstance(key, str) and LAYER.fullmatch(key) for key in raw):
        return "ip_adapter"
    return "image_proj" if {"latents", "proj_in.weight", "proj_out.weight"} <= set(raw) else None


def is_half(name: str) -> bool:
    """Whether a file is named like one of the two."""
    return any(word in name.lower() for words in WORDS.values() for word in words)


def partner(name: str, part: str, neighbours: Iterable[str]) -> str:
    """The file with the other part. neighbours: names in the same folder.

    Of several the one with the same number or suffix is meant. Raises CheckpointError when there is
    none, or when it is not clear which.
    """
    other = next(each for each in WORDS if each != part)
    found = [each for each in neighbours if any(word in each.lower() for word in WORDS[other])]
    same = [each for each in found if _rest(each) == _rest(name)]
    chosen = same if len(same) == 1 else found
    if len(chosen) == 1:
        return chosen[0]
    wanted = WORDS[other][0] + _rest(name)
    raise CheckpointError(
        f"'{name}' is one of two files of an InstantID adapter for SD 1.5: expected {wanted} "
        f"beside it, found {', '.join(sorted(found)) or 'none'}. Put ip-state.ckpt and "
        "image_proj.ckpt of one training into one folder of their own below models/instantid."
    )


def _rest(name: str) -> str:
    """The rest of a name beside the word for its part: `-5000.ckpt`."""
    base = Path(name).name.lower()
    for word in (word for words in WORDS.values() for word in words):
        base = base.replace(word, "")
    return base


def joined(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Both parts in the nested form of the published SDXL adapter. parts: by `part_of`."""
    return {"image_proj": parts["image_proj"], "ip_adapter": _numbered(parts["ip_adapter"])}


def _numbered(layers: Mapping[str, Any]) -> dict[str, Any]:
    """`down_blocks.0...to_k_ip.weight` -> `1.to_k_ip.weight`, and so on in order."""
    places = {key: _place(key) for key in layers}
    order = {
        site: position for position, site in enumerate(sorted({p for p, _ in places.values()}))
    }
    return {
        f"{checkpoint_index(order[site])}.to_{kind}_ip.weight": layers[key]
        for key, (site, kind) in places.items()
    }


def _place(key: str) -> tuple[tuple[int, ...], str]:
    match = LAYER.fullmatch(key)
    if match is None:
        raise KeyError(key)
    stage, block, attention, layer, kind = match.groups()
    return (STAGES.index(stage), int(block or 0), int(attention), int(layer)), kind
