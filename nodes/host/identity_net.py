"""IdentityNet: a ControlNet that sees identity tokens in place of the text, and it alone does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import comfy.controlnet
import comfy.utils
import torch

from ...instantid_core.adapter import (
    BatchRows,
    DrawnHint,
    Hint,
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

    def __init__(self, network: Any) -> None:
        self.network = with_cached_hint(network)
        """The net's own, with a hint that is encoded once."""
        self.hints = Memory(1)
        self.contexts = Memory(MOST_CONTEXTS)


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
        """The hint that tiling packs find and may exchange; IdentityNet draws for each size."""
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
        warn(_lost_with_the_type(type(c).__name__, self.condition))

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
        if not self._acts(t, transformer_options, run):
            return previous
        sigma = transformer_options.get("sigmas", t)
        warn_in(run, about_deep_shrink(transformer_options, lambda: run.levels.of(sigma)))
        branches = transformer_options.get("cond_or_uncond", ())
        tagged = read_rows(cond.get(TAG), len(x_noisy), branches, place_in(cond, x_noisy))
        rows = BatchRows(select_frames(tagged, self.sub_idxs), run)
        memory = run.nets.once(self, lambda: NetMemory(self.control_model))
        hint = self._prepare_hint(x_noisy, rows, memory)
        context = self._context(rows, x_noisy, memory)
        own_cond = {**cond, "c_crossattn": context, "crossattn_controlnet": context}
        with self._alone(memory.network, hint):
            own = super().get_control(x_noisy, t, own_cond, batched_number, transformer_options)
        region = self.condition.settings.region
        limited = limit_residuals(own, region, rows)
        if region is not None:
            warn_in(run, about_lost_region(region, run))
        return sum_residuals(previous, limited)

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

    def _acts(self, t: torch.Tensor, options: dict[str, Any], run: Run) -> bool:
        """Whether a call lies inside the window. Sigma is read for a partial window only, and for
        all nets and the UNet together."""
        if Span(*self.timestep_percent_range).is_everything or self.timestep_range is None:
            return True
        start, end = self.timestep_range  # pyright: ignore[reportGeneralTypeIssues]
        return end <= run.levels.of(options.get("sigmas", t)) <= start

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
        if self.cond_hint is not None and self._fits(self.cond_hint, cells, rows):
            return self._given_hint(rows.run)
        places = tuple((row.batch_index, row.area) for row in rows.rows)

        def prepare() -> torch.Tensor:
            hints = hints_for_rows(rows, cells, self.compression_ratio, self._picture)
            hint = self.preprocess_image(hints).to(device=x_noisy.device, dtype=self._dtype)
            # One picture for all rows is kept once.
            return hint if len(hints) > 1 else hint.expand(len(rows.rows), -1, -1, -1)

        key = places, cells, id(self.cond_hint_original), x_noisy.device
        return memory.hints.once(key, prepare)

    def _given_hint(self, run: Run) -> torch.Tensor:
        """The hint that a pack has put here, for one run."""
        self._used = self.cond_hint
        masked = self.condition.settings.region is not None
        drawn = isinstance(self.condition.hint, DrawnHint)
        warn_in(run, [*[NO_PLACE] * masked, *[OWN_HINTS] * drawn])
        return self.cond_hint  # pyright: ignore[reportReturnType]

    def _fits(self, hint: torch.Tensor, cells: tuple[int, int], rows: BatchRows) -> bool:
        """Whether a tile's hint, put here by a pack that samples in tiles, is for this call. It has
        the last word where the tile's place is not known."""
        if any(row.area is not None for row in rows.rows):
            return False
        return tuple(hint.shape[-2:]) == tuple(side * self.compression_ratio for side in cells)

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
    warn(_lost_in_a_type(type(net).__name__, condition))
    return twin


def _lost_with_the_type(name: str, condition: IdentityCondition) -> Iterator[str]:
    """Sentences on what is lost when another pack makes a net of its own kind of IdentityNet."""
    lost, shape = _lost(condition)
    if lost or shape:
        without = f", without {lost}" if lost else ""
        yield (
            f"Another pack turned IdentityNet into a {name}. The identity goes along{without}."
            f"{shape} Put InstantID's node behind that pack's."
        )


def _lost_in_a_type(name: str, condition: IdentityCondition) -> Iterator[str]:
    """Sentences on what is lost when another pack has loaded the net."""
    lost, shape = _lost(condition)
    if lost or shape:
        without = f", without {lost}" if lost else ""
        yield (
            f"Another pack loaded IdentityNet as a {name}, with keyframes and weights of its own. "
            f"The identity joins them{without}.{shape} Load it with Load ControlNet Model to have "
            "all of InstantID's settings."
        )


def _lost(condition: IdentityCondition) -> tuple[str, str]:
    """What a net of another type does not take along, and a sentence on the shape of its hint."""
    lost = [] if condition.settings.region is None else ["InstantID's mask"]
    shape = ""
    if isinstance(condition.hint, DrawnHint):
        lost += ["the keypoints of later frames"] if len(condition.hint.faces.frames) > 1 else []
        shape = (
            " The keypoints have the photo's shape, and ComfyUI will center-crop them if the "
            "aspect ratio differs."
        )
    return " and ".join(lost), shape


def chain(
    net: comfy.controlnet.ControlNet, previous: ControlBase | None
) -> comfy.controlnet.ControlNet:
    """A copy of the net that runs after `previous`."""
    return net.copy().set_previous_controlnet(previous)
