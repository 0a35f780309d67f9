"""Sheets of what a run's models paint: `python -m training.sampling --folder RUN --out SHEET.png`.

Rows are held-out people: a photo, then one picture in each style from the same noise. With the
files of recognisers, of which the first conditions, it tells the cosine to the photo by each, at
the keypoints that were asked for, and how often the right one of the people is the nearest.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch.nn import functional

from .adapter_network import EMBEDDING_WIDTH
from .autoencoder_training import load_autoencoder
from .diffusion import size_numbers
from .face_embeddings import embed
from .foundation import Text, load_foundation
from .instantid_training import hint_of, load_instantid
from .networks.autoencoder import FACTOR, LATENT_CHANNELS, SCALE
from .networks.denoiser import BETAS, TIMESTEPS
from .world import BACKGROUNDS, HELD_OUT, STYLES, Painting, Person, Pose, Scene, caption, paint

Noise = Callable[[torch.Tensor, torch.Tensor, Text, torch.Tensor], torch.Tensor]
"""Noisy latents, timesteps, text and which rows are conditioned, [B, 1] -> the noise."""


@dataclass(frozen=True)
class SamplerSettings:
    """Number of steps, guidance and noise."""

    steps: int = 20
    cfg: float = 2.0
    seed: int = 0


def sample(
    predict: Noise, text: Text, empty: Text, extent: tuple[int, int], settings: SamplerSettings
) -> torch.Tensor:
    """Latents [B, 4, h, w] of unit variance for B texts; extent: height and width in pixels."""
    scheduler: Any = DDIMScheduler(
        TIMESTEPS, *BETAS, "scaled_linear", clip_sample=False, timestep_spacing="trailing"
    )
    scheduler.set_timesteps(settings.steps)
    count = len(text[0])
    shape = (1, LATENT_CHANNELS, extent[0] // FACTOR, extent[1] // FACTOR)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(settings.seed))
    latents = noise.repeat(count, 1, 1, 1)
    both = [torch.cat([told, none.expand_as(told)]) for told, none in zip(text, empty, strict=True)]
    known = torch.arange(2 * count)[:, None] < count
    for timestep in scheduler.timesteps:
        steps = torch.full((2 * count,), int(timestep))
        found = predict(torch.cat([latents] * 2), steps, (both[0], both[1]), known)
        told, untold = found.chunk(2)
        noise = untold + settings.cfg * (told - untold)
        latents = scheduler.step(noise, timestep, latents).prev_sample
    return latents


class Studio:
    """A run's models, and pictures of held-out people by them."""

    def __init__(self, run: Path, recognisers: list[Path], settings: SamplerSettings) -> None:
        self.autoencoder = load_autoencoder(run)
        self.foundation = load_foundation(run, None)
        self.model = load_instantid(run) if recognisers else None
        self.recognisers, self.settings = recognisers, settings

    def portraits(self, number: int, asked: Painting) -> np.ndarray:
        """A held-out person at the keypoints of a painting, in every style: [styles, H, W, 3]."""
        height, width = asked.image.shape[:2]
        words = [caption(s, BACKGROUNDS[(number + n) % 5]) for n, s in enumerate(STYLES)]
        hint = hint_of(asked.keypoints[0], (height, width))
        photo, known = photo_of(number), torch.zeros(1, EMBEDDING_WIDTH)
        if self.model is not None:
            found = embed(photo.image[None], photo.keypoints, self.recognisers[0])
            known = torch.from_numpy(found)

        def predict(
            noisy: torch.Tensor, steps: torch.Tensor, text: Text, told: torch.Tensor
        ) -> torch.Tensor:
            sizes = size_numbers(height, width, len(noisy))
            if self.model is None:
                added = {"text_embeds": text[1], "time_ids": sizes}
                return self.foundation.unet(noisy, steps, text[0], added_cond_kwargs=added).sample
            hints = hint.expand(len(noisy), -1, -1, -1)
            return self.model(noisy, steps, text, sizes, known * told, hints)

        encode = self.foundation.encode_captions
        latents = sample(predict, encode(words), encode([""]), (height, width), self.settings)
        found = self.autoencoder.decode(latents / SCALE).movedim(1, -1)
        return ((found + 1) * 127.5).round().byte().numpy()


def photo_of(number: int, yaw: float = 0.0) -> Painting:
    """A plain portrait."""
    return paint(Scene((Person(number, Pose(yaw)),)))


def cosines(made: np.ndarray, asked: list[Painting], recogniser: Path) -> torch.Tensor:
    """Pictures [P, styles, H, W, 3] of P people against all P photos: [P, styles, P]."""
    photos = [photo_of(number) for number in HELD_OUT[: len(made)]]
    images = np.stack([photo.image for photo in photos])
    own = embed(images, np.concatenate([photo.keypoints for photo in photos]), recogniser)
    points = np.concatenate([np.repeat(each.keypoints, made.shape[1], 0) for each in asked])
    seen = embed(made.reshape(-1, *made.shape[2:]), points, recogniser)
    units = [functional.normalize(torch.from_numpy(values)) for values in (seen, own)]
    return (units[0] @ units[1].T).view(*made.shape[:2], -1)


@torch.no_grad()
def main() -> None:
    """The command line."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the run's folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--cfg", type=float, default=2.0)
    parser.add_argument("--recognisers", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    studio = Studio(arguments.folder, arguments.recognisers, SamplerSettings(cfg=arguments.cfg))
    people = HELD_OUT[: arguments.people]
    asked = [photo_of(number, 10.0) for number in people]
    made = np.stack([studio.portraits(*pair) for pair in zip(people, asked, strict=True)])
    photos = np.stack([photo_of(number).image for number in people])
    rows = np.concatenate([photos[:, None], made], axis=1)
    Image.fromarray(np.concatenate([np.concatenate(list(r), 1) for r in rows])).save(arguments.out)
    for recogniser in arguments.recognisers:
        found = cosines(made, asked, recogniser)
        own = found[range(len(people)), :, range(len(people))]
        right = (found.argmax(-1) == torch.arange(len(people))[:, None]).float().mean()
        print(f"{recogniser.stem}: {own.mean():.3f}, styles {own.mean(0)}, right {right:.2f}")


if __name__ == "__main__":
    main()
