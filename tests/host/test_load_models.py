"""One loader for everything, and files that are not what they should be."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import execution
import pytest
from support.tensors import are_equal

SMALL = "instantid_small.safetensors"
CHOSEN = {"model_pack": "antelopev2", "provider": "cpu"}


def load(pack: Any, **names: str) -> Any:
    return pack.run(
        "InstantIDLoadModels",
        **{"adapter_name": SMALL, "control_net_name": SMALL, **CHOSEN, **names},
    )


def test_one_node_gives_what_three_do(
    pack: Any, adapter: Any, control_net: Any, analyzer: Any
) -> None:
    loaded, net, faces = load(pack)
    assert loaded.config == adapter.config
    mine, theirs = (one.patcher.model.state_dict() for one in (loaded, adapter))
    assert are_equal([mine[name] for name in theirs], theirs.values())
    mine, theirs = (one.control_model.state_dict() for one in (net, control_net))
    assert mine.keys() == theirs.keys()
    assert are_equal([mine[name] for name in theirs], theirs.values())
    assert faces.recogniser == analyzer.recogniser


def test_the_published_identity_net_is_the_first_choice(
    pack: Any, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pack.module("nodes.host.paths")
    names = [
        "a/canny.safetensors",
        "instantid/diffusion_pytorch_model.safetensors",
        "z.safetensors",
    ]
    monkeypatch.setattr(paths.folder_paths, "get_filename_list", lambda kind: list(names))
    assert paths.identity_net_choices() == [names[1], names[0], names[2]]
    names.clear()
    assert paths.identity_net_choices() == [paths.NO_FILE]


def test_each_file_that_is_missing_is_told_once_beside_its_name(pack: Any) -> None:
    found = refused(pack, adapter_name="no.bin", control_net_name="net.safetensors")
    assert sorted(found) == ["adapter_name", "control_net_name"]
    assert "Expected the adapter file no.bin in " in found["adapter_name"]
    assert "Get InstantID models" in found["adapter_name"]
    assert "'net.safetensors' not in " in found["control_net_name"]
    assert list(refused(pack, adapter_name="no.bin")) == ["adapter_name"]
    assert list(refused(pack, control_net_name="net.safetensors")) == ["control_net_name"]
    assert refused(pack) == {}
    validate = pack.module("nodes.loaders").LoadModels.validate_inputs
    assert validate(None) is True, "a wire's values are not known yet"


def refused(pack: Any, **names: str) -> dict[str, str]:
    """What ComfyUI answers to a prompt with these names, by input; each but once."""
    inputs = {"adapter_name": SMALL, "control_net_name": SMALL, **CHOSEN, **names}
    prompt = {"1": {"class_type": "InstantIDLoadModels", "inputs": inputs}}
    _, errors, _ = asyncio.run(execution.validate_inputs("", prompt, "1", {}))
    told = {error["extra_info"]["input_name"]: error["details"] for error in errors}
    assert len(told) == len(errors)
    return told


def test_a_name_by_wire_is_looked_up(pack: Any) -> None:
    error = pack.module("instantid_core.errors").IncompatibleModelError
    for name in ("../instantid/instantid_small.safetensors", "/etc/passwd", "other.safetensors"):
        with pytest.raises(error, match="Expected the IdentityNet"):
            load(pack, control_net_name=name)


@pytest.mark.parametrize("content", ["page", "half", "LoRA"])
def test_what_is_no_control_net_is_a_sentence(pack: Any, models_dir: Path, content: str) -> None:
    error = pack.module("instantid_core.errors").IncompatibleModelError
    folder = models_dir / "controlnet"
    whole = (folder / SMALL).read_bytes()
    lora = (models_dir / "loras" / "style_small.safetensors").read_bytes()
    path = folder / "broken.safetensors"
    path.write_bytes({"page": b"<html>", "half": whole[: len(whole) // 2], "LoRA": lora}[content])
    try:
        with pytest.raises(
            error, match=r"'broken.safetensors' (cannot be read|should be IdentityNet)"
        ):
            load(pack, control_net_name=path.name)
    finally:
        path.unlink()


def test_a_replaced_control_net_is_noticed(pack: Any, models_dir: Path) -> None:
    node = pack.module("nodes.loaders").LoadModels
    path = models_dir / "controlnet" / "own.safetensors"
    path.write_bytes(b"1")
    try:
        before = node.fingerprint_inputs(SMALL, path.name)
        assert node.fingerprint_inputs(SMALL, path.name) == before
        path.write_bytes(b"22")
        assert node.fingerprint_inputs(SMALL, path.name) != before
    finally:
        path.unlink()
    assert node.fingerprint_inputs(SMALL, path.name).count("missing") == 1
