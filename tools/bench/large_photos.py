"""Seconds and memory that the face nodes' work takes on photos of a phone's size.

    python tools/run.py tools.bench.large_photos FOLDER PHOTO

FOLDER holds `models/insightface` and `photos`; the photo is enlarged. The last line is JSON: for
each size in megapixels and each step the seconds of processor time, and the MiB of memory at the
peak beside the picture that comes in. Linux, and the Python of the unit tests.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from instantid_core.faces import FaceAnalyzer, Selection, preview, thumbnails
from instantid_core.identity import combine, likeness, likeness_figures
from instantid_core.images import batch_of, frames_of
from instantid_core.keypoints import Pasting, cut, paste
from instantid_core.models import find_models

SIZES = ("1", "24", "100")
CROPPED_UP_TO = 24
CROP = 1016


def main(arguments: list[str]) -> None:
    """Measures all sizes and prints them."""
    folder, name = Path(arguments[0]), arguments[1]
    analyzer = FaceAnalyzer(find_models([folder / "models" / "insightface"]), "cpu")
    photo = Image.open(folder / "photos" / f"{name}.jpg").convert("RGB")
    analyse(analyzer, enlarged(photo, 0.5))  # the first run opens libraries
    print(json.dumps({size: measure(analyzer, photo, float(size)) for size in SIZES}))


def measure(analyzer: Any, photo: Image.Image, megapixels: float) -> dict[str, dict[str, float]]:
    """Seconds and MiB of each step at this size."""
    image = enlarged(photo, megapixels)
    found: dict[str, dict[str, float]] = {}
    faces = measured(found, "analyse", lambda: analyse(analyzer, image))
    if megapixels > CROPPED_UP_TO:
        return found
    crops = measured(found, "crop", lambda: cut(image, faces, CROP, 1.6))
    measured(found, "paste", lambda: paste(image, crops.images, crops.crops, Pasting()))
    other = image.flip(2).contiguous()  # another photo for the analyzer
    identity = combine(faces, "average")
    measured(found, "score", lambda: score(analyzer, other, identity))
    return found


def enlarged(photo: Image.Image, megapixels: float) -> torch.Tensor:
    """[1, H, W, 3] float32."""
    scale = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
    size = round(photo.width * scale), round(photo.height * scale)
    return batch_of([np.asarray(photo.resize(size))])


def analyse(analyzer: Any, image: torch.Tensor) -> Any:
    """The work of Analyze Faces, its previews written as the host writes them."""
    frames = frames_of(image)
    analysis = analyzer.analyse(frames, Selection(on_no_face="skip"), 0.5)
    # Both stay until the end, as the host keeps a node's outputs.
    outputs = preview.annotated(frames, analysis), preview.box_masks(analysis)
    small = thumbnails(frames)
    write(preview.annotated(small, analysis), batch_of(small))
    del outputs
    return analysis.faces


def score(analyzer: Any, image: torch.Tensor, identity: Any) -> None:
    """The work of Score Identity."""
    frames = frames_of(image)
    faces = analyzer.analyse(frames, Selection("all", on_no_face="skip"), 0.5).faces
    found = likeness.score(identity, faces)
    crops = likeness_figures.result_crops(frames, found, 256)
    write(likeness_figures.score_sheet(frames, found), batch_of(crops))


def write(*batches: torch.Tensor) -> None:
    """PNG files, as the host's preview writes them."""
    with tempfile.TemporaryDirectory() as folder:
        for batch in batches:
            levels = (batch[0] * 255).round().byte().numpy()
            Image.fromarray(levels).save(Path(folder) / "preview.png", compress_level=4)


def measured(found: dict[str, dict[str, float]], step: str, run: Callable[[], Any]) -> Any:
    """The result of `run`, with its figures noted under `step`."""
    before, highest, going = resident(), [0.0], [True]

    def watch() -> None:
        while going[0]:
            highest[0] = max(highest[0], resident())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.process_time()
    result = run()
    seconds = time.process_time() - started
    going[0] = False
    watcher.join()
    found[step] = {"seconds": seconds, "mib": highest[0] - before}
    return result


def resident() -> float:
    """MiB of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


if __name__ == "__main__":
    main(sys.argv[1:])
