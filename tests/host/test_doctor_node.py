"""The Doctor as a node of a real ComfyUI, and dishonest files at the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import comfyui_version
import pytest
import torch
from safetensors.torch import save_file

import nodes as host_nodes
from tools.small_world.adapter import AdapterSizes, adapter_weights, flat


@pytest.fixture(scope="module")
def report(pack: Any) -> tuple[str, dict[str, dict[str, str]]]:
    text, content = pack.run("InstantIDDoctor", hash_files=False)
    return text, {found["check"]: found for found in json.loads(content)["findings"]}


def test_it_knows_the_host(report: Any, models_dir: Path) -> None:
    text, findings = report
    assert findings["comfyui"]["found"] == comfyui_version.__version__
    assert str(models_dir / "instantid") in findings["folders"]["found"]
    assert findings["provider"]["found"].startswith("CPUExecutionProvider opens")
    assert "other packs: " in text


def test_small_models_are_not_the_published_ones(report: Any) -> None:
    _, findings = report
    assert "others were: " in findings["adapter"]["found"]
    assert findings["face_models"]["state"] == "problem"
    assert "glintr100.onnx" in findings["face_models"]["found"]


def test_it_looks_anew_at_every_run(pack: Any) -> None:
    node = host_nodes.NODE_CLASS_MAPPINGS["InstantIDDoctor"]
    first, second = (node.fingerprint_inputs(hash_files=False) for _ in range(2))
    assert first != second


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_an_adapter_that_claims_more_than_it_has(pack: Any, models_dir: Path, ending: str) -> None:
    """The host's loader never sees it."""
    path = models_dir / "instantid" / f"claims.{ending}"
    weights = adapter_weights(AdapterSizes((64,)))
    if ending == "bin":
        weights["image_proj"]["latents"] = torch.zeros(1).expand(1 << 20, 1 << 20)
        torch.save(weights, path)
    else:
        save_file(flat(weights), path)
        content = path.read_bytes()
        path.write_bytes(content.replace(b'"shape":[64]', b'"shape":[99]', 1))
    error = pack.module("instantid_core.errors").CheckpointError
    with pytest.raises(error, match=r"cannot be read \(.*claims"):
        pack.run("InstantIDLoadAdapter", adapter_name=path.name)
