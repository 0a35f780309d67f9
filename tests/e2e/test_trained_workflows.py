"""Shipped workflows on the trained small world, as `dev.py serve` opens them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from support.trained_world import needs_trained_world

from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import Prompt, nodes_of
from tools.comfyui.server import HostServer
from tools.evaluate.settings import Setup
from tools.pictures import thumbnails
from tools.pictures.thumbnail_prompt import thumbnail_prompt

from .test_workflows import WORKFLOWS, load, named, pixels

pytestmark = [
    pytest.mark.thorough,
    needs_trained_world,
]
FATE = re.compile(r"^image (\d+): (-?\d\.\d+|n/a), (kept)?", re.MULTILINE)


class World(NamedTuple):
    client: ComfyClient
    setup: Setup
    object_info: dict[str, Any]

    def run(self, path: Path) -> tuple[Prompt, dict[str, Any]]:
        texts = [text.prompt for text in self.setup.texts_of(0)]
        prompt = thumbnail_prompt(load(path), self.object_info, self.setup, texts)
        return prompt, self.client.run(prompt).outputs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    here = thumbnails.backend()
    with HostServer(here.launch(tmp_path_factory.mktemp("world"))) as server:
        client = ComfyClient(server.url)
        thumbnails.upload(client, here.subjects)
        yield World(client, here.setup, client.object_info())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_it_runs_to_its_end_and_shows_pictures(world: World, path: Path) -> None:
    prompt, outputs = world.run(path)
    for node in nodes_of(prompt, "SaveImage"):
        assert outputs[node]["images"], prompt[node]["_meta"]["title"]
        assert all(pixels(world.client, one).std() > 5 for one in outputs[node]["images"])


def test_the_best_of_a_batch_are_those_with_the_highest_scores(world: World) -> None:
    prompt, outputs = world.run(named("best_of_batch"))
    (keep,) = nodes_of(prompt, "InstantIDKeepBest")
    fates = FATE.findall(outputs[keep]["text"][0])
    scores = {int(number): float(score) for number, score, _ in fates if score != "n/a"}
    kept = [int(number) for number, _, is_kept in fates if is_kept]
    assert kept == sorted(scores, key=lambda number: -scores[number])[: len(kept)]
    assert len(kept) == prompt[keep]["inputs"]["keep"]
    every, best = (outputs[node]["images"] for node in nodes_of(prompt, "SaveImage"))
    assert len(fates) == len(every) > len(best) == len(kept)
    for number, image in zip(kept, best, strict=True):
        assert np.array_equal(pixels(world.client, image), pixels(world.client, every[number - 1]))
