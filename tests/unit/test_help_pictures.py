"""Every help page shows its node in use; `tools.pictures.nodes` takes the pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "web" / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
PICTURE = re.compile(r"^!\[(?P<alt>[^\]]+)\]\((?P<path>[^)\s]+)\)$", re.MULTILINE)
LARGEST = 40_000
"""Bytes."""


def node_of(page: Path) -> str:
    return page.stem if page.parent == DOCS else page.parent.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_a_page_has_its_nodes_picture(page: Path) -> None:
    """The editor takes `images/` from web/docs for pages of every language."""
    text = page.read_text(encoding="utf-8")
    (found,) = PICTURE.finditer(text)
    assert found["path"] == f"images/{node_of(page)}.webp"
    assert (DOCS / found["path"]).is_file()
    title = text.splitlines()[0].removeprefix("# ")
    assert title in found["alt"]
    assert len(found["alt"]) > len(title) + 5
    assert bool(re.search("[\u4e00-\u9fff]", found["alt"])) == (page.parent != DOCS)
    assert found.start() < text.index("\n## ")


def test_no_picture_is_left_over() -> None:
    pictures = {path.name for path in (DOCS / "images").iterdir()}
    assert pictures == {f"{node_of(page)}.webp" for page in PAGES}


@pytest.mark.parametrize("path", sorted((DOCS / "images").glob("*")), ids=lambda path: path.stem)
def test_a_picture_is_small_and_shows_something(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    with Image.open(path) as picture:
        assert picture.width >= 300
        assert np.asarray(picture.convert("RGB")).std() > 10
