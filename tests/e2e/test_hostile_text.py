"""Names that no log can print reach a real server, and the prompt after them still runs.

ComfyUI's log is strict UTF-8: a lone surrogate in an error sentence used to end its only prompt
worker until somebody restarted it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tools.batch.example import node, write_identities
from tools.comfyui.client import ComfyClient, PromptRefusedError, RunFailedError
from tools.comfyui.prompts import Prompt
from tools.comfyui.server import HostServer

LONE = "\ud800\x1b[2J\u202e"
"""A lone surrogate, an order to a terminal, and a mark that turns the reading direction."""
NOT_UTF_8 = os.fsdecode(b"\xb4\xf3.bin")
"""A Chinese name, as unzip leaves it on a system with another encoding."""


@pytest.fixture
def adapters(server: HostServer) -> Iterator[Path]:
    folder = server.launch.log.parent / "models" / "instantid"
    before = set(folder.iterdir())
    yield folder
    for path in set(folder.iterdir()) - before:
        path.unlink()


def run(client: ComfyClient, prompt: Prompt) -> str:
    """What the prompt ended with."""
    try:
        client.run(prompt)
    except (RunFailedError, PromptRefusedError) as error:
        return str(error)
    return ""


def loaded(name: str) -> Prompt:
    adapter = node("InstantIDLoadAdapter", adapter_name=name)
    identity = {"identity": ["3", 0]}
    applied = {"model": ["2", 0], "adapter": ["1", 0], **identity, "weight": 0.8}
    return {
        "1": adapter,
        "2": node("SmallSDXLCheckpoint"),
        "3": node("InstantIDLoadIdentity", identity_name="anna.safetensors"),
        "4": node("InstantIDApplyAdapter", **applied, start_at=0.0, end_at=1.0),
        "5": node("PreviewAny", source=["4", 0]),
    }


def saved(prefix: str) -> Prompt:
    return {
        "1": node("InstantIDLoadIdentity", identity_name="anna.safetensors"),
        "2": node("InstantIDSaveIdentity", identity=["1", 0], filename_prefix=prefix),
    }


@pytest.fixture(scope="module", autouse=True)
def anna(server: HostServer) -> None:
    write_identities(server.launch.log.parent)


def test_the_prompt_after_a_hostile_adapter_runs(
    client: ComfyClient, server: HostServer, adapters: Path
) -> None:
    torch.save({LONE: torch.zeros(1)}, adapters / "hostile.bin")
    assert "found no image_proj and ip_adapter" in run(client, loaded("hostile.bin"))
    assert run(client, saved("after")) == ""
    assert "Exception during processing" in log(server)
    assert "\x1b[2J" not in log(server)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_the_prompt_after_an_adapter_with_a_foreign_name_runs(
    client: ComfyClient, adapters: Path
) -> None:
    (adapters / NOT_UTF_8).write_bytes(b"no model")
    assert "cannot be read" in run(client, loaded(NOT_UTF_8))
    assert run(client, saved("after")) == ""


def test_the_prompt_after_a_hostile_prefix_runs(client: ComfyClient) -> None:
    assert "filename_prefix must be" in run(client, saved(LONE))
    assert run(client, saved("after")) == ""


@pytest.mark.parametrize("loader", ["InstantIDLoadAdapter", "InstantIDLoadIdentity"])
def test_the_prompt_after_a_hostile_name_by_wire_runs(client: ComfyClient, loader: str) -> None:
    """A wire goes around the list of names."""
    name = {"InstantIDLoadAdapter": "adapter_name", "InstantIDLoadIdentity": "identity_name"}
    prompt = {
        "1": node("PrimitiveString", value=LONE),
        "2": node("ComfySwitchNode", switch=True, on_true=["1", 0], on_false=["1", 0]),
        "3": node(loader, **{name[loader]: ["2", 0]}),
        "4": node("PreviewAny", source=["3", 0]),
    }
    assert "Expected the" in run(client, prompt)
    assert run(client, saved("after")) == ""


def log(server: HostServer) -> str:
    return server.launch.log.read_text(encoding="utf-8")
