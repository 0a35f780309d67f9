"""Train an adapter in the form of IP-Adapter FaceID, to compare InstantID with.

`python -m training.face_id_training --folder RUN --recogniser RUN/recogniser/glintr100.onnx`. The
base model is frozen. As in IP-Adapter's training, text and identity are each left out of some
pictures; pictures, weighting of the loss and windows are those of InstantID's training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from .diffusion import noise_loss
from .diffusion_batches import Batches, Text, batch_settings, diffusion_parser
from .face_id_network import FaceID
from .foundation import add_foundation_arguments, load_foundation
from .loop import Tensors, load_trained, loop_settings, train, training_device
from .portraits import portraits

NAME = "face_id"
LEFT_OUT = 0.1
"""Share of the pictures without text, and without identity; half of each are without both."""


def train_face_id(arguments: argparse.Namespace) -> None:
    """Train projection, keys, values and LoRA on a run's base model, or on a published one."""
    settings = loop_settings(arguments, NAME)
    foundation = load_foundation(arguments.folder, arguments.pretrained)
    buckets = {kind: bucket for kind, _, bucket in portraits(arguments, foundation)}
    context, pooled = foundation.encode_captions([""])
    empty = context.to(training_device()), pooled.to(training_device())

    def loss_of(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
        text, embeddings = without_some(given, empty)
        found = network(given["noisy"], given["timesteps"], text, given["sizes"], embeddings)
        return noise_loss(found, given)

    batches = Batches(buckets, batch_settings(arguments))
    train(FaceID(foundation.unet), batches.draw, loss_of, settings)


def without_some(given: Tensors, empty: Text) -> tuple[Text, torch.Tensor]:
    """Text and embeddings [B, 512] of a batch, some of them replaced: by the empty text, by zeros.

    empty: context [1, T, C] and pooled [1, P].
    """
    chance = given["chance"]
    no_text = chance < LEFT_OUT
    nobody = (chance > LEFT_OUT / 2) & (chance < 1.5 * LEFT_OUT)
    context = torch.where(no_text[:, None, None], empty[0], given["context"])
    pooled = torch.where(no_text[:, None], empty[1], given["pooled"])
    return (context, pooled), given["embeddings"].masked_fill(nobody[:, None], 0)


def load_face_id(run: Path) -> FaceID:
    """The adapter that a run has trained on its own base model, frozen."""
    return load_trained(FaceID(load_foundation(run, None).unet), run / NAME)


def main() -> None:
    """The command line."""
    parser = diffusion_parser(__doc__, steps=4000, face_weight=1.0)
    add_foundation_arguments(parser)
    parser.set_defaults(batch=32, ema_decay=0.999)
    train_face_id(parser.parse_args())


if __name__ == "__main__":
    main()
