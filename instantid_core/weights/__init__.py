"""Readers of weight files from untrusted sources.

They need torch, and nothing of the pack but its errors.
"""

from .safetensors_check import require_sound_safetensors
from .torch_zip import read_archive

__all__ = ["read_archive", "require_sound_safetensors"]
