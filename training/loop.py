"""The training loop that all trainings share.

A step's batch, noise and learning rate depend on the seed and the step's number alone. So a run
that was interrupted goes on exactly as it would have, without any generator's state in its file.
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
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
LOG_EVERY = 10
"""Steps that a row of the log is a mean over."""
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT = 1.0
"""Gradients are scaled down to this norm."""


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
    second_beta: float = 0.999
    """AdamW's decay of squared gradients."""
    ema_decay: float = 0.998
    mixed_precision: str = "bf16"
    checkpoint_every: int = 250
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


def training_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def train(
    network: nn.Module,
    draw: Draw,
    loss_of: Loss,
    settings: LoopSettings,
    pace: Pace = lambda _name: 1.0,
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
    # On CPUs attention as plain products: their fused kernel is slower over a few dozen places.
    with sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext():
        run = _Run(network.to(device), loss_of, settings, pace)
        numbers = sum(value.numel() for value in run.trained.values())
        print(f"{numbers / 1e6:.2f} M trained parameters on {device}", flush=True)
        log = _Log(settings.folder / LOG_FILE, run.step)
        while run.step < settings.steps:
            figures = run.advance(draw)
            log.add(run.step, settings.rate(run.step - 1), figures)
            if run.step % settings.checkpoint_every == 0 or run.step == settings.steps:
                run.save()
    return run.average


class _Run:
    """Network, optimiser and average at some step, and their file."""

    def __init__(
        self, network: nn.Module, loss_of: Loss, settings: LoopSettings, pace: Pace
    ) -> None:
        self.network, self.loss_of, self.settings = network, loss_of, settings
        self.trained = trained_parts(network)
        self.device = next(iter(self.trained.values())).device
        self.autocast = torch.autocast(
            self.device.type, torch.bfloat16, enabled=settings.mixed_precision == "bf16"
        )
        groups: dict[float, list[torch.Tensor]] = {}
        for name, value in self.trained.items():
            groups.setdefault(pace(name), []).append(value)
        self.optimiser = torch.optim.AdamW(
            [{"params": values, "pace": factor} for factor, values in groups.items()],
            betas=(0.9, settings.second_beta),
            weight_decay=WEIGHT_DECAY,
            fused=True,
        )
        self.average = {name: value.detach().clone() for name, value in self.trained.items()}
        """Exponential moving average of the trained parameters (Polyak), with a warm start."""
        self.step = self._resume()

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
        nn.utils.clip_grad_norm_(self.trained.values(), LARGEST_GRADIENT)
        self.optimiser.step()
        self.step += 1
        self._move_average()
        return {"loss": loss.detach(), **figures}

    @torch.no_grad()
    def _move_average(self) -> None:
        """Towards the parameters; early steps count for more, as their start is random."""
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        averages, values = list(self.average.values()), list(self.trained.values())
        torch._foreach_lerp_(averages, values, 1 - decay)

    def save(self) -> None:
        """Write all that resuming needs, and the weights so far."""
        weights = {name: value.cpu() for name, value in self.average.items()}
        state = {
            "step": self.step,
            "trained": self.trained,
            "optimiser": self.optimiser.state_dict(),
            "average": weights,
        }
        _write(state, self.settings.folder / STATE_FILE)
        _write(weights, self.settings.folder / WEIGHTS_FILE)

    @torch.no_grad()
    def _resume(self) -> int:
        """Take over the folder's state, if there is one; the step that it is of."""
        path = self.settings.folder / STATE_FILE
        if not path.exists():
            return 0
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name, value in self.trained.items():
            value.copy_(state["trained"][name])
            self.average[name].copy_(state["average"][name])
        # Settings of the groups are this run's: the file may be of another device.
        ours = self.optimiser.state_dict() | {"state": state["optimiser"]["state"]}
        self.optimiser.load_state_dict(ours)
        return state["step"]


def trained_parts(network: nn.Module) -> Tensors:
    """The parameters that ask for gradients, by name."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


def channels_last(network: nn.Module) -> Any:
    """The same network with its pictures' channels last in memory, where CPUs convolve faster."""
    anything: Any = network
    return anything.to(memory_format=torch.channels_last)


Network = TypeVar("Network", bound=nn.Module)


def load_trained(network: Network, folder: Path) -> Network:
    """A new network with what a training left in its folder; frozen.

    Raises ValueError where the file holds another network's parts.
    """
    weights = torch.load(folder / WEIGHTS_FILE, weights_only=True)
    differing = sorted(trained_parts(network).keys() ^ weights.keys())
    if differing:
        raise ValueError(f"{folder} holds another model: differs at {differing[:3]}.")
    network.load_state_dict(weights, strict=False)
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
    """A CSV of means over `LOG_EVERY` steps."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self.waiting: list[Tensors] = []
        self.since = time.monotonic()

    def add(self, step: int, rate: float, figures: Tensors) -> None:
        """Collect a step; every so often write and print a row."""
        # Not yet as numbers: the CPU need not wait for every step of a device.
        self.waiting.append(figures)
        if step % LOG_EVERY:
            return
        seconds = (time.monotonic() - self.since) / len(self.waiting)
        row = {"step": str(step), "learning_rate": f"{rate:.6g}", "seconds": f"{seconds:.4f}"}
        for name in sorted(figures):
            values = torch.stack([each[name].float() for each in self.waiting]).tolist()
            seen = [value for value in values if name == "loss" or not math.isnan(value)]
            if seen:
                row[name] = f"{sum(seen) / len(seen):.6f}"
        self.rows.append(row)
        self._write()
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        self.waiting, self.since = [], time.monotonic()

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
