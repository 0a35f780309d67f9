"""Waits of ComfyUI's samplers for the device in a step, and the waits that a window adds.

Runs on the CPU, where nothing waits: it counts the values that a GPU would have to return.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .operations import WAITS
from .report import Row, Table
from .steps import Variant
from .world import How, World, person, variant

STEPS = 5, 6
"""Steps of two runs; the difference excludes what a run does once."""
WITHOUT_STEPS = ("dpm_adaptive",)
"""Samplers that choose their own number of steps."""


class Readings(TorchDispatchMode):
    """Counts numbers and booleans returned to Python, except row tags, which are on the CPU.

    Calls that bypass the dispatcher are counted by wrappers: conversions between lists and tensors,
    and solvers, which check their own result.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func.overloadpacket.__name__ in WAITS:
            self.count += args[0].dtype != torch.int64
        return func(*args, **(kwargs or {}))

    def made_of(self, real: Any, data: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """`torch.tensor`: each number that is a tensor is read by itself."""
        several = data if isinstance(data, (list, tuple)) else ()
        self.count += sum(isinstance(each, torch.Tensor) for each in several)
        return real(data, *args, **kwargs)

    def reading_call(self, real: Any, *args: Any, **kwargs: Any) -> Any:
        """A call that waits once."""
        self.count += args[0].dtype != torch.int64
        return real(*args, **kwargs)


@contextmanager
def readings() -> Iterator[Readings]:
    """Counts readings in the context."""
    with Readings() as found, ExitStack() as stack:
        for owner, name, counted in (
            (torch, "tensor", found.made_of),
            (torch.Tensor, "tolist", found.reading_call),
            (torch.Tensor, "cpu", found.reading_call),
            (torch.linalg, "solve", found.reading_call),
        ):
            real = getattr(owner, name)
            stack.enter_context(mock.patch.object(owner, name, _through(counted, real)))
        yield found


def _through(counted: Any, real: Any) -> Any:
    """A plain function, so that it can replace a method."""
    return lambda *args, **kwargs: counted(real, *args, **kwargs)


def waits_table(world: World) -> Table:
    """Table of waits; samplers with equal counts share a row. world: on the CPU."""
    import comfy.samplers

    plain = variant(world, [], How())
    partial = variant(world, [person(world)], How(window=(0.1, 0.9), identity_net=False))
    groups: dict[tuple[int, int], list[str]] = defaultdict(list)
    network = world.model.model.diffusion_model
    with mock.patch.object(network, "forward", lambda x, *_, **__: x * 0.1):
        for name in comfy.samplers.SAMPLER_NAMES:
            if name not in WITHOUT_STEPS:
                own, all_of_them = (waits_per_step(one, name) for one in (plain, partial))
                groups[own, all_of_them - own].append(name)
    rows = []
    for (own, more), names in sorted(groups.items()):
        rows.append(Row(f"{', '.join(names)}: by themselves", own, ""))
        rows.append(Row(f"{', '.join(names)}: more with a window", more, ""))
    notes = (
        "With a window that is not whole, the noise level is read for each evaluation, unless the",
        "sampler is known to take the run's list one by one.",
    )
    return Table("Waits in a step, by sampler", tuple(rows), notes)


def waits_per_step(one: Variant, sampler: str) -> int:
    """Readings of a longer run minus those of a shorter one."""
    few, many = (_waits(one, sampler, steps) for steps in STEPS)
    return many - few


def _waits(one: Variant, sampler: str, steps: int) -> int:
    import comfy.samplers as host
    from comfy.patcher_extension import WrappersMP

    model = one.model.clone()
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "benchmark", _as_a_site)
    guider = host.CFGGuider(model)
    guider.set_conds(*one.prompt)
    levels = host.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)
    latent = torch.zeros(1, 4, 8, 8)
    how = {"disable_pbar": True, "seed": 7}
    with readings() as found:
        guider.sample(torch.ones_like(latent), latent, host.sampler_object(sampler), levels, **how)
    return found.count


def _as_a_site(executor: Any, x: torch.Tensor, t: torch.Tensor, *args: Any, **more: Any) -> Any:
    """Reads the noise level as an attention site would; the network here has none."""
    rows = args[3].get("instantid_rows")
    if rows is not None:
        _ = rows.noise_level
    return executor(x, t, *args, **more)
