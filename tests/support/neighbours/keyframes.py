"""ControlNets that another pack's loader has made.

Stands for Advanced-ControlNet's `ControlNetAdvanced` with timestep keyframes and weights. Its way:
the host's class underneath, settings of its own beside, kept by `copy` and known to nobody else.
"""

from __future__ import annotations

from typing import Any

import comfy.controlnet


class KeyframedNet(comfy.controlnet.ControlNet):
    """Every residual is multiplied by the weight of the keyframe."""

    weight = 1.0

    @classmethod
    def of(cls, net: comfy.controlnet.ControlNet, weight: float) -> KeyframedNet:
        twin = cls(
            control_model=net.control_model,
            load_device=net.load_device,
            manual_cast_dtype=net.manual_cast_dtype,
        )
        net.copy_to(twin)
        twin.control_model_wrapped = net.control_model_wrapped
        twin.weight = weight
        return twin

    def copy(self) -> KeyframedNet:
        return self.of(self, self.weight)

    def get_control(self, *call: Any, **named: Any) -> Any:
        residuals = super().get_control(*call, **named)
        return residuals and {
            stage: [each if each is None else each * self.weight for each in several]
            for stage, several in residuals.items()
        }
