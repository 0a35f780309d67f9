"""The training loop that the autoencoder, the base model and InstantID share.

A step's batch, noise and learning rate depend on the seed and the step's number alone. So a run
that was interrupted goes on exactly as it would have, without any generator's state in its file.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import nn

Tensors = dict[str, torch.Tensor]
Loss = Callable[[nn.Module, torch.Generator], tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""The network and this step's generator -> the loss, and figures for the log."""
Pace = Callable[[str], float]
STATE_FILE = "state.pt"
WEIGHTS_FILE = "weights.pt"
LOG_FILE = "log.csv"


@dataclass(frozen=True)
class LoopSettings:
    """Length, speed and folder of a training."""

    folder: Path
    steps: int
    learning_rate: float = 1e-3
    warmup: int = 100
    """Steps over which the learning rate rises from 0."""
    final_rate: float = 0.05
    """End of the cosine, as a fraction of `learning_rate`."""
    weight_decay: float = 0.01
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
        fall = (1 + torch.cos(torch.tensor(torch.pi * min(progress, 1.0))).item()) / 2
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
        for name, value in self.values.items():
            value.lerp_(parameters[name].detach(), 1 - decay)


def steady(_name: str) -> float:
    """Every parameter at the same learning rate."""
    return 1.0


def train(
    network: nn.Module, loss_of: Loss, settings: LoopSettings, pace: Pace = steady
) -> Tensors:
    """Train those parameters of `network` that ask for gradients; resume where the folder says.

    pace: what a parameter's learning rate is multiplied by, from its name. Returns the moving
    average of the trained parameters by name; it is also in `weights.pt` in the folder.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.set_flush_denormal(True)
    settings.folder.mkdir(parents=True, exist_ok=True)
    run = _Run(network, settings, pace)
    log = _Log(settings, run.step)
    while run.step < settings.steps:
        losses = run.advance(loss_of)
        log.add(run.step, settings.rate(run.step - 1), losses)
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

    def __init__(self, network: nn.Module, settings: LoopSettings, pace: Pace) -> None:
        self.settings = settings
        self.step = 0
        self.accelerator = Accelerator(mixed_precision=settings.mixed_precision)
        optimiser = torch.optim.AdamW(
            _groups(network, pace), settings.learning_rate, weight_decay=settings.weight_decay
        )
        prepared: Any = self.accelerator.prepare(network, optimiser)
        self.network, self.optimiser = prepared
        inputs_follow(self.network, self.accelerator.device)
        self.average = Average(self._trained(), settings.ema_decay)
        self._resume()

    def advance(self, loss_of: Loss) -> dict[str, float]:
        """One step of the optimiser; returns its losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate(self.step) * group["pace"]
        seed = self.settings.seed * 1_000_003 + self.step
        generator = torch.Generator().manual_seed(seed)
        with self.accelerator.autocast():
            loss, figures = loss_of(self.network, generator)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(
            list(self._trained().values()), self.settings.largest_gradient
        )
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        self.average.update(self._trained(), self.step)
        values = {"loss": loss.detach(), **figures}
        return {name: float(value) for name, value in sorted(values.items())}

    def save(self) -> None:
        """Write all that resuming needs, and the weights so far."""
        state = {
            "step": self.step,
            "trained": self._trained(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.values,
        }
        _write(state, self.settings.folder / STATE_FILE)
        _write(self.average.values, self.settings.folder / WEIGHTS_FILE)

    def _trained(self) -> Tensors:
        network = self.accelerator.unwrap_model(self.network)
        return {name: value for name, value in network.named_parameters() if value.requires_grad}

    def _resume(self) -> None:
        path = self.settings.folder / STATE_FILE
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.step = state["step"]
        with torch.no_grad():
            for name, value in self._trained().items():
                value.copy_(state["trained"][name])
                self.average.values[name].copy_(state["average"][name])
        self.optimiser.load_state_dict(state["optimiser"])


def inputs_follow(network: nn.Module, device: torch.device) -> None:
    """Batches are made on the CPU; bring what the network is called with to where it is."""

    def bring(_network: nn.Module, given: Any, named: Any) -> Any:
        return send_to_device(given, device), send_to_device(named, device)

    network.register_forward_pre_hook(bring, with_kwargs=True)


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


def start_from(network: nn.Module, weights: Path) -> int:
    """Take over those values of an earlier training's file that fit by name and shape: how many."""
    ours = network.state_dict()
    values = torch.load(weights, weights_only=True)
    fitting = {n: v for n, v in values.items() if n in ours and ours[n].shape == v.shape}
    network.load_state_dict(fitting, strict=False)
    return len(fitting)


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
        self.waiting: list[dict[str, float]] = []
        self.since = time.monotonic()

    def add(self, step: int, rate: float, losses: dict[str, float]) -> None:
        """Collect a step; every so often write and print a row."""
        self.waiting.append(losses)
        if step % self.every:
            return
        seconds = (time.monotonic() - self.since) / len(self.waiting)
        row = {"step": str(step), "learning_rate": f"{rate:.6g}", "seconds": f"{seconds:.4f}"}
        for name in sorted({name for part in self.waiting for name in part}):
            seen = [part[name] for part in self.waiting if name in part]
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
    parser.add_argument("--ema-decay", type=float, default=0.998)
    parser.add_argument("--mixed-precision", choices=("no", "bf16", "fp16"), default="bf16")
    parser.add_argument("--checkpoint-every", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights.pt of a training to begin with")


def loop_settings(arguments: argparse.Namespace, name: str) -> LoopSettings:
    """Settings from the command line; the loop writes into the run's subfolder `name`."""
    given = vars(arguments)
    told = {field.name: given[field.name] for field in fields(LoopSettings) if field.name in given}
    return LoopSettings(**(told | {"folder": arguments.folder / name}))
