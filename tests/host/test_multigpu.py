"""ComfyUI's own MultiGPU, on two CPU 'devices': `cpu` and `cpu:0` are two keys to it."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import Any

import pytest
import torch

from nodes import ControlNetLoader
from tools.small_world.scenes import photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
GROUP = "Memory and devices"
DEVICES = [torch.device("cpu"), torch.device("cpu:0")]
SIZE = (64, 64)
pytestmark = pytest.mark.skipif(
    find_spec("comfy.multigpu") is None, reason="this ComfyUI has no MultiGPU"
)


@pytest.fixture
def applied(pack: Any, adapter: Any, identity_of: Any, control_net: Any, faces_of: Any) -> Any:
    identity, faces = identity_of(1), faces_of(photo(1))

    def apply(model: Any, prompt: Any) -> Any:
        how = {"adapter": adapter, "identity": identity, **EVERYTHING}
        (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)
        net = {"control_net": control_net, "faces": faces, "strength": 0.8}
        return patched, *pack.run("InstantIDApplyIdentityNet", **prompt._asdict(), **net, **how)

    return apply


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    import comfy.model_management as management

    def devices(exclude_current: bool = False) -> list[torch.device]:
        return DEVICES[1:] if exclude_current else DEVICES

    monkeypatch.setattr(management, "get_torch_device", lambda: DEVICES[0])
    monkeypatch.setattr(management, "get_all_torch_devices", devices)
    monkeypatch.setattr(management, "set_torch_device", lambda device: None, raising=False)


@pytest.fixture
def control_net(two_devices: None, models_dir: Any) -> Any:
    return ControlNetLoader().load_controlnet("instantid_small.safetensors")[0]


@pytest.fixture
def splittable(two_devices: None, small_sdxl: Any) -> Any:
    """A model that the host can make a second of, as its own loaders' models are."""
    model = small_sdxl.small_unet()
    model.cached_patcher_init = (small_sdxl.small_unet, ())
    return model


@pytest.mark.combination(GROUP, "MultiGPU: conds split over two devices in threads, within 1e-4")
def test_split_over_two_devices(splittable: Any, applied: Any, prompt: Any) -> None:
    import comfy.multigpu as multigpu

    patched, positive, negative = applied(splittable, prompt)
    one = sample(patched, positive, negative, size=SIZE, steps=2)
    split = multigpu.create_multigpu_deepclones(patched, 2)
    (clone,) = split.get_additional_models_with_key("multigpu")
    assert clone.load_device == DEVICES[1]
    networks = []
    for model in (split, clone):
        network = model.model.diffusion_model
        network.register_forward_pre_hook(
            lambda *_, n=network: networks.append((id(n), threading.current_thread().name))
        )
    two = sample(split, positive, negative, size=SIZE, steps=2)
    assert len({network for network, _ in networks}) == 2, "both devices worked"
    # Each side of the guidance ran by itself, which sums in another order.
    assert (one - two).norm() / one.norm() < 1e-4


@pytest.mark.combination(
    GROUP, "MultiGPU: a deep clone has patches of its own, the model keeps its"
)
def test_deep_clones_are_apart(splittable: Any, applied: Any, prompt: Any) -> None:
    patched, positive, _ = applied(splittable, prompt)
    clone = patched.deepclone_multigpu(DEVICES[1])
    sites, theirs = (
        m.model_options["transformer_options"]["patches_replace"]["attn2"] for m in (patched, clone)
    )
    assert sites.keys() == theirs.keys()
    assert all(sites[key] is not theirs[key] for key in sites)
    net = positive[0][1]["control"]
    twin = net.deepclone_multigpu(DEVICES[1])
    assert type(twin) is type(net)
    assert twin.control_model is not net.control_model
    assert twin.condition is net.condition


@pytest.mark.combination(
    GROUP, "`.to(device)` of a patch from many threads: new objects, same keys"
)
def test_moving_in_threads(splittable: Any, applied: Any, prompt: Any) -> None:
    patched, _, _ = applied(splittable, prompt)
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    patch = sites["middle", 0, 0]
    meta = torch.device("meta")
    before = patch.identity
    moved: list[Any] = []

    def move(number: int) -> None:
        for _ in range(50):
            moved.append((number % 2, patch.to(meta if number % 2 else DEVICES[0])))
            patch.to(torch.float8_e4m3fn)
            patch.to(None)

    threads = [threading.Thread(target=move, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(moved) == 400
    assert patch.identity is before, "the object itself stays as it was"
    assert all(twin is not patch for odd, twin in moved if odd)
    assert all(twin is patch for odd, twin in moved if not odd)


def test_what_another_pack_has_added_moves_along(
    splittable: Any, applied: Any, prompt: Any
) -> None:
    patched, _, _ = applied(splittable, prompt)
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    patch = sites["middle", 0, 0]
    patch.add(lambda out, *_, **__: out, cond=torch.ones(1), weight=0.5)
    ((_, settings),) = patch.to(torch.device("meta")).added
    assert settings["cond"].device.type == "meta" and settings["weight"] == 0.5
    assert patch.to(DEVICES[0]) is patch
    assert patch.to(torch.float16).added[0][1]["cond"].dtype == torch.float32
