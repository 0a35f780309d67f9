"""Files of whole models, loaded by the host, and runs of them: steps, and the first step.

The files have the published layouts and random weights: a few million numbers, repeated. On a CPU a
step of SDXL at 1024 x 1024 takes minutes: `--steps` adds one at 256 x 256, and without it the first
step is that of a small model.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch

from tools.small_world.adapter import adapter_weights

from .counts import BOTH, SETTINGS, Setting, counted
from .first_step import first_step_table
from .host import Pack
from .latency import latency_table
from .processes import PUBLISHED_WIDTH, sizes_of
from .report import Row, Table, missing
from .roofline import measure_rates, wall_on
from .targets import Findings
from .whole_steps import Counts, whole_tables
from .world import META, SIZES, World, build_world, prompt_for, random_net, random_unet

PREFIX = "model.diffusion_model."
"""Prefix of a UNet's keys in a checkpoint."""
SCALE_POOL = 1 << 22
Shapes = dict[str, torch.Size]


class Files(NamedTuple):
    """Paths of the files, with their published names."""

    unet: Path
    net: Path
    adapter: Path


def write_files(folder: Path, dims: str) -> Files:
    """Writes all three, in half precision except for the adapter, which is published in single."""
    from tools.small_world.node.small_sdxl import SmallConfig

    config = SmallConfig(*SIZES[dims])
    files = Files(
        folder / "sd_xl_base_1.0.safetensors",
        folder / "ControlNetModel" / "diffusion_pytorch_model.safetensors",
        folder / "ip-adapter.bin",
    )
    files.net.parent.mkdir(parents=True)
    write_random(files.unet, unet_shapes(config))
    write_random(files.net, net_shapes(config))
    torch.save(adapter_weights(sizes_of(config)), files.adapter)
    return files


def unet_shapes(config: Any) -> Shapes:
    """Shapes under their names in a checkpoint, without text encoders and VAE."""
    network = random_unet(config, META, torch.float16).model.diffusion_model
    return {PREFIX + name: weights.shape for name, weights in network.state_dict().items()}


def net_shapes(config: Any) -> Shapes:
    """Shapes under their names in diffusers."""
    from .diffusers_twin import twin_controlnet

    ours = random_net(config, META, torch.float16).control_model.state_dict()
    with META:
        twin = twin_controlnet(config, ours)
    return {name: weights.shape for name, weights in twin.state_dict().items()}


def write_random(file: Path, shapes: Shapes) -> None:
    """Writes a .safetensors file in half precision, one tensor at a time to save memory."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * shape.numel()
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pool = torch.randn(SCALE_POOL, generator=torch.Generator().manual_seed(5))
    with file.open("wb") as target:
        target.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            for part in _parts(name, shape, pool):
                target.write(part)


def _parts(name: str, shape: torch.Size, pool: torch.Tensor) -> Iterator[bytes]:
    """Numbers that preserve the magnitude of a signal; norms are 1, biases 0."""
    left = shape.numel()
    if len(shape) > 1:
        numbers = pool[:left] * (left / shape[0]) ** -0.5
    else:
        numbers = torch.full((left,), 1.0 if name.endswith("weight") else 0.0)
    data = numbers.half().numpy().tobytes()
    while left > 0:
        yield data[: 2 * left]
        left -= len(data) // 2


# --- loading --------------------------------------------------------------------------------------


def loaded_world(pack: Pack, dims: str, dtype: torch.dtype, files: Files) -> tuple[World, Any]:
    """A world from these files, and its adapter, on the device that the host chooses.

    dtype: of the computation; by default the host would use float32 on a CPU.
    """
    import comfy.controlnet
    import comfy.sd

    from tools.small_world.node.small_sdxl import SmallConfig

    config = SmallConfig(*SIZES[dims])
    options = {"dtype": dtype}
    model: Any
    net: Any
    with known_to_host(config):
        model = comfy.sd.load_checkpoint_guess_config(
            str(files.unet), output_vae=False, output_clip=False, model_options=options
        )[0]
        net = comfy.controlnet.load_controlnet(str(files.net), model_options=options)
    require_filled(model.model.diffusion_model, unet_shapes(config))
    require_filled(net.control_model, net_shapes(config))
    model.model.manual_cast_dtype = net.manual_cast_dtype = None
    adapter = pack.module("nodes.host.models").load_adapter(str(files.adapter), files.adapter.name)
    return World(pack, config, model, net, prompt_for(config), dtype), adapter


def require_filled(network: torch.nn.Module, shapes: Shapes) -> None:
    """Raises RuntimeError unless the host built the network of the file."""
    numbers = sum(weights.numel() for weights in network.state_dict().values())
    in_file = sum(shape.numel() for shape in shapes.values())
    finite = all(weights.isfinite().all() for weights in network.parameters())
    if numbers != in_file or not finite:
        raise RuntimeError(f"the host loaded {numbers} numbers from a file of {in_file}")


@contextmanager
def known_to_host(config: Any) -> Iterator[None]:
    """Makes a smaller SDXL known to the host, which recognises SDXL by its width."""
    if config.width == PUBLISHED_WIDTH:
        yield
        return
    import comfy.model_detection as detection
    import comfy.supported_models as supported

    widths = {"model_channels": config.width, "context_dim": config.context_dim}
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(supported.SDXL.unet_config, widths))
        stack.enter_context(
            mock.patch.object(
                detection, "unet_config_from_diffusers_unet", lambda *_: dict(config.unet)
            )
        )
        yield


def files_table(files: Files, dims: str, seconds: dict[str, float]) -> Table:
    """Table of files and their times. seconds: by action."""
    rows = [
        Row(f"{what}: {file.name}", file.stat().st_size / 1e6, "MB")
        for what, file in zip(("UNet", "IdentityNet", "adapter"), files, strict=True)
    ]
    rows += [Row(what, time_taken, "s") for what, time_taken in seconds.items()]
    notes = ("Random weights in the published layouts; the host's loaders read them.",)
    return Table(f"Files of the whole steps, {dims} sizes", tuple(rows), notes)


class Stopwatch:
    """Wall time of named actions, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - started


PICTURE_SIZES = (Setting((1024, 1024)), Setting((832, 1216)))
"""Settings for counts, and for sites on a CPU, where batches only repeat rows."""
SMALL = (Setting((64, 64)), Setting((64, 96), 2))
ON_CPU = (Setting((256, 256)),)
"""Settings of whole steps and first steps on a CPU."""
DTYPES = {"cuda": (torch.float16, torch.bfloat16), "cpu": (torch.float32, torch.bfloat16)}
STEP_DTYPES = {"cuda": DTYPES["cuda"], "cpu": (torch.bfloat16,)}
"""Dtypes of whole steps: on a CPU the one that fits into 13 GB."""
THREADS = 2
"""Threads for measurements of wall time."""


def whole_runs(
    folder: Path, options: argparse.Namespace, scene: Any, findings: Findings
) -> Iterator[Table]:
    """Tables of files, of whole steps if they are feasible, and of the time to the first step."""
    on_gpu = findings.device.type == "cuda"
    feasible = on_gpu or options.dims == "small" or options.steps
    dims = options.dims if feasible else "small"
    settings = SMALL[:1] if options.dims == "small" else SETTINGS if on_gpu else ON_CPU
    watch = Stopwatch()
    with watch.of("written"):
        files = write_files(folder, dims)
    counts = _counts(scene.pack, dims, settings)
    for number, dtype in enumerate(STEP_DTYPES[findings.device.type]):
        with watch.of(f"loaded, {dtype}".replace("torch.", "")):
            world, adapter = loaded_world(scene.pack, dims, dtype, files)
        if feasible:
            rates = measure_rates(findings.device, dtype)
            for table in whole_tables(world, settings, rates, counts):
                findings.steps.append(table)
                yield table
        if not number:
            yield from _first_steps(options, world, adapter, scene, settings[0], counts, findings)
        del world, adapter
    if not feasible:
        yield from _unknown()
    yield files_table(files, dims, watch.seconds)


def _counts(pack: Any, dims: str, settings: tuple[Setting, ...]) -> dict[tuple[int, int], Counts]:
    """Counts of a CFG step of one picture, by the picture's size."""
    world = build_world(pack, dims, META, torch.float16)
    sizes = dict.fromkeys(setting.pixels for setting in settings)
    return {pixels: counted(world, Setting(pixels)) for pixels in sizes}


def _first_steps(
    options: argparse.Namespace,
    world: Any,
    adapter: Any,
    scene: Any,
    setting: Setting,
    counts: dict[tuple[int, int], Counts],
    findings: Findings,
) -> Iterator[Table]:
    """Tables from a change to the end of the first step, and of its parts at full size."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    device, wall = findings.device, wall_on(findings.device)
    rates = {kind: measure_rates(device, kind, wall) for kind in (torch.float32, world.dtype)}
    step = counts[setting.pixels][BOTH]
    yield first_step_table(world, adapter, scene, setting, rates[world.dtype], step)
    whole = build_world(scene.pack, options.dims, META, torch.float32)
    size = (SMALL if options.dims == "small" else PICTURE_SIZES)[0]
    table, findings.photo = latency_table(whole, world, adapter, scene, rates, size)
    yield table
    torch.set_num_threads(threads)


def _unknown() -> Iterator[Table]:
    why = "needs a CUDA device, or hours on a CPU; --steps adds steps at 256 x 256"
    for setting in SETTINGS:
        yield Table(f"One step, {setting}", (missing("every variant", why),))
    yield Table("Memory on the device", (missing("peak, resident"),))
