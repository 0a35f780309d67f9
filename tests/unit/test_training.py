"""The training code: what it trains, what it leaves alone, and that it can go on where it stopped.

diffusers' own scheduler and networks are what it is held against.
"""

from __future__ import annotations

import csv
import os
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
from training.alignment import aligned, crops, ways_back
from training.autoencoder_training import pyramid_loss
from training.command_line import loop_settings, settings_of
from training.dataset import Lots, paint_album, pictures_of, random_scenes, remembered
from training.diffusion import add_noise, noise_loss, signal_shares, size_numbers
from training.diffusion_batches import (
    Batches,
    BatchSettings,
    Bucket,
    diffusion_parser,
    face_places,
    face_windows,
    others_of,
    view,
)
from training.export import FACE_ID_FILE, export_face_id
from training.face_id_training import FaceID, FaceIDSettings, without_some
from training.foundation import Foundation
from training.instantid_training import hint_features, load_hint_encoder, take_features
from training.loop import LoopSettings, train
from training.networks.autoencoder import SCALE, Autoencoder
from training.networks.caption_encoder import CaptionConfig, CaptionEncoder, vocabulary
from training.networks.denoiser import TIMESTEPS, DenoiserConfig
from training.world import HELD_OUT

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
    """A batch to predict the noise of; only the text's context depends on `text_seed`."""
    generator = torch.Generator().manual_seed(7)
    noisy = torch.randn(SIZE, generator=generator)
    pooled = torch.randn(2, SMALL.pooled_width, generator=generator)
    embeddings = torch.randn(2, 512, generator=generator)
    hints = torch.rand(2, 3, 64, 64, generator=generator)
    context = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(text_seed))
    return {
        "noisy": noisy,
        "timesteps": torch.tensor([10, 700]),
        "context": context,
        "pooled": pooled,
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
    loss = model(inputs()).square().mean()
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
    face_id(inputs()).square().mean().backward()
    trained = {name for name, value in face_id.named_parameters() if value.requires_grad}
    moved = {name for name, value in face_id.named_parameters() if value.grad is not None}
    assert trained == moved
    assert {name.split(".")[0] for name in trained} == {"projection", "to_k", "to_v", "lora"}
    assert all(torch.equal(value, base[name]) for name, value in face_id.unet.state_dict().items())


def test_a_face_id_file_is_read_as_one(face_id: FaceID, tmp_path: Path):
    export_face_id(face_id, tmp_path)
    raw = torch.load(tmp_path / FACE_ID_FILE, weights_only=True)
    file = read_checkpoint(raw, FACE_ID_FILE)
    assert file.kind is FACE_ID
    assert file.lora
    with torch.no_grad():
        # The file is in float16.
        expected = face_id.projection.half().float()(inputs()["embeddings"][:, None])
        found = file.config.projection.build(nn)
        found.load_state_dict(file.image_proj)
        assert torch.equal(found(inputs()["embeddings"][:, None]), expected)


def test_some_pictures_go_without_text_without_identity_or_without_both():
    given = {
        "context": torch.ones(4000, 3, 2),
        "pooled": torch.ones(4000, 5),
        "embeddings": torch.ones(4000, 512),
        "chance": torch.rand(4000, generator=torch.Generator().manual_seed(0)),
    }
    empty = torch.zeros(1, 3, 2), torch.zeros(1, 5)
    found = without_some(given, empty)
    told, known = found["context"][:, 0, 0].bool(), found["embeddings"][:, 0].bool()
    assert torch.equal(told, found["pooled"][:, 0].bool())
    for left_out, share in ((~told & known, 0.05), (told & ~known, 0.05), (~told & ~known, 0.05)):
        assert left_out.float().mean() == pytest.approx(share, abs=0.015)


def test_identity_net_sees_no_text(model: InstantID):
    open_zero_convolutions(model)
    seen = []
    hook = model.identity_net.register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        first, second = model(inputs(text_seed=0)), model(inputs(text_seed=1))
    hook.remove()
    for one, other in zip([*seen[0][0], seen[0][1]], [*seen[1][0], seen[1][1]], strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first, second)


def test_a_new_identity_net_changes_nothing(model: InstantID):
    with torch.no_grad():
        given = inputs()
        first = model(given)
        given["hints"] = 1 - given["hints"]
        assert torch.equal(first, model(given))


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
        ours = add_noise(latents, noise, signal_shares()[timesteps])
        assert torch.allclose(ours, theirs, atol=2e-6)


def batch_of(noise: torch.Tensor, timesteps: list[int], **others: torch.Tensor) -> dict:
    """What the loss takes of a batch; every place and picture counts alike."""
    alike = {"places": torch.ones(2, 1, 8, 8), "importance": torch.ones(2)}
    return alike | {"noise": noise, "timesteps": torch.tensor(timesteps)} | others


def test_the_loss_is_the_error_of_the_noise():
    found, noise = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(0))
    loss, quarters = noise_loss(found, batch_of(noise, [10, TIMESTEPS - 1]))
    assert loss == pytest.approx(torch.nn.functional.mse_loss(found, noise).item(), rel=1e-6)
    errors = (found - noise).square().mean((1, 2, 3)).tolist()
    told = {name: value.item() for name, value in quarters.items() if not value.isnan()}
    assert told == {"quarter_1": pytest.approx(errors[0]), "quarter_4": pytest.approx(errors[1])}


def test_the_command_line_tells_loop_and_batches_alike(tmp_path: Path):
    given = ["--folder", str(tmp_path), "--batch", "6", "--window", "0", "--weighting", "plain"]
    parser = diffusion_parser(None, steps=7, warmup=3)
    arguments = parser.parse_args([*given, "--learning-rate", "5e-4", "--mixed-precision", "no"])
    loop = LoopSettings(tmp_path / "x", 7, 6, 5e-4, warmup=3, mixed_precision="no")
    assert loop_settings(arguments, "x") == loop
    batches = BatchSettings(6, window=0, weighting="plain")
    assert settings_of(BatchSettings, arguments) == batches
    with pytest.raises(SystemExit):
        parser.parse_args([*given, "--weighting", "uneven"])


class Line(nn.Module):
    """The least that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)


def line_batch(generator: torch.Generator) -> dict:
    return {"x": torch.randn(16, 3, generator=generator)}


def line_loss(network: nn.Module, given: dict):
    error = network.get_submodule("layer")(given["x"]) - given["x"].sum(1, keepdim=True)
    step = given["x"].mean()
    return error.square().mean(), {"sometimes": torch.where(step > 0, step, torch.nan)}


def settings(folder: Path, steps: int) -> LoopSettings:
    # The rate is constant, so that a shorter run is a part of a longer one.
    return LoopSettings(
        folder, steps, warmup=0, final_rate=1.0, mixed_precision="no", checkpoint_every=3
    )


def test_an_interrupted_training_goes_on_exactly(tmp_path: Path):
    torch.manual_seed(0)
    whole = Line()
    start = {name: value.clone() for name, value in whole.state_dict().items()}
    expected = train(whole, line_batch, line_loss, settings(tmp_path / "whole", 6))
    first, second = Line(), Line()
    first.load_state_dict(start)
    train(first, line_batch, line_loss, settings(tmp_path / "parts", 3))
    found = train(second, line_batch, line_loss, settings(tmp_path / "parts", 6))
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert torch.equal(second.layer.weight, whole.layer.weight)
    assert not list(tmp_path.glob("**/*.part"))


def test_a_figure_that_a_batch_lacks_does_not_hide_the_others(tmp_path: Path):
    train(Line(), line_batch, line_loss, settings(tmp_path, 20))
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    batches = [line_batch(torch.Generator().manual_seed(step))["x"].mean() for step in range(20)]
    for row, part in zip(rows, (batches[:10], batches[10:]), strict=True):
        seen = [value.item() for value in part if value > 0]
        assert float(row["sometimes"]) == pytest.approx(sum(seen) / len(seen), abs=1e-6)


def test_a_loss_that_is_no_number_is_told(tmp_path: Path):
    train(Line(), line_batch, lambda net, x: (line_loss(net, x)[0] * torch.nan, {}),
          settings(tmp_path, 10))  # fmt: skip
    with (tmp_path / "log.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["loss"] == "nan"


def test_a_parameter_that_no_loss_reaches_stays_as_it_is(tmp_path: Path):
    network = Line()
    network.idle = nn.Parameter(torch.ones(3))
    train(network, line_batch, line_loss, settings(tmp_path, 3))
    assert torch.equal(network.idle, torch.ones(3))


def test_latents_come_back_normalised():
    torch.manual_seed(0)
    autoencoder = Autoencoder().eval()
    pictures = torch.rand(4, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        raw = autoencoder.posterior(pictures)[0]
        autoencoder.latent_mean.copy_(raw.mean((0, 2, 3)))
        autoencoder.latent_deviation.copy_(raw.std((0, 2, 3)))
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
    shares = signal_shares()[timesteps]
    found, noisy = noise + 0.1 * error, add_noise(latents, noise, shares)
    signal = scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
    shown = (noisy - (1 - signal).sqrt() * found) / signal.sqrt()
    # Their own formula of v, once with the true noise and latents and once with the predicted ones.
    wanted = scheduler.get_velocity(latents, noise, timesteps)
    v = signal.sqrt() * found - (1 - signal).sqrt() * shown
    expected = torch.nn.functional.mse_loss(v, wanted).item()
    # Differences of small numbers in float32.
    given = batch_of(noise, timesteps.tolist(), importance=1 / shares)
    assert noise_loss(found, given)[0] == pytest.approx(expected, rel=1e-3)


def test_a_still_hint_encoder_says_what_it_says_of_pictures(model: InstantID, tmp_path: Path):
    open_zero_convolutions(model)
    torch.nn.init.normal_(model.identity_net.controlnet_cond_embedding.conv_out.weight, std=0.1)
    torch.save(dict(model.named_parameters()), tmp_path / "weights.pt")
    given = inputs()
    with torch.no_grad():
        whole = model(given)
    given["hints"] = hint_features(model.identity_net, given["hints"]).float()
    load_hint_encoder(model.identity_net, tmp_path / "weights.pt")
    take_features(model.identity_net)
    found = model(given)
    # bfloat16 keeps eight bits of each feature.
    assert torch.allclose(found, whole, atol=0.02 * whole.std().item())
    found.square().mean().backward()
    encoder = model.identity_net.controlnet_cond_embedding
    assert encoder.conv_out.weight.grad is not None
    assert encoder.conv_in.weight.grad is None and encoder.blocks[0].weight.grad is None


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


def test_equal_captions_are_encoded_once():
    asked: list[list[str]] = []

    def encode(captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
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
    loss, _ = noise_loss(found, batch_of(noise, [10, 900], places=only))
    expected = (found - noise)[..., 2, 3].square().mean().item()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_places_at_every_face_of_a_picture_count_more():
    boxes = np.array([[[0, 0, 32, 32], [64, 64, 128, 128]]], np.float32)
    places = face_places(boxes, (128, 128), 3.0)
    assert (places > places.mean()).sum() == 4 * 4 + 8 * 8


def test_windows_lie_inside_and_most_show_a_face():
    boxes = torch.tensor([[[120.0, 40, 180, 130], [10, 40, 70, 130]]]).repeat(400, 1, 1)
    corners = face_windows(boxes, (192, 288), 128, torch.Generator().manual_seed(0))
    assert corners.min() >= 0
    assert (corners + 16 <= torch.tensor([24, 36])).all()
    shown = []
    for middle in (torch.tensor([85, 150]) / 8, torch.tensor([85, 40]) / 8):
        shown.append(((corners < middle) & (middle < corners + 16)).all(1))
        assert shown[-1].float().mean() > 0.35
    assert (shown[0] | shown[1]).float().mean() > 0.85


def bucket(count: int = 6) -> Bucket:
    """Pictures of 192 x 288 whose latents and features tell picture, row and column."""
    picture, row, column = torch.meshgrid(*map(torch.arange, (count, 24, 36)), indexing="ij")
    cells = torch.stack([picture, row, column], 1).float()
    boxes = torch.tensor([[[40.0, 50, 120, 150]]]).repeat(count, 1, 1)
    people = torch.tensor([4, 9, 4, 4, 7, 9])[:count]
    told = {"embeddings": people[:, None].float(), "captions": torch.arange(count) % 2}
    text = torch.tensor([[[5.0]], [[6.0]]]), torch.tensor([[7.0], [8.0]])
    places = torch.ones(count, 1, 24, 36)
    latents = cells[:, :1].repeat(1, 4, 1, 1)
    return Bucket(
        {"latents": latents, "places": places, "features": cells}, told, boxes, people, text
    )


def test_a_window_tells_where_it_lies():
    rows = torch.tensor([5, 0, 3])
    generator = torch.Generator().manual_seed(0)
    whole = view(bucket(), rows, 0, generator)
    assert whole["sizes"].tolist() == [[192, 288, 0, 0, 192, 288]] * 3
    assert torch.equal(whole["features"], bucket().cells["features"][rows])
    found = view(bucket(), rows, 128, generator)
    for one, numbers, row in zip(found["features"], found["sizes"].tolist(), rows, strict=True):
        assert numbers[:2] == [192, 288] and numbers[4:] == [128, 128]
        top, left = int(numbers[2]) // 8, int(numbers[3]) // 8
        expected = bucket().cells["features"][row, :, top : top + 16, left : left + 16]
        assert torch.equal(one, expected)
    assert found["latents"].shape == (3, 4, 16, 16)


def test_a_batch_is_of_one_picture_everywhere():
    batches = Batches({"wide": bucket()}, BatchSettings(batch=4, window=128))
    shapes = set()
    for step in range(12):
        given = batches.draw(torch.Generator().manual_seed(step))
        again = batches.draw(torch.Generator().manual_seed(step))
        assert all(torch.equal(given[name], again[name]) for name in given)
        shapes.add(tuple(given["noisy"].shape[2:]))
        rows = given["features"][:, 0, 0, 0].long()
        shares = signal_shares()[given["timesteps"]]
        clear = (given["noisy"] - add_noise(0 * given["noise"], given["noise"], shares)).mean(
            (1, 2, 3)
        )
        assert torch.allclose(clear / shares.sqrt(), rows.float(), atol=0.02)
        assert torch.equal(given["importance"], 1 / shares)
        assert torch.equal(given["embeddings"][:, 0], bucket().people[rows].float())
        assert torch.equal(given["context"][:, 0, 0], 5.0 + rows % 2)
        assert torch.equal(given["pooled"][:, 0], 7.0 + rows % 2)
    assert shapes == {(24, 36), (16, 16)}


def test_albums_are_drawn_by_their_shares():
    lots = Lots({"many": 3000, "few": 1000}, 8, torch.device("cpu"))
    kinds = []
    for step in range(400):
        kind, rows = lots.draw(torch.Generator().manual_seed(step))
        kinds.append(kind)
        assert rows.max() < lots.counts[kind]
    assert kinds.count("few") == pytest.approx(100, abs=30)


def test_another_pictures_embedding_is_of_the_same_person():
    people = torch.tensor([4, 9, 4, 4, 7, 9])
    rows = torch.arange(6).repeat(20)
    found = others_of(people, rows, torch.Generator().manual_seed(0))
    assert (people[found] == people[rows]).all()
    several = people[rows] != 7
    assert (found[several] != rows[several]).all()
    assert set(found[rows == 0].tolist()) == {2, 3}
    alone = Batches({"wide": bucket()}, BatchSettings(batch=64, another_picture=True))
    alone.buckets["wide"].told["embeddings"] = torch.arange(6.0)[:, None]
    given = alone.draw(torch.Generator().manual_seed(0))
    assert (given["embeddings"][:, 0] != given["features"][:, 0, 0, 0]).float().mean() > 0.7


def test_crops_of_the_face_term_are_those_of_the_recogniser():
    album = paint_album(random_scenes(6, 3, (192, 192), 1, HELD_OUT))
    points = album.keypoints[:, 0].copy()
    points[0] -= [90, 0]  # a crop that reaches outside of its picture
    pictures = pictures_of(torch.from_numpy(album.images))
    found = (aligned(pictures, ways_back(points)) + 1) * 127.5
    wanted = torch.from_numpy(crops(album.images, points)).movedim(-1, 1).float()
    assert (wanted[0, :, :, 0] == 0).any()
    # cv2 rounds to whole levels.
    assert (found - wanted).abs().max() < 1


def test_features_are_written_once(tmp_path: Path):
    source = tmp_path / "weights.pt"
    source.touch()
    asked = []

    def parts():
        asked.append(True)
        yield np.ones((2, 3), np.float32)
        yield np.full((1, 3), 2, np.float32)

    for _ in range(2):
        found = remembered(tmp_path / "kept.npy", source, 3, parts())
        assert found[:, 0].tolist() == [1, 1, 2]
    assert asked == [True]
    later = (tmp_path / "kept.npy").stat().st_mtime + 10
    os.utime(source, (later, later))
    remembered(tmp_path / "kept.npy", source, 3, parts())
    assert asked == [True, True]
