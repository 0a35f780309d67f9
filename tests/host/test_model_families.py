"""Base models: what is SDXL works whatever its file looks like, and all else is refused by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import comfy.model_base
import comfy.model_detection
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import comfy.utils
import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from support.devices import places

from tools.small_world.adapter import AdapterSizes, adapter_weights
from tools.small_world.published_shapes import published
from tools.small_world.scenes import photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
META = torch.device("meta")
PREFIX = "model.diffusion_model."
FAMILY = "The SDXL family, and SD 1.5"
REFUSED = "Other families, at their published sizes where they are UNets"
REFUSED_SD15 = "Other UNets, with the adapter for SD 1.5"
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def published_adapter(pack: Any) -> Any:
    """The published adapter as far as checks need it: its sizes, without weights."""
    read = pack.module("instantid_core.adapter.checkpoint").read_checkpoint
    return stand_in(pack, read(published(), "ip-adapter.bin").config)


def stand_in(pack: Any, config: Any) -> Any:
    """An adapter of these sizes that gives some tokens to everybody."""

    class StandIn(pack.module("nodes.host.models").LoadedAdapter):
        def tokens(self, *_: Any) -> SimpleNamespace:
            return SimpleNamespace(is_nobody=False)

    return StandIn(patcher=None, config=config)


@pytest.fixture(scope="session")
def sdxl_config(small_sdxl: Any) -> dict[str, Any]:
    """The UNet of SDXL at its published size."""
    return small_sdxl.SmallConfig(width=320, context_dim=2048).unet


def names_of(config: dict[str, Any]) -> Tensors:
    """A UNet file's tensors on the meta device, in the LDM layout and without a prefix."""
    operations = comfy.ops.disable_weight_init
    network = UNetModel(**config, dtype=torch.float16, device=META, operations=operations)
    return dict(network.state_dict())


def in_diffusers_names(config: dict[str, Any], weights: Tensors) -> Tensors:
    names = comfy.utils.unet_to_diffusers(config)
    return {theirs: weights[ours] for theirs, ours in names.items() if ours in weights}


def flag(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)


def prefixed(weights: Tensors, **more: torch.Tensor) -> Tensors:
    return {**{PREFIX + name: tensor for name, tensor in weights.items()}, **more}


LAYOUTS = {
    "base checkpoint (`model.diffusion_model.`)": lambda c, w: prefixed(w),
    "Turbo checkpoint (laid out as the base)": lambda c, w: prefixed(w),
    "Pony checkpoint (with text encoders and EMA beside)": lambda c, w: prefixed(
        w, **{"conditioner.embedders.0.x": flag(1), "model_ema.decay": flag(1)}
    ),
    "Illustrious / NoobAI v-prediction checkpoint (`v_pred`, `ztsnr`)": lambda c, w: prefixed(
        w, v_pred=flag(0), ztsnr=flag(0)
    ),
    "Playground checkpoint (`edm_mean`, `edm_std`)": lambda c, w: prefixed(
        w, edm_mean=torch.zeros(1, 4, 1, 1), edm_std=torch.ones(1, 4, 1, 1)
    ),
    "Lightning UNet in LDM names": lambda c, w: w,
    "Lightning UNet in diffusers names": in_diffusers_names,
}


def detected(weights: Tensors) -> Any:
    """The host's model for a file, as its loaders detect it, without weights."""
    if "conv_in.weight" in weights:
        settings = comfy.model_detection.model_config_from_diffusers_unet(weights)
    else:
        start = PREFIX if any(name.startswith(PREFIX) for name in weights) else ""
        settings = comfy.model_detection.model_config_from_unet(weights, start)
    assert settings is not None, "the host knows the file"
    settings.set_inference_dtype(torch.float16, None)
    return settings.get_model(weights, "", device=META)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.combination(FAMILY, "{}: detected, 70 sites fit the published adapter")
def test_layouts_fit(pack: Any, published_adapter: Any, sdxl_config: Any, layout: str) -> None:
    model = detected(LAYOUTS[layout](sdxl_config, names_of(sdxl_config)))
    assert type(model.model_config) is comfy.supported_models.SDXL
    sites = pack.module("instantid_core.adapter.sites").cross_attention_sites(model.diffusion_model)
    assert len(sites) == 70
    check = pack.module("instantid_core.adapter.image_adapter").require_matching_sites
    check(published_adapter.config, sites, "SDXL")


def small_model(config: dict[str, Any], small_sdxl: Any, flags: Tensors) -> Any:
    """A small model of a family, with random weights and the sampling that the flags ask for."""
    settings = comfy.supported_models.SDXL(config)
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model(flags, device=torch.device("cpu"))
    small_sdxl.fill(model.diffusion_model)
    return comfy.model_patcher.CoreModelPatcher(model, **places())


@pytest.fixture
def applied(pack: Any, adapter: Any, identity_of: Any, control_net: Any, faces_of: Any) -> Any:
    identity, faces = identity_of(1), faces_of(photo(1))

    def apply(model: Any, prompt: Any, weight: float = 0.8) -> Any:
        how = {"adapter": adapter, "identity": identity, **EVERYTHING}
        (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=weight, **how)
        net = {"control_net": control_net, "faces": faces, "strength": weight}
        return patched, *pack.run("InstantIDApplyIdentityNet", **prompt._asdict(), **net, **how)

    return apply


SAMPLINGS: dict[str, tuple[Tensors, dict[str, Any]]] = {
    "Turbo: one step at CFG 1": ({}, {"steps": 1, "cfg": 1.0}),
    "Lightning: four steps at CFG 1": ({}, {"steps": 4, "cfg": 1.0}),
    "v-prediction": ({"v_pred": flag(0)}, {"steps": 1}),
    "v-prediction with zero terminal SNR": ({"v_pred": flag(0), "ztsnr": flag(0)}, {"steps": 1}),
    "EDM (Playground)": (
        {"edm_mean": torch.zeros(1, 4, 1, 1), "edm_std": torch.ones(1, 4, 1, 1)},
        {"steps": 1},
    ),
}


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.combination(FAMILY, "sampled as {}: the identity acts")
def test_samplings(small_sdxl: Any, applied: Any, prompt: Any, sampling: str) -> None:
    flags, how = SAMPLINGS[sampling]
    model = small_model(small_sdxl.SmallConfig().unet, small_sdxl, flags)
    pictures = [sample(*applied(model, prompt, w), size=(64, 64), **how) for w in (0.8, 0.0)]
    assert all(torch.isfinite(picture).all() for picture in pictures)
    assert not torch.equal(*pictures)


@pytest.mark.combination(FAMILY, "inpainting UNet with 9 channels: adapter and IdentityNet act")
def test_inpainting(small_sdxl: Any, applied: Any, prompt: Any) -> None:
    model = small_model(small_sdxl.SmallConfig().unet | {"in_channels": 9}, small_sdxl, {})
    concat = {
        "concat_latent_image": torch.ones(1, 4, 8, 8),
        "concat_mask": torch.ones(1, 1, 64, 64),
    }
    sides = type(prompt)(*([[text, {**rest, **concat}] for text, rest in side] for side in prompt))
    seen = []
    network = model.model.diffusion_model
    hook = network.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    pictures = [sample(*applied(model, sides, w), size=(64, 64), steps=1) for w in (0.8, 0.0)]
    hook.remove()
    assert set(seen) == {9}
    assert not torch.equal(*pictures)


UNETS: dict[str, dict[str, Any]] = {
    "SDXL": {},
    "SDXL_instructpix2pix": {},
    "SD15": {"context_dim": 768, "kind": "sd1"},
    "LotusD": {"context_dim": 1024, "kind": "sd1"},
    "SD20": {"context_dim": 1024, "kind": "sd1"},
    "SDXLRefiner": {
        **{"context_dim": 1280, "width": 384, "adm_in_channels": 2560},
        **{"channel_mult": [1, 2, 4, 4], "num_res_blocks": [2] * 4},
        **{"transformer_depth": [0, 0, 4, 4, 4, 4, 0, 0], "transformer_depth_middle": 4},
        "transformer_depth_output": [0, 0, 0, 4, 4, 4, 4, 4, 4, 0, 0, 0],
    },
    "SSD1B": {
        **{"transformer_depth": [0, 0, 2, 2, 4, 4], "transformer_depth_middle": -1},
        "transformer_depth_output": [0, 0, 0, 1, 1, 2, 10, 4, 4],
    },
    "Segmind_Vega": {
        **{"transformer_depth": [0, 0, 1, 1, 2, 2], "transformer_depth_middle": -1},
        "transformer_depth_output": [0, 0, 0, 1, 1, 1, 2, 2, 2],
    },
    "KOALA_700M": {
        **{"num_res_blocks": [1, 1, 1], "transformer_depth": [0, 2, 5]},
        **{"transformer_depth_middle": -2, "transformer_depth_output": [0, 0, 2, 2, 5, 5]},
    },
    "KOALA_1B": {
        **{"num_res_blocks": [1, 1, 1], "transformer_depth": [0, 2, 6]},
        **{"transformer_depth_middle": 6, "transformer_depth_output": [0, 0, 2, 2, 6, 6]},
    },
}
SD1 = {
    **{"channel_mult": [1, 2, 4, 4], "num_res_blocks": [2] * 4, "transformer_depth_middle": 1},
    **{"transformer_depth": [1] * 6 + [0] * 2, "transformer_depth_output": [1] * 9 + [0] * 3},
    **{"adm_in_channels": None, "num_classes": None},
}


VIDEO = {
    **{"video_kernel_size": [3, 1, 1], "extra_ff_mix_layer": True, "use_spatial_context": True},
    **{"merge_strategy": "learned_with_images", "merge_factor": 0.0},
}


def network_of(family: str, small_sdxl: Any) -> torch.nn.Module:
    """The UNet of a family at its size; for families without one some other network."""
    known = getattr(comfy.supported_models, family).unet_config
    if "model_channels" not in known:
        return torch.nn.Linear(1, 1, device=META)
    changes = dict(UNETS.get(family, {"kind": "sd1"}))
    shape = SD1 if changes.pop("kind", "") == "sd1" else {}
    video = VIDEO if known.get("use_temporal_attention") else {}
    size = small_sdxl.SmallConfig(changes.pop("width", 320), changes.pop("context_dim", 2048))
    config = {**size.unet, **shape, **known, **video, **changes}
    if known.get("adm_in_channels"):
        config["num_classes"] = "sequential"
    # The host's table has depths in a shorter form for some; ours are written out.
    config |= {name: shape[name] for name in shape if name.startswith("transformer_depth")}
    config |= {name: changes[name] for name in changes if name.startswith("transformer_depth")}
    operations = comfy.ops.disable_weight_init
    return UNetModel(**config, dtype=torch.float16, device=META, operations=operations)


KINDS = {kind.__name__: kind for kind in comfy.supported_models.models}
FIT_SDXL = ("SDXL", "SDXL_instructpix2pix")
FIT_SD15 = ("SD15", "SD15_instructpix2pix")
OTHERS = sorted(set(KINDS) - set(FIT_SDXL))
OTHER_UNETS = sorted(
    name
    for name, kind in KINDS.items()
    if "model_channels" in kind.unet_config and name not in FIT_SD15
)


def as_loaded(family: str, small_sdxl: Any) -> Any:
    """A model as far as the adapter looks at it before it does anything."""
    network = network_of(family, small_sdxl)
    return SimpleNamespace(
        model=SimpleNamespace(model_config=KINDS[family].__new__(KINDS[family])),
        get_model_object=lambda name: {"diffusion_model": network}[name],
        clone=None,
        model_options={},
    )


def refusal(pack: Any, adapter: Any, model: Any) -> Any:
    errors = pack.module("instantid_core.errors")
    types = pack.module("instantid_core.types")
    recogniser = types.Recogniser("5e" * 32)
    identity = types.IdentityEmbedding(torch.ones(1, 1, 512), recogniser)
    how = {"adapter": adapter, "identity": identity, **EVERYTHING}
    with pytest.raises(errors.IncompatibleModelError) as caught:
        pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)
    return caught.value


@pytest.mark.parametrize("family", OTHERS)
@pytest.mark.combination(REFUSED, "{}")
def test_other_families_are_refused_by_name(
    pack: Any, published_adapter: Any, small_sdxl: Any, refused: Any, family: str
) -> None:
    error = refusal(pack, published_adapter, as_loaded(family, small_sdxl))
    assert f"the connected model, {family}, has" in str(error)
    is_unet = "model_channels" in KINDS[family].unet_config
    assert ("not a UNet with text" in str(error)) is not is_unet
    assert "Connect an SDXL checkpoint." in str(error)
    refused(error)


@pytest.fixture(scope="session")
def sd15_adapter(pack: Any) -> Any:
    """The adapter for SD 1.5 with its 16 sites at their published widths."""
    widths = [*[320] * 2, *[640] * 2, *[1280] * 5, *[640] * 3, *[320] * 3, 1280]
    weights = adapter_weights(AdapterSizes(tuple(widths), context_dim=768))
    read = pack.module("instantid_core.adapter.checkpoint").read_checkpoint
    return stand_in(pack, read(weights, "ip-state.ckpt").config)


@pytest.mark.parametrize("family", OTHER_UNETS)
@pytest.mark.combination(REFUSED_SD15, "{}")
def test_other_unets_are_refused_with_the_adapter_for_sd15(
    pack: Any, sd15_adapter: Any, small_sdxl: Any, refused: Any, family: str
) -> None:
    error = refusal(pack, sd15_adapter, as_loaded(family, small_sdxl))
    assert f"the connected model, {family}, has" in str(error)
    assert "Connect an SD 1.5 checkpoint" in str(error)
    fits = family == "Stable_Zero123"
    assert ("a picture in the place of the text" in str(error)) is fits
    assert ("the adapter file is incomplete" in str(error)) is not fits
    refused(error)


@pytest.mark.parametrize("family", [*FIT_SDXL, *FIT_SD15])
@pytest.mark.combination(FAMILY, "{}: at its published size the adapter fits")
def test_families_that_fit(
    pack: Any, published_adapter: Any, sd15_adapter: Any, small_sdxl: Any, family: str
) -> None:
    adapter = published_adapter if family in FIT_SDXL else sd15_adapter
    model = as_loaded(family, small_sdxl)
    sites = pack.module("instantid_core.adapter.sites").cross_attention_sites(
        model.get_model_object("diffusion_model")
    )
    pack.module("instantid_core.adapter.image_adapter").require_matching_sites(
        adapter.config, sites, family
    )
