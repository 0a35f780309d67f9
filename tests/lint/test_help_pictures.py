"""Every help page shows its node in use; `tools.pictures.nodes` takes the pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tools.pictures.words import noted_in, words_on

DOCS = Path(__file__).parents[2] / "web" / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
PICTURES = sorted((DOCS / "images").iterdir())
PICTURE = re.compile(r"^!\[(?P<alt>[^\]]+)\]\((?P<path>[^)\s]+)\)$", re.MULTILINE)
LARGEST = 40_000
"""Bytes."""


def node_of(page: Path) -> str:
    return page.stem if page.parent == DOCS else page.parent.name


def picture_faults(page: Path) -> Iterator[str]:
    """What is wrong with the picture of a page. Pages of every language share `images/`."""
    text = page.read_text(encoding="utf-8")
    found = list(PICTURE.finditer(text))
    if len(found) != 1:
        yield f"{len(found)} pictures"
        return
    (picture,) = found
    title = text.splitlines()[0].removeprefix("# ")
    if picture["path"] != f"images/{node_of(page)}.webp" or not (DOCS / picture["path"]).is_file():
        yield f"not its node's picture: {picture['path']}"
    if title not in picture["alt"] or len(picture["alt"]) <= len(title) + 5:
        yield "the alternative text does not describe the picture"
    if bool(re.search("[\u4e00-\u9fff]", picture["alt"])) != (page.parent != DOCS):
        yield "the alternative text is in another language"
    if picture.start() > text.index("\n## "):
        yield "the picture comes after the first heading"


def test_every_page_has_its_nodes_picture() -> None:
    faults = [
        f"{page.relative_to(DOCS)}: {fault}" for page in PAGES for fault in picture_faults(page)
    ]
    assert PAGES
    assert not faults


def test_no_picture_is_left_over() -> None:
    assert {path.name for path in PICTURES} == {f"{node_of(page)}.webp" for page in PAGES}


def test_no_picture_is_older_than_the_words_on_its_node() -> None:
    old = [path.stem for path in PICTURES if noted_in(path) != words_on(path.stem)]
    assert not old, f"run python tools/run.py tools.pictures.nodes {' '.join(old)}"


def test_pictures_are_small_and_show_something() -> None:
    assert not [path.name for path in PICTURES if path.stat().st_size >= LARGEST]
    assert not [path.name for path in PICTURES if is_empty(path)]


def is_empty(path: Path) -> bool:
    """Whether a picture is too small to read or of one colour."""
    with Image.open(path) as picture:
        return picture.width < 300 or np.asarray(picture.convert("RGB")).std() <= 10
