"""`dev.py demo`: a face photo becomes an identity-conditioned picture in a real ComfyUI.

Runs in the Python that runs that ComfyUI.
"""

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from tools.comfyui import workspace
from tools.comfyui.cache import CacheError
from tools.comfyui.client import ClientError, ComfyClient, NodeTime, Run
from tools.comfyui.console import Progress, exit_code
from tools.comfyui.environment import REPOSITORY
from tools.comfyui.prompts import Prompt, PromptError, nodes_of
from tools.comfyui.server import HostServer, Launch, ServerError
from tools.evaluate.figures import EvaluationError
from tools.small_world import trained as small_world

from . import prompt as demo_prompt
from .prompt import KEYPOINTS_NODE, Wishes

SMALL_MODELS_NOTE = (
    "These small models have random weights: they show that everything works together, not a "
    "likeness. For one, start the demo without --photo and --workflow, or name your own ComfyUI "
    "with --comfyui DIR."
)
DEFAULT_WORKFLOW = "composed"
INSTALLED_HINT = (
    "A value that is not in the list is a model file that your ComfyUI does not have: README.md "
    "names every file with its folder, and --checkpoint picks another checkpoint.\n"
)
TWO_FACES = "two faces"
"""Label of photos in workflows that must show two people."""


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


EXPECTED = (DemoError, EvaluationError, PromptError, ClientError, ServerError, CacheError)


@dataclass(frozen=True)
class Picture:
    """An image file under its own name."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Pictures:
    """Results of the demo, as encoded image files."""

    photo: Picture
    generated: bytes
    without_identity: bytes
    keypoints: bytes | None


def main(arguments: Sequence[str]) -> int:
    """Runs the demo and returns its exit code."""
    options = parse(arguments)

    def work() -> None:
        with tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch:
            show = likeness if shows_likeness(options) else run
            show(options, Path(scratch))

    return exit_code(work, EXPECTED)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options as `dev.py demo` passes them on; its help describes them."""
    parser = argparse.ArgumentParser(prog="dev.py demo")
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--workflow")
    parser.add_argument("--checkpoint")
    parser.add_argument("--prompt")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "output")
    parser.add_argument("--installed", action="store_true")
    return parser.parse_args(arguments)


def shows_likeness(options: argparse.Namespace) -> bool:
    """Whether the small world is trained, and the options ask for nothing beyond it."""
    wishes = ("photo", "workflow", "checkpoint", "prompt", "seed")
    asked = options.installed or any(getattr(options, wish) is not None for wish in wishes)
    return not asked and not small_world.missing()


def likeness(options: argparse.Namespace, scratch: Path) -> None:
    """The sheet of the small world, whose models are trained."""
    from . import trained_world  # needs the packages of the environment

    trained_world.run(options.output, scratch)


def run(options: argparse.Namespace, scratch: Path) -> None:
    """Starts the server, makes the pictures, and reports."""
    saved = demo_prompt.read_workflow(options.workflow or DEFAULT_WORKFLOW)
    photo = chosen_photo(options, saved)
    print("Starting ComfyUI", flush=True)
    with HostServer(launch(options, scratch)) as server:
        print(f"ComfyUI is ready after {server.seconds_to_start:.1f} s at {server.url}", flush=True)
        try:
            pictures, times = make_pictures(ComfyClient(server.url), options, saved, photo)
        except ClientError as error:
            # Its own words first; the log has what the server knows beyond them.
            log = server.save_log(options.output)
            hint = INSTALLED_HINT if options.installed else ""
            raise DemoError(f"{error}\n{hint}The log is {log}.") from error
    paths = write(pictures, options.output)
    report(NodeTime("", "ComfyUI start", server.seconds_to_start), times, paths)
    print(f"\n{changed(pictures)}")
    if not options.installed:
        print(SMALL_MODELS_NOTE)


def launch(options: argparse.Namespace, scratch: Path) -> Launch:
    """The server that the options ask for."""
    environment = workspace.current()
    if options.installed:
        workspace.require_packages()
        return workspace.installed_launch(environment, scratch)
    return workspace.small_launch(environment, scratch)


def chosen_photo(options: argparse.Namespace, saved: Mapping[str, Any]) -> Picture:
    """The user's photo, or as many drawn faces as the workflow needs for the small face models."""
    if options.photo:
        return read_photo(options.photo)
    if options.installed:
        raise DemoError(
            "With --comfyui the real face models look for a face, and they do not take the drawn "
            "one for any. Name a photo with --photo FILE."
        )
    return drawn_photo(people=2 if TWO_FACES in json.dumps(saved) else 1)


def read_photo(path: Path) -> Picture:
    """The user's photo, refused early if it is none."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.verify()
    except (OSError, UnidentifiedImageError) as error:
        raise DemoError(f"--photo should name an image file; {path} is none: {error}.") from error
    return Picture(f"photo{path.suffix.lower() or '.png'}", content)


def drawn_photo(people: int = 1) -> Picture:
    """Drawn faces side by side that the small face models know."""
    from tools.small_world.painter import (
        portrait,  # needs OpenCV, which a photo of the user's own does not
    )

    faces = [portrait(768, 768, identity=5 * number)[0] for number in range(people)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(faces, axis=1)).save(buffer, format="PNG")
    return Picture("photo.png", buffer.getvalue())


def make_pictures(
    client: ComfyClient, options: argparse.Namespace, saved: Mapping[str, Any], photo: Picture
) -> tuple[Pictures, list[NodeTime]]:
    """Both runs, and how long the nodes of the first one took."""
    uploaded = client.upload(photo.name, photo.content)
    wishes = Wishes(options.checkpoint, options.prompt, options.seed)
    object_info = client.object_info()
    prompt = demo_prompt.identity_prompt(saved, object_info, wishes, uploaded)
    if not options.installed:
        prompt = demo_prompt.with_small_models(prompt)
    print("\nWith identity", flush=True)
    with_identity = follow(client, prompt)
    print("\nSame seed without identity", flush=True)
    plain = demo_prompt.without_identity(prompt)
    without = follow(client, plain)
    keypoints = with_identity.outputs.get(KEYPOINTS_NODE)
    pictures = Pictures(
        photo,
        generated=saved_image(client, prompt, with_identity),
        without_identity=saved_image(client, plain, without),
        keypoints=client.image(keypoints["images"][0]) if keypoints else None,
    )
    return pictures, with_identity.times


def follow(client: ComfyClient, prompt: Prompt) -> Run:
    """Runs `prompt` with its progress on the console."""
    return client.run(prompt, Progress(sys.stdout))


def saved_image(client: ComfyClient, prompt: Prompt, finished: Run) -> bytes:
    """The first picture that the workflow itself saves or shows."""
    showing = [*nodes_of(prompt, "SaveImage"), *nodes_of(prompt, "PreviewImage")]
    for node in showing:
        images = finished.outputs.get(node, {}).get("images")
        if images and node != KEYPOINTS_NODE:
            return client.image(images[0])
    raise DemoError("The workflow ran, but no SaveImage or PreviewImage node of it gave a picture.")


def write(pictures: Pictures, folder: Path) -> dict[str, Path]:
    """Writes the pictures into `folder`; what they show to where they are."""
    files = {
        "photo": (pictures.photo.name, pictures.photo.content),
        "generated": ("generated.png", pictures.generated),
        "without identity": ("without_identity.png", pictures.without_identity),
        "keypoints": ("keypoints.png", pictures.keypoints),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for label, (name, content) in files.items():
        if content is not None:
            paths[label] = folder / name
            paths[label].write_bytes(content)
    return paths


def report(start: NodeTime, times: Sequence[NodeTime], paths: Mapping[str, Path]) -> None:
    """Seconds of each stage and where the pictures are."""
    print("\nSeconds per stage")
    for stage in (start, *times):
        print(f"  {stage.seconds:7.2f}  {stage.title}")
    print("\nPictures")
    for label, path in paths.items():
        print(f"  {label:17} {path}")


def changed(pictures: Pictures) -> str:
    """Text about the effect of the identity on the picture."""
    difference = mean_difference(pictures.generated, pictures.without_identity)
    return (
        f"Identity changed the picture by {difference:.2f} of 255 on average "
        "(the same seed with weight 0 and strength 0 beside it)."
    )


def mean_difference(first: bytes, second: bytes) -> float:
    """Mean absolute difference of two pictures' channels, 0..255."""
    pixels = [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in (first, second)]
    return float(np.abs(pixels[0].astype(float) - pixels[1].astype(float)).mean())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
