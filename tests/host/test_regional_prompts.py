"""Regional prompts by attention patches: rows belong to a site's queries, not to the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.devices import agree
from support.neighbours.regional_prompts import Couple, LengtheningCouple, hooked

from tools.small_world.scenes import conditioning, sample

GROUP = "Regional prompts by attention patches"
HALVES = torch.zeros(2, 16, 16)
HALVES[0, :, :8] = HALVES[1, :, 8:] = 1
KINDS = {
    "one row per region (cgem156-ComfyUI, ComfyUI-ppm)": Couple,
    "a longer list of sides (comfyui-tooling-nodes)": LengtheningCouple,
    "as a hook (comfyui-prompt-control)": Couple,
}
HOOKED = list(KINDS)[-1]
each_kind = pytest.mark.parametrize("kind", KINDS)
Picture = Callable[..., torch.Tensor]


@pytest.fixture
def picture(model: Any, applied: Any, prompt: Any) -> Picture:
    """A sampled batch with an identity, and with regional prompts under or over it; `texts` are
    one for each region, or none for a picture without them that is run alike."""

    def draw(kind: str, order: str, texts: Any, **how: Any) -> torch.Tensor:
        positive, couple = prompt.positive, KINDS[kind](texts, HALVES) if texts else None
        ours = lambda one: applied(one, **how)  # noqa: E731
        theirs = couple.on if couple and kind != HOOKED else lambda one: one
        if kind == HOOKED:
            positive = hooked(couple, positive)
        patched = theirs(ours(model)) if order == "over ours" else ours(theirs(model))
        return sample(patched, positive, prompt.negative, batch=2, steps=1, size=(64, 64))

    return draw


@each_kind
@pytest.mark.parametrize("order", ["below ours", "over ours, a mask for each picture"])
@pytest.mark.combination(GROUP, "{}: the same prompt in both regions changes nothing")
def test_one_prompt_in_both_regions_changes_nothing(
    picture: Picture, prompt: Any, kind: str, order: str
) -> None:
    """On a GPU 1e-4: it sums three rows in another order than two (1.3e-5 on an H100)."""
    how = {"mask": torch.linspace(0, 1, 512).view(2, 16, 16)} if "mask" in order else {}
    order = order.partition(",")[0]
    texts = [prompt.positive[0][0]] * 2
    with_regions, without = (picture(kind, order, each, **how) for each in (texts, None))
    assert agree(with_regions, without, elsewhere=1e-4)


@each_kind
@pytest.mark.combination(GROUP, "{}: two prompts and an identity, in both orders alike")
def test_two_prompts_and_an_identity(picture: Picture, prompt: Any, kind: str) -> None:
    texts = [prompt.positive[0][0], conditioning("a sailor")[0][0]]
    together = picture(kind, "over ours", texts)
    swapped = picture(kind, "below ours", texts)
    assert (together - swapped).norm() / together.norm() < 1e-6
    assert (together - picture(kind, "over ours", None)).norm() / together.norm() > 1e-3
    alone = picture(kind, "over ours", texts, weight=0.0)
    assert (together - alone).norm() / together.norm() > 1e-3


@pytest.mark.combination(GROUP, "rows that no region accounts for")
def test_rows_that_are_nobodys(
    pack: Any, model: Any, applied: Any, prompt: Any, refused: Any
) -> None:
    def odd(q: Any, k: Any, v: Any, options: dict[str, Any]) -> Any:
        return tuple(torch.cat([each, each[:1]]) for each in (q, k, v))

    odd.__module__ = "/srv/ComfyUI/custom_nodes/odd_x_pack.nodes"
    patched = applied(model)
    patched.set_model_attn2_patch(odd)
    errors = pack.module("instantid_core.errors")
    with pytest.raises(
        errors.IncompatibleModelError, match=r"A patch of odd\.pack changes"
    ) as caught:
        sample(patched, *prompt, batch=2)
    assert "expected the 4 of the call" in str(caught.value)
    refused(caught.value)
