"""The training loop that all trainings share.

A step's batch, noise and learning rate depend on the seed and the step's number alone. So a run
that was interrupted goes on exactly as it would have, without any generator's state in its file.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Tensors = dict[str, torch.Tensor]
Draw = Callable[[torch.Generator], Tensors]
"""This step's generator, on the CPU -> a batch on the training's device."""
Loss = Callable[[nn.Module, Tensors], tuple[torch.Tensor, Tensors]]
"""The network and a batch -> the loss and figures for the log, NaN where a batch has none."""
Pace = Callable[[str], float]
STATE_FILE = "state.pt"
WEIGHTS_FILE = "weights.pt"
LOG_FILE = "log.csv"


@dataclass(frozen=True)
class LoopSettings:
    """Length, speed and folder of a training."""

    folder: Path
    steps: int
    batch: int = 16
    learning_rate: float = 1e-3
    warmup: int = 100
    """Steps over which the learning rate rises from 0."""
    final_rate: float = 0.05
    """End of the cosine, as a fraction of `learning_rate`."""
    weight_decay: float = 0.01
    second_beta: float = 0.999
    """AdamW's decay of squared gradients."""
    largest_gradient: float = 1.0
    """Gradients are scaled down to this norm."""
    ema_decay: float = 0.998
    mixed_precision: str = "bf16"
    checkpoint_every: int = 250
    log_every: int = 10
    seed: int = 0
    threads: int = 0
    """0 leaves torch's choice."""

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warmup, then half a cosine."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        fall = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
        return self.learning_rate * (self.final_rate + (1 - self.final_rate) * fall)


class Average:
    """Exponential moving average of the trained parameters (Polyak), with a warm start."""

    def __init__(self, parameters: Tensors, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in parameters.items()}

    @torch.no_grad()
    def update(self, parameters: Tensors, step: int) -> None:
        """Move towards the parameters; early steps count for more, as their start is random."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.values.values()), list(parameters.values()), 1 - decay)


def training_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    if torch.accelerator.is_available():
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    return torch.device("cpu")


def kernels_for(device: torch.device) -> AbstractContextManager[object]:
    """Attention as plain products on CPUs: their fused kernel is slower over a few dozen places."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def steady(_name: str) -> float:
    """Every parameter at the same learning rate."""
    return 1.0


def train(
    network: nn.Module, draw: Draw, loss_of: Loss, settings: LoopSettings, pace: Pace = steady
) -> Tensors:
    """Train those parameters of `network` that ask for gradients; resume where the folder says.

    pace: what a parameter's learning rate is multiplied by, from its name. Moves the network to
    `training_device`. Returns the moving average of the trained parameters by name; it is also in
    `weights.pt` in the folder.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.set_flush_denormal(True)
    torch.backends.cuda.matmul.allow_tf32 = True
    settings.folder.mkdir(parents=True, exist_ok=True)
    device = training_device()
    with kernels_for(device):
        run = _Run(network.to(device), loss_of, settings, pace)
        numbers = sum(value.numel() for value in run.trained.values())
        print(f"{numbers / 1e6:.2f} M trained parameters on {device}", flush=True)
        log = _Log(settings, run.step)
        while run.step < settings.steps:
            figures = run.advance(draw)
            log.add(run.step, settings.rate(run.step - 1), figures)
            if run.step % settings.checkpoint_every == 0 or run.step == settings.steps:
                run.save()
    return run.average.values


def _groups(network: nn.Module, pace: Pace) -> list[dict[str, Any]]:
    """Parameter groups of the optimiser, one for each pace."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, value in network.named_parameters():
        if value.requires_grad:
            groups.setdefault(pace(name), []).append(value)
    return [{"params": values, "pace": factor} for factor, values in groups.items()]


class _Run:
    """Network, optimiser and average at some step, and their file."""

    def __init__(
        self, network: nn.Module, loss_of: Loss, settings: LoopSettings, pace: Pace
    ) -> None:
        self.network, self.loss_of, self.settings = network, loss_of, settings
        named = network.named_parameters()
        self.trained: Tensors = {name: value for name, value in named if value.requires_grad}
        device = next(iter(self.trained.values())).device
        self.autocast = torch.autocast(
            device.type, torch.bfloat16, enabled=settings.mixed_precision == "bf16"
        )
        self.optimiser = torch.optim.AdamW(
            _groups(network, pace),
            betas=(0.9, settings.second_beta),
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.average = Average(self.trained, settings.ema_decay)
        self.device, self.step = device, self._resume()

    def advance(self, draw: Draw) -> Tensors:
        """One step of the optimiser; returns its losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate(self.step) * group["pace"]
        seed = self.settings.seed * 1_000_003 + self.step
        batch = draw(torch.Generator().manual_seed(seed))
        batch = {name: value.to(self.device) for name, value in batch.items()}
        self.optimiser.zero_grad()
        with self.autocast:
            loss, figures = self.loss_of(self.network, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained.values(), self.settings.largest_gradient)
        self.optimiser.step()
        self.step += 1
        self.average.update(self.trained, self.step)
        return {"loss": loss.detach(), **figures}

    def save(self) -> None:
        """Write all that resuming needs, and the weights so far."""
        weights = {name: value.cpu() for name, value in self.average.values.items()}
        state = {
            "step": self.step,
            "trained": self.trained,
            "optimiser": self.optimiser.state_dict(),
            "average": weights,
        }
        _write(state, self.settings.folder / STATE_FILE)
        _write(weights, self.settings.folder / WEIGHTS_FILE)

    def _resume(self) -> int:
        """Take over the folder's state, if there is one; the step that it is of."""
        path = self.settings.folder / STATE_FILE
        if not path.exists():
            return 0
        state = torch.load(path, map_location="cpu", weights_only=True)
        with torch.no_grad():
            for name, value in self.trained.items():
                value.copy_(state["trained"][name])
                self.average.values[name].copy_(state["average"][name])
        # Settings of the groups are this run's: the file may be of another device.
        ours = self.optimiser.state_dict() | {"state": state["optimiser"]["state"]}
        self.optimiser.load_state_dict(ours)
        return state["step"]


def channels_last(network: nn.Module) -> Any:
    """The same network with its pictures' channels last in memory, where CPUs convolve faster."""
    anything: Any = network
    return anything.to(memory_format=torch.channels_last)


Network = TypeVar("Network", bound=nn.Module)


def load_trained(network: Network, folder: Path) -> Network:
    """A network on a frozen UNet, `unet`, with what a training left in its folder; frozen itself.

    Raises ValueError where the file holds another network's parts.
    """
    weights = torch.load(folder / WEIGHTS_FILE, weights_only=True)
    missing, unexpected = network.load_state_dict(weights, strict=False)
    absent = [name for name in missing if not name.startswith("unet.")]
    if absent or unexpected:
        raise ValueError(f"{folder} holds another model: differs at {[*absent, *unexpected][:3]}.")
    return network.requires_grad_(False).eval()


def start_from(network: nn.Module, weights: Path | None) -> None:
    """Take over those values of an earlier training's file, if any, that fit by name and shape."""
    if not weights:
        return
    ours = network.state_dict()
    values = torch.load(weights, weights_only=True)
    fitting = {n: v for n, v in values.items() if n in ours and ours[n].shape == v.shape}
    network.load_state_dict(fitting, strict=False)
    print(f"{len(fitting)} of {len(values)} tensors taken over from {weights}", flush=True)


def _write(values: Any, path: Path) -> None:
    """Never leave half a file under the name that resuming reads."""
    part = path.with_suffix(".part")
    torch.save(values, part)
    os.replace(part, path)


class _Log:
    """A CSV of means over `log_every` steps."""

    def __init__(self, settings: LoopSettings, step: int) -> None:
        self.path = settings.folder / LOG_FILE
        self.every = settings.log_every
        self.rows = [row for row in self._read() if int(row["step"]) <= step]
        self.waiting: list[torch.Tensor] = []
        self.since = time.monotonic()

    def add(self, step: int, rate: float, figures: Tensors) -> None:
        """Collect a step; every so often write and print a row."""
        names = sorted(figures)
        # Not yet as numbers: the CPU need not wait for every step of a device.
        self.waiting.append(torch.stack([figures[name].float() for name in names]))
        if step % self.every:
            return
        columns = torch.stack(self.waiting).T.tolist()
        seconds = (time.monotonic() - self.since) / len(self.waiting)
        row = {"step": str(step), "learning_rate": f"{rate:.6g}", "seconds": f"{seconds:.4f}"}
        for name, values in zip(names, columns, strict=True):
            seen = [value for value in values if name == "loss" or not math.isnan(value)]
            if seen:
                row[name] = f"{sum(seen) / len(seen):.6f}"
        self.rows.append(row)
        self._write()
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        self.waiting, self.since = [], time.monotonic()

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)


def add_loop_arguments(parser: argparse.ArgumentParser, steps: int) -> None:
    """The command line's settings of the loop."""
    parser.add_argument("--folder", type=Path, required=True, help="the run's folder")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--second-beta", type=float, default=0.999, help="of AdamW")
    parser.add_argument("--ema-decay", type=float, default=0.998)
    parser.add_argument("--mixed-precision", choices=("no", "bf16"), default="bf16")
    parser.add_argument("--checkpoint-every", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights.pt of a training to begin with")


def loop_settings(arguments: argparse.Namespace, name: str) -> LoopSettings:
    """Settings from the command line, after torch's generator is seeded with theirs.

    The loop writes into the run's subfolder `name`.
    """
    torch.manual_seed(arguments.seed)
    given = vars(arguments)
    told = {field.name: given[field.name] for field in fields(LoopSettings) if field.name in given}
    return LoopSettings(**(told | {"folder": arguments.folder / name}))
