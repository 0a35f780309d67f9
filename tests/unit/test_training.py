"""The training code: what it trains, what it leaves alone, and that it can go on where it stopped.

diffusers' own scheduler and networks are what it is held against.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import nn

from instantid_core.adapter import read_checkpoint
from instantid_core.adapter.kinds import FACE_ID
from instantid_core.adapter.resampler import Resampler
from training.adapter_network import (
    AdapterSettings,
    InstantID,
    cross_attention_names,
    open_layers,
)
from training.autoencoder_training import pyramid_loss
from training.base_training import face_places, view
from training.buckets import cut, face_windows
from training.diffusion import add_noise, noise_loss, size_numbers
from training.export import FACE_ID_FILE, export_face_id
from training.face_id_network import FaceID, FaceIDSettings
from training.face_id_training import without_some
from training.foundation import Foundation, Text
from training.frozen_hint_encoder import (
    KeptFeatures,
    hint_features,
    load_hint_encoder,
    take_features,
)
from training.loop import LoopSettings, inputs_follow, train
from training.networks.autoencoder import SCALE, Autoencoder
from training.networks.caption_encoder import CaptionConfig, CaptionEncoder, vocabulary
from training.networks.denoiser import TIMESTEPS, DenoiserConfig

SMALL = DenoiserConfig(widths=(64, 64, 64), context_dim=32)
SIZE = (2, 4, 8, 8)


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(**SMALL.unet)


@pytest.fixture
def model(unet: UNet2DConditionModel) -> InstantID:
    torch.manual_seed(1)
    return InstantID(unet, AdapterSettings(width=64, depth=1, tokens=4))


def inputs(text_seed: int = 0) -> dict:
    """The arguments of one prediction; only the text's context depends on `text_seed`."""
    generator = torch.Generator().manual_seed(7)
    noisy = torch.randn(SIZE, generator=generator)
    pooled = torch.randn(2, SMALL.pooled_width, generator=generator)
    embeddings = torch.randn(2, 512, generator=generator)
    hints = torch.rand(2, 3, 64, 64, generator=generator)
    context = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(text_seed))
    return {
        "noisy": noisy,
        "timesteps": torch.tensor([10, 700]),
        "text": (context, pooled),
        "sizes": size_numbers(64, 64, 2),
        "embeddings": embeddings,
        "hints": hints,
    }


def open_zero_convolutions(model: InstantID) -> None:
    """A new IdentityNet says nothing at all; give it a voice."""
    for name, value in model.identity_net.named_parameters():
        if "controlnet_down_blocks" in name or "controlnet_mid_block" in name:
            torch.nn.init.normal_(value, std=0.1, generator=torch.Generator().manual_seed(3))


def test_a_training_step_moves_adapter_and_identity_net_alone(model: InstantID):
    open_zero_convolutions(model)
    base = {name: value.clone() for name, value in model.unet.state_dict().items()}
    loss = model(**inputs()).square().mean()
    loss.backward()
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    moved = {name for name, value in model.named_parameters() if value.grad is not None}
    assert trained == moved
    assert {name.split(".")[0] for name in trained} == {"adapter", "identity_net"}
    assert all(torch.equal(value, base[name]) for name, value in model.unet.state_dict().items())


@pytest.fixture
def face_id(unet: UNet2DConditionModel) -> FaceID:
    torch.manual_seed(1)
    return FaceID(unet, FaceIDSettings(width=64, rank=2))


def test_a_training_step_of_face_id_leaves_the_base_alone(face_id: FaceID):
    base = {name: value.clone() for name, value in face_id.unet.state_dict().items()}
    given = inputs()
    del given["hints"]
    face_id(**given).square().mean().backward()
    trained = {name for name, value in face_id.named_parameters() if value.requires_grad}
    moved = {name for name, value in face_id.named_parameters() if value.grad is not None}
    assert trained == moved
    assert {name.split(".")[0] for name in trained} == {"projection", "to_k", "to_v", "lora"}
    assert all(torch.equal(value, base[name]) for name, value in face_id.unet.state_dict().items())


def test_a_face_id_file_is_read_as_one(face_id: FaceID, tmp_path: Path):
    export_face_id(face_id, tmp_path, torch.float32)
    raw = torch.load(tmp_path / FACE_ID_FILE, weights_only=True)
    file = read_checkpoint(raw, FACE_ID_FILE)
    assert file.kind is FACE_ID
    assert file.lora
    with torch.no_grad():
        expected = face_id.projection(inputs()["embeddings"][:, None])
        found = file.config.projection.build(nn)
        found.load_state_dict(file.image_proj)
        assert torch.equal(found(inputs()["embeddings"][:, None]), expected)


def test_some_pictures_go_without_text_without_identity_or_without_both():
    generator = torch.Generator().manual_seed(0)
    text = torch.ones(4000, 3, 2), torch.ones(4000, 5)
    empty = torch.zeros(1, 3, 2), torch.zeros(1, 5)
    (context, pooled), embeddings = without_some(text, torch.ones(4000, 512), empty, generator)
    told, known = context[:, 0, 0].bool(), embeddings[:, 0].bool()
    assert torch.equal(told, pooled[:, 0].bool())
    for left_out, share in ((~told & known, 0.05), (told & ~known, 0.05), (~told & ~known, 0.05)):
        assert left_out.float().mean() == pytest.approx(share, abs=0.015)


def test_identity_net_sees_no_text(model: InstantID):
    open_zero_convolutions(model)
    seen = []
    hook = model.identity_net.register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        first, second = model(**inputs(text_seed=0)), model(**inputs(text_seed=1))
    hook.remove()
    for one, other in zip([*seen[0][0], seen[0][1]], [*seen[1][0], seen[1][1]], strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first, second)


def test_a_new_identity_net_changes_nothing(model: InstantID):
    with torch.no_grad():
        given = inputs()
        first = model(**given)
        given["hints"] = 1 - given["hints"]
        assert torch.equal(first, model(**given))


def test_there_are_keys_and_values_for_every_site(unet: UNet2DConditionModel, model: InstantID):
    sites = [name for name in unet.attn_processors if "attn2" in name]
    assert len(cross_attention_names(unet)) == len(sites) == len(model.adapter.to_k)


def test_noise_is_added_as_diffusers_adds_it():
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000
    )
    latents, noise = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(0))
    for timesteps in (torch.tensor([0, 999]), torch.tensor([250, 500])):
        theirs = scheduler.add_noise(latents, noise, timesteps)
        # Their table is in float32 throughout, ours multiplies in float64.
        assert torch.allclose(add_noise(latents, noise, timesteps), theirs, atol=2e-6)


def test_the_loss_is_the_error_of_the_noise():
    found, noise = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(0))
    loss, quarters = noise_loss(found, noise, torch.tensor([10, TIMESTEPS - 1]))
    assert loss == pytest.approx(torch.nn.functional.mse_loss(found, noise).item(), rel=1e-6)
    assert set(quarters) == {"quarter_1", "quarter_4"}


class Line(nn.Module):
    """The least that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)


def line_loss(network: nn.Module, generator: torch.Generator):
    x = torch.randn(16, 3, generator=generator)
    return (network.get_submodule("layer")(x) - x.sum(1, keepdim=True)).square().mean(), {}


def settings(folder: Path, steps: int) -> LoopSettings:
    # The rate is constant, so that a shorter run is a part of a longer one.
    return LoopSettings(
        folder, steps, warmup=0, final_rate=1.0, mixed_precision="no", checkpoint_every=3
    )


def test_an_interrupted_training_goes_on_exactly(tmp_path: Path):
    torch.manual_seed(0)
    whole = Line()
    start = {name: value.clone() for name, value in whole.state_dict().items()}
    expected = train(whole, line_loss, settings(tmp_path / "whole", 6))
    first, second = Line(), Line()
    first.load_state_dict(start)
    train(first, line_loss, settings(tmp_path / "parts", 3))
    found = train(second, line_loss, settings(tmp_path / "parts", 6))
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert torch.equal(second.layer.weight, whole.layer.weight)
    assert not list(tmp_path.glob("**/*.part"))


def test_latents_come_back_normalised():
    torch.manual_seed(0)
    autoencoder = Autoencoder().eval()
    pictures = torch.rand(4, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        raw = autoencoder.posterior(pictures)[0]
        autoencoder.set_statistics(raw.mean((0, 2, 3)), raw.std((0, 2, 3)))
        latents = autoencoder.encode(pictures) * SCALE
        assert latents.std((0, 2, 3)).sub(1).abs().max() < 1e-4
        again = autoencoder.decode(autoencoder.encode(pictures))
        assert torch.allclose(again, autoencoder.reconstruct(raw).clamp(-1, 1), atol=1e-5)


def test_the_pyramid_counts_edges_that_a_mean_forgets():
    flat = torch.zeros(1, 3, 16, 16)
    stripes = flat.clone()
    stripes[..., ::2] = 1.0
    evenly = torch.full_like(flat, 0.5)
    assert pyramid_loss(stripes, flat, 2) > pyramid_loss(evenly, flat, 2)


def test_unknown_words_are_words_and_the_empty_text_is_none():
    words = vocabulary(["a night portrait of a person, beach background"])
    encoder = CaptionEncoder(CaptionConfig(words=words, width=32, pooled_width=8))
    known, unknown = encoder.tokenize("night portrait"), encoder.tokenize("night spaceship")
    assert known[0] == unknown[0]
    assert known[1] != unknown[1] != 0
    assert set(encoder.tokenize("")) == {0}


def test_even_weighting_is_the_error_of_v():
    latents, noise, error = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([100, 900])
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000
    )
    found, noisy = noise + 0.1 * error, add_noise(latents, noise, timesteps)
    signal = scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
    shown = (noisy - (1 - signal).sqrt() * found) / signal.sqrt()
    # Their own formula of v, once with the true noise and latents and once with the predicted ones.
    wanted = scheduler.get_velocity(latents, noise, timesteps)
    v = signal.sqrt() * found - (1 - signal).sqrt() * shown
    expected = torch.nn.functional.mse_loss(v, wanted).item()
    # Differences of small numbers in float32.
    assert noise_loss(found, noise, timesteps, "even")[0] == pytest.approx(expected, rel=1e-3)


def test_a_still_hint_encoder_says_what_it_says_of_pictures(model: InstantID, tmp_path: Path):
    open_zero_convolutions(model)
    torch.nn.init.normal_(model.identity_net.controlnet_cond_embedding.conv_out.weight, std=0.1)
    torch.save(dict(model.named_parameters()), tmp_path / "weights.pt")
    given = inputs()
    with torch.no_grad():
        whole = model(**given)
    given["hints"] = hint_features(model.identity_net, given["hints"]).float()
    load_hint_encoder(model.identity_net, tmp_path / "weights.pt")
    take_features(model.identity_net)
    found = model(**given)
    # bfloat16 keeps eight bits of each feature.
    assert torch.allclose(found, whole, atol=0.02 * whole.std().item())
    found.square().mean().backward()
    encoder = model.identity_net.controlnet_cond_embedding
    assert encoder.conv_out.weight.grad is not None
    assert encoder.conv_in.weight.grad is None and encoder.blocks[0].weight.grad is None


def test_kept_features_are_those_of_the_encoder(model: InstantID, tmp_path: Path):
    hints = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    asked: list[int] = []

    def drawn(indices: torch.Tensor) -> torch.Tensor:
        asked.extend(indices.tolist())
        return hints[indices]

    kept = KeptFeatures(model.identity_net, drawn, tmp_path / "hints.bin", 3)
    asked.clear()
    expected = hint_features(model.identity_net, hints[[2, 1]]).float()
    assert torch.equal(kept(torch.tensor([2, 1])), expected)
    assert torch.equal(kept(torch.tensor([1, 2])), expected.flip(0))
    assert asked == [2, 1]


def test_opened_layers_tell_people_apart_better():
    torch.manual_seed(2)
    resampler = Resampler(AdapterSettings().resampler(128), nn)
    nn.init.normal_(resampler.latents, std=128**-0.5)
    embeddings = torch.randn(32, 1, 512)
    with torch.no_grad():
        before = resampler(embeddings).std(0).mean().item()
        open_layers(resampler)
        after = resampler(embeddings).std(0).mean().item()
    assert after > 1.1 * before


def test_batches_follow_the_network_to_its_device(model: InstantID):
    there = torch.device("meta")
    inputs_follow(model.to(there), there)
    found = model(**inputs())
    assert found.device == there


def test_equal_captions_are_encoded_once():
    asked: list[list[str]] = []

    def encode(captions: list[str]) -> Text:
        asked.append(captions)
        return torch.arange(len(captions)), torch.zeros(len(captions))

    captions = ["a sketch", "a flat", "a sketch"]
    rows, _ = Foundation(None, None, encode).encode_distinct(captions)  # type: ignore[arg-type]
    assert asked == [["a flat", "a sketch"]]
    assert [asked[0][row] for row in rows.tolist()] == captions


def test_places_at_a_face_count_more():
    boxes = np.array([[[32, 16, 96, 112]], [[0, 0, 64, 64]]], np.float32)
    places = face_places(boxes, (128, 128), 5.0)
    assert places.shape == (2, 1, 16, 16)
    assert places.mean((1, 2, 3)) == pytest.approx([1.0, 1.0])
    assert places[0, 0, 8, 8] == pytest.approx(5 * places[0, 0, 0, 0].item())
    inside = (places > places.mean()).sum((1, 2, 3)).tolist()
    assert inside == [8 * 12, 8 * 8]
    found, noise = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(0))
    only = torch.zeros(2, 1, 8, 8)
    only[..., 2, 3] = 64.0
    loss, _ = noise_loss(found, noise, torch.tensor([10, 900]), places=only)
    expected = (found - noise)[..., 2, 3].square().mean().item()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_places_at_every_face_of_a_picture_count_more():
    boxes = np.array([[[0, 0, 32, 32], [64, 64, 128, 128]]], np.float32)
    places = face_places(boxes, (128, 128), 3.0)
    assert (places > places.mean()).sum() == 4 * 4 + 8 * 8


def test_windows_lie_inside_and_most_show_the_face():
    boxes = np.repeat([[120, 40, 180, 130]], 400, axis=0).astype(np.float32)
    corners = face_windows(boxes, (192, 288), 128, torch.Generator().manual_seed(0))
    assert corners.min() >= 0
    assert (corners + 16 <= np.array([24, 36])).all()
    middle = np.array([85, 150]) / 8
    inside = ((corners < middle) & (middle < corners + 16)).all(axis=1)
    assert inside.mean() > 0.75


def test_cuts_are_windows_of_their_own_values():
    values = torch.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8)
    found = cut(values, np.array([[1, 2], [0, 4]]), 4)
    assert torch.equal(found, torch.stack([values[0, :, 1:5, 2:6], values[1, :, 0:4, 4:8]]))
    pictures = values.movedim(1, -1).numpy()
    assert np.array_equal(
        cut(pictures, np.array([[1, 2], [0, 4]]), 4, axis=1)[0], found[0].movedim(0, -1)
    )


def test_a_view_tells_where_its_window_lies():
    values = torch.rand(2, 4, 24, 24, generator=torch.Generator().manual_seed(0))
    boxes = np.array([[[40, 50, 120, 150]], [[90, 50, 170, 150]]], np.float32)
    kinds = set()
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        seen, places, sizes = view(values, values[:, :1], boxes, 128, generator)
        kinds.add(seen.shape[2])
        assert torch.equal(places, seen[:, :1])
        side = seen.shape[2]
        for one, whole, numbers in zip(seen, values, sizes.tolist(), strict=True):
            top, left = int(numbers[2]) // 8, int(numbers[3]) // 8
            assert numbers[4] == numbers[5] == 8 * side
            assert torch.equal(one, whole[:, top : top + side, left : left + side])
    assert kinds == {16, 24}


def test_another_pictures_embedding_is_of_the_same_person():
    import training.instantid_training as training_module

    nothing = torch.zeros(6)
    people = np.array([4, 9, 4, 4, 7, 9])
    album = training_module.Portraits(
        nothing, nothing, (nothing, nothing), nothing, people, nothing, people, people
    )
    indices = torch.arange(6).repeat(20)
    found = album.sources(indices, torch.Generator().manual_seed(0))
    assert (people[found] == people[indices]).all()
    several = people[indices] != 7
    assert (found[several] != indices[several]).all()
    assert set(found[indices == 0].tolist()) == {2, 3}
