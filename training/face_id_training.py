"""Train an adapter in the form of IP-Adapter FaceID, to compare InstantID with.

`python -m training.face_id_training --folder RUN --recogniser RUN/recogniser/glintr100.onnx`. The
base model is frozen. As in IP-Adapter's training, text and identity are each left out of some
pictures; pictures, weighting of the loss and windows are those of InstantID's training.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from .command_line import loop_settings, settings_of
from .diffusion import noise_loss
from .diffusion_batches import Batches, BatchSettings, Text, diffusion_parser
from .face_id_network import FaceID
from .foundation import add_foundation_arguments, load_foundation, portraits
from .loop import Tensors, load_trained, train, training_device

NAME = "face_id"
LEFT_OUT = 0.1
"""Share of the pictures without text, and without identity; half of each are without both."""


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


def load_face_id(run: Path) -> FaceID:
    """The adapter that a run has trained on its own base model, frozen."""
    return load_trained(FaceID(load_foundation(run).unet), run / NAME)


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
