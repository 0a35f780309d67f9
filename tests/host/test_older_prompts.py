"""Prompts of the older InstantID pack that do out-of-the-ordinary things, and of IPAdapter_plus."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def translate(pack: Any) -> Any:
    replacements = {each.old: each for each in pack.module("nodes.legacy_nodes").REPLACEMENTS}
    return lambda old, **given: replacements[old].translated({"inputs": given})["inputs"]


@pytest.mark.parametrize("window", [(1.0, 1.0), (0.5, 0.2), (0, 0)])
def test_a_window_without_length_is_weight_zero(
    translate: Any, window: tuple[float, float]
) -> None:
    start, end = window
    inputs = translate("ApplyInstantID", weight=0.8, start_at=start, end_at=end, model=["4", 0])
    assert (inputs["weight"], inputs["strength"]) == (0, 0)
    assert (inputs["start_at"], inputs["end_at"]) == (0, 1)
    assert inputs["model"] == ["4", 0]
    net = translate("ApplyInstantIDControlNet", strength=1.0, start_at=start, end_at=end)
    assert net["strength"] == 0
    assert "weight" not in net


@pytest.mark.parametrize("window", [(0.2, 0.5), (["7", 0], 0.0), (0.5, None)])
def test_other_windows_stay(translate: Any, window: tuple[Any, Any]) -> None:
    inputs = translate("ApplyInstantID", weight=0.8, start_at=window[0], end_at=window[1])
    assert (inputs["weight"], inputs["start_at"], inputs["end_at"]) == (0.8, *window)


# --- FaceID of IPAdapter_plus ---------------------------------------------------------------------

SDXL_FILE, SD15_FILE = "ip-adapter-faceid_sdxl.bin", "ip-adapter-faceid_sd15.bin"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def unified(**changed: Any) -> dict[str, Any]:
    """A prompt with the unified loader, as scripts write them."""
    applied = {
        **{"model": ["2", 0], "ipadapter": ["2", 1], "image": ["4", 0], "weight": 0.7},
        **{"weight_faceidv2": 1.0, "weight_type": "linear", "combine_embeds": "concat"},
        **{"start_at": 0.0, "end_at": 0.9, "embeds_scaling": "V only"},
    }
    loader = {"model": ["1", 0], "preset": "FACEID", "lora_strength": 0.6, "provider": "CPU"}
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="x"),
        "2": node("IPAdapterUnifiedLoaderFaceID", **loader),
        "3": node("IPAdapterFaceID", **{**applied, **changed}),
        "4": node("LoadImage", image="face.png"),
        "5": node("KSampler", model=["3", 0], seed=1),
    }


def by_file() -> dict[str, Any]:
    """The same with loaders of its own."""
    prompt = unified(model=["6", 0], ipadapter=["2", 0], insightface=["7", 0])
    return prompt | {
        "2": node("IPAdapterModelLoader", ipadapter_file="sdxl\\" + SDXL_FILE),
        "6": node("LoraLoaderModelOnly", model=["1", 0], lora_name="l", strength_model=0.5),
        "7": node("IPAdapterInsightFaceLoader", provider="CUDA", model_name="buffalo_l"),
    }


@pytest.fixture
def rewrite(pack: Any) -> Any:
    plus = pack.module("nodes.ip_adapter_plus")
    absent = plus.OWN | {plus.FILE}
    return lambda prompt, files=(SDXL_FILE,), absent=absent: plus.rewritten(prompt, absent, files)


def test_the_unified_loader_becomes_two_and_leaves_the_models_way(rewrite: Any) -> None:
    given = unified()
    before = repr(given)
    found = rewrite(given)
    assert repr(given) == before, "the given prompt is not changed"
    loaded = found["2"]
    assert loaded["class_type"] == "InstantIDLoadAdapter"
    assert loaded["inputs"] == {"adapter_name": SDXL_FILE, "lora_strength": 0.6}
    assert found["2-analyzer"]["inputs"] == {"model_pack": "buffalo_l", "provider": "auto"}
    applied = found["3"]
    assert applied["class_type"] == "InstantIDApplyAdapter"
    assert applied["inputs"] == {
        **{"model": ["1", 0], "adapter": ["2", 0], "identity": ["3-identity", 0]},
        **{"weight": 0.7, "start_at": 0.0, "end_at": 0.9, "profile": "uniform"},
    }
    assert found["3-identity"]["inputs"] == {"faces": ["3-faces", 0], "combine": "sequence"}
    assert found["3-faces"]["inputs"]["analyzer"] == ["2-analyzer", 0]
    assert found["3-faces"]["inputs"]["image"] == ["4", 0]
    assert found["5"] == given["5"]


def test_a_lora_of_the_graph_is_not_added_twice(rewrite: Any) -> None:
    found = rewrite(by_file())
    assert found["2"]["inputs"] == {"adapter_name": SDXL_FILE, "lora_strength": 0.0}
    assert found["7"]["inputs"] == {"model_pack": "buffalo_l", "provider": "auto"}
    assert found["3"]["inputs"]["model"] == ["6", 0]
    assert found["3-faces"]["inputs"]["analyzer"] == ["7", 0]
    assert found["6"] == by_file()["6"]


def test_other_adapters_and_an_installed_pack_are_left_alone(rewrite: Any) -> None:
    plain = {
        "1": node("IPAdapterModelLoader", ipadapter_file="ip-adapter_sdxl.bin"),
        "2": node("IPAdapterAdvanced", ipadapter=["1", 0]),
        "3": "nonsense",
        "4": {"class_type": "IPAdapterFaceID"},
    }
    assert rewrite(plain) is plain
    assert rewrite(unified(), absent=frozenset()) == unified()
    beside = rewrite(plain | by_file() | {"1": plain["1"]})
    assert beside["1"] == plain["1"], "it leads to no FaceID node"


def test_chained_loaders_and_loops_end(rewrite: Any) -> None:
    prompt = unified()
    prompt["8"] = node("IPAdapterUnifiedLoaderFaceID", model=["2", 0], preset="FACEID")
    prompt["9"] = node("IPAdapterFaceID", model=["8", 0], ipadapter=["8", 1], image=["4", 0])
    found = rewrite(prompt)
    assert found["9"]["inputs"]["model"] == ["1", 0]
    assert found["8"]["inputs"]["lora_strength"] == 0.6, "IPAdapter_plus's default"
    prompt["2"]["inputs"]["model"] = ["8", 0]
    assert rewrite(prompt)["9"]["inputs"]["adapter"] == ["8", 0]


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ((SD15_FILE,), SD15_FILE),
        ((SD15_FILE, "x/" + SDXL_FILE), "x/" + SDXL_FILE),
        (("my-" + SDXL_FILE,), SDXL_FILE),
        ((), SDXL_FILE),
    ],
)
def test_a_preset_takes_the_file_that_is_there(rewrite: Any, files: Any, wanted: str) -> None:
    assert rewrite(unified(), files)["2"]["inputs"]["adapter_name"] == wanted


def test_what_does_not_carry_over_is_told(rewrite: Any, caplog: Any) -> None:
    found = rewrite(unified(weight_type="reverse in-out", combine_embeds="subtract"))
    assert found["3"]["inputs"]["profile"] == "uniform"
    assert found["3-identity"]["inputs"]["combine"] == "normalized_average"
    assert "weight_type 'reverse in-out' of IPAdapter_plus has no counterpart" in caplog.text
    assert "combine_embeds 'subtract'" in caplog.text


def test_its_window_without_length_is_weight_zero(rewrite: Any) -> None:
    assert rewrite(unified(start_at=0.5, end_at=0.5))["3"]["inputs"]["weight"] == 0


def test_every_profile_and_choice_that_is_named_exists(pack: Any) -> None:
    plus = pack.module("nodes.ip_adapter_plus")
    profiles = pack.module("instantid_core.adapter.profiles").PROFILES
    combine = pack.module("instantid_core.identity").COMBINE
    assert set(plus.PROFILES.values()) <= set(profiles)
    assert set(plus.COMBINE.values()) <= set(combine)
