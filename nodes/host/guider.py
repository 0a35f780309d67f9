"""A guider of the host's with a scale for the text and one for the identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from comfy.samplers import CFGGuider, calc_cond_batch, cfg_function

from ...instantid_core.adapter import GuidanceScales, Predictions
from ...instantid_core.errors import SettingError
from ...instantid_core.types import Polarity
from .conditioning import Conditioning, Entry
from .row_conds import APPLIED, TAG, RowCond

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

TEXT = "instantid_text"
"""Name of the conds with the positive text and the negative identity."""


class DecoupledGuider(CFGGuider):
    """Guides by text and by identity; with equal scales it is the host's own guider."""

    def __init__(self, model: ModelPatcher, scales: GuidanceScales) -> None:
        super().__init__(model)
        self.scales = scales
        self.set_cfg(scales.text)

    def set_conds(self, positive: Conditioning, negative: Conditioning) -> None:
        """Prompts, with or without IdentityNet. Raises SettingError where nobody's identity is."""
        if not _has_identity(self.model_options, positive):
            raise SettingError(
                "InstantID Guider should get a model or a positive prompt with an identity, found "
                "neither. Connect the outputs of the node InstantID, or use ComfyUI's CFG "
                "Guider."
            )
        conds = {"positive": positive, "negative": negative}
        if not self.scales.is_plain:
            conds[TEXT] = [_without_identity(entry) for entry in positive]
        self.inner_set_conds(conds)

    def predict_noise(
        self,
        x: torch.Tensor,
        timestep: torch.Tensor,
        model_options: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> torch.Tensor:
        """The guided denoised latent [B, C, H, W]; called by the host in every step."""
        options, scales = model_options or {}, self.scales
        if scales.is_plain and not scales.rescale:
            return super().predict_noise(x, timestep, options, seed)
        conds = negative, text, positive = self._needed(options)
        found = Predictions(*calc_cond_batch(self.inner_model, [*conds], x, timestep, options))
        aim, towards = (found.positive, positive) if scales.is_plain else (found.text, text)
        sides = {"cond": towards, "uncond": negative}
        step = self.inner_model, aim, found.negative, scales.text, x, timestep
        guided = cfg_function(*step, model_options=options, **sides)
        if not scales.is_plain:
            guided = scales.with_identity(guided, found)
        return scales.rescaled(guided, found.positive if scales.needs_positive else found.text, x)

    def _needed(self, options: dict[str, Any]) -> tuple[Any, Any, Any]:
        """The conds (negative, text, positive) of this run; None for those that weigh nothing."""
        all_rows = options.get("disable_cfg1_optimization", False)
        negative = self.conds["negative"] if self.scales.needs_negative or all_rows else None
        positive = self.conds["positive"] if self.scales.needs_positive else None
        return negative, self.conds.get(TEXT), positive


def _has_identity(options: dict[str, Any], positive: Conditioning) -> bool:
    on_model = options.get("transformer_options", {}).get(APPLIED)
    return bool(on_model) or any(TAG in entry[1].get("model_conds", {}) for entry in positive)


def _without_identity(entry: list[Any]) -> list[Any]:
    """An entry of the positive prompt whose rows see the identity of the negative side."""
    context, options = entry
    tag = {**options.get("model_conds", {}), TAG: RowCond.unplaced(Polarity.NEGATIVE)}
    return [context, Entry({**options, "model_conds": tag})]
