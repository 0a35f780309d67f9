"""Time from a changed widget to the end of the first sampled step, and that of the baseline."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from tools.small_world.scenes import Prompt

from .baseline import baseline_net, with_baseline
from .counts import Setting
from .operations import StepCounts
from .report import Row, Table
from .roofline import Rates, Workload, combined, name_of, weight_bytes
from .steps import AMOUNT, Variant, sample
from .world import META, TOKENS, World, random_net

PHOTO, WEIGHT, POSE, NOTHING = (
    "another photo, after its analysis",
    "another weight or window",
    "another pose",
    "nothing",
)
CHANGES = (PHOTO, WEIGHT, POSE, NOTHING)
ROUNDS = {"cuda": 5, "cpu": 2}


class Person(NamedTuple):
    """The user's choices on the nodes."""

    identity: Any
    faces: Any
    amount: float

    def after(self, change: str) -> Person:
        """The choices after a change; a changed part is a new object, so nothing is cached."""
        if change == PHOTO:
            return self._replace(identity=another(self.identity))
        if change == WEIGHT:
            return self._replace(amount=1.5 - self.amount)
        return self._replace(faces=replace(self.faces))


def another(identity: Any) -> Any:
    """An identity that no adapter has cached: their caches go by the embedding."""
    return replace(identity, references=torch.randn_like(identity.references))


class Ours:
    """The pack's two operations, as in its nodes."""

    def __init__(self, world: World, adapter: Any) -> None:
        self.world, self.adapter = world, adapter

    def apply(self, subject: Person, pixels: tuple[int, int]) -> Variant:
        """New model and conditioning. The hint is drawn during sampling, at the picture's size."""
        core = self.world.pack.module
        application = core("nodes.host.application")
        parts = core("instantid_core.adapter")
        tokens = self.adapter.tokens(
            subject.identity, core("instantid_core.identity").NegativeIdentity()
        )
        how = subject.amount, parts.Span(0.0, 1.0)
        model = application.apply_adapter(
            self.world.model, self.adapter, tokens, parts.AdapterSettings(*how)
        )
        hint = parts.DrawnHint(subject.faces, "letterbox", self.adapter.family)
        sides = application.apply_identity_net(
            self.world.prompt, self.world.control_net, tokens, parts.NetSettings(*how), hint
        )
        return Variant(model, Prompt(*sides))


class Baseline:
    """One node that runs completely after every change; projections are already on the device."""

    def __init__(self, world: World, adapter: Any) -> None:
        self.world, self.adapter = world, adapter
        core = world.pack.module
        self.sites = core("instantid_core.adapter.sites").cross_attention_sites(
            world.model.model.diffusion_model
        )
        weights, like = adapter.patcher.model, {"device": world.device, "dtype": world.dtype}
        pairs = zip(weights.to_k, weights.to_v, strict=True)
        self.projections = [tuple(layer.weight.to(**like) for layer in pair) for pair in pairs]

    def apply(self, subject: Person, pixels: tuple[int, int]) -> Variant:
        """New tokens, patches and hint."""
        core = self.world.pack.module
        negative = core("instantid_core.identity.embedding").NegativeIdentity()
        found = self.adapter.tokens(another(subject.identity), negative)
        like = {"device": self.world.device, "dtype": self.world.dtype}
        tokens = found.positive.to(**like), found.negative.to(**like)
        model = with_baseline(
            self.world.model, self.sites, self.projections, tokens, subject.amount
        )
        extent = core("instantid_core.types").Extent(*pixels)
        draw = core("instantid_core.keypoints.drawing").draw
        picture = draw(subject.faces, extent, "letterbox").movedim(-1, 1)
        net = self.world.control_net
        return Variant(model, baseline_net(self.world.prompt, net, tokens, picture, subject.amount))


Implementation = Ours | Baseline


def first_step_table(
    world: World, adapter: Any, scene: Any, setting: Setting, rates: Rates, counts: StepCounts
) -> Table:
    """Table of the wall time of what a change recomputes and of one step, ComfyUI's part included.

    rates: of the world's device and dtype. counts: of a step with both parts.
    """
    subject = Person(scene.identity, scene.faces, AMOUNT)
    compared = {"": Ours(world, adapter), ", baseline": Baseline(world, adapter)}
    seconds = {
        change + suffix: _measured(implementation, subject, change, setting)
        for change in CHANGES
        for suffix, implementation in compared.items()
    }
    floors = change_floors(world, adapter, setting, counts, rates)
    rows = []
    for change in CHANGES:
        usual = statistics.median(seconds[change + ", baseline"])
        for suffix in compared:
            found = seconds[change + suffix]
            middle, spread = statistics.median(found), (1e3 * min(found), 1e3 * max(found))
            rows.append(Row(change + suffix, 1e3 * middle, "ms", middle / usual, spread))
        rows.append(Row(f"{change}: floor", 1e3 * floors[change], "ms", floors[change] / usual))
    device, width = world.device.type, world.config.width
    title = f"From a change to the end of the first step, {setting}, {name_of(world.dtype)}"
    notes = (
        f"Wall time, {torch.get_num_threads()} threads, medians of {ROUNDS[device]}; adapter and "
        f"IdentityNet, a UNet of width {width}, models in memory.",
        "Ratios are to the baseline. Both run the hint's encoder at the start of every run.",
    )
    return Table(f"{title}, {device}", tuple(rows), notes)


def _measured(one: Implementation, subject: Person, change: str, setting: Setting) -> list[float]:
    """Seconds of each round, without the first run before a change."""
    applied, seconds = one.apply(subject, setting.pixels), []
    run_one_step(applied, setting)
    for _ in range(ROUNDS[one.world.device.type]):
        started = time.perf_counter()
        if change != NOTHING:
            subject = subject.after(change)
            applied = one.apply(subject, setting.pixels)
        # Its result is returned on the CPU, so a GPU has finished.
        run_one_step(applied, setting)
        seconds.append(time.perf_counter() - started)
    return seconds


def run_one_step(one: Variant, setting: Setting) -> None:
    """Samples one step."""
    how = {"pixels": setting.pixels, "batch": setting.batch, "cfg": setting.cfg}
    sample(one.model, one.prompt, steps=1, **how)


# --- floors ---------------------------------------------------------------------------------------


def change_floors(
    world: World, adapter: Any, setting: Setting, counts: StepCounts, rates: Rates
) -> dict[str, float]:
    """Lower bound in seconds of each change and the step after it, at the device's rates."""
    networks = world.model.model.diffusion_model, world.control_net.control_model
    step = Workload(counts.operations, sum(map(weight_bytes, networks)))
    run = combined(step, hint_work(world.config, setting.pixels, world.dtype))
    photo = combined(run, photo_work(adapter))
    return {change: (photo if change == PHOTO else run).floor(rates) for change in CHANGES}


def photo_work(adapter: Any) -> Workload:
    """Workload of resampler and projections: each weight is read once for both polarities."""
    layers = [weights for weights in adapter.patcher.model.parameters() if weights.ndim == 2]
    operations = 2 * 2 * TOKENS * sum(weights.numel() for weights in layers)
    return Workload(operations, weight_bytes(adapter.patcher.model))


def hint_work(config: Any, pixels: tuple[int, int], dtype: torch.dtype) -> Workload:
    """Workload of IdentityNet's hint encoder, on one picture."""
    encoder = random_net(config, META, dtype).control_model.input_hint_block
    with StepCounts(META) as counts:
        encoder(torch.empty(1, 3, pixels[1], pixels[0], dtype=dtype, device=META), None, None)
    return Workload(counts.operations, weight_bytes(encoder))


# --- up to the first step -------------------------------------------------------------------------


class ReachedError(Exception):
    """Stops a run at the end of the measured part."""


def until_the_networks(one: Variant, control_net: Any, setting: Setting) -> Callable[[], None]:
    """Function that runs up to IdentityNet's first layer, after its hint is drawn and encoded."""

    def stop(*_: Any) -> None:
        raise ReachedError

    def run() -> None:
        # Warnings of the pack about this size.
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        hook = control_net.control_model.input_blocks[0].register_forward_pre_hook(stop)
        try:
            run_one_step(one, setting)
        except ReachedError:
            return
        finally:
            hook.remove()
            logging.disable(before)
        raise RuntimeError("the run did not reach IdentityNet")

    return run
