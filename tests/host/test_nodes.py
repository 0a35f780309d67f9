"""Node ids, inputs, outputs and defaults are public: workflow files depend on them."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nodes as host_nodes

FILES = (".safetensors", "nobody saved yet", "none saved yet")
"""Signs of a choice of files, which are whatever is there."""
CONTRACT = Path(__file__).parents[1] / "data" / "node_contract.json"
NODE_IDS = sorted(json.loads(CONTRACT.read_text(encoding="utf-8")))
REPOSITORY = Path(__file__).parents[2]


def contract_of(node_id: str) -> dict[str, Any]:
    """What a workflow file can depend on, in the form of the stored contract."""
    info = host_nodes.NODE_CLASS_MAPPINGS[node_id].GET_NODE_INFO_V1()
    inputs = {
        name: _input(spec, kind == "optional")
        for kind in ("required", "optional")
        for name, spec in info["input"].get(kind, {}).items()
    }
    outputs = dict(zip(info["output_name"], info["output"], strict=True))
    return {"inputs": inputs, "outputs": outputs}


def _input(spec: Any, optional: bool) -> dict[str, Any]:
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    kept = {key: options[key] for key in ("default", "min", "max", "advanced") if key in options}
    choices = kind if isinstance(kind, list) else options.get("options")
    entry = {"type": "COMBO" if isinstance(kind, list) else kind, "optional": optional, **kept}
    is_files = any(sign in str(choices) for sign in FILES)
    return entry | ({"options": choices} if choices and not is_files else {})


def test_every_node_is_registered(pack: Any) -> None:
    found = [name for name in host_nodes.NODE_CLASS_MAPPINGS if name.startswith("InstantID")]
    assert sorted(found) == NODE_IDS


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_contract(pack: Any, node_id: str) -> None:
    """A change here breaks saved workflows: only optional inputs with a default may be added."""
    stored = json.loads(CONTRACT.read_text(encoding="utf-8"))[node_id]
    found = contract_of(node_id)
    assert list(found["inputs"]) == list(stored["inputs"]), "order is what saved widgets go by"
    assert found == stored


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_execute_takes_what_the_schema_offers(pack: Any, node_id: str) -> None:
    node = host_nodes.NODE_CLASS_MAPPINGS[node_id]
    parameters = inspect.signature(node.execute).parameters
    schema = node.GET_SCHEMA()
    assert list(parameters) == [given.id for given in schema.inputs]
    for given in schema.inputs:
        assert (parameters[given.id].default is not inspect.Parameter.empty) == given.optional
        default = getattr(given, "default", None)
        if given.optional and default is not None:
            assert parameters[given.id].default == default


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_every_input_says_what_it_is_for(pack: Any, node_id: str) -> None:
    schema = host_nodes.NODE_CLASS_MAPPINGS[node_id].GET_SCHEMA()
    assert schema.description
    assert schema.search_aliases
    assert all(given.tooltip for given in schema.inputs)


@pytest.mark.parametrize(
    "word", ["face", "identity", "InstantID", "likeness", "portrait", "faceid", "swap"]
)
def test_the_words_that_people_type_find_a_node(pack: Any, word: str) -> None:
    schemas = [host_nodes.NODE_CLASS_MAPPINGS[node_id].GET_SCHEMA() for node_id in NODE_IDS]
    assert any(word.lower() in alias.lower() for one in schemas for alias in one.search_aliases)


def test_start_imports_nothing_heavy() -> None:
    """insightface, ONNX Runtime and OpenCV are for the first use, not for the host's start."""
    program = (
        "import sys, asyncio; sys.argv = ['x', '--cpu'];"
        "import comfy.options; comfy.options.enable_args_parsing();"
        "import nodes; before = set(sys.modules);"
        f"assert asyncio.run(nodes.load_custom_node({str(REPOSITORY)!r}));"
        "added = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(added & {'insightface', 'onnxruntime', 'onnx', 'cv2', 'skimage'}))"
    )
    host = str(Path(host_nodes.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=host, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("node_id", "words"),
    [
        (
            "InstantIDApply",
            "head headshot character avatar person reference ipadapter pulid reactor photomaker",
        ),
        ("InstantIDPose", "openpose"),
        ("InstantIDDrawKeypoints", "openpose"),
        ("InstantIDLoadModels", "InstantID"),
    ],
)
def test_people_find_it_by_their_words(pack: Any, node_id: str, words: str) -> None:
    aliases = host_nodes.NODE_CLASS_MAPPINGS[node_id].GET_SCHEMA().search_aliases
    assert set(words.split()) <= set(aliases)


def test_older_forms_are_marked_as_such(pack: Any) -> None:
    schemas = [host_nodes.NODE_CLASS_MAPPINGS[name].GET_SCHEMA() for name in NODE_IDS]
    older = {one.node_id for one in schemas if one.category.endswith("/older forms")}
    assert {one.node_id for one in schemas if one.is_deprecated} == older
    assert {one.node_id for one in schemas if "older form" in one.description} == older


def test_the_top_folder_has_what_most_graphs_need(pack: Any) -> None:
    nodes = {name: host_nodes.NODE_CLASS_MAPPINGS[name].GET_SCHEMA().category for name in NODE_IDS}
    top = {name for name, category in nodes.items() if category == "InstantID"}
    assert top == {"InstantIDApply", "InstantIDApplyGroup", "InstantIDLoadModels"}
    assert all(category.split("/")[0] == "InstantID" for category in nodes.values())
    translated = json.loads((REPOSITORY / "locales" / "zh" / "main.json").read_text("utf-8"))
    folders = {category.split("/")[1] for category in nodes.values() if "/" in category}
    assert translated["nodeCategories"].keys() == folders
