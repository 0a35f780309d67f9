"""The node that guides by text and by identity, each with a scale of its own."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..instantid_core.adapter import GuidanceScales
from . import inputs
from .host.guider import DecoupledGuider

WORDS = ["InstantID", "guider", "cfg", "guidance", "identity", "dual cfg", "decoupled guidance"]


class Guider(io.ComfyNode):
    """Guides sampling by text and by identity."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDGuider",
            display_name="InstantID Guider",
            category=inputs.PARTS,
            description="Guides sampling with one scale for the text and one for the identity, "
            "for SamplerCustomAdvanced. It takes three predictions in each step in place of two. "
            "With equal scales it is ComfyUI's CFG Guider.",
            search_aliases=WORDS,
            inputs=[
                inputs.model(),
                *inputs.prompts(),
                _scale("text", "the prompt", "Higher follows the words more closely."),
                _scale("identity", "the identity", "Higher looks more like the person."),
                io.Float.Input(
                    "rescale",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Calms burnt colours of high scales: share by which the contrast of "
                    "the guided prediction is brought back to that of the unguided one.",
                ),
            ],
            outputs=[io.Guider.Output(display_name="guider", tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: list[Any],
        negative: list[Any],
        text: float,
        identity: float,
        rescale: float,
    ) -> io.NodeOutput:
        guider = DecoupledGuider(model, GuidanceScales(text, identity, rescale))
        guider.set_conds(positive, negative)
        return io.NodeOutput(guider)


def _scale(name: str, what: str, effect: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=4.5,
        min=0.0,
        max=100.0,
        step=0.1,
        round=0.01,
        tooltip=f"Guidance scale of {what}, as cfg of a sampler. {effect} 1 with both at 1 is no "
        "guidance, as few-step models want it.",
    )
