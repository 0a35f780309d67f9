"""Loaders of saved files, and what open pages are told when something is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.output_folder import output_folder

from nodes import NODE_CLASS_MAPPINGS

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def output(pack: Any, tmp_path: Path) -> Iterator[None]:
    with output_folder(pack, tmp_path):
        yield


@pytest.fixture
def told(pack: Any, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Events that pages get."""
    events: Told = []
    server = SimpleNamespace(send_sync=lambda *event: events.append(event))
    monkeypatch.setattr(pack.module("nodes.host.server"), "running_server", lambda: server)
    return events


@pytest.fixture
def save(pack: Any, identity_of: Any) -> dict[str, Callable[[str], str]]:
    """What saves a file, by the class of the node that loads it."""
    types = pack.module("instantid_core.types")
    person = identity_of(1)
    evidence = types.Evidence(8, 8, False, 0.9)
    way = types.Direction(torch.ones(512), 0.0, person.recogniser, "glasses", evidence)
    people, ways = (
        pack.module(f"nodes.host.{name}") for name in ("identity_files", "direction_files")
    )
    return {
        "InstantIDLoadIdentity": lambda prefix: people.save(prefix, person, ()),
        "InstantIDLoadDirection": lambda prefix: ways.save(prefix, way),
    }


@pytest.mark.parametrize("loader", ["InstantIDLoadIdentity", "InstantIDLoadDirection"])
def test_pages_hear_what_the_loader_offers_now(
    pack: Any, told: Told, save: dict[str, Callable[[str], str]], loader: str
) -> None:
    first, second = save[loader]("one"), save[loader]("two")
    schema = NODE_CLASS_MAPPINGS[loader].INPUT_TYPES()["required"]
    for event, data in told:
        assert event == "instantid_compose.saved"
        assert data["node"] == loader
        assert data["input"] in schema
    assert [data["files"] for _, data in told] == [[first], [first, second]]
    pack.run(loader, **{told[0][1]["input"]: second})


def test_every_shelf_is_here(pack: Any, save: dict[str, Callable[[str], str]]) -> None:
    modules = Path(pack.module("nodes.host").__file__).parent.glob("*_files.py")
    loaders = [
        shelf.loader
        for path in modules
        if (shelf := getattr(pack.module(f"nodes.host.{path.stem}"), "SHELF", None))
    ]
    assert sorted(loaders) == sorted(save)
