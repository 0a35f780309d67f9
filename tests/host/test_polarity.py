"""Every row of every UNet call gets the identity of its own side, whoever composed the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.samplers
import node_helpers
import pytest
import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy_extras.nodes_custom_sampler import DualCFGGuider
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_perpneg import PerpNegGuider
from comfy_extras.nodes_sag import SelfAttentionGuidance

from nodes import ConditioningCombine, ConditioningSetArea, ControlNetApplyAdvanced
from tools.small_world.scenes import conditioning, photo

SIZE = 128
POSITIVE, NEGATIVE = 1, 0
EXPECTED = {"sea": POSITIVE, "forest": POSITIVE, "blurry": NEGATIVE, "nothing": NEGATIVE}
Cond = list[list[Any]]


class Witness:
    """Sits at one site below the identity and notes which prompt each row carries.

    Prompts are distinguished by the keys that the network itself makes of them.
    """

    SITE = ("middle", 0, 0)

    def __init__(self, unet: Any, prompts: dict[str, Cond]) -> None:
        layer = unet.model.diffusion_model.middle_block[1].transformer_blocks[0].attn2
        self.layer = layer
        place = layer.to_k.weight.device
        self.keys = {n: layer.to_k(cond[0][0].to(place))[0].cpu() for n, cond in prompts.items()}
        self.calls: list[list[tuple[str, int]]] = []
        self.net_calls: list[list[str]] = []

    def watch(self, model: Any) -> Any:
        watched = model.clone()
        watched.set_model_attn2_replace(self, *self.SITE)
        return watched

    def __call__(self, q: Any, k: Any, v: Any, options: dict[str, Any]) -> torch.Tensor:
        rows = options["instantid_rows"].rows
        assert len(rows) == k.shape[0]
        self.calls.append(
            [(self._name(keys), int(row.polarity)) for keys, row in zip(k.cpu(), rows, strict=True)]
        )
        return optimized_attention(q, k, v, options["n_heads"])

    def _name(self, keys: torch.Tensor) -> str:
        return min(self.keys, key=lambda name: float((self.keys[name] - keys).abs().sum()))


@pytest.fixture
def prompts() -> dict[str, Cond]:
    return {name: conditioning(name) for name in EXPECTED}


@pytest.fixture
def witness(unet: Any, prompts: dict[str, Cond]) -> Witness:
    return Witness(unet, prompts)


@pytest.fixture
def how(adapter: Any, identity_of: Any) -> dict[str, Any]:
    identity = identity_of(2)
    return {"adapter": adapter, "identity": identity, "start_at": 0.0, "end_at": 1.0}


@pytest.fixture
def patched(pack: Any, model: Any, witness: Witness, how: dict[str, Any]) -> Any:
    watched = witness.watch(model)
    return pack.run("InstantIDApplyAdapter", model=watched, weight=0.8, **how)[0]


def run_guider(guider: Any, batch: int = 1) -> None:
    latent = torch.zeros(batch, 4, SIZE // 8, SIZE // 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    sigmas = torch.tensor([14.0, 3.0, 0.0])
    guider.sample(noise, latent, comfy.samplers.sampler_object("euler"), sigmas, seed=0)


def plain_guider(model: Any, positive: Cond, negative: Cond, cfg: float) -> Any:
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def combined(one: Cond, other: Cond) -> Cond:
    return ConditioningCombine().combine(one, other)[0]


def timed(cond: Cond, start: float, end: float) -> Cond:
    values = {"start_percent": start, "end_percent": end}
    return node_helpers.conditioning_set_values(cond, values)


def in_area(cond: Cond, x: int) -> Cond:
    return ConditioningSetArea().append(cond, SIZE // 2, SIZE, x, 0, 1.0)[0]


def sag(model: Any, p: dict[str, Cond]) -> Any:
    (guided,) = SelfAttentionGuidance.execute(model, 0.5, 2.0).result
    return plain_guider(guided, p["sea"], p["blurry"], 4.5)


def pag(model: Any, p: dict[str, Cond]) -> Any:
    (guided,) = PerturbedAttentionGuidance.execute(model, 3.0).result
    return plain_guider(guided, p["sea"], p["blurry"], 4.5)


def dual(style: str) -> Callable[[Any, dict[str, Cond]], Any]:
    def build(model: Any, p: dict[str, Cond]) -> Any:
        conds = p["sea"], p["forest"], p["blurry"]
        return DualCFGGuider.execute(model, *conds, 4.0, 3.0, style).result[0]

    return build


GUIDERS: dict[str, tuple[Callable[[Any, dict[str, Cond]], Any], set[str]]] = {
    "CFG": (lambda m, p: plain_guider(m, p["sea"], p["blurry"], 4.5), {"sea", "blurry"}),
    "CFG 1": (lambda m, p: plain_guider(m, p["sea"], p["blurry"], 1.0), {"sea"}),
    "DualCFG": (dual("regular"), {"sea", "forest", "blurry"}),
    "DualCFG nested": (dual("nested"), {"sea", "forest", "blurry"}),
    "PerpNeg": (
        lambda m, p: PerpNegGuider.execute(m, p["sea"], p["blurry"], p["nothing"], 5.0, 1.0).result[
            0
        ],
        {"sea", "blurry", "nothing"},
    ),
    "SAG": (sag, {"sea", "blurry"}),
    "PAG": (pag, {"sea", "blurry"}),
    "combined": (
        lambda m, p: plain_guider(
            m, combined(p["sea"], p["forest"]), combined(p["blurry"], p["nothing"]), 4.5
        ),
        {"sea", "forest", "blurry", "nothing"},
    ),
    "timestep ranges": (
        lambda m, p: plain_guider(
            m,
            combined(timed(p["sea"], 0, 0.3), timed(p["forest"], 0.3, 1)),
            combined(timed(p["blurry"], 0, 0.3), timed(p["nothing"], 0.3, 1)),
            4.5,
        ),
        {"sea", "forest", "blurry", "nothing"},
    ),
    "areas": (
        lambda m, p: plain_guider(
            m, combined(in_area(p["sea"], 0), in_area(p["forest"], SIZE // 2)), p["blurry"], 4.5
        ),
        {"sea", "forest", "blurry"},
    ),
}


def assert_right_sides(witness: Witness, expected: set[str]) -> None:
    seen = {row for call in witness.calls for row in call}
    assert seen == {(name, EXPECTED[name]) for name in expected}


@pytest.mark.parametrize("batch", [pytest.param(1, marks=pytest.mark.thorough), 3])
@pytest.mark.parametrize("name", GUIDERS)
def test_adapter_rows(
    patched: Any, witness: Witness, prompts: dict[str, Cond], name: str, batch: int
) -> None:
    """Without IdentityNet: sides come from the guider's names."""
    build, expected = GUIDERS[name]
    run_guider(build(patched, prompts), batch)
    assert_right_sides(witness, expected)


@pytest.mark.parametrize("name", GUIDERS)
def test_identity_net_rows(
    pack: Any,
    patched: Any,
    witness: Witness,
    prompts: dict[str, Cond],
    how: dict[str, Any],
    control_net: Any,
    depth_net: Any,
    faces_of: Any,
    name: str,
) -> None:
    """Two nets in a chain: IdentityNet sees tokens of the right side, the other its text."""
    net_how = {"strength": 0.8, "faces": faces_of(photo(2)), "control_net": control_net, **how}
    hint = torch.rand(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(1))
    chained: dict[str, Cond] = {}
    for one, other in (("sea", "blurry"), ("forest", "nothing")):
        sides = ControlNetApplyAdvanced().apply_controlnet(
            prompts[one], prompts[other], depth_net, hint, 0.5, 0.0, 1.0
        )
        chained[one], chained[other] = pack.run(
            "InstantIDApplyIdentityNet", positive=sides[0], negative=sides[1], **net_how
        )
    contexts = Contexts(depth_net.control_model, control_net.control_model)
    build, expected = GUIDERS[name]
    with contexts:
        run_guider(build(patched, chained))
    assert_right_sides(witness, expected)
    tokens = net_how["adapter"].tokens(
        how["identity"], pack.module("instantid_core.identity.embedding").NegativeIdentity()
    )
    by_side = {POSITIVE: tokens.positive[0], NEGATIVE: tokens.negative[0]}
    assert len(contexts.texts) == len(contexts.identities) > 0
    seen = set()
    for text, identity in zip(contexts.texts, contexts.identities, strict=True):
        for row, seen_tokens in zip(text, identity, strict=True):
            prompt = next(n for n, cond in prompts.items() if torch.equal(cond[0][0][0], row))
            assert torch.equal(seen_tokens, by_side[EXPECTED[prompt]])
            seen.add(prompt)
    assert seen == expected


class Contexts:
    """Notes what the cross-attention of two control models is given."""

    def __init__(self, other: torch.nn.Module, identity_net: torch.nn.Module) -> None:
        self.texts: list[torch.Tensor] = []
        self.identities: list[torch.Tensor] = []
        self._watched = ((other, self.texts), (identity_net, self.identities))
        self._hooks: list[Any] = []

    def __enter__(self) -> Contexts:
        for module, notes in self._watched:

            def note(_: Any, __: Any, kwargs: dict[str, Any], notes: list = notes) -> None:
                notes.append(kwargs["context"].clone().cpu())

            self._hooks.append(module.register_forward_pre_hook(note, with_kwargs=True))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
