"""The cross-attention sites, read from a network's modules in the order of adapter files."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from instantid_core.adapter.sites import AttentionSite, checkpoint_index, cross_attention_sites
from tools.small_world import published_shapes

# Transformer depth of each block that has one, as (block number, width, depth).
SDXL = {
    "input": [(4, 640, 2), (5, 640, 2), (7, 1280, 10), (8, 1280, 10)],
    "output": [(0, 1280, 10), (1, 1280, 10), (2, 1280, 10), (3, 640, 2), (4, 640, 2), (5, 640, 2)],
    "middle": [(0, 1280, 10)],
}


class Attention(nn.Module):
    def __init__(self, width: int, context_dim: int) -> None:
        super().__init__()
        self.to_k = nn.Linear(context_dim, width, bias=False, device="meta")


class Layer(nn.Module):
    """A transformer layer; `attn1` looks at itself and must not be taken for a site."""

    def __init__(self, width: int, context_dim: int) -> None:
        super().__init__()
        self.attn1 = Attention(width, width)
        self.attn2 = Attention(width, context_dim)


class Transformer(nn.Module):
    def __init__(self, width: int, depth: int, context_dim: int) -> None:
        super().__init__()
        self.transformer_blocks = nn.ModuleList(Layer(width, context_dim) for _ in range(depth))


class UNet(nn.Module):
    """The skeleton of an LDM UNet: blocks with convolutions, some of them with a transformer."""

    def __init__(self, stages: dict, blocks: int = 9, context_dim: int = 2048) -> None:
        super().__init__()
        self.input_blocks = self._stage(stages["input"], blocks, context_dim)
        (_, width, depth) = stages["middle"][0]
        self.middle_block = nn.Sequential(
            nn.Identity(), Transformer(width, depth, context_dim), nn.Identity()
        )
        self.output_blocks = self._stage(stages["output"], blocks, context_dim)

    @staticmethod
    def _stage(transformers: list, blocks: int, context_dim: int) -> nn.ModuleList:
        stage = nn.ModuleList(nn.Sequential(nn.Identity()) for _ in range(blocks))
        for number, width, depth in transformers:
            stage[number].append(Transformer(width, depth, context_dim))
            stage[number].append(nn.Identity())
        return stage


@pytest.fixture(scope="module")
def sdxl() -> tuple[AttentionSite, ...]:
    return cross_attention_sites(UNet(SDXL))


def test_sdxl_has_24_36_and_10_sites(sdxl: tuple[AttentionSite, ...]) -> None:
    stages = [site.block for site in sdxl]
    assert stages == ["input"] * 24 + ["output"] * 36 + ["middle"] * 10


def test_sdxl_widths_are_those_of_the_published_file(sdxl: tuple[AttentionSite, ...]) -> None:
    assert [site.width for site in sdxl] == published_shapes.SITE_WIDTHS
    assert {site.context_dim for site in sdxl} == {published_shapes.CONTEXT}


def test_every_site_has_a_key_of_its_own(sdxl: tuple[AttentionSite, ...]) -> None:
    assert len({site.key for site in sdxl}) == 70


def test_middle_sites_are_block_zero(sdxl: tuple[AttentionSite, ...]) -> None:
    assert [site.key for site in sdxl[60:]] == [("middle", 0, index) for index in range(10)]


@pytest.mark.parametrize(
    ("position", "key"),
    [
        (0, ("input", 4, 0)),
        (3, ("input", 5, 1)),
        (4, ("input", 7, 0)),
        (23, ("input", 8, 9)),
        (24, ("output", 0, 0)),
        (54, ("output", 3, 0)),
        (59, ("output", 5, 1)),
        (69, ("middle", 0, 9)),
    ],
)
def test_order_of_sdxl(
    sdxl: tuple[AttentionSite, ...], position: int, key: tuple[str, int, int]
) -> None:
    assert sdxl[position].key == key


def test_blocks_without_a_transformer_are_passed_over() -> None:
    stages = {"input": [(1, 32, 1)], "output": [(2, 64, 2)], "middle": [(0, 96, 1)]}
    sites = cross_attention_sites(UNet(stages, blocks=3, context_dim=48))
    assert sites == (
        AttentionSite("input", 1, 0, 32, 48),
        AttentionSite("output", 2, 0, 64, 48),
        AttentionSite("output", 2, 1, 64, 48),
        AttentionSite("middle", 0, 0, 96, 48),
    )


def test_layers_without_cross_attention_are_no_sites() -> None:
    unet = UNet({"input": [(0, 32, 2)], "output": [], "middle": [(0, 32, 1)]}, blocks=1)
    transformer = next(m for m in unet.input_blocks[0] if isinstance(m, Transformer))
    transformer.transformer_blocks[0].attn2 = None
    keys = [site.key for site in cross_attention_sites(unet)]
    assert keys == [("input", 0, 1), ("middle", 0, 0)]


def test_networks_of_another_kind_have_no_sites() -> None:
    without_middle = nn.Module()
    without_middle.input_blocks = nn.ModuleList()
    without_middle.output_blocks = nn.ModuleList()
    assert cross_attention_sites(nn.Linear(2, 2)) == ()
    assert cross_attention_sites(without_middle) == ()


def test_quantised_or_cast_weights_change_nothing(sdxl: tuple[AttentionSite, ...]) -> None:
    assert cross_attention_sites(UNet(SDXL).to(torch.float8_e4m3fn)) == sdxl


def test_files_number_sites_with_odd_numbers() -> None:
    assert [checkpoint_index(position) for position in (0, 1, 23, 24, 59, 60, 69)] == [
        1, 3, 47, 49, 119, 121, 139,
    ]  # fmt: skip
