"""The demo on the small world: somebody no model has seen, in four styles, with InstantID and
without, and how much each picture looks like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tools.comfyui.client import ClientError, ComfyClient
from tools.comfyui.server import HostServer
from tools.evaluate.backends import world_backend
from tools.evaluate.figures import EvaluationError
from tools.evaluate.measurements import Measure, Measurements
from tools.evaluate.runner import Runner
from tools.evaluate.settings import QUICK, Overrides, Text

from .contact_sheet import Captions, contact_sheet

PERSON = 2
"""Index of the held-out person to show, in the evaluation's order."""
PLAIN = "flat"
"""The style of the photo itself, which the sheet leaves out."""
ROWS = ("none", "both")
SHEET, PHOTO = "likeness.png", "reference.png"


@dataclass(frozen=True)
class Sheet:
    """Contents of the demo's contact sheet."""

    reference: np.ndarray
    """[H, W, 3] uint8 RGB."""
    styles: tuple[str, ...]
    names: tuple[str, ...]
    """Of the rows."""
    rows: tuple[tuple[Measure, ...], ...]
    """One picture for each style, without InstantID and with it."""

    def means(self) -> tuple[float, ...]:
        """Mean likeness of each row, a cosine."""
        return tuple(float(np.mean([one.likeness for one in row])) for row in self.rows)


def run(output: Path, scratch: Path) -> None:
    """Starts the server, makes the pictures, writes and reports them."""
    from instantid_core.faces import FaceAnalyzer
    from instantid_core.models import find_models

    backend = world_backend(replace(QUICK, people=PERSON + 1), Overrides())
    print("Starting ComfyUI", flush=True)
    with HostServer(backend.launch(scratch)) as server:
        print(f"ComfyUI is ready after {server.seconds_to_start:.1f} s at {server.url}", flush=True)
        client = ComfyClient(server.url)
        analyzer = FaceAnalyzer(find_models([backend.faces(scratch)]), "cpu")
        runner = Runner([client], backend.setup, analyzer, client.object_info())
        try:
            people = runner.upload_people(backend.subjects, print)[-1:]
            run = Measurements(
                backend.setup, QUICK, runner, people, backend.poses, backend.scorer, print
            )
            sheet = portraits(run)
        except ClientError as error:
            raise EvaluationError(f"{error}\n{server.log_tail()}") from error
    report(sheet, write(sheet, output))


def portraits(run: Measurements) -> Sheet:
    """One person in every style but the photo's own, both ways from the same noise."""
    (person,) = run.people
    texts = [text for text in run.setup.texts_of(person.number) if text.style != PLAIN]
    variants = [run.variants[name] for name in ROWS]
    rows = []
    for variant in variants:
        print(f"\n{variant.name}", flush=True)
        rows.append(
            tuple(_followed(run, text, run.portrait(person, text, variant)) for text in texts)
        )
    styles = tuple(text.style for text in texts)
    names = tuple(variant.name for variant in variants)
    return Sheet(person.subject.references[0], styles, names, tuple(rows))


def _followed(run: Measurements, text: Text, found: Measure) -> Measure:
    print(f"  {found.tile.caption:>8}  {text.prompt}", flush=True)
    return found


def write(sheet: Sheet, folder: Path) -> list[Path]:
    """The photo, every picture, and the sheet of all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {PHOTO: sheet.reference}
    for name, row in zip(("without", "with"), sheet.rows, strict=True):
        for style, measure in zip(sheet.styles, row, strict=True):
            pictures[f"{style}_{name}.png"] = measure.picture.image
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name)
    captions = Captions(sheet.styles, sheet.names, [_likenesses(row) for row in sheet.rows])
    shown = [[Image.fromarray(one.picture.image) for one in row] for row in sheet.rows]
    contact_sheet(Image.fromarray(sheet.reference), shown, captions).save(folder / SHEET)
    return [folder / name for name in (*pictures, SHEET)]


def _likenesses(row: Sequence[Measure]) -> list[str]:
    return [f"likeness {one.tile.caption}" for one in row]


def report(sheet: Sheet, paths: Sequence[Path]) -> None:
    """Prints the likeness and the paths of the pictures."""
    print("\nMean likeness to the reference, the cosine of the recogniser's embeddings")
    for name, mean in zip(sheet.names, sheet.means(), strict=True):
        print(f"  {mean:5.2f}  {name}")
    print("\nPictures")
    for path in paths:
        print(f"  {path}")
