"""Counts of a step's launches, operations, copies and waits, at any size and without a clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import torch

from tools.small_world.scenes import Prompt

from .baseline import with_baseline
from .operations import StepCounts, count_steps
from .report import Row, Table
from .steps import AMOUNT, Variant
from .world import META, How, Person, World, person, variant

PLAIN, ADAPTER, BASELINE, NET, TWO_NETS, BOTH, TWO, FOUR = (
    "plain",
    "+ adapter",
    "+ adapter, baseline",
    "+ IdentityNet",
    "+ two IdentityNets",
    "+ both",
    "two people with masks",
    "four people with masks",
)


class Setting(NamedTuple):
    """One size of a step."""

    pixels: tuple[int, int]
    batch: int = 1
    cfg: float = 4.5

    def __str__(self) -> str:
        guidance = "CFG" if self.cfg != 1 else "CFG 1"
        return f"{self.pixels[0]} x {self.pixels[1]}, batch {self.batch}, {guidance}"


SETTINGS = tuple(
    Setting(pixels, batch, cfg)
    for pixels in ((1024, 1024), (832, 1216))
    for batch in (1, 4)
    for cfg in (4.5, 1.0)
)


REUSE = (1, 2, 3)


class SigmaReads:
    """Counts the baseline's reads of sigma, which the meta device cannot answer."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, sigmas: torch.Tensor) -> float:
        self.count += 1
        return 5.0

    def reset(self) -> int:
        """Reads since the last call."""
        count, self.count = self.count, 0
        return count


def counted(
    world: World, setting: Setting, names: tuple[str, ...] | None = None
) -> dict[str, StepCounts]:
    """Counts of a step of each variant, or of those named. world: on the meta device."""
    reads = SigmaReads()
    found = {}
    for name, one in variants_of(world, reads).items():
        if names is None or name in names:
            cells = setting.pixels[0] // 8, setting.pixels[1] // 8
            # Only IdentityNet reuses something of the first step in later ones.
            before = 0 if name in (PLAIN, ADAPTER, BASELINE) else 1
            found[name] = count_steps(one.model, one.prompt, cells, setting.batch, before=before)
            found[name].waits += reads.reset()
    return found


class Means(NamedTuple):
    """Counts of a step, averaged over as many as one computation of IdentityNet serves."""

    operations: float
    launches: float
    waits: float


def reused(world: World, setting: Setting) -> dict[int, Means]:
    """Means of a step with both parts, by `reuse`. world: on the meta device."""
    return {reuse: _reused(world, setting, reuse) for reuse in REUSE}


def _reused(world: World, setting: Setting, reuse: int) -> Means:
    one = variant(world, [person(world)], How(reuse=reuse))
    cells = setting.pixels[0] // 8, setting.pixels[1] // 8
    with _known_levels(world) as reads:
        # The first step, which draws and encodes the hint, is not among them.
        found = count_steps(one.model, one.prompt, cells, setting.batch, before=1, counted=reuse)
    waits = found.waits / reuse + reads.reset() / (1 + reuse)
    return Means(found.operations / reuse, found.launches / reuse, waits)


@contextmanager
def _known_levels(world: World) -> Iterator[SigmaReads]:
    """Noise levels where no tensor can be read: each step has a tensor, and so a number, of its
    own. A sampler that follows its list reads none of them."""
    reads, known = SigmaReads(), {}
    kind = world.pack.module("instantid_core.adapter.noise_levels").NoiseLevels

    def level_of(_: Any, sigma: torch.Tensor) -> float:
        if id(sigma) not in known:
            # Held, so that no other tensor gets its id.
            known[id(sigma)] = reads(sigma) + len(known), sigma
        return known[id(sigma)][0]

    with mock.patch.object(kind, "of", level_of):
        yield reads


def variants_of(world: World, reads: SigmaReads) -> dict[str, Variant]:
    """Variants to compare, by name."""
    people = [person(world, seed) for seed in range(4)]
    me, you = people[:2]
    return {
        PLAIN: variant(world, [], How()),
        ADAPTER: variant(world, [me], How(identity_net=False)),
        BASELINE: baseline_variant(world, me, reads),
        NET: variant(world, [me], How(adapter=False)),
        TWO_NETS: variant(world, [me, you], How(adapter=False, masks=True)),
        BOTH: variant(world, [me], How()),
        TWO: variant(world, [me, you], How(masks=True)),
        FOUR: variant(world, people, How(masks=True)),
    }


def baseline_variant(world: World, subject: Person, reads: SigmaReads | None = None) -> Variant:
    """The baseline with random projections, which take no memory on the meta device."""
    sites = world.pack.module("instantid_core.adapter.sites").cross_attention_sites(
        world.model.model.diffusion_model
    )
    like = {"device": world.device, "dtype": world.dtype}
    projections = [
        tuple(torch.empty(site.width, site.context_dim, **like) for _ in range(2)) for site in sites
    ]
    if world.device != META:
        for pair in projections:
            for weights in pair:
                weights.normal_(0, weights.shape[1] ** -0.5)
    tokens = subject.tokens.positive.to(**like), subject.tokens.negative.to(**like)
    more = {"read_sigma": reads} if reads else {}
    model = with_baseline(world.model, sites, projections, tokens, AMOUNT, **more)
    return Variant(model, Prompt(*world.prompt))


def counts_tables(
    world: World,
    first: dict[str, StepCounts],
    reuse: dict[int, Means],
    settings: tuple[Setting, ...],
) -> Iterator[Table]:
    """Tables of counts. first, reuse: of the first setting; launches and waits are the same at
    all."""
    yield _launches(first, settings[0])
    yield _waits(first, settings[0])
    yield _operations(first, settings[0])
    yield _reuse(first[PLAIN], reuse, settings[0])
    for setting in settings[1:]:
        yield _operations(counted(world, setting, (PLAIN, ADAPTER, BOTH)), setting)


def _launches(found: dict[str, StepCounts], setting: Setting) -> Table:
    plain = found[PLAIN].launches
    rows = tuple(
        Row(name, count.launches, "launches", count.launches / plain)
        for name, count in found.items()
    )
    notes = ("Every operation is one launch, attention too.",)
    return Table(f"Launches in a step, {setting}", rows, notes)


def _waits(found: dict[str, StepCounts], setting: Setting) -> Table:
    rows = []
    for name, count in found.items():
        rows.append(Row(f"{name}: waits for the device", count.waits, ""))
        rows.append(Row(f"{name}: copies to it", count.copies, ""))
        rows.append(Row(f"{name}: resizing", count.resized, ""))
    notes = (
        "Plain copies wait as well. Those of the plain step are ComfyUI's own: text and size",
        "embedding; so is IdentityNet's, of the size embedding. Without an adapter on the model",
        "ComfyUI also copies each row's tag, 72 bytes. The plain step's two resizings are the",
        "UNet's upsamplers.",
    )
    return Table(f"Waits, copies and resizing in a step, {setting}", tuple(rows), notes)


def _operations(found: dict[str, StepCounts], setting: Setting) -> Table:
    plain = found[PLAIN].operations
    rows = tuple(
        Row(name, count.operations / 1e12, "TFLOP", count.operations / plain)
        for name, count in found.items()
    )
    notes = (
        "Matrix products, convolutions and attention; multiplications and additions. They grow",
        "with the batch, and CFG 1 has half of them.",
    )
    return Table(f"Operations in a step, {setting}", rows, notes)


def _reuse(plain: StepCounts, found: dict[int, Means], setting: Setting) -> Table:
    rows = []
    for reuse, means in found.items():
        ratio = means.operations / plain.operations
        rows += [
            Row(f"reuse {reuse}: operations", means.operations / 1e12, "TFLOP", ratio),
            Row(f"reuse {reuse}: launches", means.launches, "", means.launches / plain.launches),
            Row(f"reuse {reuse}: waits for the device", means.waits, ""),
        ]
    notes = (
        "Means of the steps that one computation of IdentityNet serves. The wait is for the noise",
        "level; samplers that follow their list, such as euler, have none.",
    )
    return Table(f"A step with both parts by reuse of IdentityNet, {setting}", tuple(rows), notes)
