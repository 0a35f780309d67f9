"""The FaceID nodes of IPAdapter_plus (ComfyUI_IPAdapter_plus), and what takes their place here.

Names, widget orders and choices are those of the pack's `IPAdapterPlus.py` at its last release. The
editor exchanges node by node. A prompt that arrives is rewritten as a whole: there one node may
become several, and the unified loader, through which the model passes, drops out of its way.
`docs/older-pack.md` lists what does not carry over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..instantid_core.adapter import UNIFORM
from ..instantid_core.errors import printable
from ..instantid_core.libraries import AUTO
from ..instantid_core.models import BUFFALO
from .legacy_nodes import WINDOW, NodeReplacement, switched_off

APPLY = "IPAdapterFaceID"
UNIFIED, FACES = "IPAdapterUnifiedLoaderFaceID", "IPAdapterInsightFaceLoader"
FILE = "IPAdapterModelLoader"
"""For every IP-Adapter: it is FaceID's where it leads to a FaceID node."""
OWN = frozenset({APPLY, UNIFIED, FACES})
PRESETS: Mapping[str, tuple[str, ...]] = {
    "FACEID": ("ip-adapter-faceid_sdxl.bin", "ip-adapter-faceid_sd15.bin"),
    "FACEID PLUS - SD1.5 only": ("ip-adapter-faceid-plus_sd15.bin",),
    "FACEID PLUS V2": ("ip-adapter-faceid-plusv2_sdxl.bin", "ip-adapter-faceid-plusv2_sd15.bin"),
    "FACEID PORTRAIT (style transfer)": (
        *("ip-adapter-faceid-portrait_sdxl.bin", "ip-adapter-faceid-portrait-v11_sd15.bin"),
        "ip-adapter-faceid-portrait_sd15.bin",
    ),
    "FACEID PORTRAIT UNNORM - SDXL only (strong)": ("ip-adapter-faceid-portrait_sdxl_unnorm.bin",),
}
"""Files that the unified loader looks for. It goes by the model, which no prompt tells: here the
first that is there is taken."""
AVERAGE = "normalized_average"
COMBINE = {"concat": "sequence", "average": AVERAGE, "norm average": AVERAGE}
"""It averages embeddings of length 1."""
PROFILES = {
    "linear": UNIFORM,
    "style transfer": "style only",
    "composition": "composition only",
    **{name: name for name in ("ease in", "ease out", "ease in-out")},
    **{name: name for name in ("weak input", "weak middle", "weak output", "strong middle")},
}
ANALYSIS = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}

REPLACEMENTS = (
    NodeReplacement(
        APPLY,
        "InstantIDApplyAdapterFromPhoto",
        outputs=1,
        inputs={
            **{"model": "model", "adapter": "ipadapter", "analyzer": "insightface"},
            **{"image": "image", "weight": "weight", **WINDOW, "mask": "attn_mask"},
        },
        widgets=(
            *("weight", "weight_faceidv2", "weight_type", "combine_embeds"),
            *("start_at", "end_at", "embeds_scaling"),
        ),
    ),
    NodeReplacement(
        FACES,
        "InstantIDLoadFaceAnalyzer",
        outputs=1,
        inputs={"model_pack": "model_name"},
        widgets=("provider", "model_name"),
        fixed={"provider": AUTO},
    ),
    NodeReplacement(
        UNIFIED,
        "InstantIDLoadAdapter",
        outputs=1,
        skipped_outputs=1,
        inputs={"lora_strength": "lora_strength"},
        widgets=("preset", "lora_strength", "provider"),
    ),
)
"""For the editor. The file loader is not among them: most graphs have it for other adapters."""

log = logging.getLogger(__name__)
Node = Mapping[str, Any]
Prompt = dict[str, Any]


def rewritten(prompt: Prompt, absent: frozenset[str], files: Sequence[str]) -> Prompt:
    """A prompt with FaceID in the nodes of this pack; the given one is not changed.

    absent: classes of IPAdapter_plus that the server does not have. files: its adapters.
    """
    found = {key: node for key, node in prompt.items() if _kind(node) in absent & {*OWN, FILE}}
    if not any(_kind(node) in OWN for node in found.values()):
        return prompt
    result = dict(prompt)
    for key, node in found.items():
        result |= _in_its_place(key, node, found, files)
    loaders = {key: node for key, node in found.items() if _kind(node) == UNIFIED}
    return {key: _rewired(node, loaders) for key, node in result.items()}


def _kind(node: Any) -> str:
    """The class of a node; empty for what is none."""
    is_node = isinstance(node, Mapping) and isinstance(node.get("inputs"), Mapping)
    return str(node.get("class_type")) if is_node else ""


def _in_its_place(
    key: str, node: Node, found: Mapping[str, Node], files: Sequence[str]
) -> dict[str, Node]:
    given = node["inputs"]
    if _kind(node) == FACES:
        return {key: _analyzer(given.get("model_name", BUFFALO))}
    if _kind(node) == UNIFIED:
        return {
            key: _adapter(_file_of(given.get("preset"), files), given.get("lora_strength", 0.6)),
            _part(key, "analyzer"): _analyzer(BUFFALO),
        }
    if _kind(node) == APPLY:
        return _applied(key, node, found)
    if key in _sources(found):
        # Such a graph adds the LoRA by a node of its own, or not at all.
        return {key: _adapter(_known(str(given.get("ipadapter_file")), files), 0.0)}
    return {}


def _sources(found: Mapping[str, Node]) -> Iterator[Any]:
    """Nodes that FaceID nodes have their adapter from."""
    for node in found.values():
        wire = node["inputs"].get("ipadapter")
        if _kind(node) == APPLY and _is_wire(wire):
            yield wire[0]


def _applied(key: str, node: Node, found: Mapping[str, Node]) -> dict[str, Node]:
    """Analyze Faces, Embed Identity and Apply Adapter."""
    given = node["inputs"]
    loader = given.get("ipadapter")
    analyzer = given.get("insightface")
    if analyzer is None and _is_wire(loader) and _kind(found.get(loader[0])) == UNIFIED:
        analyzer = [_part(loader[0], "analyzer"), 0]
    faces, identity = _part(key, "faces"), _part(key, "identity")
    taken = {
        **{"model": given.get("model"), "adapter": loader, "identity": [identity, 0]},
        **{"weight": given.get("weight"), "mask": given.get("attn_mask")},
        **{name: given.get(name) for name in WINDOW},
        "profile": _translated(PROFILES, given, "weight_type", UNIFORM),
    }
    applied = _node("InstantIDApplyAdapter", **taken)
    wires = {"analyzer": analyzer, "image": given.get("image")}
    combine = _translated(COMBINE, given, "combine_embeds", AVERAGE)
    return {
        faces: _node("InstantIDAnalyzeFaces", **wires, **ANALYSIS),
        identity: _node("InstantIDEmbedIdentity", faces=[faces, 0], combine=combine),
        key: {**applied, "inputs": switched_off(applied["inputs"])},
    }


def _translated(words: Mapping[str, str], given: Node, name: str, otherwise: str) -> str:
    """This pack's word for a choice; another one, with a warning, where it has none."""
    word = str(given.get(name, next(iter(words))))
    if word not in words:
        log.warning(
            "%s '%s' of IPAdapter_plus has no counterpart here; '%s' takes its place.",
            *(name, printable(word), otherwise),
        )
    return words.get(word, otherwise)


def _rewired(node: Any, loaders: Mapping[str, Node]) -> Any:
    """A node whose wires from unified loaders lead to the adapter, and to the model before them."""
    if not _kind(node):
        return node
    inputs = {name: _moved(value, loaders) for name, value in node["inputs"].items()}
    return {**node, "inputs": inputs}


def _moved(wire: Any, loaders: Mapping[str, Node]) -> Any:
    for _ in loaders:
        if not _is_wire(wire) or wire[0] not in loaders:
            return wire
        if wire[1] == 1:
            return [wire[0], 0]
        wire = loaders[wire[0]]["inputs"].get("model")
    return wire


def _is_wire(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str)


def _file_of(preset: Any, files: Sequence[str]) -> str:
    names = PRESETS.get(str(preset), (str(preset),))
    return next((known for name in names if (known := _known(name, files)) in files), names[0])


def _known(name: str, files: Sequence[str]) -> str:
    """The adapter of this name, wherever below its folder it lies."""
    return next((each for each in files if _base_name(each) == _base_name(name)), name)


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _adapter(name: str, lora_strength: Any) -> dict[str, Any]:
    return _node("InstantIDLoadAdapter", adapter_name=name, lora_strength=lora_strength)


def _analyzer(pack: Any) -> dict[str, Any]:
    return _node("InstantIDLoadFaceAnalyzer", model_pack=pack, provider=AUTO)


def _part(key: str, what: str) -> str:
    """Id of a node that an older one did not have."""
    return f"{key}-{what}"


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    given = {name: value for name, value in inputs.items() if value is not None}
    return {"class_type": kind, "inputs": given, "_meta": {"title": kind}}
