"""The likeness panel on InstantID Score Identity: crops side by side, the score and its band."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import Editor
from tools.small_world import painter
from tools.small_world.scenes import png


@pytest.fixture(scope="session")
def photos(client: ComfyClient) -> tuple[str, str, str]:
    """Somebody, somebody else, and nobody."""
    pictures = [painter.portrait(480, 480, identity=number)[0] for number in (2, 11)]
    pictures.append(painter.canvas(480, 480))
    names = ("somebody.png", "other.png", "nobody.png")
    first, second, third = (
        client.upload(name, png(picture)) for name, picture in zip(names, pictures, strict=True)
    )
    return first, second, third


def graph(editor: Editor, person: str, *results: str, reference: bool = True) -> int:
    """The score of pictures against a person; returns the node."""
    score = editor.add("InstantIDScoreIdentity", 780, 60)
    loader = editor.add("InstantIDLoadFaceAnalyzer", 40, 60)
    editor.set_value(loader, "provider", "cpu")
    sources = []
    for place, name in enumerate((person, *results)):
        sources.append(editor.add("LoadImage", 40, 220 + 330 * place))
        editor.set_value(sources[-1], "image", name)
    analyze, embed = (
        editor.add("InstantIDAnalyzeFaces", 380, 60),
        editor.add("InstantIDEmbedIdentity", 380, 560),
    )
    editor.connect(loader, "analyzer", analyze, "analyzer")
    editor.connect(sources[0], "IMAGE", analyze, "image")
    editor.connect(analyze, "faces", embed, "faces")
    editor.connect(loader, "analyzer", score, "analyzer")
    editor.connect(embed, "identity", score, "identity")
    editor.connect(_batch(editor, sources[1:]), "IMAGE", score, "image")
    if reference:
        editor.connect(sources[0], "IMAGE", score, "reference_image")
    editor.show(score)
    return score


def _batch(editor: Editor, sources: list[int]) -> int:
    last = sources[0]
    for source in sources[1:]:
        joined = editor.add("ImageBatch", 380, 700)
        editor.connect(last, "IMAGE", joined, "image1")
        editor.connect(source, "IMAGE", joined, "image2")
        last = joined
    return last


def panel(editor: Editor) -> Locator:
    return editor.page.locator(".iid-likeness")


def rows(editor: Editor) -> Locator:
    return panel(editor).get_by_role("listitem")


def test_crops_side_by_side_with_score_and_band(
    editor: Editor, photos: tuple[str, str, str]
) -> None:
    node = graph(editor, photos[0], *photos)
    expect(panel(editor)).to_contain_text("Run the workflow")
    assert editor.run()["kind"] == "execution_success"
    editor.show(node)
    expect(rows(editor)).to_have_count(3)
    same, other, nobody = rows(editor).all()
    expect(same).to_contain_text("1.00")
    expect(same.locator(".iid-band")).to_contain_text("as close as a copy")
    expect(other.locator(".iid-band")).to_contain_text("weak")
    expect(nobody).to_contain_text("n/a")
    expect(nobody.locator(".iid-band")).to_contain_text("no face")
    expect(panel(editor).get_by_role("status")).to_contain_text("Mean likeness of 2 of 3 images")
    expect(same.get_by_role("img", name="Reference: face")).to_be_visible()
    expect(same.get_by_role("img", name="Image 1: face")).to_be_visible()
    bar = same.get_by_role("img", name=re.compile("Score 1.00 of 1, as close as a copy"))
    expect(bar).to_be_visible()
    editor.page.wait_for_function(
        "() => [...document.querySelectorAll('.iid-likeness img')].every((i) => i.naturalWidth)"
    )
    editor.photograph("likeness_panel")


def test_reference_and_result_lie_beside_each_other(
    editor: Editor, photos: tuple[str, str, str]
) -> None:
    node = graph(editor, photos[0], photos[1])
    assert editor.run()["kind"] == "execution_success"
    editor.show(node)
    crops = rows(editor).first.locator("img")
    expect(crops).to_have_count(2)
    first, second = (crop.bounding_box() for crop in crops.all())
    assert first
    assert second
    assert first["y"] == pytest.approx(second["y"], abs=2)
    assert first["x"] + first["width"] <= second["x"]
    expect(panel(editor).get_by_role("status")).to_contain_text(re.compile(r"Likeness .*, weak"))


def test_without_a_photo_the_identitys_own_picture_is_shown(
    canvas_editor: Editor, photos: tuple[str, str, str]
) -> None:
    graph(canvas_editor, photos[0], photos[0], reference=False)
    assert canvas_editor.run()["kind"] == "execution_success"
    expect(rows(canvas_editor).locator("img")).to_have_count(2)
    expect(rows(canvas_editor)).to_contain_text("Reference")


def test_colour_says_nothing_that_is_not_said_otherwise(
    canvas_editor: Editor, photos: tuple[str, str, str]
) -> None:
    graph(canvas_editor, photos[0], photos[0], photos[1])
    assert canvas_editor.run()["kind"] == "execution_success"
    expect(rows(canvas_editor)).to_have_count(2)
    texts = [band.inner_text() for band in panel(canvas_editor).locator(".iid-band").all()]
    assert len(set(texts)) == 2
    assert [text.split()[-1] for text in texts] == ["copy", "weak"]
