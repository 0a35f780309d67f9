"""IdentityNet: a ControlNet that sees identity tokens in place of the text, and it alone does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import comfy.controlnet
import comfy.utils
import torch

from ...instantid_core.adapter import (
    BatchRows,
    CallLayout,
    DrawnHint,
    Hint,
    KeptResiduals,
    Memory,
    NetSettings,
    Residuals,
    Run,
    Span,
    about_lost_region,
    hints_for_rows,
    limit_residuals,
    read_rows,
    select_frames,
    sum_residuals,
)
from ...instantid_core.types import Extent, IdentityTokens
from .cached_hint_encoder import with_cached_hint
from .converted_identity_net import TokenConditionedNetwork
from .deep_shrink import about_deep_shrink
from .identity_net_check import require_same_base
from .lost_settings import lost_in_a_type, lost_with_the_type
from .notices import warn, warn_in
from .row_conds import PLACE, RUN, TAG, place_in
from .tiles import NO_PLACE, OWN_HINTS

if TYPE_CHECKING:
    from comfy.controlnet import ControlBase

MOST_CONTEXTS = 64
"""Combinations of rows in a run's calls; each has 16 tokens a row."""


@dataclass(frozen=True, eq=False)
class IdentityCondition:
    """Condition of one IdentityNet."""

    tokens: IdentityTokens
    settings: NetSettings
    hint: Hint


class NetMemory:
    """Memory of one IdentityNet within one run: a part of the `Run`, and gone with it."""

    def __init__(self, network: Any, reuse: int) -> None:
        self.network = with_cached_hint(network)
        """The net's own, with a hint that is encoded once."""
        self.hints = Memory(1)
        self.contexts = Memory(MOST_CONTEXTS)
        self.residuals = KeptResiduals(reuse)


class NetCall(NamedTuple):
    """Arguments of `get_control`, in the host's order."""

    x_noisy: torch.Tensor
    """Latent, [B, C, h, w]."""
    t: torch.Tensor
    cond: dict[str, Any]
    batched_number: int
    options: dict[str, Any]

    @property
    def sigma(self) -> torch.Tensor:
        """Noise level; one tensor for all calls of an evaluation, where the host says it."""
        return self.options.get("sigmas", self.t)


class IdentityNet(comfy.controlnet.ControlNet):
    """A ControlNet whose cross-attention context is the identity of each row.

    Deliberate differences from the host's ControlNet: the previous net of the chain runs first and
    with the untouched conditioning, since a shared context would hand it the identity tokens; and
    hint and context go by each row's place, in the batch and in the latent.
    """

    def __init__(self, condition: IdentityCondition, **settings: Any) -> None:
        super().__init__(None, **settings)
        self.condition = condition
        self.preview: torch.Tensor | None = None
        """The hint that tiling packs find and may replace; IdentityNet draws one for each size."""
        self.sub_idxs: list[int] | None = None
        """Frames of the window that AnimateDiff samples. It refuses ControlNets without this name,
        and sets it; for frames that their tags do not place."""
        self._run: Run | None = None
        """Memory of a run whose model has no adapter; others have theirs in the options."""
        self._used: torch.Tensor | None = None
        """A hint of another pack that served a run already."""

    @classmethod
    def wrapping(
        cls, net: comfy.controlnet.ControlNet, condition: IdentityCondition
    ) -> IdentityNet:
        """An IdentityNet that shares the model of a loaded ControlNet."""
        identity_net = cls._around(net, condition)
        identity_net.preview = condition.hint.preview()
        settings = condition.settings
        identity_net.set_cond_hint(identity_net.preview, settings.strength, tuple(settings.window))
        return identity_net

    @classmethod
    def _around(cls, net: comfy.controlnet.ControlNet, condition: IdentityCondition) -> IdentityNet:
        twin = cls(
            condition,
            global_average_pooling=net.global_average_pooling,
            load_device=net.load_device,
            manual_cast_dtype=net.manual_cast_dtype,
        )
        twin.control_model = net.control_model
        twin.control_model_wrapped = net.control_model_wrapped
        net.copy_to(twin)
        return twin

    def copy(self) -> IdentityNet:
        twin = self._around(self, self.condition)
        twin.preview = self.preview
        return twin

    def copy_to(self, c: comfy.controlnet.ControlBase) -> None:
        """Called by `copy`, and by packs that turn a ControlNet into a type of their own."""
        super().copy_to(c)
        if isinstance(c, IdentityNet):
            return
        c.control_model = TokenConditionedNetwork(self.control_model, self.condition.tokens)  # pyright: ignore[reportAttributeAccessIssue]
        c.extra_conds = [*self.extra_conds, TAG, PLACE]
        warn(lost_with_the_type(type(c).__name__, self.condition))

    def get_control(
        self,
        x_noisy: torch.Tensor,
        t: torch.Tensor,
        cond: dict[str, Any],
        batched_number: int,
        transformer_options: dict[str, Any],
    ) -> Residuals | None:
        previous = None
        if self.previous_controlnet is not None:
            previous = self.previous_controlnet.get_control(  # pyright: ignore[reportAttributeAccessIssue]
                x_noisy, t, cond, batched_number, transformer_options
            )
        self._run = self._run or Run()
        run: Run = transformer_options.get(RUN) or self._run
        call = NetCall(x_noisy, t, cond, batched_number, transformer_options)
        if not self._acts(call, run):
            return previous
        warn_in(run, about_deep_shrink(transformer_options, lambda: run.levels.of(call.sigma)))
        branches = transformer_options.get("cond_or_uncond", ())
        tagged = read_rows(cond.get(TAG), len(x_noisy), branches, place_in(cond, x_noisy))
        rows = BatchRows(select_frames(tagged, self.sub_idxs), run)
        own = self._residuals(call, rows)
        region = self.condition.settings.region
        limited = limit_residuals(own, region, rows)
        if region is not None:
            warn_in(run, about_lost_region(region, run))
        return sum_residuals(previous, limited)

    def _residuals(self, call: NetCall, rows: BatchRows) -> Residuals | None:
        """The net's own, of this step or of one before."""
        reuse, run = self.condition.settings.reuse, rows.run
        memory = run.nets.once(self, lambda: NetMemory(self.control_model, reuse))
        if not self.condition.settings.reuses:
            return self._computed(call, rows, memory)
        level = run.levels.of(call.sigma)
        found = memory.residuals.at(
            self._layout(call, rows),
            call.sigma,
            level,
            lambda: self._computed(call, rows, memory),
        )
        warn_in(run, memory.residuals.advice())
        return found

    def _computed(self, call: NetCall, rows: BatchRows, memory: NetMemory) -> Residuals | None:
        hint = self._prepare_hint(call.x_noisy, rows, memory)
        context = self._context(rows, call.x_noisy, memory)
        own = {**call.cond, "c_crossattn": context, "crossattn_controlnet": context}
        with self._alone(memory.network, hint):
            return super().get_control(*call._replace(cond=own))

    def _layout(self, call: NetCall, rows: BatchRows) -> CallLayout:
        """The properties that two calls share if one's residuals serve the other."""
        x, texts = call.x_noisy, tuple(call.options.get("uuids", ()))
        given = self._given_for(x, rows)
        hints = id(given), id(self.cond_hint_original)
        rest = texts, hints, self.strength, self.strength_type, x.device, x.dtype
        return CallLayout(rows.rows, tuple(x.shape), rest, given)

    def pre_run(self, model: Any, percent_to_timestep_function: Any) -> None:
        # The host leaves cleanup out when a run is cancelled or fails. A hint that nobody has used
        # was put here for this run, by a pack that samples its tiles one by one.
        given = None if self.cond_hint is self._used else self.cond_hint
        self._forget()
        self.cond_hint = given
        require_same_base(self.control_model, model)  # pyright: ignore[reportArgumentType]
        self._run = Run(percent_to_timestep_function)
        super().pre_run(model, percent_to_timestep_function)

    def cleanup(self) -> None:
        self._forget()
        super().cleanup()

    def _forget(self) -> None:
        """Drop what belongs to one run."""
        self._run = self.sub_idxs = self.cond_hint = self._used = None

    def _acts(self, call: NetCall, run: Run) -> bool:
        """Whether a call lies inside the window. Sigma is read for a partial window only, and for
        all nets and the UNet together."""
        if Span(*self.timestep_percent_range).is_everything or self.timestep_range is None:
            return True
        start, end = self.timestep_range  # pyright: ignore[reportGeneralTypeIssues]
        return end <= run.levels.of(call.sigma) <= start

    @contextmanager
    def _alone(self, network: torch.nn.Module, hint: torch.Tensor) -> Iterator[None]:
        """Run without the chain in front, which older hosts cannot do by themselves; without the
        host's look at sigma, as the window is known; and with a hint encoded once."""
        kept = self.previous_controlnet, self.timestep_range, self.control_model, self.cond_hint
        self.previous_controlnet = self.timestep_range = None
        self.control_model, self.cond_hint = network, hint  # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield
        finally:
            self.previous_controlnet, self.timestep_range, *own = kept
            self.control_model, self.cond_hint = own

    def _context(self, rows: BatchRows, like: torch.Tensor, memory: NetMemory) -> torch.Tensor:
        """[B, T, C]: each row's tokens, as the network computes and where `like` is."""
        tokens = self.condition.tokens
        entries = rows.entries(tokens.identities)

        def gather() -> torch.Tensor:
            context = tokens.stacked().flatten(0, 1)[list(entries)]
            return context.to(device=like.device, dtype=self._dtype)

        return memory.contexts.once((entries, like.device), gather)

    @property
    def _dtype(self) -> torch.dtype:
        """As the network computes."""
        dtype = self.manual_cast_dtype or self.control_model.dtype  # pyright: ignore[reportOptionalMemberAccess]
        return dtype  # pyright: ignore[reportReturnType]

    def _prepare_hint(
        self, x_noisy: torch.Tensor, rows: BatchRows, memory: NetMemory
    ) -> torch.Tensor:
        """[B, 3, H, W]: one picture per row, that of the last step where nothing has changed."""
        cells = x_noisy.shape[-2], x_noisy.shape[-1]
        if (given := self._given_for(x_noisy, rows)) is not None:
            self._note_given(given, rows.run)
            return given
        places = tuple((row.batch_index, row.area) for row in rows.rows)

        def prepare() -> torch.Tensor:
            hints = hints_for_rows(rows, cells, self.compression_ratio, self._picture)
            hint = self.preprocess_image(hints).to(device=x_noisy.device, dtype=self._dtype)
            # One picture for all rows is kept once.
            return hint if len(hints) > 1 else hint.expand(len(rows.rows), -1, -1, -1)

        key = places, cells, id(self.cond_hint_original), x_noisy.device
        return memory.hints.once(key, prepare)

    def _given_for(self, x_noisy: torch.Tensor, rows: BatchRows) -> torch.Tensor | None:
        """A tile's hint, put here by a pack that samples in tiles, where it is for this call. It
        has the last word where the tile's place is not known."""
        if self.cond_hint is None or any(row.area is not None for row in rows.rows):
            return None
        sides = tuple(side * self.compression_ratio for side in x_noisy.shape[-2:])
        return self.cond_hint if tuple(self.cond_hint.shape[-2:]) == sides else None

    def _note_given(self, hint: torch.Tensor, run: Run) -> None:
        """Use a hint that a pack has put here, for one run."""
        self._used = hint
        masked = self.condition.settings.region is not None
        drawn = isinstance(self.condition.hint, DrawnHint)
        warn_in(run, [*[NO_PLACE] * masked, *[OWN_HINTS] * drawn])

    def _picture(self, extent: Extent) -> torch.Tensor:
        """[B, 3, H, W]: the keypoints for a picture of this size, or what another pack has put in
        their place."""
        hint = self.condition.hint
        is_own = self.cond_hint_original is self.preview
        drawn = hint.at(extent) if is_own else None
        if drawn is not None:
            warn(hint.advice_at(extent))
            return drawn
        if not is_own and isinstance(hint, DrawnHint):
            warn((OWN_HINTS,))
        return comfy.utils.common_upscale(
            self.cond_hint_original, extent.width, extent.height, self.upscale_algorithm, "center"
        )


def with_identity(
    net: comfy.controlnet.ControlNet, condition: IdentityCondition
) -> comfy.controlnet.ControlNet:
    """The net with an identity: an IdentityNet, or for a type of another pack a copy of its own
    kind, whose keyframes, weights and masks still hold."""
    if type(net) is comfy.controlnet.ControlNet or isinstance(net, IdentityNet):
        return IdentityNet.wrapping(net, condition)
    twin = net.copy()
    twin.control_model = TokenConditionedNetwork(net.control_model, condition.tokens)
    twin.extra_conds = [*twin.extra_conds, TAG, PLACE]
    settings = condition.settings
    twin.set_cond_hint(condition.hint.preview(), settings.strength, tuple(settings.window))
    warn(lost_in_a_type(type(net).__name__, condition))
    return twin


def chain(
    net: comfy.controlnet.ControlNet, previous: ControlBase | None
) -> comfy.controlnet.ControlNet:
    """A copy of the net that runs after `previous`."""
    return net.copy().set_previous_controlnet(previous)
