"""Workflows of the older InstantID pack in the editor: opened, replaced, and as they would run."""

from __future__ import annotations

from typing import Any

import pytest
from support.face_id_workflow import FACE_ID_NODES, face_id_workflow
from support.older_workflows import OLDER_NODES, OLDER_WORKFLOWS, older_workflow

from tools.pictures.browser import Editor

REPLACE = """async () => {
    const buttons = () => [...document.querySelectorAll('button')]
        .filter((button) => /^Replace (All|Node)/i.test(button.innerText.trim()));
    let pressed = 0;
    while (buttons().length && pressed < 20) {
        const count = buttons().length;
        buttons()[0].click();
        pressed += 1;
        for (let i = 0; i < 30 && buttons().length === count; i++)
            await new Promise(requestAnimationFrame);
    }
    return pressed;
}"""


def kinds(editor: Editor) -> list[str]:
    return editor.page.evaluate("() => window.app.graph.nodes.map((node) => node.type)")


def inputs_of(editor: Editor, kind: str) -> dict[str, Any]:
    (node,) = [one for one in editor.prompt().values() if one["class_type"] == kind]
    return node["inputs"]


def replace_all(editor: Editor) -> None:
    """Press every button of the dialog about missing nodes that exchanges some."""
    editor.page.get_by_role("button", name="View details").click(timeout=60_000)
    editor.page.get_by_text("Replace", exact=False).first.wait_for(timeout=60_000)
    assert editor.page.evaluate(REPLACE)


@pytest.mark.parametrize("name", OLDER_WORKFLOWS)
def test_old_nodes_become_ours(canvas_editor: Editor, name: str) -> None:
    editor = canvas_editor
    editor.load(older_workflow(name))
    assert set(kinds(editor)) & set(OLDER_NODES)
    replace_all(editor)
    assert not set(kinds(editor)) & set(OLDER_NODES)
    if name == "posed":
        given = inputs_of(editor, "InstantIDApply")
        assert (given["weight"], given["strength"]) == (0.8, 0.8)
        assert (given["negative_identity"], given["noise_strength"]) == ("noise", 0.35)
        wired = {key for key, value in given.items() if isinstance(value, list)}
        assert {"model", "adapter", "analyzer", "control_net", "image", "image_kps"} <= wired
    elif name == "separate":
        given = inputs_of(editor, "InstantIDApplyAdapterFromPhoto")
        assert (given["weight"], given["noise_strength"]) == (0.9, 0.3)
        held = inputs_of(editor, "InstantIDApplyIdentityNetFromTokens")
        assert (held["strength"], held["end_at"]) == (0.7, 0.9)
        assert all(isinstance(held[wire], list) for wire in ("tokens", "image", "control_net"))
    samplers = [one for one in editor.prompt().values() if one["class_type"] == "KSampler"]
    assert samplers
    for sampler in samplers:
        wires = [sampler["inputs"][wire] for wire in ("model", "positive", "negative")]
        assert all(isinstance(wire, list) for wire in wires)


def test_nodes_of_ip_adapter_plus_for_face_id_become_ours(canvas_editor: Editor) -> None:
    editor = canvas_editor
    editor.load(face_id_workflow())
    assert set(FACE_ID_NODES) <= set(kinds(editor))
    replace_all(editor)
    assert not set(FACE_ID_NODES) & set(kinds(editor))
    prompt = editor.prompt()
    given = inputs_of(editor, "InstantIDApplyAdapterFromPhoto")
    assert (given["weight"], given["start_at"], given["end_at"]) == (0.85, 0, 0.9)
    sources = {name: prompt[given[name][0]]["class_type"] for name in ("adapter", "analyzer")}
    assert sources == {
        "adapter": "InstantIDLoadAdapter",
        "analyzer": "InstantIDLoadFaceAnalyzer",
    }
    assert inputs_of(editor, "InstantIDLoadAdapter")["lora_strength"] == 0.55
    assert inputs_of(editor, "InstantIDLoadFaceAnalyzer")["model_pack"] == "buffalo_l"
