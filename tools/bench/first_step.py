"""From a changed widget to the end of the first sampled step, ours and the usual way."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from tools.small_world.scenes import Prompt

from .baseline import usual_net, with_usual_way
from .counts import Setting
from .operations import StepCounts
from .report import Row, Table
from .roofline import Rates, Work, bytes_in, name_of, together
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
    """What a user has chosen on the nodes."""

    identity: Any
    faces: Any
    amount: float

    def after(self, change: str) -> Person:
        """The same, of which nothing is remembered where it has changed."""
        if change == PHOTO:
            return self._replace(identity=replace(self.identity))
        if change == WEIGHT:
            return self._replace(amount=1.5 - self.amount)
        return self._replace(faces=replace(self.faces))


class Ours:
    """The pack's two operations, as its nodes run them."""

    def __init__(self, world: World, adapter: Any) -> None:
        self.world, self.adapter = world, adapter

    def apply(self, somebody: Person, pixels: tuple[int, int]) -> Variant:
        """Model and conditioning anew. The hint is drawn for the picture's size while sampling."""
        core = self.world.pack.module
        application = core("nodes.host.application")
        how = application.Influence(
            somebody.amount,
            core("instantid_core.adapter.window").Span(0.0, 1.0),
            None,
            core("instantid_core.identity.embedding").NegativeIdentity(),
        )
        who = self.adapter, somebody.identity, how
        model = application.apply_adapter(self.world.model, *who)
        sides = application.apply_identity_net(
            self.world.prompt, self.world.control_net, *who, somebody.faces, "letterbox"
        )
        return Variant(model, Prompt(*sides))


class UsualWay:
    """One node that runs whole after every change; the projections are on the device already."""

    def __init__(self, world: World, adapter: Any) -> None:
        self.world, self.adapter = world, adapter
        core = world.pack.module
        self.sites = core("instantid_core.adapter.sites").cross_attention_sites(
            world.model.model.diffusion_model
        )
        weights, like = adapter.patcher.model, {"device": world.device, "dtype": world.dtype}
        pairs = zip(weights.to_k, weights.to_v, strict=True)
        self.projections = [tuple(layer.weight.to(**like) for layer in pair) for pair in pairs]

    def apply(self, somebody: Person, pixels: tuple[int, int]) -> Variant:
        """Tokens, patches and the drawn hint anew."""
        core = self.world.pack.module
        negative = core("instantid_core.identity.embedding").NegativeIdentity()
        found = self.adapter.tokens(replace(somebody.identity), negative)
        like = {"device": self.world.device, "dtype": self.world.dtype}
        tokens = found.positive.to(**like), found.negative.to(**like)
        model = with_usual_way(
            self.world.model, self.sites, self.projections, tokens, somebody.amount
        )
        extent = core("instantid_core.types").Extent(*pixels)
        draw = core("instantid_core.keypoints.drawing").draw
        picture = draw(somebody.faces, extent, "letterbox").movedim(-1, 1)
        net = self.world.control_net
        return Variant(model, usual_net(self.world.prompt, net, tokens, picture, somebody.amount))


Way = Ours | UsualWay


def first_step_table(
    world: World, adapter: Any, scene: Any, setting: Setting, rates: Rates, counts: StepCounts
) -> Table:
    """Wall time of what a change runs anew and of one sampled step, ComfyUI's part included.

    rates: of the world's device and dtype. counts: of a step with both parts.
    """
    somebody = Person(scene.identity, scene.faces, AMOUNT)
    ways = {"": Ours(world, adapter), ", the usual way": UsualWay(world, adapter)}
    seconds = {
        change + suffix: _measured(way, somebody, change, setting)
        for change in CHANGES
        for suffix, way in ways.items()
    }
    floors = change_floors(world, adapter, setting, counts, rates)
    rows = []
    for change in CHANGES:
        usual = statistics.median(seconds[change + ", the usual way"])
        for suffix in ways:
            found = seconds[change + suffix]
            middle, spread = statistics.median(found), (1e3 * min(found), 1e3 * max(found))
            rows.append(Row(change + suffix, 1e3 * middle, "ms", middle / usual, spread))
        rows.append(Row(f"{change}: floor", 1e3 * floors[change], "ms", floors[change] / usual))
    device, width = world.device.type, world.config.width
    title = f"From a change to the end of the first step, {setting}, {name_of(world.dtype)}"
    notes = (
        f"Wall time, {torch.get_num_threads()} threads, medians of {ROUNDS[device]}; adapter and "
        f"IdentityNet, a UNet of width {width}, models in memory.",
        "Ratios are to the usual way. Both run the hint's encoder at the start of every run.",
    )
    return Table(f"{title}, {device}", tuple(rows), notes)


def _measured(way: Way, somebody: Person, change: str, setting: Setting) -> list[float]:
    """Seconds of each round; what comes before the first change does not count."""
    applied, seconds = way.apply(somebody, setting.pixels), []
    run_one_step(applied, setting)
    for _ in range(ROUNDS[way.world.device.type]):
        started = time.perf_counter()
        if change != NOTHING:
            somebody = somebody.after(change)
            applied = way.apply(somebody, setting.pixels)
        # Its result is handed over on the CPU, for which a GPU is waited for.
        run_one_step(applied, setting)
        seconds.append(time.perf_counter() - started)
    return seconds


def run_one_step(one: Variant, setting: Setting) -> None:
    """A run of one step."""
    how = {"pixels": setting.pixels, "batch": setting.batch, "cfg": setting.cfg}
    sample(one.model, one.prompt, steps=1, **how)


# --- floors ---------------------------------------------------------------------------------------


def change_floors(
    world: World, adapter: Any, setting: Setting, counts: StepCounts, rates: Rates
) -> dict[str, float]:
    """Seconds that the device's rates allow each change and the step after it."""
    networks = world.model.model.diffusion_model, world.control_net.control_model
    step = Work(counts.operations, sum(map(bytes_in, networks)))
    run = together(step, hint_work(world.config, setting.pixels, world.dtype))
    photo = together(run, photo_work(adapter))
    return {change: (photo if change == PHOTO else run).floor(rates) for change in CHANGES}


def photo_work(adapter: Any) -> Work:
    """Resampler and projections: every weight is read once and meets the tokens of both sides."""
    layers = [weights for weights in adapter.patcher.model.parameters() if weights.ndim == 2]
    operations = 2 * 2 * TOKENS * sum(weights.numel() for weights in layers)
    return Work(operations, bytes_in(adapter.patcher.model))


def hint_work(config: Any, pixels: tuple[int, int], dtype: torch.dtype) -> Work:
    """IdentityNet's encoder, on one picture."""
    encoder = random_net(config, META, dtype).control_model.input_hint_block
    with StepCounts(META) as counts:
        encoder(torch.empty(1, 3, pixels[1], pixels[0], dtype=dtype, device=META), None, None)
    return Work(counts.operations, bytes_in(encoder))


# --- up to the first step -------------------------------------------------------------------------


class ReachedError(Exception):
    """A run has come as far as is measured."""


def until_the_networks(one: Variant, control_net: Any, setting: Setting) -> Callable[[], None]:
    """A run up to the first layer of IdentityNet, before which its hint is drawn and encoded."""

    def stop(*_: Any) -> None:
        raise ReachedError

    def run() -> None:
        # What the pack would tell a user of this size.
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
        raise RuntimeError("the run never came to IdentityNet")

    return run
