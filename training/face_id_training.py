"""Train an adapter in the form of IP-Adapter FaceID, to compare InstantID with.

`python -m training.face_id_training --folder RUN --recogniser RUN/recogniser/glintr100.onnx`. The
base model is frozen. As in IP-Adapter's training, text and identity are each left out of some
pictures; pictures, weighting of the loss and windows are those of InstantID's training.

A face embedding of length 1 becomes four tokens, which every cross-attention reads with keys and
values of their own; a LoRA changes all attention of the UNet. There is no IdentityNet. Source:
IP-Adapter's `ip_adapter_faceid.py` and `attention_processor_faceid.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from instantid_core.adapter.face_id import FaceIDConfig

from .adapter_network import EMBEDDING_WIDTH, attention, install, keys_and_values, with_tokens
from .command_line import loop_settings, settings_of
from .diffusion import noise_in, noise_loss
from .diffusion_batches import Batches, BatchSettings, Text, diffusion_parser
from .foundation import add_foundation_arguments, load_foundation, portraits
from .loop import Tensors, train, training_device

NAME = "face_id"
LEFT_OUT = 0.1
"""Share of the pictures without text, and without identity; half of each are without both."""


@dataclass(frozen=True)
class FaceIDSettings:
    """Sizes of the trained parts; the published ones are 1024, 4 and 128."""

    width: int = 1024
    tokens: int = 4
    rank: int = 16


class LowRank(nn.Module):
    """A change of a linear layer, which gives it from now on; none at first."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(layer.in_features, rank, bias=False)
        self.up = nn.Linear(rank, layer.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=1 / rank)
        nn.init.zeros_(self.up.weight)
        layer.register_forward_hook(lambda _, taken, given: given + self.up(self.down(taken[0])))


class AttentionLora(nn.Module):
    """Changes of the four layers of one attention."""

    def __init__(self, attn: Any, rank: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.to_out = (
            LowRank(layer, rank) for layer in (attn.to_q, attn.to_k, attn.to_v, attn.to_out[0])
        )


class FaceIDAttention:
    """A diffusers attention processor: attention to the text or the picture itself and, given
    keys and values for them, to the identity's tokens, which lie behind the text."""

    def __init__(
        self, to_k: nn.Module | None = None, to_v: nn.Module | None = None, tokens: int = 0
    ) -> None:
        self.layers, self.tokens = (to_k, to_v), tokens

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        **_: Any,
    ) -> torch.Tensor:
        """Hidden states [B, N, C] and a context [B, T + tokens, context] -> [B, N, C]."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        text = context[:, : context.shape[1] - self.tokens]
        query = attn.to_q(hidden_states)
        seen = attention(query, attn.to_k(text), attn.to_v(text), attn.heads)
        if self.tokens:
            key, value = (layer(context[:, -self.tokens :]) for layer in self.layers if layer)
            seen = seen + attention(query, key, value, attn.heads)
        return attn.to_out[1](attn.to_out[0](seen))


class FaceID(nn.Module):
    """The frozen UNet with projection, keys, values and LoRA in its attention."""

    def __init__(
        self, unet: UNet2DConditionModel, settings: FaceIDSettings = FaceIDSettings()
    ) -> None:
        super().__init__()
        self.unet = unet.requires_grad_(False)
        context = unet.config["cross_attention_dim"]
        sizes = FaceIDConfig(EMBEDDING_WIDTH, settings.width, settings.tokens, context)
        self.projection = sizes.build(nn)
        self.to_k, self.to_v = keys_and_values(unet)
        paths = (name.removesuffix(".processor") for name in unet.attn_processors)
        self.lora = nn.ModuleList(
            AttentionLora(unet.get_submodule(path), settings.rank) for path in paths
        )
        install(unet, self, settings.tokens, FaceIDAttention, FaceIDAttention)

    def forward(self, given: Tensors) -> torch.Tensor:
        """Predict the noise in latents [B, 4, h, w].

        given: what `noise_in` asks for, the text's `context` [B, T, C] and `embeddings` [B, 512]
        of any length; zeros are nobody.
        """
        tokens = self.projection(given["embeddings"][:, None])
        return noise_in(self.unet, given, with_tokens(given, tokens))


def without_some(given: Tensors, empty: Text) -> Tensors:
    """A batch with some texts and `embeddings` [B, 512] replaced: by the empty text, by zeros.

    empty: context [1, T, C] and pooled [1, P].
    """
    chance = given["chance"]
    no_text = chance < LEFT_OUT
    nobody = (chance > LEFT_OUT / 2) & (chance < 1.5 * LEFT_OUT)
    return given | {
        "context": torch.where(no_text[:, None, None], empty[0], given["context"]),
        "pooled": torch.where(no_text[:, None], empty[1], given["pooled"]),
        "embeddings": given["embeddings"].masked_fill(nobody[:, None], 0),
    }


def main() -> None:
    """Train projection, keys, values and LoRA on a run's base model, or on a published one."""
    parser = diffusion_parser(__doc__, steps=4000, batch=32, ema_decay=0.999)
    add_foundation_arguments(parser)
    arguments = parser.parse_args()
    settings = loop_settings(arguments, NAME)
    foundation = load_foundation(arguments.folder, arguments.pretrained)
    buckets = {kind: bucket for kind, _, bucket in portraits(arguments, foundation)}
    context, pooled = foundation.encode_captions([""])
    empty = context.to(training_device()), pooled.to(training_device())

    def loss_of(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
        return noise_loss(network(without_some(given, empty)), given)

    batches = Batches(buckets, settings_of(BatchSettings, arguments))
    train(FaceID(foundation.unet), batches.draw, loss_of, settings)


if __name__ == "__main__":
    main()
