"""The whole method against diffusers: same random weights, its own classes, in float32.

Tolerance: the two sum in different orders. Each stage agrees to about 1e-6; 140 attention layers
deep the difference stays below 1e-4 of the prediction's size, and a wrong row, site or sign would
give an error near 1.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.insertion_rules import RULES, replace_processors

from tools.bench.diffusers_twin import twin_controlnet, twin_unet
from tools.small_world.adapter import AdapterSizes, adapter_weights, flat
from tools.small_world.scenes import conditioning, photo, sample

TOLERANCE = 1e-4
WIDTH, HEIGHT = 128, 192
SCALE, STRENGTH = 0.7, 0.9


@pytest.fixture(scope="module")
def weights(small_sdxl: Any) -> dict[str, Any]:
    # diffusers takes the published depth for granted; the width gives two heads.
    sizes = AdapterSizes(small_sdxl.SmallConfig().site_widths, depth=4, width=128)
    return adapter_weights(sizes, seed=11)


@pytest.fixture(scope="module")
def deep_adapter(pack: Any, models_dir: Any, weights: dict[str, Any]) -> Any:
    save_file(flat(weights), models_dir / "instantid" / "parity.safetensors")
    return pack.run("InstantIDLoadAdapter", adapter_name="parity.safetensors")[0]


class Recorder:
    """Keeps what a sampling step predicted for either side."""

    def __init__(self, model: Any) -> None:
        self.calls: list[dict[str, Any]] = []
        self.model = model.clone()
        self.model.set_model_sampler_post_cfg_function(self._record)

    def _record(self, args: dict[str, Any]) -> torch.Tensor:
        self.calls.append(args)
        return args["denoised"]

    def noise_predictions(self) -> tuple[torch.Tensor, torch.Tensor]:
        call = self.calls[0]
        sigma = call["sigma"][0]
        sides = call["cond_denoised"], call["uncond_denoised"]
        return tuple((call["input"] - side) / sigma for side in sides)


def reference(
    unet: Any, net: Any, call: dict[str, Any], sampling: Any, **given: torch.Tensor
) -> torch.Tensor:
    """diffusers' noise prediction for one side of one call, where that call was made."""
    sigma, place = call["sigma"][0], call["input"].device
    given = {name: value.to(place) for name, value in given.items()}
    x = call["input"] / (sigma**2 + 1) ** 0.5
    t = sampling.timestep(call["sigma"])
    sizes = torch.tensor([[HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH]], dtype=torch.float32, device=place)
    added = {"text_embeds": given["pooled"], "time_ids": sizes}
    residuals: dict[str, Any] = {}
    if net is not None:
        down, middle = net(
            x,
            t,
            encoder_hidden_states=given["tokens"],
            controlnet_cond=given["hint"],
            conditioning_scale=STRENGTH,
            added_cond_kwargs=added,
            return_dict=False,
        )
        residuals = {
            "down_block_additional_residuals": down,
            "mid_block_additional_residual": middle,
        }
    return unet(
        x,
        t,
        encoder_hidden_states=given["text"],
        added_cond_kwargs={**added, "image_embeds": [given["embedding"]]},
        **residuals,
    ).sample


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize(
    ("with_net", "insertion"),
    [(False, "add"), (True, "add"), *((False, rule) for rule in RULES)],
    ids=["adapter", "adapter and IdentityNet", *RULES],
)
def test_noise_prediction(
    pack: Any,
    model: Any,
    small_sdxl: Any,
    deep_adapter: Any,
    weights: dict[str, Any],
    control_net: Any,
    models_dir: Any,
    faces_of: Any,
    with_net: bool,
    insertion: str,
) -> None:
    config = small_sdxl.SmallConfig()
    faces = faces_of(photo(4))
    (identity,) = pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")
    how = {"adapter": deep_adapter, "identity": identity, "start_at": 0.0, "end_at": 1.0}
    (patched,) = pack.run(
        "InstantIDApplyAdapter", model=model, weight=SCALE, insertion=insertion, **how
    )
    sides = conditioning("a portrait by the sea"), conditioning("blurry")
    given = sides
    if with_net:
        given = pack.run(
            "InstantIDApplyIdentityNet",
            positive=sides[0],
            negative=sides[1],
            control_net=control_net,
            strength=STRENGTH,
            faces=faces,
            **how,
        )
    recorder = Recorder(patched)
    sample(recorder.model, *given, steps=1, size=(WIDTH, HEIGHT))

    unet = twin_unet(config, model.model.diffusion_model.state_dict())
    unet._load_ip_adapter_weights([weights])
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [SCALE]
    if insertion in RULES:
        replace_processors(unet, insertion)
    net = None
    if with_net:
        file = load_file(models_dir / "controlnet" / "instantid_small.safetensors")
        net = twin_controlnet(config, file)
    (hint,) = pack.run(
        "InstantIDDrawKeypoints", faces=faces, width=WIDTH, height=HEIGHT, fit="letterbox"
    )
    project = unet.encoder_hid_proj.image_projection_layers[0]
    embeddings = identity.references, torch.zeros_like(identity.references)
    sampling, call = model.get_model_object("model_sampling"), recorder.calls[0]
    for network in filter(None, (unet, net)):
        network.to(call["input"].device)
    for ours, side, embedding in zip(recorder.noise_predictions(), sides, embeddings, strict=True):
        theirs = reference(
            unet,
            net,
            call,
            sampling,
            text=side[0][0],
            pooled=side[0][1]["pooled_output"],
            embedding=embedding.unsqueeze(1),
            tokens=project(embedding.to(call["input"].device)),
            hint=hint.movedim(-1, 1),
        )
        error = relative_error(ours, theirs)
        print(f"relative error {error:.2e}")
        assert error <= TOLERANCE


def test_the_adapter_matters_to_the_comparison(
    pack: Any, model: Any, deep_adapter: Any, identity_of: Any, prompt: Any
) -> None:
    """The tolerance would be worth nothing if the identity changed less than it."""
    recorders = []
    for weight in (SCALE, SCALE * 1.01):
        (patched,) = pack.run(
            "InstantIDApplyAdapter",
            model=model,
            adapter=deep_adapter,
            identity=identity_of(4),
            weight=weight,
            start_at=0.0,
            end_at=1.0,
        )
        recorders.append(Recorder(patched))
        sample(recorders[-1].model, *prompt, steps=1)
    for one, other in zip(*(r.noise_predictions() for r in recorders), strict=True):
        assert relative_error(one, other) > 10 * TOLERANCE
