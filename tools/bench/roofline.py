"""Roofline model: lower bounds of time from the device's measured rates, and the adapter's sites.

A whole UNet takes minutes on a CPU. Its 70 cross-attention sites alone show the cost of an
identity, in the pack and in the baseline, and how close both are to the roofline.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

from .baseline import BaselineAttention, Window
from .counts import Setting
from .report import Row, Table
from .steps import AMOUNT, clock_on
from .world import TOKENS, Person, World

ROUNDS = 7
SIDE = {"cuda": 8192, "cpu": 1024}
"""Side of the square matrices that are multiplied."""
TRAFFIC = {"cuda": 1 << 30, "cpu": 1 << 27}
"""Bytes that are copied: more than any cache can hold."""


class Rates(NamedTuple):
    """Rates of a device per second."""

    operations: float
    """Multiplications and additions in a large matrix product."""
    traffic: float
    """Bytes read and written in a large copy."""

    def floor(self, operations: float, traffic: float) -> float:
        """Lower bound in seconds."""
        return max(operations / self.operations, traffic / self.traffic)


class Workload(NamedTuple):
    """Operations and traffic that some work needs at least."""

    operations: float
    traffic: float
    """Bytes that are read and written."""

    def floor(self, rates: Rates) -> float:
        """Lower bound in seconds at these rates."""
        return rates.floor(*self)


def combined(*parts: Workload) -> Workload:
    """Workload of all parts in sequence."""
    return Workload(sum(part.operations for part in parts), sum(part.traffic for part in parts))


def weight_bytes(network: torch.nn.Module) -> int:
    """Bytes of all weights of a network."""
    return sum(weights.nbytes for weights in network.parameters())


def measure_rates(
    device: torch.device, dtype: torch.dtype, now: Callable[[], float] | None = None
) -> Rates:
    """Both rates, the best of several rounds. now: a clock; the default, `clock_on`, sees only one
    thread on a CPU."""
    side, size = SIDE[device.type], TRAFFIC[device.type] // dtype.itemsize
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source, target = (torch.zeros(size, dtype=dtype, device=device) for _ in range(2))
    now = now or clock_on(device)
    product = min(_seconds(lambda: torch.mm(one, other), now, ROUNDS))
    copy = min(_seconds(lambda: target.copy_(source), now, ROUNDS))
    return Rates(2 * side**3 / product, 2 * source.nbytes / copy)


def _seconds(work: Callable[[], object], now: Callable[[], float], rounds: int) -> list[float]:
    """Seconds of each of several runs, after a warm-up run."""
    seconds = []
    work()
    for _ in range(rounds):
        started = now()
        work()
        seconds.append(now() - started)
    return seconds


def wall_on(device: torch.device) -> Callable[[], float]:
    """A wall clock, which on a GPU waits for the queue."""
    return time.perf_counter if device.type == "cpu" else clock_on(device)


def rates_table(rates: dict[torch.dtype, Rates], device: torch.device) -> Table:
    """Table of the rates."""
    rows = []
    for dtype, rate in rates.items():
        rows.append(Row(f"{name_of(dtype)}: matrix product", rate.operations / 1e9, "GFLOP/s"))
        rows.append(Row(f"{name_of(dtype)}: copy, read and written", rate.traffic / 1e9, "GB/s"))
    return Table(f"Rates of the device: {device.type}", tuple(rows))


def name_of(dtype: torch.dtype) -> str:
    """Short name of a dtype, such as `float16`."""
    return str(dtype).removeprefix("torch.")


HEAD_WIDTH = 64
TEXT_TOKENS = 77
TEXT, OURS, BASELINE = "the text's attention", "and an identity", "and an identity, baseline"
Attend = Callable[[torch.Tensor, dict[str, Any]], torch.Tensor]


class Site(NamedTuple):
    """One site at one size of picture."""

    width: int
    grid: tuple[int, int]
    """Height and width of its tokens."""


def sites_at(world: World, pixels: tuple[int, int]) -> list[Site]:
    """All sites: the first level with attention has half the latent's side, the next a quarter."""
    middle = 2 * world.config.width
    shrink = {width: 16 if width == middle else 32 for width in set(world.config.site_widths)}
    return [
        Site(width, (-(-pixels[1] // shrink[width]), -(-pixels[0] // shrink[width])))
        for width in world.config.site_widths
    ]


class SiteBenchmark:
    """The sites of one setting, in three variants."""

    def __init__(
        self, world: World, subject: Person, setting: Setting, device: torch.device
    ) -> None:
        self.world = world
        self.device = device
        self.sites = sites_at(world, setting.pixels)
        sides = [1, 0] if setting.cfg != 1 else [0]
        self.rows = setting.batch * len(sides)
        self.options = self._options(sides, setting)
        self.queries = {site: self._random(self.rows, site) for site in set(self.sites)}
        self.texts = {
            site.width: self._random(self.rows, Site(site.width, (1, TEXT_TOKENS)))
            for site in self.sites
        }
        self.variants = self._variants(subject)

    def _random(self, rows: int, site: Site) -> torch.Tensor:
        shape = rows, site.grid[0] * site.grid[1], site.width
        return torch.randn(shape, device=self.device).to(self.world.dtype)

    def _options(self, sides: list[int], setting: Setting) -> dict[str, Any]:
        core = self.world.pack.module
        rows_module = core("instantid_core.adapter.rows")
        sigma = torch.tensor([5.0], device=self.device)
        run = core("instantid_core.adapter.run").Run(lambda percent: 10 * (1 - percent))
        read = rows_module.read_rows(None, self.rows, sides)
        rows = rows_module.SamplingRows(read, run, sigma, tuple(sides))
        return {
            "attn_precision": None,
            "cond_or_uncond": sides,
            "sigmas": sigma,
            core("nodes.host.row_conds").ROWS: rows,
        }

    def _variants(self, subject: Person) -> dict[str, list[Attend]]:
        core = self.world.pack.module
        patch = core("nodes.host.identity_attention")
        span = core("instantid_core.adapter.window").Span(0.0, 1.0)
        projected = subject.keys_values.to(self.device, self.world.dtype)
        identities = core("instantid_core.adapter.attention").site_identities(
            projected, [AMOUNT] * len(self.sites), span, None
        )
        ours = [patch.IdentityAttention(None, identity) for identity in identities]
        like = {"device": self.device, "dtype": self.world.dtype}
        tokens = subject.tokens.positive.to(**like), subject.tokens.negative.to(**like)
        usual = [
            BaselineAttention(
                self._projection(site), self._projection(site), tokens, AMOUNT, Window(1e9, 0.0)
            )
            for site in self.sites
        ]
        return {
            TEXT: [self._called(patch.attention)] * len(self.sites),
            OURS: [self._called(one) for one in ours],
            BASELINE: [self._called(one) for one in usual],
        }

    def _projection(self, site: Site) -> torch.Tensor:
        context, like = self.world.config.context_dim, self.texts[site.width]
        return like.new_full((site.width, context), context**-0.5)

    def _called(self, patch: Any) -> Attend:
        def attend(q: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
            text = self.texts[q.shape[-1]]
            return patch(q, text, text, dict(options))

        return attend

    def run(self, way: str) -> None:
        """Runs all sites once."""
        for site, attend in zip(self.sites, self.variants[way], strict=True):
            grid = (self.rows, site.width, *site.grid)
            options = {
                **self.options,
                "n_heads": site.width // HEAD_WIDTH,
                "activations_shape": grid,
            }
            attend(self.queries[site], options)

    def measure(self, rounds: int) -> dict[str, list[float]]:
        """Seconds of all sites, the variants in turns, after a warm-up round."""
        now, seconds = clock_on(self.device), {way: [] for way in self.variants}
        names = list(self.variants)
        for turn in range(rounds + 1):
            for way in names[turn % 3 :] + names[: turn % 3]:
                started = now()
                self.run(way)
                if turn:
                    seconds[way].append(now() - started)
        return seconds

    @property
    def operations(self) -> float:
        """Operations of one identity's attention."""
        return sum(4 * self.rows * s.grid[0] * s.grid[1] * TOKENS * s.width for s in self.sites)

    @property
    def traffic(self) -> float:
        """Bytes read and written: queries, the sum, keys and values."""
        queries = sum(self.queries[site].nbytes for site in self.sites)
        return 3 * queries + 2 * 2 * TOKENS * sum(s.width for s in self.sites) * self.size

    @property
    def size(self) -> int:
        """Bytes per number."""
        return self.world.dtype.itemsize


def sites_tables(
    world: World,
    subject: Person,
    settings: tuple[Setting, ...],
    rates: Rates,
    device: torch.device,
    rounds: int = 3,
) -> Iterator[Table]:
    """Tables per setting: all three variants, the cost of an identity, and its lower bound."""
    for setting in settings:
        bench = SiteBenchmark(world, subject, setting, device)
        seconds = bench.measure(rounds)
        medians = {way: statistics.median(found) for way, found in seconds.items()}
        added = {way: _added(seconds[way], seconds[TEXT]) for way in (OURS, BASELINE)}
        floor = rates.floor(bench.operations, bench.traffic)
        rows = [
            *(Row(way, 1e3 * s, "ms", s / medians[TEXT]) for way, s in medians.items()),
            Row("added by an identity", 1e3 * added[OURS], "ms", added[OURS] / added[BASELINE]),
            Row("added by the baseline", 1e3 * added[BASELINE], "ms", 1.0),
            Row("floor of what is added", 1e3 * floor, "ms", floor / added[BASELINE]),
        ]
        title = f"70 cross-attention sites, {setting}, {name_of(world.dtype)}, {device.type}"
        notes = (f"Medians of {rounds} rounds in turns. The last three compare with the baseline.",)
        yield Table(title, tuple(rows), notes)


def _added(with_identity: list[float], without: list[float]) -> float:
    """Median of the differences within a round."""
    pairs = zip(with_identity, without, strict=True)
    return statistics.median(one - other for one, other in pairs)
