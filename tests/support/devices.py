"""Where ComfyUI computes: on the CPU as a rule, on a GPU where its options in conftest say so."""

from __future__ import annotations

from typing import Any

import comfy.model_management
import torch

from tools.bench.snapshots import snapshot


def compute_device() -> torch.device:
    return comfy.model_management.get_torch_device()


def places() -> dict[str, torch.device]:
    """Arguments of a patcher whose model the host moves to its device and back."""
    offload = comfy.model_management.unet_offload_device()
    return {"load_device": compute_device(), "offload_device": offload}


def agree(one: torch.Tensor, other: torch.Tensor, elsewhere: float) -> bool:
    """Whether two pictures are equal, bit for bit on a CPU; to a relative error on other devices,
    where the number of rows chooses the kernel."""
    if compute_device().type == "cpu":
        return torch.equal(one, other)
    return bool((one - other).norm() / other.norm() <= elsewhere)


def at_rest(model: Any) -> Any:
    """A snapshot of a model's options as they are while another model is loaded.

    The host exchanges the patches of a model that it moves, so only those of one that lies where
    it is kept can be compared as objects.
    """
    model.model_patches_to(model.offload_device)
    return snapshot(model.model_options)


def loaded(net: Any) -> torch.device:
    """Load a ControlNet and those in front of it, as before a run; where they lie from then on."""
    comfy.model_management.load_models_gpu(net.get_models())
    return net.load_device
