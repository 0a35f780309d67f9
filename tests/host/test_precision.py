"""Every number format and every way to keep weights; no device but the host's own is named."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import comfy.model_management
import pytest
import torch
from safetensors.torch import save_file
from support.devices import places

from nodes import ControlNetLoader
from tools.small_world.adapter import AdapterSizes, adapter_weights, flat
from tools.small_world.scenes import photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
UNET = "Number formats of the UNet"
ADAPTER = "Number formats of the adapter file"
MEMORY = "Memory and devices"
REPOSITORY = Path(__file__).parents[2]
SIZE = (64, 64)
FORMATS = {
    "fp32": (torch.float32, None),
    "fp16": (torch.float16, None),
    "bf16": (torch.bfloat16, None),
    "fp16, computed in fp32": (torch.float16, torch.float32),
    "fp8 (e4m3), computed in bf16": (torch.float8_e4m3fn, torch.bfloat16),
    "fp8 (e5m2), computed in bf16": (torch.float8_e5m2, torch.bfloat16),
    "fp8 (e4m3), computed in fp32": (torch.float8_e4m3fn, torch.float32),
}
QUICK = ("fp16", "fp8 (e4m3), computed in bf16")
"""Formats of a quick run: the usual one, and the farthest from it."""
NEAR = {torch.float32: 1e-5, torch.float16: 0.02, torch.bfloat16: 0.15}
"""How near a picture is to the same weights computed in fp32; random models amplify rounding."""


def small_model(small_sdxl: Any, stored: torch.dtype, computed: torch.dtype | None) -> Any:
    import comfy.model_patcher
    import comfy.supported_models

    settings = comfy.supported_models.SDXL(small_sdxl.SmallConfig().unet)
    settings.set_inference_dtype(stored, computed)
    model = settings.get_model({}, device=torch.device("cpu"))
    for name, weight in model.diffusion_model.named_parameters():
        # Through the stored format, so that every model of a test has the same weights.
        weight.data = small_sdxl.weights_for(name, weight.shape).to(stored).to(weight.dtype)
    model.diffusion_model.requires_grad_(False).eval()
    return comfy.model_patcher.CoreModelPatcher(model, **places())


@pytest.fixture
def applied(pack: Any, adapter: Any, identity_of: Any, control_net: Any, faces_of: Any) -> Any:
    identity, faces = identity_of(1), faces_of(photo(1))

    def apply(model: Any, prompt: Any, weight: float = 0.8, with_adapter: Any = adapter) -> Any:
        how = {"adapter": with_adapter, "identity": identity, **EVERYTHING}
        (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=weight, **how)
        net = {"control_net": control_net, "faces": faces, "strength": weight}
        return patched, *pack.run("InstantIDApplyIdentityNet", **prompt._asdict(), **net, **how)

    return apply


def noting(patch: Any, calls: list[tuple[torch.dtype, torch.dtype]]) -> Any:
    """A patch that notes the formats of its queries and of what it gives."""

    def call(q: torch.Tensor, *rest: Any) -> torch.Tensor:
        out = patch(q, *rest)
        calls.append((q.dtype, out.dtype))
        return out

    return call


@pytest.mark.parametrize(
    "kind",
    [one if one in QUICK else pytest.param(one, marks=pytest.mark.thorough) for one in FORMATS],
)
@pytest.mark.combination(UNET, "{}")
def test_unet_formats(small_sdxl: Any, applied: Any, prompt: Any, kind: str) -> None:
    """The identity acts, computed as the UNet computes, and near what fp32 gives."""
    stored, computed = FORMATS[kind]
    model = small_model(small_sdxl, stored, computed)
    how = {"size": SIZE, "steps": 1}
    patched = applied(model, prompt)
    sites = patched[0].model_options["transformer_options"]["patches_replace"]["attn2"]
    dtype = computed or stored
    calls: list[tuple[torch.dtype, torch.dtype]] = []
    for key, patch in list(sites.items()):
        sites[key] = noting(patch, calls)
    picture = sample(*patched, **how)
    assert len(calls) == 70
    assert set(calls) == {(dtype, dtype)}
    assert not torch.equal(picture, sample(*applied(model, prompt, 0.0), **how))
    exact = small_model(small_sdxl, torch.float32, None)
    exact.model.diffusion_model.load_state_dict(
        {n: w.to(torch.float32) for n, w in model.model.diffusion_model.state_dict().items()}
    )
    reference = sample(*applied(exact, prompt), **how)
    assert (picture - reference).norm() / reference.norm() < NEAR[dtype]


FILES = {
    "fp32": (torch.float32, 1e-6),
    "fp16": (torch.float16, 2e-3),
    "bf16": (torch.bfloat16, 2e-2),
    "fp8 (e4m3)": (torch.float8_e4m3fn, 0.3),
    "fp8 (e5m2)": (torch.float8_e5m2, 0.6),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("form", ["safetensors", "bin"])
@pytest.mark.combination(ADAPTER, "{}")
def test_adapter_formats(
    pack: Any,
    models_dir: Path,
    adapter: Any,
    identity_of: Any,
    model: Any,
    form: str,
    kind: str,
    refused: Any,
) -> None:
    """Tokens and keys are near those of fp32; what torch.save cannot hold portably is refused."""
    dtype, near = FILES[kind]
    weights = adapter_weights(AdapterSizes(adapter.config.site_widths))
    cast = {part: {n: t.to(dtype) for n, t in each.items()} for part, each in weights.items()}
    name = f"format_{list(FILES).index(kind)}.{form}"
    with torch.inference_mode(False):
        path = models_dir / "instantid" / name
        save_file(flat(cast), path) if form == "safetensors" else torch.save(cast, path)
    if form == "bin" and kind.startswith("fp8"):
        errors = pack.module("instantid_core.errors")
        with pytest.raises(errors.CheckpointError, match="such as fp8") as caught:
            pack.run("InstantIDLoadAdapter", adapter_name=name)
        refused(caught.value)
        return
    (loaded,) = pack.run("InstantIDLoadAdapter", adapter_name=name)
    negative = pack.module("instantid_core.identity.embedding").NegativeIdentity()
    tokens, exact = (each.tokens(identity_of(1), negative).positive for each in (loaded, adapter))
    assert tokens.dtype == torch.float32
    assert (tokens - exact).norm() / exact.norm() < near
    how = {"adapter": loaded, "identity": identity_of(1), **EVERYTHING}
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)
    assert patched is not model


def few_on_device(patcher: Any, share: float) -> float:
    """Load as `--lowvram` does: what exceeds a share of the model is cast layer by layer on use.
    Returns the share that was loaded."""
    size = patcher.model_size()
    patcher.load(patcher.load_device, lowvram_model_memory=max(1, int(share * size)))
    return patcher.model.model_loaded_weight_memory / size


@pytest.mark.parametrize("allowed", [0.0, 0.5], ids=["--novram: all", "--lowvram: half"])
@pytest.mark.combination(MEMORY, "{} of the adapter's and the UNet's layers cast on use")
def test_little_memory(
    pack: Any,
    adapter: Any,
    identity_of: Any,
    small_sdxl: Any,
    prompt: Any,
    applied: Any,
    monkeypatch: pytest.MonkeyPatch,
    allowed: float,
) -> None:
    """The host does without this on a CPU, so its loading is called for directly. Equal bits."""
    model = small_sdxl.small_unet()
    usual = sample(*applied(model, prompt), size=SIZE, steps=1)
    identity = identity_of(5)
    negative = pack.module("instantid_core.identity.embedding").NegativeIdentity()
    exact = adapter.tokens(identity, negative).positive
    twin = pack.run("InstantIDLoadAdapter", adapter_name="instantid_small.safetensors")[0]
    loaded: list[float] = []
    monkeypatch.setattr(
        comfy.model_management,
        "load_models_gpu",
        lambda models, *a, **k: loaded.extend(few_on_device(m, allowed) for m in models),
    )
    assert torch.equal(exact, twin.tokens(identity, negative).positive)
    assert torch.equal(usual, sample(*applied(model, prompt, 0.8, twin), size=SIZE, steps=1))
    assert len(loaded) >= 2, "the adapter, and the UNet"
    assert all((share == 0) if not allowed else (0 < share <= allowed) for share in loaded), loaded


FORBIDDEN = {"cuda", "mps", "xpu", "privateuseone"}
LOOK_AT_MACHINES = ("doctor", "libraries")
"""Packages that check installations or open ONNX Runtime; they run no tensor of ours."""


@pytest.mark.combination(MEMORY, "CUDA, MPS, DirectML, XPU: no device is named in the pack's code")
def test_no_device_is_named() -> None:
    """By the syntax tree: no `torch.cuda`, no `.cuda()`, no device by a string."""
    found = []
    paths = {
        path for part in ("nodes", "instantid_core") for path in (REPOSITORY / part).rglob("*.py")
    }
    excepted = {path for path in paths if path.parent.name in LOOK_AT_MACHINES}
    assert 5 < len(excepted) < len(paths) / 4
    for path in paths - excepted:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Attribute) and node.attr in FORBIDDEN
            given = (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value.split(":")[0] in FORBIDDEN
            )
            if named or given:
                found.append(f"{path.name}:{node.lineno}")
    assert not found


@pytest.mark.combination(MEMORY, "CUDA hidden and its functions out of order: `--cpu`")
def test_cuda_hidden(
    pack: Any, small_sdxl: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the loaders to the sampler, nothing of it known from before."""

    def out_of_order(*_: Any, **__: Any) -> None:
        raise AssertionError("a CUDA call")

    for name in (
        "synchronize",
        "current_device",
        "Stream",
        "mem_get_info",
        "empty_cache",
        "device",
    ):
        monkeypatch.setattr(torch.cuda, name, out_of_order)
    # As `--cpu` leaves them, on a host that has started without it too.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    management = comfy.model_management
    monkeypatch.setattr(management, "cpu_state", management.CPUState.CPU)
    monkeypatch.setattr(torch.Tensor, "cuda", out_of_order)
    monkeypatch.setattr(torch.nn.Module, "cuda", out_of_order)
    (loaded,) = pack.run("InstantIDLoadAdapter", adapter_name="instantid_small.safetensors")
    loader = {"model_pack": "antelopev2", "provider": "cpu"}
    (analyzer,) = pack.run("InstantIDLoadFaceAnalyzer", **loader)
    (net,) = ControlNetLoader().load_controlnet("instantid_small.safetensors")
    choice = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    faces = pack.run("InstantIDAnalyzeFaces", analyzer=analyzer, image=photo(5), **choice)[0]
    (identity,) = pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")
    how = {"adapter": loaded, "identity": identity, **EVERYTHING}
    model = small_sdxl.small_unet()
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)
    held = {"control_net": net, "faces": faces, "strength": 0.8, **how}
    sides = pack.run("InstantIDApplyIdentityNet", **prompt._asdict(), **held)
    assert torch.isfinite(sample(patched, *sides, size=SIZE, steps=1)).all()


@pytest.mark.combination(MEMORY, "MPS and DirectML: nothing of the pack computes in fp64")
def test_no_doubles_reach_the_device(
    pack: Any, small_sdxl: Any, applied: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These devices have no float64. Everything that the pack hands to the UNet is looked at."""
    kinds = set()
    attention = pack.module("instantid_core.adapter.attention").SiteIdentity
    add_to = attention.add_to

    def noted(self: Any, out: Any, q: Any, *rest: Any) -> torch.Tensor:
        result = add_to(self, out, q, *rest)
        kinds.update((out.dtype, q.dtype, result.dtype))
        return result

    monkeypatch.setattr(attention, "add_to", noted)
    patched, positive, negative = applied(small_sdxl.small_unet(), prompt)
    net = positive[0][1]["control"]
    hook = net.control_model.register_forward_pre_hook(
        lambda _, __, given: kinds.update(
            value.dtype for value in given.values() if isinstance(value, torch.Tensor)
        ),
        with_kwargs=True,
    )
    sample(patched, positive, negative, size=SIZE, steps=1)
    hook.remove()
    assert kinds == {torch.float32}
