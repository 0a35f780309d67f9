"""The cross-attention sites of a UNet, in the order in which adapter files number them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn


class AttentionSite(NamedTuple):
    """One text cross-attention layer (`attn2`) of the UNet."""

    block: str
    """`input`, `middle` or `output`."""
    number: int
    """Index of the block within its stage; 0 for the middle."""
    layer: int
    """Index of the transformer layer within the block."""
    width: int
    """Channels of the keys and values at this site."""
    context_dim: int
    """Channels of the context that the keys and values are projected from."""

    @property
    def key(self) -> tuple[str, int, int]:
        """The address under which the host looks up attention replacements."""
        return self.block, self.number, self.layer


def cross_attention_sites(unet: nn.Module) -> tuple[AttentionSite, ...]:
    """Walk a UNet of the LDM layout and list its cross-attention sites.

    unet: has `input_blocks`, `middle_block` and `output_blocks`. The order is input, output,
    middle: that of diffusers' `attn_processors`, by which IP-Adapter files are numbered. Empty
    for a network of another shape. SDXL gives 24 + 36 + 10 = 70.
    """
    return tuple(
        AttentionSite(stage, number, index, *_sizes(layer.attn2.to_k))  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        for stage, number, index, layer in _layers(unet)
    )


def transformer_layers(unet: nn.Module) -> tuple[str, ...]:
    """Names of the modules whose cross-attention the sites are, in their order.

    unet: as `cross_attention_sites` takes it.
    """
    names = {module: name for name, module in unet.named_modules()}
    return tuple(names[layer] for *_, layer in _layers(unet))


def _layers(unet: nn.Module) -> Iterator[tuple[str, int, int, nn.Module]]:
    """Stage, number of the block, index within it, and module of each layer that has a site."""
    if not all(hasattr(unet, name) for name in ("input_blocks", "middle_block", "output_blocks")):
        return
    middle = getattr(unet, "middle_block", None)
    stages = (
        ("input", enumerate(unet.input_blocks)),  # pyright: ignore[reportArgumentType]
        ("output", enumerate(unet.output_blocks)),  # pyright: ignore[reportArgumentType]
        # Pruned models, such as KOALA 700M, have no middle block.
        ("middle", [(0, middle)] if middle is not None else []),
    )
    for stage, blocks in stages:
        for number, block in blocks:
            for transformer in block.children():  # pyright: ignore[reportAttributeAccessIssue]
                for index, layer in enumerate(getattr(transformer, "transformer_blocks", ())):
                    if getattr(layer, "attn2", None) is not None:
                        yield stage, number, index, layer


def _sizes(projection: nn.Module) -> tuple[int, int]:
    """Output and input channels; packed weights have another shape than the layer says."""
    sizes = getattr(projection, "out_features", None), getattr(projection, "in_features", None)
    return sizes if all(sizes) else tuple(projection.weight.shape)  # pyright: ignore[reportReturnType, reportArgumentType]


def checkpoint_index(position: int) -> int:
    """Number of the site at `position` in adapter files: 1, 3, 5 and so on.

    The even numbers are diffusers' self-attention layers, which the adapter leaves alone.
    """
    return 2 * position + 1
