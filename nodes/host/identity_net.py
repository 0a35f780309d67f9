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
    NetSettings,
    NoiseLevels,
    Region,
    Resampling,
    Row,
    Span,
    read_rows,
    select_frames,
)
from ...instantid_core.errors import IncompatibleModelError
from ...instantid_core.types import Extent, IdentityTokens
from .cached_hint_encoder import with_kept_hint
from .converted_identity_net import IdentityNetwork
from .notices import warn
from .row_conds import LEVELS, PLACE, TAG

if TYPE_CHECKING:
    from comfy.controlnet import ControlBase

Residuals = dict[str, list[torch.Tensor | None]]


@dataclass(frozen=True, eq=False)
class IdentityCondition:
    """What one IdentityNet is conditioned on."""

    tokens: IdentityTokens
    settings: NetSettings
    hint: Hint


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
        self._prepared: tuple[tuple[Any, ...], torch.Tensor] | None = None
        self._contexts: dict[tuple[Any, ...], torch.Tensor] = {}
        self._network: torch.nn.Module | None = None

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
        c.control_model = IdentityNetwork(self.control_model, self.condition.tokens)  # pyright: ignore[reportAttributeAccessIssue]
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
        if not self._acts(t, transformer_options):
            return previous
        branches = transformer_options.get("cond_or_uncond", ())
        tagged = read_rows(cond.get(TAG), x_noisy.shape[0], branches, cond.get(PLACE))
        rows = BatchRows(select_frames(tagged, self.sub_idxs))
        self._prepare_hint(x_noisy, rows)
        context = self._context(rows, x_noisy)
        own_cond = {**cond, "c_crossattn": context, "crossattn_controlnet": context}
        with self._alone():
            own = super().get_control(x_noisy, t, own_cond, batched_number, transformer_options)
        return _sum(previous, self._inside_region(own, rows))

    def pre_run(self, model: Any, percent_to_timestep_function: Any) -> None:
        # The host leaves cleanup out when a run is cancelled or fails.
        self._forget()
        super().pre_run(model, percent_to_timestep_function)

    def cleanup(self) -> None:
        self._forget()
        super().cleanup()

    def _forget(self) -> None:
        """Drop what belongs to one run."""
        self._prepared = self._network = self.sub_idxs = None
        self.cond_hint = None
        self._contexts.clear()

    def _acts(self, t: torch.Tensor, options: dict[str, Any]) -> bool:
        """Whether a call lies inside the window. Sigma is read for a partial window only, and for
        all nets and the UNet together."""
        if Span(*self.timestep_percent_range).is_everything or self.timestep_range is None:
            return True
        start, end = self.timestep_range  # pyright: ignore[reportGeneralTypeIssues]
        levels = options.get(LEVELS) or NoiseLevels()
        return end <= levels.of(options.get("sigmas", t)) <= start

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Run without the chain in front, which older hosts cannot do by themselves; without the
        host's look at sigma, as the window is known; and with a hint encoded once."""
        kept = self.previous_controlnet, self.timestep_range, self.control_model
        self._network = self._network or with_kept_hint(self.control_model)  # pyright: ignore[reportArgumentType]
        self.previous_controlnet = self.timestep_range = None
        self.control_model = self._network  # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield
        finally:
            self.previous_controlnet, self.timestep_range, self.control_model = kept

    def _context(self, rows: BatchRows, like: torch.Tensor) -> torch.Tensor:
        """[B, T, C]: each row's tokens, as the network computes and where `like` is."""
        tokens = self.condition.tokens
        entries = rows.entries(tokens.identities)
        key = (entries, like.device)
        if key not in self._contexts:
            dtype = self.manual_cast_dtype or self.control_model.dtype  # pyright: ignore[reportOptionalMemberAccess]
            context = tokens.stacked().flatten(0, 1)[list(entries)]
            self._contexts[key] = context.to(device=like.device, dtype=dtype)  # pyright: ignore[reportArgumentType]
        return self._contexts[key]

    def _inside_region(self, own: Residuals | None, rows: BatchRows) -> Residuals | None:
        region = self.condition.settings.region
        if own is None or region is None:
            return own
        return {
            stage: [x if x is None else x * _region_of(region, rows, x) for x in residuals]
            for stage, residuals in own.items()
        }

    def _prepare_hint(self, x_noisy: torch.Tensor, rows: BatchRows) -> None:
        """Fill the host's `cond_hint`, one picture per row, unless it is there from the last step.

        The host would give every window of a batch the first pictures, and squeeze the whole
        picture into each area of a regional prompt.
        """
        places = tuple((row.batch_index, row.area) for row in rows.rows)
        key = (places, x_noisy.shape[-2:], id(self.cond_hint_original))
        known, own = self._prepared or (None, None)
        if self._is_given(own, x_noisy, rows):
            return
        if own is not None and key == known:
            self.cond_hint = own
            return
        pictures: dict[Any, torch.Tensor] = {}
        hints = [self._hint_of(row, x_noisy, pictures) for row in rows.rows]
        if all(hint.is_set_to(hints[0]) for hint in hints):
            hints = hints[:1]
        dtype = self.manual_cast_dtype or self.control_model.dtype  # pyright: ignore[reportOptionalMemberAccess]
        hint = self.preprocess_image(torch.stack(hints)).to(device=x_noisy.device, dtype=dtype)
        # One picture for all rows is kept once.
        self.cond_hint = hint if len(hints) > 1 else hint.expand(len(rows.rows), -1, -1, -1)
        self._prepared = key, self.cond_hint

    def _is_given(self, own: torch.Tensor | None, x_noisy: torch.Tensor, rows: BatchRows) -> bool:
        """Whether a pack that samples in tiles has put a tile's hint here. It has the last word
        where nothing tells the tile's place."""
        hint, scale = self.cond_hint, self.compression_ratio
        if hint is None or hint is own or any(row.area is not None for row in rows.rows):
            return False
        return tuple(hint.shape[-2:]) == tuple(side * scale for side in x_noisy.shape[-2:])

    def _hint_of(
        self, row: Row, x_noisy: torch.Tensor, pictures: dict[Any, torch.Tensor]
    ) -> torch.Tensor:
        """[3, H, W] of one row; pictures: those of whole latents that are made already."""
        scale = self.compression_ratio
        cells = tuple(x_noisy.shape[-2:])
        in_area = row.area is not None and row.latent is not None
        whole = (row.latent.height, row.latent.width) if in_area and row.latent else cells
        if whole not in pictures:
            pictures[whole] = self._picture(Extent(whole[1] * scale, whole[0] * scale))
        picture = pictures[whole][row.batch_index % pictures[whole].shape[0]]
        if not in_area or row.area is None:
            return picture
        top, left, height, width = (side * scale for side in row.area)
        return picture[:, top : top + height, left : left + width]

    def _picture(self, extent: Extent) -> torch.Tensor:
        """[B, 3, H, W]: the keypoints for a picture of this size, or what another pack has put in
        their place."""
        hint = self.condition.hint
        drawn = hint.at(extent) if self.cond_hint_original is self.preview else None
        if drawn is not None:
            warn(hint.advice_at(extent))
            return drawn
        return comfy.utils.common_upscale(
            self.cond_hint_original, extent.width, extent.height, self.upscale_algorithm, "center"
        )


def _region_of(region: Region, rows: BatchRows, residual: torch.Tensor) -> torch.Tensor:
    """[B or 1, 1, h, w]: the region at the size of a residual [B, C, h, w]."""
    height, width = residual.shape[-2:]
    return region.for_rows(rows, (height, width), residual, Resampling.RESIDUALS).unsqueeze(1)


def _lost_with_the_type(name: str, condition: IdentityCondition) -> Iterator[str]:
    """What does not go along when another pack makes a net of its own kind of IdentityNet."""
    lost = [] if condition.settings.region is None else ["its mask"]
    shape = ""
    if isinstance(condition.hint, DrawnHint):
        lost += ["the keypoints of later frames"] if len(condition.hint.faces.frames) > 1 else []
        shape = (
            " The keypoints have the photo's shape, and ComfyUI will center-crop them if the "
            "aspect ratio differs."
        )
    if lost or shape:
        without = f", without {' and '.join(lost)}" if lost else ""
        yield (
            f"Another pack turned IdentityNet into a {name}. The identity goes along{without}."
            f"{shape} Put InstantID's node behind that pack's."
        )


def require_identity_net(control_net: Any, context_dim: int) -> comfy.controlnet.ControlNet:
    """Check that a loaded ControlNet has IdentityNet's shape.

    Raises IncompatibleModelError for control LoRAs, T2I adapters, Union nets, and nets for another
    base model.
    """
    advice = (
        "Load InstantID's ControlNetModel/diffusion_pytorch_model.safetensors with the node "
        "Load ControlNet Model."
    )
    network = getattr(control_net, "control_model", None)
    if not isinstance(control_net, comfy.controlnet.ControlNet) or network is None:
        raise IncompatibleModelError(
            f"Expected IdentityNet as a ControlNet, found {type(control_net).__name__}. {advice}"
        )
    found = _context_width(network)
    if found != context_dim:
        what = "no text cross-attention" if found is None else f"a context of width {found}"
        raise IncompatibleModelError(
            f"This ControlNet is not IdentityNet for the loaded adapter: it has {what}, the "
            f"adapter's tokens have width {context_dim}. {advice}"
        )
    hint_channels = network.input_hint_block[0].weight.shape[1]
    if hint_channels != 3 or getattr(network, "task_embedding", None) is not None:
        raise IncompatibleModelError(
            "This ControlNet is not IdentityNet: it takes more than one kind of control picture. "
            + advice
        )
    return control_net


def _context_width(network: torch.nn.Module) -> int | None:
    keys = (p for name, p in network.named_parameters() if name.endswith("attn2.to_k.weight"))
    first = next(keys, None)
    return None if first is None else first.shape[1]


def _sum(first: Residuals | None, second: Residuals | None) -> Residuals | None:
    """Add two nets' residuals place by place; a missing one counts as zero."""
    if first is None or second is None:
        return second if first is None else first
    return {stage: _sum_stage(first[stage], second[stage]) for stage in first}


def _sum_stage(
    first: list[torch.Tensor | None], second: list[torch.Tensor | None]
) -> list[torch.Tensor | None]:
    longer = max(len(first), len(second))
    pairs = zip(
        first + [None] * (longer - len(first)),
        second + [None] * (longer - len(second)),
        strict=True,
    )
    return [b if a is None else a if b is None else a + b for a, b in pairs]


def chain(net: IdentityNet, previous: ControlBase | None) -> IdentityNet:
    """A copy of the net that runs after `previous`."""
    return net.copy().set_previous_controlnet(previous)
