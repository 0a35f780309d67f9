"""Jobs as prompts: which nodes there are, how they are wired, and whether the pack takes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tools.comfyui.prompts import nodes_of
from tools.evaluate.controls import Control, Edit, Scales
from tools.evaluate.figures import EvaluationError
from tools.evaluate.poses import model_face, pose_text
from tools.evaluate.prompts import GROUP, INTERPOLATION, OUTPUT_NODE, Job, prompt_of
from tools.evaluate.settings import (
    Overrides,
    OwnModels,
    Setup,
    own_models,
    random_models,
    read_prompts,
    read_size,
    small_world,
    with_overrides,
)
from training.world import BACKGROUNDS, STYLES

CONTRACT = json.loads(
    (Path(__file__).parents[1] / "data" / "node_contract.json").read_text(encoding="utf-8")
)
WORLD = small_world(STYLES, BACKGROUNDS)
POSE = pose_text([model_face(0, WORLD.placing, WORLD.size)], WORLD.size)
PLAIN = Job("a sketch portrait of a person, forest background", 7, WORLD.size)
BOTH = replace(PLAIN, people=(("a.png",),), control=Control(0.8, 0.7), pose=POSE)
JOBS = {
    "text alone": PLAIN,
    "adapter only": replace(BOTH, control=Control(0.8)),
    "IdentityNet only": replace(BOTH, control=Control(strength=0.7)),
    "both": BOTH,
    "guided": replace(BOTH, control=Control(0.8, 0.7, scales=Scales(1.5, 3.0, 0.7))),
    "edited": replace(BOTH, control=Control(0.8, 0.7, edit=Edit("old.safetensors", -1.0, "add"))),
    "held": replace(
        BOTH, control=Control(0.8, 0.7, edit=Edit("old.safetensors", -1.0, "add", "skin.sft"))
    ),
    "inserted": replace(BOTH, control=Control(0.8, 0.7, (0.1, 1.0), "orthogonal", reuse=2)),
    "several photos": replace(BOTH, people=(("a.png", "b.png", "c.png"),)),
    "between": replace(BOTH, people=(("a.png",), ("b.png",)), how=INTERPOLATION, count=5),
    "together": replace(BOTH, people=(("a.png",), ("b.png",)), how=GROUP, count=2),
}


def inputs_of(prompt, class_type):
    (node,) = nodes_of(prompt, class_type)
    return prompt[node]["inputs"]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_the_pack_takes_every_node_as_it_is(job):
    prompt = prompt_of(job, WORLD)
    for node in prompt.values():
        contract = CONTRACT.get(node["class_type"])
        if contract is None:
            assert not node["class_type"].startswith("InstantID")
            continue
        given = {name.split(".")[0] for name in node["inputs"]}
        needed = {name for name, spec in contract["inputs"].items() if not spec["optional"]}
        assert needed <= given <= set(contract["inputs"])


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_links_lead_to_nodes_of_the_prompt(job):
    prompt = prompt_of(job, WORLD)
    links = [
        value
        for node in prompt.values()
        for value in node["inputs"].values()
        if type(value) is list
    ]
    assert {name for name, _ in links} == set(prompt) - {OUTPUT_NODE}, (
        "no node is there for nothing"
    )


def test_text_alone_has_nothing_of_the_pack():
    prompt = prompt_of(PLAIN, WORLD)
    assert not [node for node in prompt.values() if node["class_type"].startswith("InstantID")]
    sampler = inputs_of(prompt, "KSampler")
    assert sampler["model"] == ["checkpoint", 0]
    assert (sampler["seed"], sampler["steps"], sampler["cfg"]) == (7, WORLD.steps, WORLD.cfg)
    assert prompt["checkpoint"]["inputs"] == {"ckpt_name": "small_world.safetensors"}


def test_each_part_is_there_only_with_an_amount():
    adapter, net = (prompt_of(JOBS[name], WORLD) for name in ("adapter only", "IdentityNet only"))
    assert inputs_of(adapter, "InstantIDApplyAdapter")["weight"] == 0.8
    assert not nodes_of(adapter, "InstantIDApplyIdentityNet")
    assert inputs_of(net, "InstantIDApplyIdentityNet")["strength"] == 0.7
    assert not nodes_of(net, "InstantIDApplyAdapter")
    assert inputs_of(net, "KSampler")["model"] == ["checkpoint", 0]


def test_both_parts_reach_the_sampler():
    prompt = prompt_of(BOTH, WORLD)
    sampler = inputs_of(prompt, "KSampler")
    assert sampler["model"] == ["applied", 0]
    assert [sampler[name] for name in ("positive", "negative")] == [["posed", 0], ["posed", 1]]
    assert inputs_of(prompt, "InstantIDPose")["pose_json"] == POSE
    for kind in ("InstantIDApplyAdapter", "InstantIDApplyIdentityNet"):
        assert inputs_of(prompt, kind)["identity"] == ["identity_0", 0]


def test_a_control_reaches_both_parts():
    prompt = prompt_of(JOBS["inserted"], WORLD)
    adapter, net = (
        inputs_of(prompt, f"InstantIDApply{kind}") for kind in ("Adapter", "IdentityNet")
    )
    assert adapter["insertion"] == "orthogonal"
    assert net["reuse"] == 2
    assert [one[name] for one in (adapter, net) for name in ("start_at", "end_at")] == [0.1, 1] * 2


def test_two_scales_sample_as_one_does():
    prompt = prompt_of(JOBS["guided"], WORLD)
    guider = inputs_of(prompt, "InstantIDGuider")
    assert [guider[name] for name in ("text", "identity", "rescale")] == [1.5, 3.0, 0.7]
    assert (guider["model"], guider["negative"]) == (["applied", 0], ["posed", 1])
    schedule = inputs_of(prompt, "BasicScheduler")
    assert (schedule["model"], schedule["steps"]) == (["applied", 0], WORLD.steps)
    assert inputs_of(prompt, "RandomNoise")["noise_seed"] == BOTH.seed
    assert inputs_of(prompt, "SamplerCustomAdvanced")["latent_image"] == ["latent", 0]
    assert not nodes_of(prompt, "KSampler")


def test_text_alone_needs_no_guider():
    alone = replace(PLAIN, control=Control(scales=Scales(1.5, 3.0)))
    assert prompt_of(alone, WORLD) == prompt_of(PLAIN, WORLD)


def test_an_edited_identity_serves_both_parts():
    prompt = prompt_of(JOBS["edited"], WORLD)
    edit = inputs_of(prompt, "InstantIDEditIdentity")
    assert (edit["identity"], edit["amount"], edit["mode"]) == (["identity_0", 0], -1.0, "add")
    assert inputs_of(prompt, "InstantIDLoadDirection")["direction_name"] == "old.safetensors"
    for kind in ("InstantIDApplyAdapter", "InstantIDApplyIdentityNet"):
        assert inputs_of(prompt, kind)["identity"] == ["edited", 0]


def test_what_is_held_is_a_second_direction():
    prompt = prompt_of(JOBS["held"], WORLD)
    edit = inputs_of(prompt, "InstantIDEditIdentity")
    names = [prompt[edit[way][0]]["inputs"]["direction_name"] for way in ("direction", "hold")]
    assert names == ["old.safetensors", "skin.sft"]


def test_several_photos_are_one_batch_in_their_order():
    prompt = prompt_of(JOBS["several photos"], WORLD)
    last = prompt["faces_0"]["inputs"]["image"][0]
    first = prompt[last]["inputs"]["image1"][0]
    order = [*prompt[first]["inputs"].values(), prompt[last]["inputs"]["image2"]]
    assert [prompt[node]["inputs"]["image"] for node, _ in order] == ["a.png", "b.png", "c.png"]
    assert inputs_of(prompt, "InstantIDEmbedIdentity")["combine"] == "average"


def test_a_way_has_one_identity_for_each_picture():
    prompt = prompt_of(JOBS["between"], WORLD)
    way = inputs_of(prompt, "InstantIDInterpolateIdentities")
    assert way["steps"] == inputs_of(prompt, "EmptyLatentImage")["batch_size"] == 5
    assert prompt["photo_0_0"]["inputs"]["image"] == "a.png"
    assert (way["identity_a"], way["identity_b"]) == (["identity_0", 0], ["identity_1", 0])


def test_people_together_go_through_one_node():
    prompt = prompt_of(JOBS["together"], WORLD)
    group = inputs_of(prompt, "InstantIDApplyGroup")
    assert group["identities.identity0"] == ["identity_0", 0]
    assert group["identities.identity1"] == ["identity_1", 0]
    assert inputs_of(prompt, "KSampler")["negative"] == ["group", 2]


def test_equal_jobs_are_one_job():
    assert len({BOTH, replace(BOTH), replace(BOTH, seed=8)}) == 2


@pytest.mark.parametrize("setup", [WORLD, random_models(), own_models(OwnModels())])
def test_everybody_gets_every_style_once(setup: Setup):
    first = set()
    for person in range(10):
        texts = setup.texts_of(person)
        assert sorted(text.style for text in texts) == sorted(setup.styles)
        first.add(texts[0].style)
    assert first == set(setup.styles)


def test_backgrounds_go_round():
    pairs = {(t.style, t.background) for person in range(5) for t in WORLD.texts_of(person)}
    assert len(pairs) == len(STYLES) * len(BACKGROUNDS)


def test_settings_that_are_named_take_the_place_of_the_usual_ones():
    setup = with_overrides(own_models(OwnModels()), Overrides(size="832x1216", steps=8, weight=0.5))
    assert (setup.size, setup.group_size) == ((832, 1216), (1000, 976))
    assert (setup.steps, setup.weight, setup.strength, setup.cfg) == (8, 0.5, 0.8, 4.5)


@pytest.mark.parametrize("size", ["1016", "1016x", "1000x1001", "32x32", "x", "ax8"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(EvaluationError, match="--size should be width x height"):
        read_size(size)


def test_prompts_come_from_a_file(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("# mine\nphoto: a person, 85mm: soft light\n\na statue of a person\n", "utf-8")
    first, second = read_prompts(path)
    assert (first.style, first.prompt) == ("photo", "a person, 85mm: soft light")
    assert (second.style, second.prompt) == ("text 2", "a statue of a person")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# none\n", "holds no prompt"),
        ("photo:\n", "holds no prompt"),
        ("a: x\na: y\n", "duplicate label"),
    ],
)
def test_a_file_without_prompts_is_refused(tmp_path, content, message):
    path = tmp_path / "prompts.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(EvaluationError, match=message):
        read_prompts(path)
    with pytest.raises(EvaluationError, match="should name a text file"):
        read_prompts(tmp_path / "missing.txt")
