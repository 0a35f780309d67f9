"""What is done once stays done once: counts, where a clock would only tell of the machine."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from harness.scenes import photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}


class Calls:
    """Counts the layers of an adapter that run."""

    def __init__(self, adapter: Any) -> None:
        self.resampler = self.projections = 0
        network = adapter.patcher.model
        self.hooks = [network.resampler.register_forward_hook(self._resampler)]
        for layer in (*network.to_k, *network.to_v):
            self.hooks.append(layer.register_forward_hook(self._projection))

    def _resampler(self, *_: Any) -> None:
        self.resampler += 1

    def _projection(self, *_: Any) -> None:
        self.projections += 1


@pytest.fixture
def calls(adapter: Any) -> Iterator[Calls]:
    counted = Calls(adapter)
    yield counted
    for hook in counted.hooks:
        hook.remove()


@pytest.fixture
def applied(pack: Any, model: Any, adapter: Any) -> Any:
    def apply(identity: Any, weight: float = 0.8, **settings: Any) -> Any:
        how = {"adapter": adapter, "identity": identity, **EVERYTHING, **settings}
        return pack.run("InstantIDApplyAdapter", model=model, weight=weight, **how)[0]

    return apply


def test_sampling_runs_no_layer_of_the_adapter(
    applied: Any, identity_of: Any, prompt: Any, calls: Calls
) -> None:
    patched = applied(identity_of(1))
    before = calls.resampler, calls.projections
    assert before == (2, 2 * 70), "positive and negative tokens; keys and values of every site"
    sample(patched, *prompt, steps=3)
    assert (calls.resampler, calls.projections) == before


def test_weight_and_window_do_not_project_again(
    applied: Any, identity_of: Any, calls: Calls
) -> None:
    identity = identity_of(1)
    applied(identity)
    before = calls.resampler, calls.projections
    applied(identity, weight=0.3)
    applied(identity, start_at=0.2, end_at=0.9)
    assert (calls.resampler, calls.projections) == before
    applied(identity, negative_identity="noise")
    assert calls.resampler == before[0] + 2


def test_both_nodes_share_one_projection(
    pack: Any,
    applied: Any,
    adapter: Any,
    identity_of: Any,
    control_net: Any,
    faces_of: Any,
    prompt: Any,
    calls: Calls,
) -> None:
    identity = identity_of(1)
    applied(identity)
    pack.run(
        "InstantIDApplyIdentityNet",
        positive=prompt.positive,
        negative=prompt.negative,
        control_net=control_net,
        adapter=adapter,
        identity=identity,
        faces=faces_of(photo(1)),
        strength=0.8,
        **EVERYTHING,
    )
    assert calls.resampler == 2


def test_what_is_remembered_goes_with_the_identity(applied: Any, identity_of: Any) -> None:
    identity = identity_of(1)
    patched = applied(identity)
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    keys = weakref.ref(sites["middle", 0, 0].identity.keys_values.keys)
    del patched, sites
    gc.collect()
    assert keys() is not None, "kept for the next change of a widget"
    del identity
    gc.collect()
    assert keys() is None


def test_masks_are_resized_once_per_size(
    applied: Any, identity_of: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    patched = applied(identity_of(1), mask=torch.ones(1, 100, 100))
    sizes = []
    real = torch.nn.functional.interpolate

    def counted(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if tensor.shape[-2:] == (100, 100):
            sizes.append(kwargs["size"])
        return real(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "interpolate", counted)
    sample(patched, *prompt, steps=3)
    assert sorted(sizes) == [(4, 4), (8, 8)], "two levels of the UNet have cross-attention"


@pytest.mark.parametrize(("window", "looks"), [((0.0, 1.0), 0), ((0.1, 0.9), 1)])
def test_sigma_is_read_at_most_once_per_call(
    applied: Any,
    identity_of: Any,
    prompt: Any,
    pack: Any,
    monkeypatch: pytest.MonkeyPatch,
    window: tuple[float, float],
    looks: int,
) -> None:
    rows = pack.module("instantid_core.schedule").SamplingRows
    seen = []
    level = rows.__dict__["noise_level"].func

    def counted(self: Any) -> float:
        seen.append(self)
        return level(self)

    monkeypatch.setattr(rows.__dict__["noise_level"], "func", counted)
    sample(applied(identity_of(1), start_at=window[0], end_at=window[1]), *prompt, steps=4)
    assert len(seen) == 4 * looks


def test_an_identity_of_sdxl_holds_under_11_megabytes(pack: Any) -> None:
    from harness.published_shapes import SITE_WIDTHS

    held = 2 * 2 * 16 * sum(SITE_WIDTHS) * torch.float16.itemsize
    assert held <= 11e6
