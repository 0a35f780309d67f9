"""IP-Adapter FaceID and FaceID-Portrait in a real ComfyUI: parity with diffusers, their LoRA, and
their place beside InstantID's adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.face_id_files import write_buffalo

from tools.bench.diffusers_twin import twin_unet
from tools.small_world.adapter import FaceIDSizes, adapter_weights, flat
from tools.small_world.scenes import conditioning, photo, sample

GROUP = "IP-Adapter FaceID"
TOLERANCE = 1e-4
SCALE = 0.7
ATTENTION = ("to_q", "to_k", "to_v", "to_out")
Weights = dict[str, dict[str, torch.Tensor]]
EVERYTHING = {"start_at": 0.0, "end_at": 1.0}


@pytest.fixture(scope="module")
def widths(small_sdxl: Any) -> tuple[int, ...]:
    return small_sdxl.SmallConfig().site_widths


@pytest.fixture(scope="module")
def load(pack: Any, models_dir: Path) -> Callable[..., Any]:
    """Save an adapter under a name, and load it."""

    def saved(name: str, tensors: dict[str, torch.Tensor], **chosen: Any) -> Any:
        save_file(tensors, models_dir / "instantid" / name)
        return pack.run("InstantIDLoadAdapter", adapter_name=name, **chosen)[0]

    return saved


@pytest.fixture(scope="module")
def buffalo(pack: Any, models_dir: Path) -> Any:
    """An analyzer of the pack that FaceID wants."""
    write_buffalo(models_dir)
    choice = {"model_pack": "buffalo_l", "provider": "cpu", "base_model": "SD 1.5"}
    return pack.run("InstantIDLoadFaceAnalyzer", **choice)[0]


@pytest.fixture(scope="module")
def person(pack: Any, buffalo: Any) -> Any:
    """An identity that was read by buffalo_l."""
    choice = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    faces = pack.run("InstantIDAnalyzeFaces", analyzer=buffalo, image=photo(4), **choice)[0]
    return pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")[0]


@pytest.fixture(scope="module")
def face_id(widths: Any, load: Any) -> tuple[Any, Weights]:
    weights = adapter_weights(FaceIDSizes(widths, rank=2), seed=5)
    return load("face-id.safetensors", flat(weights)), weights


@pytest.fixture
def apply(pack: Any) -> Callable[..., Any]:
    def applied(model: Any, adapter: Any, identity: Any, **settings: Any) -> Any:
        given = {"weight": SCALE, **EVERYTHING, **settings}
        return pack.run(
            "InstantIDApplyAdapter", model=model, adapter=adapter, identity=identity, **given
        )[0]

    return applied


def predicted(model: Any) -> tuple[dict[str, Any], list[torch.Tensor]]:
    """What one step was given, and the noise that it predicts for either side."""
    calls: list[dict[str, Any]] = []
    watched = model.clone()
    watched.set_model_sampler_post_cfg_function(
        lambda args: (calls.append(args), args["denoised"])[1]
    )
    sides = conditioning("a portrait by the sea"), conditioning("blurry")
    sample(watched, *sides, steps=1, size=(64, 64))
    call, sigma = calls[0], calls[0]["sigma"][0]
    both = call["cond_denoised"], call["uncond_denoised"]
    return call, [(call["input"] - side) / sigma for side in both]


def theirs(unet: Any, model: Any, call: dict[str, Any], embeddings: Any) -> list[torch.Tensor]:
    """What diffusers predicts for the same step."""
    sigma, place = call["sigma"][0], call["input"].device
    sizes = torch.tensor([[64, 64, 0, 0, 64, 64]], dtype=torch.float32, device=place)
    sides = conditioning("a portrait by the sea"), conditioning("blurry")
    unet.to(place)
    return [
        unet(
            call["input"] / (sigma**2 + 1) ** 0.5,
            model.get_model_object("model_sampling").timestep(call["sigma"]),
            encoder_hidden_states=side[0][0].to(place),
            added_cond_kwargs={
                "text_embeds": side[0][1]["pooled_output"].to(place),
                "time_ids": sizes,
                "image_embeds": [embedding.to(place)],
            },
        ).sample
        for side, embedding in zip(sides, embeddings, strict=True)
    ]


def twin(config: Any, model: Any, weights: Weights) -> Any:
    """diffusers' UNet with the adapter, its LoRA added to the weights here."""
    unet: Any = twin_unet(config, model.model.diffusion_model.state_dict())
    for number, name in enumerate(unet.attn_processors):
        module = unet.get_submodule(name.removesuffix(".processor"))
        for layer in ATTENTION:
            up = weights["ip_adapter"].get(f"{number}.{layer}_lora.up.weight")
            if up is not None:
                place = getattr(module, layer)
                place = place[0] if layer == "to_out" else place
                place.weight += up @ weights["ip_adapter"][f"{number}.{layer}_lora.down.weight"]
    unet._load_ip_adapter_weights([weights])
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [SCALE]
    return unet


def error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize(
    ("tokens", "rank"), [(4, 2), (16, 0)], ids=["FaceID with its LoRA", "Portrait"]
)
@pytest.mark.combination(GROUP, "{}: noise prediction as in diffusers, to 1e-4")
def test_parity(
    small_sdxl: Any,
    model: Any,
    widths: Any,
    load: Any,
    apply: Any,
    person: Any,
    tokens: int,
    rank: int,
) -> None:
    weights = adapter_weights(FaceIDSizes(widths, tokens=tokens, rank=rank), seed=11)
    adapter = load(f"parity{tokens}.safetensors", flat(weights))
    # Before ComfyUI puts the LoRA into the weights that all clones share.
    unet = twin(small_sdxl.SmallConfig(), model, weights)
    call, ours = predicted(apply(model, adapter, person))
    embedding = torch.nn.functional.normalize(person.references, dim=-1)
    for mine, reference in zip(
        ours,
        theirs(unet, model, call, (embedding, torch.zeros_like(embedding))),
        strict=True,
    ):
        print(f"relative error {error(mine, reference):.2e}")
        assert error(mine, reference) <= TOLERANCE
    # Less than the tolerance would be lost without either part.
    _, without = predicted(model)
    assert min(map(error, ours, without)) > 100 * TOLERANCE


# --- the LoRA -------------------------------------------------------------------------------------


def changes(patched: Any) -> dict[str, tuple[float, torch.Tensor, torch.Tensor]]:
    """Strength and the two matrices of every changed weight."""
    found = {}
    for key, ((strength, lora, *_),) in patched.patches.items():
        up, down, *_ = lora.weights
        found[key] = strength, up.clone(), down.clone()
    return found


@pytest.mark.combination(GROUP, "its LoRA: on a clone, once for several people")
def test_the_lora_is_added_once(model: Any, face_id: Any, apply: Any, person: Any) -> None:
    adapter, weights = face_id
    layers = sum(key.endswith("up.weight") for key in weights["ip_adapter"])
    once = apply(model, adapter, person)
    twice = apply(once, adapter, replace(person, references=-person.references))
    assert not model.patches
    for patched in (once, twice):
        assert len(patched.patches) == layers
        assert {len(changes) for changes in patched.patches.values()} == {1}
    # At the adapter's weight 0 nothing changes at all.
    assert apply(model, adapter, person, weight=0.0) is model


def test_the_loras_strength(
    pack: Any, model: Any, face_id: Any, load: Any, apply: Any, person: Any, caplog: Any
) -> None:
    usual, weights = face_id
    strengths = {
        chosen: load("strength.safetensors", flat(weights), lora_strength=chosen)
        for chosen in (1.0, 0.6, 0.0)
    }
    whole, part, none = (apply(model, adapter, person) for adapter in strengths.values())
    expected = changes(apply(model, usual, person))
    for patched, strength in ((whole, 1.0), (part, 0.6)):
        found = changes(patched)
        assert found.keys() == expected.keys()
        assert {each[0] for each in found.values()} == {strength}
    assert not none.patches
    caplog.clear()
    again = apply(part, strengths[0.6], person)
    assert "lora_strength" not in caplog.text
    assert changes(apply(again, strengths[1.0], person)).keys() == expected.keys()
    assert "at strength 0.6 already; 1 was not added" in caplog.text


@pytest.mark.combination(GROUP, "its LoRA in a file beside it, in names that ComfyUI knows")
def test_the_lora_may_lie_beside(
    pack: Any,
    small_sdxl: Any,
    models_dir: Path,
    model: Any,
    face_id: Any,
    load: Any,
    apply: Any,
    person: Any,
) -> None:
    _, weights = face_id
    unet = twin_unet(small_sdxl.SmallConfig(), model.model.diffusion_model.state_dict())
    named: dict[str, torch.Tensor] = {}
    for number, name in enumerate(unet.attn_processors):
        for layer in ATTENTION:
            for half in ("down", "up"):
                tensor = weights["ip_adapter"][f"{number}.{layer}_lora.{half}.weight"]
                named[f"unet.{name}.{layer}_lora.{half}.weight"] = tensor
    bare = {key: value for key, value in flat(weights).items() if "_lora." not in key}
    save_file(named, models_dir / "instantid" / "bare_lora.safetensors")
    state = pack.module("nodes.host.paths").adapter_state
    adapter = load("bare.safetensors", bare)
    expected = changes(apply(model, face_id[0], person))
    found = changes(apply(model, adapter, person))
    assert found.keys() == expected.keys()
    for key, (strength, up, down) in found.items():
        assert strength == expected[key][0] == 1.0
        assert torch.equal(up @ down, expected[key][1] @ expected[key][2])
    before = state("bare.safetensors")
    named.popitem()
    save_file(named, models_dir / "instantid" / "bare_lora.safetensors")
    assert state("bare.safetensors") != before


@pytest.mark.combination(GROUP, "without its LoRA: it acts, and a warning says what is missing")
def test_a_lost_lora_is_told(
    model: Any, face_id: Any, load: Any, apply: Any, person: Any, caplog: Any
) -> None:
    bare = {key: value for key, value in flat(face_id[1]).items() if "_lora." not in key}
    adapter = load("lost.safetensors", bare)
    assert "expected it in the file, or as lost_lora.safetensors beside it" in caplog.text
    patched = apply(model, adapter, person)
    assert not patched.patches
    assert error(predicted(patched)[1][0], predicted(model)[1][0]) > TOLERANCE


@pytest.mark.combination(GROUP, "beside it the LoRA of another model")
def test_a_foreign_lora_is_refused(
    pack: Any,
    models_dir: Path,
    model: Any,
    face_id: Any,
    load: Any,
    apply: Any,
    person: Any,
    refused: Any,
) -> None:
    bare = {key: value for key, value in flat(face_id[1]).items() if "_lora." not in key}
    other = {
        f"unet.somewhere.to_q_lora.{half}.weight": torch.zeros(2, 2) for half in ("up", "down")
    }
    save_file(other, models_dir / "instantid" / "odd_lora.safetensors")
    errors = pack.module("instantid_core.errors")
    adapter = load("odd.safetensors", bare)
    with pytest.raises(errors.IncompatibleModelError, match="has 1 layers, and 0 of them") as e:
        apply(model, adapter, person)
    refused(e.value)


# --- what belongs together ------------------------------------------------------------------------


@pytest.mark.combination(GROUP, "an identity that antelopev2 read")
def test_a_wrong_recogniser_is_refused(
    pack: Any, model: Any, face_id: Any, apply: Any, identity_of: Any, refused: Any
) -> None:
    errors = pack.module("instantid_core.errors")
    with pytest.raises(errors.IdentityError, match=r"FaceID.*buffalo_l's.*antelopev2's") as e:
        apply(model, face_id[0], identity_of(4))
    refused(e.value)


@pytest.mark.combination(GROUP, "InstantID's adapter and an identity that buffalo_l read")
def test_and_the_other_way_round(
    pack: Any, model: Any, adapter: Any, apply: Any, person: Any, refused: Any
) -> None:
    errors = pack.module("instantid_core.errors")
    with pytest.raises(errors.IdentityError, match=r"InstantID's adapter.*antelopev2's") as e:
        apply(model, adapter, person)
    refused(e.value)


@pytest.mark.combination(GROUP, "a file called unnorm, of InstantID's layout: buffalo_l, raw")
def test_unnorm_takes_buffalo(
    pack: Any, model: Any, models_dir: Path, apply: Any, person: Any
) -> None:
    small = models_dir / "instantid" / "instantid_small.safetensors"
    name = "portrait_unnorm.safetensors"
    (models_dir / "instantid" / name).write_bytes(small.read_bytes())
    (adapter,) = pack.run("InstantIDLoadAdapter", adapter_name=name)
    assert error(predicted(apply(model, adapter, person))[1][0], predicted(model)[1][0]) > TOLERANCE


@pytest.mark.combination(GROUP, "in front of IdentityNet")
def test_identity_net_is_not_for_it(
    pack: Any, face_id: Any, person: Any, control_net: Any, faces_of: Any, prompt: Any, refused: Any
) -> None:
    errors = pack.module("instantid_core.errors")
    how = {"adapter": face_id[0], "identity": person, "faces": faces_of(photo(1)), **EVERYTHING}
    net = {"control_net": control_net, "strength": 0.8}
    with pytest.raises(errors.IncompatibleModelError, match="tokens of InstantID's") as e:
        pack.run("InstantIDApplyIdentityNet", **prompt._asdict(), **net, **how)
    refused(e.value)


def test_the_user_says_what_it_was_trained_on(
    pack: Any, model: Any, face_id: Any, load: Any, apply: Any, person: Any, identity_of: Any
) -> None:
    errors = pack.module("instantid_core.errors")
    weights = flat(face_id[1])
    assumed = load("own.safetensors", weights)
    with pytest.raises(errors.IdentityError, match=r"'own.safetensors' is no published file.*ante"):
        apply(model, assumed, identity_of(4))
    told = load("own.safetensors", weights, recogniser="antelopev2")
    assert apply(model, told, identity_of(4)) is not model
    with pytest.raises(errors.IdentityError, match=r"antelopev2's recogniser.*buffalo_l's") as e:
        apply(model, told, person)
    assert "no published file" not in str(e.value)


# --- beside InstantID -----------------------------------------------------------------------------


@pytest.mark.combination(GROUP, "and InstantID on one model, each with mask and window, any order")
def test_beside_instantid(
    model: Any, face_id: Any, adapter: Any, apply: Any, person: Any, identity_of: Any
) -> None:
    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    first = {"adapter": face_id[0], "identity": person, "mask": left, "end_at": 0.6}
    second = {"adapter": adapter, "identity": identity_of(2), "mask": 1 - left, "start_at": 0.0}
    sides = conditioning("two people"), conditioning("blurry")

    def drawn(*people: dict[str, Any]) -> torch.Tensor:
        patched = model
        for settings in people:
            patched = apply(patched, **settings)
        return sample(patched, *sides, steps=3, size=(64, 64))

    both, swapped = drawn(first, second), drawn(second, first)
    difference = float((both - swapped).abs().max() / both.abs().max())
    print(f"between orders {difference:.1e}")
    assert difference <= 1e-5
    for alone in (first, second):
        assert float((both - drawn(alone)).abs().max()) > 1e-3
