"""InstantID for SD 1.5 (TheDenk/InstantID-SD1.5): its files, its sites, its way to draw a face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import comfy.cldm.cldm
import comfy.controlnet
import comfy.model_detection
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import pytest
import torch

import nodes as host_nodes
from tools.small_world.adapter import AdapterSizes, adapter_weights
from tools.small_world.scenes import Prompt, conditioning, photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
GROUP = "InstantID for SD 1.5"
CONTEXT, WIDTH = 768, 32
SHAPE = {
    **{"channel_mult": [1, 2, 4, 4], "num_res_blocks": [2] * 4, "transformer_depth_middle": 1},
    **{"transformer_depth": [1] * 6 + [0] * 2, "transformer_depth_output": [1] * 9 + [0] * 3},
    **{"adm_in_channels": None, "num_classes": None, "use_linear_in_transformer": False},
    **{"num_heads": 8, "num_head_channels": -1},
}
DOWN = [WIDTH] * 2 + [2 * WIDTH] * 2 + [4 * WIDTH] * 2
UP = [4 * WIDTH] * 3 + [2 * WIDTH] * 3 + [WIDTH] * 3
WIDTHS = (*DOWN, *UP, 4 * WIDTH)
PLACES = [
    *[f"down_blocks.{block}.attentions.{i}" for block in range(3) for i in range(2)],
    *[f"up_blocks.{block}.attentions.{i}" for block in range(1, 4) for i in range(3)],
    "mid_block.attentions.0",
]
"""Where diffusers' UNet has the sites, in the order of its attention processors."""


@pytest.fixture(scope="session")
def weights() -> dict[str, dict[str, torch.Tensor]]:
    return adapter_weights(AdapterSizes(WIDTHS, context_dim=CONTEXT))


def saved(path: Path, state: dict[str, Any]) -> None:
    """As `train.py` saves a part."""
    path.parent.mkdir(exist_ok=True)
    with torch.inference_mode(False):
        torch.save({"epoch": 1, "global_step": 5, "state_dict": state}, path)


def layers(weights: dict[str, torch.Tensor]) -> dict[str, torch.nn.Parameter]:
    names = {
        f"{place}.transformer_blocks.0.attn2.processor.to_{kind}_ip.weight": (
            f"{2 * number + 1}.to_{kind}_ip.weight"
        )
        for number, place in enumerate(PLACES)
        for kind in "kv"
    }
    return {name: torch.nn.Parameter(weights[ours], False) for name, ours in names.items()}


@pytest.fixture(scope="session")
def files(models_dir: Path, weights: Any) -> Path:
    folder = models_dir / "instantid" / "sd15"
    saved(folder / "ip-state.ckpt", layers(weights["ip_adapter"]))
    saved(folder / "image_proj.ckpt", weights["image_proj"])
    return folder


@pytest.fixture(scope="session")
def sd15_adapter(pack: Any, files: Path) -> Any:
    return pack.run("InstantIDLoadAdapter", adapter_name="sd15/ip-state.ckpt")[0]


@pytest.fixture(scope="session")
def config(small_sdxl: Any) -> dict[str, Any]:
    return {**small_sdxl.SmallConfig(WIDTH, CONTEXT).unet, **SHAPE}


def sd15_model(config: dict[str, Any], small_sdxl: Any) -> Any:
    settings = comfy.supported_models.SD15(config)
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model({}, device=torch.device("cpu"))
    small_sdxl.fill(model.diffusion_model)
    cpu = torch.device("cpu")
    return comfy.model_patcher.CoreModelPatcher(model, load_device=cpu, offload_device=cpu)


@pytest.fixture(scope="session")
def sd15_net(config: Any, small_sdxl: Any) -> Any:
    settings = {key: value for key, value in config.items() if key != "out_channels"}
    operations = comfy.ops.disable_weight_init
    net = comfy.cldm.cldm.ControlNet(
        hint_channels=3, operations=operations, dtype=torch.float32, **settings
    )
    return comfy.controlnet.ControlNet(small_sdxl.fill(net, 1), load_device=torch.device("cpu"))


@pytest.fixture
def sides() -> Prompt:
    return Prompt(conditioning("a man by the sea", CONTEXT), conditioning("blurry", CONTEXT))


@pytest.mark.parametrize("base_model", ["SDXL", "SD 1.5"])
@pytest.mark.combination(GROUP, "identity read for {}")
def test_colours_of_the_embedding(
    pack: Any,
    sd15_adapter: Any,
    config: Any,
    small_sdxl: Any,
    sd15_net: Any,
    sides: Prompt,
    noted: Any,
    caplog: pytest.LogCaptureFixture,
    base_model: str,
) -> None:
    """Embeddings of the colours that the adapter was trained on are taken without a word."""
    loader = {"model_pack": "antelopev2", "provider": "cpu", "base_model": base_model}
    (analyzer,) = pack.run("InstantIDLoadFaceAnalyzer", **loader)
    choice = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    faces = pack.run("InstantIDAnalyzeFaces", analyzer=analyzer, image=photo(1), **choice)[0]
    (identity,) = pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")
    how = {"adapter": sd15_adapter, "identity": identity, **EVERYTHING}
    model = sd15_model(config, small_sdxl)
    net = {"control_net": sd15_net, "faces": faces, "strength": 1.0}
    for run in (
        lambda: pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how),
        lambda: pack.run("InstantIDApplyIdentityNet", **sides._asdict(), **net, **how),
    ):
        caplog.clear()
        run()
        warned = [text for text in caplog.messages if "read for InstantID on" in text]
        assert len(warned) == (base_model == "SDXL")
    noted(f"with the warning: {warned[0]}" if warned else "")


@pytest.mark.parametrize("chosen", ["ip-state.ckpt", "image_proj.ckpt"])
@pytest.mark.combination(GROUP, "Load Adapter on {}, its neighbour beside it")
def test_either_file_gives_the_adapter(pack: Any, files: Path, weights: Any, chosen: str) -> None:
    (loaded,) = pack.run("InstantIDLoadAdapter", adapter_name=f"sd15/{chosen}")
    assert loaded.config.site_widths == WIDTHS
    network = loaded.patcher.model
    for number, layer in enumerate(network.to_k):
        assert torch.equal(layer.weight, weights["ip_adapter"][f"{2 * number + 1}.to_k_ip.weight"])
    assert torch.equal(network.projection.latents, weights["image_proj"]["latents"])


@pytest.mark.combination(GROUP, "ip-state.ckpt without image_proj.ckpt")
def test_one_file_alone(pack: Any, models_dir: Path, weights: Any, refused: Any) -> None:
    saved(models_dir / "instantid" / "half" / "ip-state.ckpt", layers(weights["ip_adapter"]))
    errors = pack.module("instantid_core.errors")
    with pytest.raises(
        errors.CheckpointError, match=r"expected image_proj\.ckpt beside it, found n"
    ) as e:
        pack.run("InstantIDLoadAdapter", adapter_name="half/ip-state.ckpt")
    refused(e.value)


@pytest.mark.combination(GROUP, "two trainings in one folder: the number decides")
def test_the_number_decides(pack: Any, models_dir: Path, weights: Any) -> None:
    folder = models_dir / "instantid" / "several"
    for number, factor in (("100", 1.0), ("200", 2.0)):
        scaled = {k: v * factor for k, v in weights["image_proj"].items()}
        saved(folder / f"image_proj-{number}.ckpt", scaled)
        saved(folder / f"ip-state-{number}.ckpt", layers(weights["ip_adapter"]))
    (loaded,) = pack.run("InstantIDLoadAdapter", adapter_name="several/ip-state-200.ckpt")
    latents = loaded.patcher.model.projection.latents
    assert torch.equal(latents, 2 * weights["image_proj"]["latents"])


@pytest.fixture
def applied(
    pack: Any, sd15_adapter: Any, identity_of: Any, faces_of: Any, sd15_net: Any, sides: Any
) -> Any:
    identity, faces = identity_of(1), faces_of(photo(1))

    def apply(model: Any, **settings: Any) -> Any:
        how = {"adapter": sd15_adapter, "identity": identity, **EVERYTHING}
        amounts = {"weight": 0.8, "strength": 0.8, **settings}
        (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=amounts["weight"], **how)
        net = {"control_net": sd15_net, "faces": faces, "strength": amounts["strength"]}
        return patched, *pack.run("InstantIDApplyIdentityNet", **sides._asdict(), **net, **how)

    return apply


@pytest.mark.parametrize("channels", [4, 9], ids=["text to image", "inpainting (9 channels)"])
@pytest.mark.combination(GROUP, "{}: 16 sites once per call, adapter and IdentityNet act")
def test_both_parts_act(config: Any, small_sdxl: Any, applied: Any, channels: int) -> None:
    model = sd15_model({**config, "in_channels": channels}, small_sdxl)
    patched, positive, negative = applied(model)
    fired = []
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    assert len(sites) == 16
    for key, patch in list(sites.items()):
        sites[key] = lambda *a, key=key, patch=patch: (fired.append(key), patch(*a))[1]
    both = sample(patched, positive, negative, size=(64, 64), steps=1)
    assert sorted(fired) == sorted(sites)
    for amounts in ({"weight": 0.0}, {"strength": 0.0}):
        assert not torch.equal(both, sample(*applied(model, **amounts), size=(64, 64), steps=1))


@pytest.mark.combination(GROUP, "IdentityNet's hint: dimmed keypoints under 106 landmarks")
def test_the_hint_is_its_own(
    pack: Any, applied: Any, config: Any, small_sdxl: Any, faces_of: Any
) -> None:
    faces = faces_of(photo(1))
    assert faces.all[0].landmarks.shape == (106, 2)
    _, positive, _ = applied(sd15_model(config, small_sdxl))
    net = positive[0][1]["control"]
    hints: list[torch.Tensor] = []
    hook = net.control_model.register_forward_pre_hook(
        lambda _, __, given: hints.append(given["hint"].clone()), with_kwargs=True
    )
    sample(*applied(sd15_model(config, small_sdxl)), size=(128, 128), steps=1)
    hook.remove()
    extent = pack.module("instantid_core.types").Extent(128, 128)
    expected = pack.module("instantid_core.keypoints.landmarks").draw(faces, extent, "letterbox")
    plain = pack.module("instantid_core.keypoints.drawing").draw(faces, extent, "letterbox")
    assert not torch.equal(expected, plain)
    assert len(hints) == 1
    assert all(torch.equal(row, expected.movedim(-1, 1)[0]) for row in hints[0])


@pytest.mark.combination(GROUP, "a pose without landmarks: keypoints alone, and a warning")
def test_a_pose_is_drawn_by_keypoints(
    pack: Any,
    sd15_adapter: Any,
    identity_of: Any,
    sd15_net: Any,
    sides: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    placed = {"width": 512, "height": 512, "face_height": 0.5, "eye_line": 0.4, "center_x": 0.5}
    edit = {"scale": 1.0, "rotate": 0.0, "mirror": False, "limb_opacity": 1.0, "point_opacity": 1.0}
    faces = pack.run("InstantIDPose", preset="front", **placed, **edit)[0]
    how = {"adapter": sd15_adapter, "identity": identity_of(1), **EVERYTHING}
    net = {"control_net": sd15_net, "faces": faces, "strength": 0.8}
    pack.run("InstantIDApplyIdentityNet", **sides._asdict(), **net, **how)
    assert "was trained on 106 landmarks beside the five keypoints" in caplog.text


@pytest.mark.combination(GROUP, "its adapter on an SDXL model")
def test_its_adapter_on_sdxl(
    pack: Any, sd15_adapter: Any, identity_of: Any, model: Any, refused: Any
) -> None:
    errors = pack.module("instantid_core.errors")
    how = {"adapter": sd15_adapter, "identity": identity_of(1), **EVERYTHING}
    with pytest.raises(errors.IncompatibleModelError, match=r"Connect an SD 1\.5 checkpoint") as e:
        pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)
    refused(e.value)


@pytest.mark.combination(GROUP, "IdentityNet for SDXL with its adapter")
def test_the_sdxl_net_with_its_adapter(
    pack: Any,
    sd15_adapter: Any,
    identity_of: Any,
    control_net: Any,
    faces_of: Any,
    sides: Any,
    refused: Any,
) -> None:
    errors = pack.module("instantid_core.errors")
    how = {"adapter": sd15_adapter, "identity": identity_of(1), **EVERYTHING}
    net = {"control_net": control_net, "faces": faces_of(photo(1)), "strength": 0.8}
    with pytest.raises(errors.IncompatibleModelError, match=r"width 64.*width 768") as e:
        pack.run("InstantIDApplyIdentityNet", **sides._asdict(), **net, **how)
    refused(e.value)


@pytest.mark.combination(GROUP, "controlnet.ckpt, at its published size: loaded as IdentityNet")
def test_its_controlnet_is_loaded(pack: Any, models_dir: Path) -> None:
    """As diffusers names it and `train.py` saves it, each tensor one number that repeats."""
    from diffusers import ControlNetModel

    with torch.device("meta"):
        published = ControlNetModel(cross_attention_dim=CONTEXT, attention_head_dim=8)
    number = torch.full((1,), 0.01, dtype=torch.float16)
    state = {name: number.expand(value.shape) for name, value in published.state_dict().items()}
    path = models_dir / "controlnet" / "controlnet.ckpt"
    saved(path, state)
    assert path.stat().st_size < 1_000_000
    (net,) = host_nodes.ControlNetLoader().load_controlnet(path.name)
    path.unlink()
    require = pack.module("nodes.host.identity_net_check").require_identity_net
    assert require(net, CONTEXT) is net
    with pytest.raises(pack.module("instantid_core.errors").IncompatibleModelError, match="768"):
        require(net, 2048)
    loaded = net.control_model.state_dict()
    assert len(loaded) == len(state)
    assert all(bool((value.float() - 0.01).abs().max() < 1e-4) for value in loaded.values())
