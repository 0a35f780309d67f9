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
    if not all(hasattr(unet, name) for name in ("input_blocks", "middle_block", "output_blocks")):
        return ()
    middle = getattr(unet, "middle_block", None)
    stages = (
        ("input", enumerate(unet.input_blocks)),  # pyright: ignore[reportArgumentType]
        ("output", enumerate(unet.output_blocks)),  # pyright: ignore[reportArgumentType]
        # Pruned models, such as KOALA 700M, have no middle block.
        ("middle", [(0, middle)] if middle is not None else []),
    )
    return tuple(
        site
        for stage, blocks in stages
        for number, block in blocks
        for site in _sites_of_block(stage, number, block)  # pyright: ignore[reportArgumentType]
    )


def transformer_layers(unet: nn.Module) -> tuple[str, ...]:
    """Names of the modules whose cross-attention the sites are, in their order.

    unet: as `cross_attention_sites` takes it.
    """
    names = {id(module): name for name, module in unet.named_modules()}
    return tuple(
        names[id(layer)]
        for stage in ("input_blocks", "output_blocks", "middle_block")
        if (blocks := getattr(unet, stage, None)) is not None
        for block in ([blocks] if stage == "middle_block" else blocks)
        for transformer in block.children()
        for layer in getattr(transformer, "transformer_blocks", ())
        if getattr(layer, "attn2", None) is not None
    )


def _sites_of_block(stage: str, number: int, block: nn.Module) -> Iterator[AttentionSite]:
    transformers = [m for m in block.children() if hasattr(m, "transformer_blocks")]
    for transformer in transformers:
        for index, layer in enumerate(transformer.transformer_blocks):  # pyright: ignore[reportArgumentType]
            attention = getattr(layer, "attn2", None)
            if attention is not None:
                yield AttentionSite(stage, number, index, *_sizes(attention.to_k))


def _sizes(projection: nn.Module) -> tuple[int, int]:
    """Output and input channels; packed weights have another shape than the layer says."""
    sizes = getattr(projection, "out_features", None), getattr(projection, "in_features", None)
    return sizes if all(sizes) else tuple(projection.weight.shape)  # pyright: ignore[reportReturnType, reportArgumentType]


def checkpoint_index(position: int) -> int:
    """Number of the site at `position` in adapter files: 1, 3, 5 and so on.

    The even numbers are diffusers' self-attention layers, which the adapter leaves alone.
    """
    return 2 * position + 1
