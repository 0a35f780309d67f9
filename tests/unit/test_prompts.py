"""Workflows as the editor saves them become the prompts that it would submit."""

import pytest

from tools.comfyui.prompts import (
    PromptError,
    fit_choices,
    nodes_of,
    override,
    substitute,
    to_prompt,
    upstream,
)

MODES = {
    "options": [
        {"key": "scale", "inputs": {"required": {"by": ["FLOAT", {"default": 2.0}]}}},
        {"key": "none", "inputs": {}},
    ]
}
INFO = {
    "Loader": {
        "display_name": "Load Model",
        "input": {"required": {"name": [["a.safetensors", "sub/b.safetensors"]]}},
    },
    "Sampler": {
        "display_name": "Sampler",
        "input": {
            "required": {
                "model": ["MODEL"],
                "positive": ["CONDITIONING"],
                "seed": ["INT", {"default": 0, "control_after_generate": True}],
                "steps": ["INT", {"default": 20}],
                "scheduler": ["COMBO", {"options": ["normal", "karras"]}],
            },
            "optional": {"mask": ["MASK"], "strength": ["FLOAT", {"default": 1.0}]},
        },
    },
    "Text": {
        "display_name": "Text",
        "input": {"required": {"text": ["STRING", {}], "clip": ["CLIP"]}},
    },
    "Photo": {
        "display_name": "Photo",
        "input": {"required": {"image": [["x.png"], {"image_upload": True}]}},
    },
    "Patch": {
        "display_name": "Patch",
        "input": {"required": {"model": ["MODEL"], "noise_seed": ["INT", {}], "on": ["BOOLEAN"]}},
    },
    "Quiet": {
        "display_name": "Quiet",
        "input": {
            "required": {
                "noise_seed": ["INT", {"control_after_generate": False}],
                "gain": ["FLOAT", {}],
                "forced": ["INT", {"forceInput": True}],
            }
        },
    },
    "Resize": {
        "display_name": "Resize",
        "input": {"required": {"mode": ["COMFY_DYNAMICCOMBO_V3", MODES], "crop": ["BOOLEAN"]}},
    },
    "Ordered": {
        "display_name": "Ordered",
        "input": {"required": {"second": ["INT"], "first": ["STRING"]}},
        "input_order": {"required": ["first", "second"]},
    },
}


def node(number, kind, values=(), inputs=(), **more):
    return {"id": number, "type": kind, "widgets_values": values, "inputs": list(inputs), **more}


def slot(name, link, kind="MODEL", widget=False):
    entry = {"name": name, "type": kind, "link": link}
    return {**entry, "widget": {"name": name}} if widget else entry


def graph(*nodes, links=()):
    return {"version": 0.4, "nodes": list(nodes), "links": list(links)}


def single(kind, values, **more):
    return to_prompt(graph(node(1, kind, values, **more)), INFO)["1"]["inputs"]


SAMPLER_VALUES = [7, "randomize", 30, "karras", 0.5]
LOADER = node(1, "Loader", ["a.safetensors"])


@pytest.mark.parametrize(
    "links",
    [
        [[9, 1, 0, 2, 0, "MODEL"]],
        [{"id": 9, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0}],
    ],
    ids=["0.4", "1.0"],
)
def test_both_forms_of_a_workflow(links):
    sampler = node(2, "Sampler", SAMPLER_VALUES, [slot("model", 9)], title="My sampler")
    assert to_prompt(graph(LOADER, sampler, links=links), INFO) == {
        "1": {
            "class_type": "Loader",
            "inputs": {"name": "a.safetensors"},
            "_meta": {"title": "Load Model"},
        },
        "2": {
            "class_type": "Sampler",
            "inputs": {
                "seed": 7,
                "steps": 30,
                "scheduler": "karras",
                "strength": 0.5,
                "model": ["1", 0],
            },
            "_meta": {"title": "My sampler"},
        },
    }


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("Photo", ["x.png", "image"], {"image": "x.png"}),
        ("Patch", [3, "fixed", True], {"noise_seed": 3, "on": True}),
        ("Quiet", [3, 0.5], {"noise_seed": 3, "gain": 0.5}),
        ("Resize", ["scale", 1.5, True], {"mode": "scale", "mode.by": 1.5, "crop": True}),
        ("Resize", ["none", False], {"mode": "none", "crop": False}),
        ("Ordered", ["words", 4], {"first": "words", "second": 4}),
        ("Sampler", [1, "fixed"], {"seed": 1, "steps": 20, "scheduler": "normal", "strength": 1.0}),
        ("Sampler", {"seed": 5, "extra": 1}, {"seed": 5}),
        ("Text", [["a", "list"]], {"text": {"__value__": ["a", "list"]}}),
    ],
    ids=[
        "upload button",
        "seed by name",
        "seed without control",
        "dynamic combo",
        "dynamic combo, other choice",
        "declared order",
        "defaults",
        "named values",
        "list as literal",
    ],
)
def test_saved_values_find_their_inputs(kind, values, expected):
    assert single(kind, values) == expected


def test_a_widget_with_a_link_takes_the_link():
    sampler = node(2, "Sampler", SAMPLER_VALUES, [slot("steps", 5, "INT", widget=True)])
    prompt = to_prompt(graph(LOADER, sampler, links=[[5, 1, 0, 2, 0, "INT"]]), INFO)
    assert prompt["2"]["inputs"]["steps"] == ["1", 0]
    assert prompt["2"]["inputs"]["scheduler"] == "karras"


def test_a_primitive_node_gives_its_value():
    primitive = node(3, "PrimitiveNode", [42, "fixed"])
    sampler = node(2, "Sampler", SAMPLER_VALUES, [slot("steps", 5, "INT", widget=True)])
    prompt = to_prompt(graph(primitive, sampler, links=[[5, 3, 0, 2, 0, "INT"]]), INFO)
    assert list(prompt) == ["2"]
    assert prompt["2"]["inputs"]["steps"] == 42


def test_notes_and_reroutes_are_not_submitted():
    reroute = node(3, "Reroute", None, [slot("", 6, "*")])
    patch = node(2, "Patch", [1, "fixed", True], [slot("model", 7)])
    notes = [node(8, "Note", ["read me"]), node(9, "MarkdownNote", ["# read me"])]
    links = [[6, 1, 0, 3, 0, "MODEL"], [7, 3, 0, 2, 0, "MODEL"]]
    prompt = to_prompt(graph(LOADER, reroute, patch, *notes, links=links), INFO)
    assert list(prompt) == ["1", "2"]
    assert prompt["2"]["inputs"]["model"] == ["1", 0]


def chain(mode):
    patch = node(2, "Patch", [1, "fixed", True], [slot("model", 6)], mode=mode)
    sampler = node(3, "Sampler", SAMPLER_VALUES, [slot("model", 7)])
    links = [[6, 1, 0, 2, 0, "MODEL"], [7, 2, 0, 3, 0, "MODEL"]]
    return to_prompt(graph(LOADER, patch, sampler, links=links), INFO)


def test_a_bypassed_node_passes_on_the_input_of_the_same_kind():
    prompt = chain(mode=4)
    assert list(prompt) == ["1", "3"]
    assert prompt["3"]["inputs"]["model"] == ["1", 0]


def test_a_muted_node_gives_nothing():
    prompt = chain(mode=2)
    assert list(prompt) == ["1", "3"]
    assert "model" not in prompt["3"]["inputs"]


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (graph(node(4, "Unheard")), r"Node 4 is of class 'Unheard', which this ComfyUI does not"),
        (
            graph(node(4, "Sampler", [7, 20, "fixed"], title="Mine")),
            r"Node 4 \(Sampler, 'Mine'\) .* its input 'steps' takes INT, but the saved value is",
        ),
        (
            graph(node(4, "Sampler", SAMPLER_VALUES, [slot("model", 5)])),
            r"Link 5, which feeds input 'model' of Node 4 \(Sampler\), is missing from the file",
        ),
        (
            graph(node(4, "Sampler", SAMPLER_VALUES, [slot("old", 5)])),
            r"Node 4 \(Sampler\) has a link to its input 'old', but the class has only ",
        ),
        (
            graph(
                node(4, "Sampler", SAMPLER_VALUES, [slot("model", 5)]),
                links=[[5, 77, 0, 4, 0, "MODEL"]],
            ),
            r"input 'model' of Node 4 \(Sampler\) is linked to node 77, which is missing",
        ),
        (
            graph(
                node(3, "Reroute", None, [slot("", 6, "*")]),
                node(4, "Sampler", SAMPLER_VALUES, [slot("model", 5)]),
                links=[[5, 3, 0, 4, 0, "MODEL"], [6, 3, 0, 3, 0, "*"]],
            ),
            r"Link 6, which feeds input 'model' of Node 4 \(Sampler\), runs in a circle",
        ),
        ({"1": {"inputs": {}}}, "neither a saved workflow"),
        ({}, "neither a saved workflow"),
    ],
    ids=["class", "value", "link", "input", "origin", "circle", "no prompt", "empty"],
)
def test_errors_name_the_node_and_its_input(saved, message):
    with pytest.raises(PromptError, match=message):
        to_prompt(saved, INFO)


def test_a_prompt_is_taken_as_it_is_and_gets_titles():
    saved = {"1": {"class_type": "Loader", "inputs": {"name": "a.safetensors"}}}
    assert to_prompt(saved, INFO)["1"]["_meta"] == {"title": "Load Model"}
    assert "_meta" not in saved["1"]


def prompt_of(**nodes):
    return {
        name: {"class_type": kind, "inputs": inputs, "_meta": {"title": name}}
        for name, (kind, inputs) in nodes.items()
    }


def test_edits_leave_the_prompt_alone():
    prompt = prompt_of(a=("Loader", {"name": "a"}), b=("Sampler", {"model": ["a", 0], "seed": 1}))
    swapped = substitute(prompt, {"Loader": ("Small", {})})
    changed = override(prompt, {"Sampler": {"seed": 2}, "a": {"name": "z"}})
    assert swapped["a"]["class_type"] == "Small"
    assert swapped["a"]["inputs"] == {}
    assert (changed["b"]["inputs"]["seed"], changed["a"]["inputs"]["name"]) == (2, "z")
    assert prompt["a"] == {"class_type": "Loader", "inputs": {"name": "a"}, "_meta": {"title": "a"}}


def test_the_text_that_reaches_the_sampler_is_found():
    prompt = prompt_of(
        good=("Text", {}),
        bad=("Text", {}),
        net=("Net", {"positive": ["good", 0], "negative": ["bad", 0]}),
        end=("Sampler", {"positive": ["net", 0], "negative": ["net", 1]}),
    )
    assert upstream(prompt, "positive", "Text") == ["good"]
    assert upstream(prompt, "negative", "Text") == ["bad"]
    assert nodes_of(prompt, "Text") == ["good", "bad"]


@pytest.mark.parametrize(
    ("value", "fitted"),
    [
        ("b.safetensors", "sub/b.safetensors"),
        ("other\\b.safetensors", "sub/b.safetensors"),
        ("a.safetensors", "a.safetensors"),
        ("unknown.safetensors", "unknown.safetensors"),
    ],
)
def test_file_names_are_spelled_as_the_server_lists_them(value, fitted):
    prompt = prompt_of(a=("Loader", {"name": value}))
    assert fit_choices(prompt, INFO)["a"]["inputs"]["name"] == fitted
