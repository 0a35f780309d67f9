"""Time of a sampling step, and memory that an identity holds during it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

from tools.small_world import published_shapes
from tools.small_world.scenes import Prompt

from .baseline import install_baseline
from .host import Scene
from .report import Row, Table, sizes, timings
from .snapshots import bytes_of, reachable_tensors

AMOUNT = 0.8
EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
HALF = 2
"""Bytes per number in fp16."""
TOKENS = 16
PLAIN, ADAPTER, BOTH = "plain", "+ adapter", "+ adapter and IdentityNet"
BASELINE = "+ adapter, baseline (K and V projected in every step)"


class Effort(NamedTuple):
    """Extent of a measurement."""

    pixels: int
    """Width and height of the picture."""
    rounds: int
    steps: int
    """Steps per round and variant. The first does not count: it draws IdentityNet's hint."""

    def __str__(self) -> str:
        counted = self.rounds * (self.steps - 1)
        return f"medians of {counted} steps each, in turns"


LARGE_SIZE = Effort(512, rounds=3, steps=3)
SMALL_SIZE = Effort(128, rounds=8, steps=5)
"""In a small picture, keys and values take a larger share of a step."""


class Variant(NamedTuple):
    """A model and the conditioning to run it with."""

    model: Any
    prompt: Prompt


def variants(scene: Scene) -> dict[str, Variant]:
    """Variants to compare, by name."""
    who = {"adapter": scene.adapter, "identity": scene.identity, **EVERYTHING}
    run = scene.pack.run
    (adapted,) = run("InstantIDApplyAdapter", model=scene.model, weight=AMOUNT, **who)
    conditioned = run(
        "InstantIDApplyIdentityNet",
        **scene.prompt._asdict(),
        control_net=scene.control_net,
        strength=AMOUNT,
        faces=scene.faces,
        **who,
    )
    return {
        PLAIN: Variant(scene.model, scene.prompt),
        ADAPTER: Variant(adapted, scene.prompt),
        BOTH: Variant(adapted, Prompt(*conditioned)),
        BASELINE: Variant(install_baseline(scene, AMOUNT), scene.prompt),
    }


def step_tables(compared: dict[str, Variant]) -> list[Table]:
    """Tables of a step in all variants, and of the adapter compared with the baseline."""
    difference = require_alike(compared[ADAPTER], compared[BASELINE], compared[PLAIN])
    large = measure(compared, LARGE_SIZE)
    small = measure({name: compared[name] for name in (ADAPTER, BASELINE)}, SMALL_SIZE)
    clock = "CPU time of one thread" if _on_cpu(compared[PLAIN].model) else "wall time"
    alike = f"Largest difference between the two results: {difference:.1e}."
    return [
        Table(
            f"One step: small SDXL, CFG (2 rows), {_square(LARGE_SIZE)}",
            timings({name: large[name] for name in (PLAIN, ADAPTER, BOTH)}),
            (f"{clock}; {LARGE_SIZE}.",),
        ),
        Table(
            f"The same step, K and V projected once and in every step, {_square(LARGE_SIZE)}",
            timings({name: large[name] for name in (ADAPTER, BASELINE)}),
            (alike,),
        ),
        Table(f"The same, {_square(SMALL_SIZE)}", timings(small), (f"{clock}; {SMALL_SIZE}.",)),
    ]


def _square(effort: Effort) -> str:
    return f"{effort.pixels} x {effort.pixels} pixels"


def require_alike(ours: Variant, usual: Variant, plain: Variant) -> float:
    """Largest difference between two results. Raises RuntimeError if it exceeds rounding."""
    first, second, without = (
        sample(v.model, v.prompt, pixels=SMALL_SIZE.pixels, steps=1) for v in (ours, usual, plain)
    )
    if not _alike(first, second) or _alike(first, without):
        raise RuntimeError(
            "the results differ by more than rounding, so the times cannot be compared"
        )
    return float((first - second).abs().max())


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether results are equal except for rounding errors, accumulated over 70 layers."""
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def measure(compared: dict[str, Variant], effort: Effort) -> dict[str, list[float]]:
    """Seconds of the counted steps; variants take turns, in a different order each round."""
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    for name in in_turns(list(compared), effort.rounds):
        seconds[name] += step_seconds(compared[name], effort)[1:]
    return seconds


def in_turns(names: list[str], rounds: int) -> Iterator[str]:
    """All names in each round, another one first in the next."""
    for turn in range(rounds):
        shift = turn % len(names)
        yield from names[shift:] + names[:shift]


def step_seconds(variant: Variant, effort: Effort, **how: Any) -> list[float]:
    """Seconds of each step, including the host's guider. how: as for `sample`."""
    from comfy.patcher_extension import WrappersMP

    now, seconds = clock_of(variant.model), []

    def timed(executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        started = now()
        out = executor(*args, **kwargs)
        seconds.append(now() - started)
        return out

    model = variant.model.clone()
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "benchmark", timed)
    sample(model, variant.prompt, **{"pixels": effort.pixels, "steps": effort.steps, **how})
    return seconds


def sample(
    model: Any,
    prompt: Prompt,
    *,
    pixels: int | tuple[int, int],
    steps: int,
    batch: int = 1,
    cfg: float = 4.5,
) -> torch.Tensor:
    """Runs the host's sampler on an empty latent. pixels: a square's side, or width and height."""
    import comfy.sample

    width, height = (pixels, pixels) if isinstance(pixels, int) else pixels
    latent = torch.zeros(batch, 4, height // 8, width // 8)
    noise = comfy.sample.prepare_noise(latent, 7)
    how = (steps, cfg, "euler", "normal")
    return comfy.sample.sample(model, noise, *how, *prompt, latent, seed=7, disable_pbar=True)


def _on_cpu(model: Any) -> bool:
    return model.load_device.type == "cpu"


def clock_of(model: Any) -> Callable[[], float]:
    """Clock of the device that a model runs on."""
    return clock_on(model.load_device)


def clock_on(device: torch.device) -> Callable[[], float]:
    """Clock of a device: CPU time of this thread; on a GPU, wall time after the queue is empty."""
    if device.type == "cpu":
        return time.thread_time

    def after_the_queue() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return after_the_queue


# --- memory ---------------------------------------------------------------------------------------


def memory_tables(compared: dict[str, Variant]) -> list[Table]:
    """Tables of the bytes that patches hold while sampling: counted, and for published sizes."""
    ours, usual = (bytes_held_by_patches(compared[name].model) for name in (ADAPTER, BASELINE))
    counted = {"ours: projected keys and values": ours, "baseline: to_k, to_v, tokens": usual}
    note = "A small model's context is narrow, so here the weights to keep away are small as well."
    return [
        Table("Held on the model while sampling: small SDXL, counted", sizes(counted), (note,)),
        Table("Held on the model while sampling: published sizes, fp16, computed", published()),
    ]


def bytes_held_by_patches(model: Any) -> int:
    """Bytes of all memory reachable from the model's cross-attention patches."""
    patches = model.model_options["transformer_options"]["patches_replace"]["attn2"]
    return bytes_of(reachable_tensors(list(patches.values())))


def published() -> tuple[Row, ...]:
    """Rows for the published adapter, computed from its shapes."""
    widths = sum(published_shapes.SITE_WIDTHS)
    keys_values = 2 * 2 * TOKENS * widths * HALF
    projections = _bytes(published_shapes.ip_adapter())
    return sizes(
        {
            "ours: keys and values of one identity, both polarities": keys_values,
            "baseline: to_k and to_v": projections,
            "the baseline, the resampler kept too": projections
            + _bytes(published_shapes.image_proj()),
        }
    )


def _bytes(shapes: published_shapes.Shapes) -> int:
    return sum(torch.Size(shape).numel() for shape in shapes.values()) * HALF
