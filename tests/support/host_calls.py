"""What tests of the nodes read from the host: its warnings apart, its attention to the text."""

from __future__ import annotations

from typing import Any

import comfy.ldm.modules.attention
import pytest
import torch


def own_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Warnings of the pack. The host writes its own, as on memory, to the root logger."""
    records = caplog.get_records("call")
    return [r.getMessage() for r in records if r.levelname == "WARNING" and r.name != "root"]


def text_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor:
    """The host's attention [B, L, C] to the text alone, at a site that has no patch."""
    attend = comfy.ldm.modules.attention.optimized_attention
    precision = options.get("attn_precision")
    return attend(q, k, v, options["n_heads"], attn_precision=precision)
