"""Chinese labels of choices: `web/js/texts/choices.js` has one for each choice that is a word."""

from __future__ import annotations

import re

from instantid_core.models import PACKS
from tools.comfyui.environment import REPOSITORY
from tools.documents.schemas import read_nodes

NAMES = {"provider", "base_model", "model_pack"}
"""Inputs whose choices are names."""
ENTRY = re.compile(r'^  "?([\w -]+?)"?: "[^"]+",$', re.MULTILINE)


def test_every_choice_has_a_label() -> None:
    text = (REPOSITORY / "web/js/texts/choices.js").read_text(encoding="utf-8")
    inputs = [each for node in read_nodes().values() for each in node.inputs]
    choices = {choice for each in inputs if each.name not in NAMES for choice in each.choices}
    assert set(ENTRY.findall(text)) == choices - set(PACKS), "names of files stay as they are"
