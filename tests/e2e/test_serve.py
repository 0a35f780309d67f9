"""The workflows that `dev.py serve` puts into the editor are those that were measured."""

from __future__ import annotations

from typing import Any

from tools.comfyui.prompts import Prompt, to_prompt
from tools.evaluate import settings
from tools.pictures.thumbnail_prompt import thumbnail_prompt
from tools.serve.command import adapted
from training.world import BACKGROUNDS, STYLES

from .test_workflows import WORKFLOWS, load


def inputs_of(prompt: Prompt) -> dict[str, Any]:
    return {number: (node["class_type"], node["inputs"]) for number, node in prompt.items()}


def test_each_workflow_is_saved_with_the_values_of_its_prompt(object_info: dict[str, Any]) -> None:
    for setup in (settings.small_world(STYLES, BACKGROUNDS), settings.random_models()):
        for path in WORKFLOWS:
            saved = load(path)
            texts = [text.prompt for text in setup.texts_of(0)]
            prompt = thumbnail_prompt(saved, object_info, setup, texts)
            again = to_prompt(adapted(saved, object_info, prompt), object_info)
            assert inputs_of(again) == inputs_of(prompt), path.name
            assert saved == load(path), "the shipped file's values are left alone"
