"""Counters of a sampling step: launches, operations, waits for the device, copies to it.

Counts are the same on every machine. On torch's `meta` device nothing is computed and nothing can
be read back, so a step that runs there waits for nothing. Attention counts as one launch, as on a
GPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

NO_LAUNCH = {
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
    "new_empty_strided",
    "lift_fresh",
    "dropout",
}
"""Operations that allocate at most, without a launch."""
COPIES = {"copy_", "_to_copy", "to"}
WAITS = {"_local_scalar_dense", "equal", "is_nonzero", "nonzero", "item"}
"""Operations that return a value of the device to Python."""
LIKE_INPUT = {"layer_norm", "group_norm", "gelu", "silu"}
"""Operations whose result has the shape and the format of their input."""


class StepCounts(TorchDispatchMode):
    """Counts everything that runs inside its context."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.by_operation: Counter[str] = Counter()
        self.operations = 0
        """Multiplications and additions."""
        self.waits = 0
        self.copies = 0
        """Copies between CPU and device; blocking ones wait as well."""
        self.resized = 0

    @property
    def launches(self) -> int:
        """Number of launches, one per operation."""
        return self.by_operation.total()

    def attention(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, *_: Any, **__: Any
    ) -> torch.Tensor:
        """Replaces the host's attention: one launch that returns a tensor like q."""
        self.by_operation["attention"] += 1
        self.operations += 4 * q.shape[0] * q.shape[1] * k.shape[1] * q.shape[2]
        return torch.empty_like(q)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        out = self._shaped(name, args)
        if out is None:
            out = func(*args, **(kwargs or {}))
        self.waits += name in WAITS
        places = {x.device for x in _tensors((args, kwargs, out)) if x.ndim}
        if len(places) > 1 and self.device in places:
            self.copies += name in COPIES
        elif self.device in places and name not in NO_LAUNCH and not _is_view(func):
            self.by_operation[name] += 1
            self.resized += name.startswith("upsample")
            self.operations += _operations(name, args, out)
        return out

    def _shaped(self, name: str, args: tuple[Any, ...]) -> torch.Tensor | None:
        """The result of the most frequent operations on the meta device, else None.

        PyTorch finds their shapes there in Python, which would take four fifths of a count.
        """
        if self.device.type != "meta" or name not in (*LIKE_INPUT, "linear"):
            return None
        if args[0].device != self.device:
            return None
        if name in LIKE_INPUT:
            return torch.empty_like(args[0])
        return args[0].new_empty((*args[0].shape[:-1], args[1].shape[0]))


def _operations(name: str, args: tuple[Any, ...], out: Any) -> int:
    """Multiplications and additions of a matrix product or a convolution."""
    if name in ("linear", "matmul", "mm", "bmm"):
        return 2 * out.numel() * args[0].shape[-1]
    if name == "addmm":
        return 2 * out.numel() * args[1].shape[-1]
    if name in ("conv2d", "convolution"):
        return 2 * out.numel() * args[1][0].numel()
    return 0


def _is_view(func: Any) -> bool:
    """Whether an operation returns a view of its input."""
    returns = [result.alias_info for result in func._schema.returns]
    return bool(returns) and all(alias is not None and not alias.is_write for alias in returns)


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, dict):
        yield from _tensors(tuple(values.values()))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _tensors(value)


class Steps:
    """A sampler for the host's guiders that only calls the model."""

    def __init__(self, before: int, counted: int, counts: StepCounts) -> None:
        self.before = before
        self.counted = counted
        self.counts = counts

    def sample(
        self, model: Any, sigmas: Any, extra_args: Any, callback: Any, noise: Any, *_: Any
    ) -> torch.Tensor:
        """Counts only the later steps: earlier ones may fill caches."""
        levels = [
            sigmas.new_full((noise.shape[0],), 5.0 - step)
            for step in range(self.before + self.counted)
        ]
        with _uncounted(self.counts.device):
            for level in levels[: self.before]:
                model(noise, level, **extra_args)
        with self.counts, _counted_attention(self.counts):
            found = [model(noise, level, **extra_args) for level in levels[self.before :]]
        return found[-1]


@contextmanager
def _counted_attention(counts: StepCounts) -> Iterator[None]:
    from comfy.ldm.modules import attention

    with ExitStack() as stack:
        for name in ("optimized_attention", "optimized_attention_masked", "attention_pytorch"):
            stack.enter_context(mock.patch.object(attention, name, counts.attention))
        yield


def count_steps(
    model: Any,
    prompt: Any,
    cells: tuple[int, int],
    batch: int = 1,
    cfg: float = 4.5,
    before: int = 1,
    counted: int = 1,
) -> StepCounts:
    """Counts of some steps of a run together. cells: width and height of the latent.

    before: number of steps that are not counted, at the start.
    """
    import comfy.samplers

    device = model.load_device
    counts = StepCounts(device)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(*prompt)
    guider.set_cfg(cfg)
    latent = torch.zeros(batch, 4, cells[1], cells[0], device=device)
    sigmas = torch.tensor([5.0, 0.0], device=device)
    with without_memory(device):
        guider.sample(latent, latent, Steps(before, counted, counts), sigmas, disable_pbar=True)
    return counts


@contextmanager
def _uncounted(device: torch.device) -> Iterator[None]:
    """Runs steps on the meta device as counted ones run; on others, as they are."""
    if device.type != "meta":
        yield
        return
    ignored = StepCounts(device)
    with ignored, _counted_attention(ignored):
        yield


@contextmanager
def without_memory(device: torch.device) -> Iterator[None]:
    """Disables the host's memory management and latent check on the meta device."""
    if device.type != "meta":
        yield
        return
    import comfy.model_management as management

    with ExitStack() as stack:
        for name, value in (
            ("load_models_gpu", lambda *_, **__: None),
            ("get_free_memory", lambda *_, **__: 1e15),
            ("get_torch_device", lambda: device),
        ):
            stack.enter_context(mock.patch.object(management, name, value))
        stack.enter_context(mock.patch.object(torch, "count_nonzero", lambda _: 0))
        yield
