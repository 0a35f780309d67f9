"""IP-Adapter FaceID's files: which kind a file is, its projection, its LoRA, and its recogniser."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from instantid_core.adapter.checkpoint import AdapterCheckpoint, read_checkpoint
from instantid_core.adapter.image_adapter import IdentityAdapter, project_tokens
from instantid_core.adapter.keys_values import KeysValues
from instantid_core.adapter.kinds import (
    FACE_ID,
    INSTANTID,
    PORTRAIT,
    PUBLISHED,
    UNNORM,
    AdapterFile,
    Kind,
    PublishedAdapter,
    kind_of,
)
from instantid_core.errors import CheckpointError, IdentityError, SettingError
from instantid_core.faces import require_pack
from instantid_core.identity import NegativeIdentity
from instantid_core.models import BUFFALO, MODEL_PACK, PUBLISHED_BUFFALO, PUBLISHED_RECOGNISER
from instantid_core.types import IdentityEmbedding, Recogniser
from tools.small_world.adapter import AdapterSizes, FaceIDSizes, adapter_weights, flat

SDXL_WIDTHS = (*[640] * 4, *[1280] * 20, *[1280] * 30, *[640] * 6, *[1280] * 10)
SD15_WIDTHS = (*[320] * 2, *[640] * 2, *[1280] * 2, *[1280] * 3, *[640] * 3, *[320] * 3, 1280)
SMALL = FaceIDSizes((64, 96), tokens=3, rank=2)
CPU = torch.device("cpu")


def never() -> str:
    raise AssertionError("a file was read for nothing")


def published_layout(known: PublishedAdapter) -> dict[str, dict[str, torch.Tensor]]:
    """The published file's tensors, without numbers."""
    widths = SDXL_WIDTHS if known.context_width == 2048 else SD15_WIDTHS
    if known.kind in (FACE_ID, PORTRAIT):
        rank = 128 if known.kind.lora else 0
        sizes: Any = FaceIDSizes(widths, known.context_width, tokens=known.tokens, rank=rank)
    else:
        sizes = AdapterSizes(widths, known.context_width, width=1280, depth=4)
    return {
        part: {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        for part, shapes in sizes.shapes.items()
    }


@pytest.mark.parametrize("known", PUBLISHED, ids=[each.name for each in PUBLISHED])
def test_published_layouts_are_told_apart(known: PublishedAdapter) -> None:
    found = read_checkpoint(published_layout(known), known.name)
    file = AdapterFile(found.kind, known.name, known.size or 0, lambda: known.sha256)
    assert kind_of(file) is known.kind
    assert file.is_published
    assert kind_of(file, known.kind.pack) == known.kind
    projection = found.config.projection
    assert (projection.tokens, projection.context_dim) == (known.tokens, known.context_width)
    assert bool(found.lora) == known.kind.lora


@pytest.mark.parametrize(
    ("name", "tokens", "most"), [("faceid", 4, 2.7e6), ("portrait", 16, 10.7e6)]
)
def test_kept_while_sampling(name: str, tokens: int, most: float) -> None:
    like = torch.empty((), dtype=torch.float16, device="meta")
    kept = KeysValues.empty(1, tokens, SDXL_WIDTHS, like).nbytes
    print(f"{name}: {kept / 1e6:.2f} MB")
    assert kept <= most


@pytest.mark.parametrize(
    ("name", "size", "sha256"),
    [
        ("ip-adapter-faceid-portrait_sdxl_unnorm.bin", 5, never),
        ("my/IP-Adapter-UNNORM.safetensors", 5, never),
        ("ip-adapter.bin", PUBLISHED[-1].size, lambda: PUBLISHED[-1].sha256),
    ],
)
def test_unnorm_is_told_by_name_and_hash(name: str, size: int, sha256: Any) -> None:
    assert kind_of(AdapterFile(INSTANTID, name, size, sha256)) is UNNORM


def test_other_files_are_not_read_for_it() -> None:
    assert kind_of(AdapterFile(INSTANTID, "ip-adapter.bin", 1691134141, never)) is INSTANTID
    size = PUBLISHED[-1].size or 0
    other = AdapterFile(INSTANTID, "ip-adapter.bin", size, lambda: "another")
    assert kind_of(other) is INSTANTID
    assert kind_of(AdapterFile(PORTRAIT, "my_unnorm.bin", 5, never)) is PORTRAIT


def own(name: str, layout: Kind = INSTANTID) -> AdapterFile:
    """A file that nobody has published."""
    return AdapterFile(layout, name, 5, never)


@pytest.mark.parametrize(
    "name",
    [
        *("mine.safetensors", "ip-adapter.bin", "instantid-fp16.safetensors"),
        *("InstantID-FaceID-6M/pytorch_model.bin", "portraits/my_instantid.bin"),
    ],
)
def test_a_file_of_ones_own_loads_without_a_question(name: str) -> None:
    assert kind_of(own(name)) is INSTANTID
    assert not own(name).is_published


@pytest.mark.parametrize(
    "name", ["ip-adapter-faceid-portrait_sdxl_v2.bin", "x\\FaceID Portrait.safetensors"]
)
def test_a_file_that_leaves_its_recogniser_open_asks(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"Set recogniser of InstantID Load Adapter to ante"):
        kind_of(own(name))
    assert kind_of(own(name), MODEL_PACK) is INSTANTID
    assert kind_of(own(name), BUFFALO) is UNNORM
    # With a layout of its own there is nothing to ask.
    assert kind_of(own(name, PORTRAIT)) is PORTRAIT


def test_the_users_word_goes_before_the_name() -> None:
    assert kind_of(own("my_unnorm.bin"), MODEL_PACK) is INSTANTID
    found = kind_of(own("mine.bin", FACE_ID), MODEL_PACK)
    assert found == FACE_ID._replace(pack=MODEL_PACK)


def test_a_word_against_a_published_file_is_refused() -> None:
    for known in PUBLISHED:
        if known.size is None:
            continue
        layout = INSTANTID if known.kind is UNNORM else known.kind
        wrong = BUFFALO if known.kind.pack == MODEL_PACK else MODEL_PACK
        file = AdapterFile(layout, "renamed.bin", known.size, lambda sha=known.sha256: sha)
        with pytest.raises(CheckpointError, match=f"published {known.kind.name}, which.*{wrong}"):
            kind_of(file, wrong)


def test_only_known_recognisers_are_taken() -> None:
    with pytest.raises(SettingError, match="recogniser"):
        kind_of(own("mine.bin"), "glintr100")


# --- the projection -------------------------------------------------------------------------------


def small(sizes: FaceIDSizes = SMALL, **changed: Any) -> AdapterCheckpoint:
    """Read a small file, some of its tensors exchanged, or left out for None."""
    raw = flat(adapter_weights(sizes))
    for key, tensor in changed.items():
        raw.pop(key) if tensor is None else raw.update({key: tensor})
    return read_checkpoint(raw, "face.bin")


def by_hand(weights: dict[str, torch.Tensor], photo: torch.Tensor, tokens: int) -> torch.Tensor:
    """Tokens of one raw embedding [512], one number after another, in float64."""
    w = {name: value.double() for name, value in weights.items()}
    x = photo.double()
    x = x / (x.pow(2).sum().sqrt() if x.any() else 1.0)
    hidden = w["proj.0.weight"] @ x + w["proj.0.bias"]
    hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
    rows = (w["proj.2.weight"] @ hidden + w["proj.2.bias"]).reshape(tokens, -1)
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / (rows.pow(2).mean(1, keepdim=True) + 1e-5).sqrt()
    return rows * w["norm.weight"] + w["norm.bias"]


@pytest.mark.parametrize("tokens", [4, 16])
@pytest.mark.parametrize("photos", [1, 3])
def test_tokens_are_those_of_the_original(tokens: int, photos: int) -> None:
    """Each photo by itself, at length 1, its tokens after those of the photo before."""
    sizes = FaceIDSizes((64,), tokens=tokens, rank=0)
    adapter = IdentityAdapter.from_checkpoint(small(sizes), torch.nn)
    raw = 20 * torch.randn(2, photos, 512, generator=torch.Generator().manual_seed(4))
    made = project_tokens(
        adapter, IdentityEmbedding(raw, Recogniser("a" * 64)), NegativeIdentity(), CPU
    )
    assert made.positive.shape == (2, photos * tokens, 64)
    weights = adapter_weights(sizes)["image_proj"]
    zeros = torch.zeros(512)
    for person, references in enumerate(raw):
        ours = torch.cat([by_hand(weights, photo, tokens) for photo in references])
        assert (made.positive[person] - ours).abs().max() <= 1e-5
        none = by_hand(weights, zeros, tokens).repeat(photos, 1)
        assert (made.negative[person] - none).abs().max() <= 1e-5
    assert (made.positive - made.negative).abs().max() > 1e-2


# --- files that are not right ---------------------------------------------------------------------


def tensor(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image_proj.proj.2.bias": None}, r"proj\.2\.bias, expected \(192,\), found absent"),
        ({"image_proj.norm.weight": tensor(50)}, r"first difference is norm\.bias"),
        ({"image_proj.norm.weight": tensor(0)}, "not IP-Adapter FaceID's projection"),
        ({"image_proj.proj.3.weight": tensor(64)}, r"proj\.3\.weight, expected absent"),
        ({"ip_adapter.1.to_k_ip.weight": None}, r"to_k_ip.*FaceID files"),
        (
            {f"ip_adapter.{n}.to_{k}_ip.weight": tensor(64, 32) for n in (1, 3) for k in "kv"},
            r"tokens of width 64, the attention layers take \[32\]",
        ),
        ({"ip_adapter.2.to_q_lora.up.weight": None}, r"incomplete: 2\.to_q_lora\.up\.weight"),
        ({"ip_adapter.1.to_k_lora.down.weight": tensor(5, 64)}, r"of \[5, 64\].*of one rank"),
        ({"ip_adapter.1.to_k_lora.down.weight": tensor(2, 65)}, r"expected \[rank, 64\]"),
        ({"ip_adapter.1.to_k_lora.down.weight": tensor(2)}, "does not fit together"),
        ({"ip_adapter.9.to_k_lora.down.weight": tensor(2, 64)}, "expected 32 tensors"),
    ],
)
def test_a_damaged_file_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        small(**changed)
    assert str(caught.value).startswith("'face.bin' ")


def test_faceid_plus_is_refused_by_name() -> None:
    plus: dict[str, Any] = {"image_proj.perceiver_resampler.proj_in.weight": tensor(64, 1280)}
    with pytest.raises(CheckpointError, match=r"FaceID Plus, which needs pictures .* CLIP"):
        small(**plus)


def test_tokens_and_lora_tell_portrait() -> None:
    assert small().kind is FACE_ID
    assert small(FaceIDSizes((64,), tokens=16, rank=0)).kind is PORTRAIT
    lost = small(FaceIDSizes((64,), tokens=4, rank=0))
    assert lost.kind is FACE_ID
    assert not lost.lora


# --- the recogniser -------------------------------------------------------------------------------


def read_by(sha256: str, pack: str = "") -> IdentityEmbedding:
    return IdentityEmbedding(torch.ones(1, 1, 512), Recogniser(sha256, pack=pack))


@pytest.mark.parametrize("kind", [INSTANTID, FACE_ID, PORTRAIT, UNNORM], ids=lambda k: k.name)
def test_the_recogniser_belongs_to_the_adapter(kind: Kind) -> None:
    published = {MODEL_PACK: PUBLISHED_RECOGNISER, BUFFALO: PUBLISHED_BUFFALO}
    other = BUFFALO if kind.pack == MODEL_PACK else MODEL_PACK
    # By the file's hash, whatever folder it lay in, or as it was loaded.
    for wrong in (read_by(published[other], kind.pack), read_by("ab" * 32, other)):
        with pytest.raises(IdentityError, match=f"{kind.name}.*{kind.pack}'s.*{other}'s") as caught:
            require_pack(wrong, kind.pack, kind.name)
        assert f"Choose {kind.pack} as model_pack" in str(caught.value)
        assert "no published file" not in str(caught.value)
        with pytest.raises(IdentityError, match=f"'my.bin' is .*set recogniser.*to {other}"):
            require_pack(wrong, kind.pack, kind.name, assumed_of="my.bin")
    with pytest.raises(IdentityError) as caught:
        require_pack(read_by("ab" * 32, "mine"), kind.pack, kind.name, assumed_of="my.bin")
    assert "set recogniser" not in str(caught.value), "a pack that the input does not have"
    for right in (read_by(published[kind.pack]), read_by("ab" * 32, kind.pack), read_by("ab" * 32)):
        require_pack(right, kind.pack, kind.name)
