"""Generates thumbnails of the template browser by running the shipped workflows.

Run in the environment of the tests, with COMFYUI_PATH set:

    python tools/run.py tools.pictures.thumbnails [NAME ...]

NAME is a short name of `tools.workflows.names`; without one, all are made. The models are those of
the small world, the people are `casts`, and `layouts` puts together what a run was given and made.
The browser looks for `workflows/NAME.jpg` beside `workflows/NAME.json`.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import ObjectInfo, Prompt, nodes_of
from tools.comfyui.server import HostServer
from tools.demo.prompt import WORKFLOWS, read_workflow
from tools.small_world import trained as small_world
from tools.workflows.names import FILES

from .casts import CASTS, depth_map
from .layouts import LAYOUTS, Take
from .thumbnail_prompt import cast_prompt

if TYPE_CHECKING:
    from tools.evaluate.backends import Backend
    from tools.evaluate.photos import Subject
    from tools.evaluate.settings import Setup

QUALITY = 88
PEOPLE = 3
DEPTH_SIDE = 512
SETTINGS = {"steps": 24, "weight": 1.2, "strength": 1.0}
"""Eyes behind glasses are clearer than at the weights of the highest likeness."""
PANEL = "instantid_likeness"
"""Key of a likeness node's output under which its figures are."""


def backend() -> Backend:
    """The trained models where there are some, else those with random weights."""
    from tools.evaluate.backends import random_backend, world_backend
    from tools.evaluate.settings import QUICK, Overrides

    make = random_backend if small_world.missing() else world_backend
    return make(replace(QUICK, people=PEOPLE), Overrides())


def main(names: Sequence[str]) -> int:
    """Writes the thumbnails of the named workflows, or of all."""
    if small_world.missing():
        print("error: thumbnails need the trained models of the small world", file=sys.stderr)
        return 1
    here = backend()
    setup = replace(here.setup, **SETTINGS)
    with (
        tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch,
        HostServer(here.launch(Path(scratch))) as server,
    ):
        client = ComfyClient(server.url)
        object_info = client.object_info()
        for name in names or CASTS:
            album = send(client, CASTS[name].album())
            thumbnail = make(client, name, object_info, setup, album)
            print(write(thumbnail, WORKFLOWS / f"{FILES[name]}.jpg"), flush=True)
    return 0


def upload(client: ComfyClient, subjects: Sequence[Subject]) -> dict[str, np.ndarray]:
    """Photos of three people, more of the first, and one of two of them, for the server.

    subjects: three with photos of one size, at least three photos of the first.
    """
    people = [subject.references for subject in subjects]
    pictures = {
        **{f"person{number}.png": photos[0] for number, photos in enumerate(people)},
        **{f"photo{number}.png": photo for number, photo in enumerate(people[0][:PEOPLE])},
        "pair.png": np.concatenate([photos[0] for photos in people[:2]], axis=1),
        "depth.png": depth_map(DEPTH_SIDE),
    }
    return send(client, pictures)


def send(client: ComfyClient, pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Puts pictures by name into the server's input folder; returns them."""
    for name, pixels in pictures.items():
        client.upload(name, encoded(Image.fromarray(pixels), "PNG"), overwrite="true")
    return pictures


def make(
    client: ComfyClient,
    name: str,
    object_info: ObjectInfo,
    setup: Setup,
    album: Mapping[str, np.ndarray],
) -> Image.Image:
    """Runs a workflow, given by its short name, and composes its thumbnail.

    album: photos that the server has, by the names of `thumbnail_prompt.PHOTOS`.
    """
    prompt = cast_prompt(read_workflow(name), object_info, setup, CASTS[name])
    outputs = client.run(prompt).outputs
    photos = {photo: Image.fromarray(pixels) for photo, pixels in album.items()}
    pictures = list(_pictures(client, prompt, outputs))
    return LAYOUTS[name](Take(photos, pictures, list(_scores(prompt, outputs)))).finished()


def _pictures(
    client: ComfyClient, prompt: Prompt, outputs: Mapping[str, Any]
) -> Iterator[Image.Image]:
    for node in nodes_of(prompt, "PreviewImage"):
        for image in outputs[node]["images"]:
            yield Image.open(io.BytesIO(client.image(image))).convert("RGB")


def _scores(prompt: Prompt, outputs: Mapping[str, Any]) -> Iterator[float]:
    """Likeness of each picture that the workflow scores; 0 of one without a clear face."""
    for node in nodes_of(prompt, "InstantIDScoreIdentity"):
        for result in json.loads(outputs[node][PANEL][0])["results"]:
            yield result["cosine"] or 0.0


def encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def write(thumbnail: Image.Image, path: Path) -> Path:
    path.write_bytes(encoded(thumbnail, "JPEG", quality=QUALITY))
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
