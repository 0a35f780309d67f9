"""Generates thumbnails of the template browser by running the shipped workflows.

Those that ship are drawn (`schematics`) until the small world paints pictures worth looking at.

Run in the environment of the tests, with COMFYUI_PATH set:

    python tools/run.py tools.pictures.thumbnails [NAME ...]

The models are those of the small world where they are trained, else small ones with random weights.
The browser looks for `workflows/NAME.jpg` beside `workflows/NAME.json`.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import ObjectInfo, nodes_of
from tools.comfyui.server import HostServer
from tools.demo.prompt import WORKFLOWS, read_workflow
from tools.small_world import trained as small_world

from .thumbnail_prompt import photos_shown, thumbnail_prompt

if TYPE_CHECKING:
    from tools.evaluate.backends import Backend
    from tools.evaluate.photos import Subject
    from tools.evaluate.settings import Setup

SIDE = 512
"""Pixels of a thumbnail, and of its longer side what the photos in its corner take."""
INSET, EDGE, GAP = 122, 4, 10
BACKGROUND, BORDER = (24, 24, 28), (240, 240, 240)
QUALITY = 88
PEOPLE = 3


def backend() -> Backend:
    """The trained models where there are some, else those with random weights."""
    from tools.evaluate.backends import random_backend, world_backend
    from tools.evaluate.settings import QUICK, Overrides

    make = random_backend if small_world.missing() else world_backend
    return make(replace(QUICK, people=PEOPLE), Overrides())


def main(names: Sequence[str]) -> int:
    """Writes the thumbnails of the named workflows, or of all."""
    chosen = [WORKFLOWS / f"{name}.json" for name in names] or sorted(WORKFLOWS.glob("*.json"))
    here = backend()
    print(f"Models: {here.setup.name}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch,
        HostServer(here.launch(Path(scratch))) as server,
    ):
        client = ComfyClient(server.url)
        album = upload(client, here.subjects)
        object_info = client.object_info()
        for number, path in enumerate(chosen):
            thumbnail = make(
                client, read_workflow(path.stem), object_info, here.setup, album, number
            )
            print(write(thumbnail, path.with_suffix(".jpg")), flush=True)
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
    }
    for name, pixels in pictures.items():
        client.upload(name, encoded(Image.fromarray(pixels), "PNG"), overwrite="true")
    return pictures


def make(
    client: ComfyClient,
    saved: Mapping[str, Any],
    object_info: ObjectInfo,
    setup: Setup,
    album: Mapping[str, np.ndarray],
    turn: int,
) -> Image.Image:
    """Runs a workflow; the pictures that its first saving node has saved, with the photos.

    turn: workflows with different ones begin with different styles.
    """
    texts = setup.texts_of(turn)
    prompt = thumbnail_prompt(saved, object_info, setup, [text.prompt for text in texts])
    outputs = client.run(prompt).outputs
    images = outputs[nodes_of(prompt, "SaveImage")[0]]["images"]
    pictures = [Image.open(io.BytesIO(client.image(one))).convert("RGB") for one in images]
    photos = [Image.fromarray(album[photo]) for photo in photos_shown(prompt)]
    return composed(pictures, photos)


def composed(pictures: Sequence[Image.Image], photos: Iterable[Image.Image]) -> Image.Image:
    """A square with the pictures side by side, and the photos in its lower left corner."""
    sheet = tiled(pictures)
    scale = SIDE / max(sheet.size)
    size = (max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale)))
    square = Image.new("RGB", (SIDE, SIDE), BACKGROUND)
    # A low picture lies above the photos.
    top = 0 if size[1] < SIDE - INSET else (SIDE - size[1]) // 2
    square.paste(sheet.resize(size, Image.Resampling.LANCZOS), ((SIDE - size[0]) // 2, top))
    for number, photo in enumerate(photos):
        framed = Image.new("RGB", (INSET, INSET), BORDER)
        inside = INSET - 2 * EDGE
        framed.paste(photo.resize((inside, inside), Image.Resampling.LANCZOS), (EDGE, EDGE))
        square.paste(framed, (GAP + number * (INSET + GAP), SIDE - INSET - GAP))
    return square


def tiled(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in rows of about as many as there are rows."""
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    width, height = pictures[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), BACKGROUND)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        sheet.paste(picture, (column * width, row * height))
    return sheet


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
