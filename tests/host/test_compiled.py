"""An identity under torch.compile, and beside the CUDA graphs that ComfyUI captures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import TorchCompileModel

from tools.small_world.scenes import photo, sample


def by_the_node(model: Any) -> Any:
    return TorchCompileModel.execute(model, "inductor")[0]


def by_another_pack(model: Any) -> Any:
    clone = model.clone()
    set_torch_compile_wrapper(model=clone, backend="eager")
    return clone


def graphs() -> int:
    """How many graphs this process has compiled."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


@pytest.mark.combination(
    "Model patches and samplers of others", "torch.compile {}: the identity acts, not compiled"
)
@pytest.mark.parametrize(
    "compiled_by", [by_the_node, by_another_pack], ids=["by TorchCompileModel", "by another pack"]
)
def test_an_identity_is_not_lost_to_compiled_code(
    pack: Any,
    model: Any,
    adapter: Any,
    identity_of: Any,
    prompt: Any,
    caplog: pytest.LogCaptureFixture,
    compiled_by: Any,
) -> None:
    how = {"adapter": adapter, "identity": identity_of(1), "weight": 0.8}
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, **how, start_at=0.0, end_at=1.0)
    wanted = sample(patched, *prompt, steps=1)
    compiled = compiled_by(patched)
    before = graphs()
    found = sample(compiled, *prompt, steps=1)
    assert torch.equal(found, wanted)
    assert graphs() == before
    reported = [one.getMessage() for one in caplog.records if "not compiled" in one.getMessage()]
    assert len(reported) == 1 and "TorchCompileModel" in reported[0]
    assert compiled.wrappers[WrappersMP.APPLY_MODEL]["torch.compile"], "left out of this run alone"


@pytest.mark.combination(
    "Model patches and samplers of others",
    "CUDA graphs of ComfyUI: it captures no block that an identity acts in",
)
def test_no_block_of_the_unet_is_captured(
    model: Any, applied: Any, netted: Any, faces_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows and curves are decided in Python, once a step; a captured block repeats one step's.

    ComfyUI captures what a model runs through `comfy.model_prefetch`: a queue of blocks, of which
    0.33.1 and newer replay some. Neither SDXL's UNet nor a ControlNet runs its blocks that way.
    """
    prefetch = pytest.importorskip("comfy.model_prefetch")
    queued: list[str] = []
    for name in ("make_prefetch_queue", "prefetch_queue_pop"):
        monkeypatch.setattr(prefetch, name, lambda *_, name=name, **__: queued.append(name))
    patched = applied(model, start_at=0.2, end_at=0.8, curve="fade out")
    sample(patched, *netted(faces_of(photo(1))), steps=2, size=(64, 64))
    assert queued == []
