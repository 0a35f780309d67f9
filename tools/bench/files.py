"""UNet, IdentityNet and adapter as files in the published layouts, loaded by the host's loaders.

Their weights are random: a few million numbers, repeated. Names and shapes are the host's own for a
checkpoint, diffusers' for IdentityNet, and those of the published adapter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch

from tools.small_world.adapter import AdapterSizes, adapter_weights

from .host import Pack
from .processes import adapter_sizes
from .report import Row, Table
from .world import META, SIZES, World, prompt_for, random_net, random_unet

PUBLISHED_WIDTH = SIZES["published"][0]
PREFIX = "model.diffusion_model."
"""Prefix of a UNet's keys in a checkpoint."""
SCALE_POOL = 1 << 22
Shapes = dict[str, torch.Size]


class Files(NamedTuple):
    """Paths of the files, with their published names."""

    unet: Path
    net: Path
    adapter: Path


def sizes_of(config: Any) -> AdapterSizes:
    """Sizes of the adapter for a UNet of this width."""
    if config.width == PUBLISHED_WIDTH:
        return adapter_sizes(1)
    return AdapterSizes(config.site_widths, config.context_dim)


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
