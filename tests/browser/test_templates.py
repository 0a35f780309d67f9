"""Every workflow that ships, opened from the host's template browser and looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from support import templates
from support.engines import EACH_ENGINE
from support.templates import Area, Sheet

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.server import HostServer
from tools.evaluate.photos import drawn_people
from tools.evaluate.settings import random_models
from tools.pictures import sheet, thumbnails
from tools.pictures.browser import LOADING, STILL, Editor, apart
from tools.workflows.names import FILES

WORKFLOWS = sorted((Path(__file__).parents[2] / "workflows").glob("*.json"))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
each_slowly = pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.thorough if number else ())
        for number, path in enumerate(path for path in WORKFLOWS if path.stem != FILES["app"])
    ],
    ids=lambda path: path.stem,
)
"""A quick run takes one, since all are offered alike, and all lie well in Nodes 2.0."""
EXAMPLE = "example.png"
"""The picture that the workflows begin with; every ComfyUI has it."""
REGISTRY = "comfy.org/nodes"
SHOWN = f"""(name) => document.querySelector(`img[alt="${{name}}"]`)?.naturalWidth
    === {sheet.SIDE}"""
"""Whether the picture of a template has come."""


@pytest.fixture(scope="module")
def open_page(browser: Browser, server: HostServer) -> Iterator[Callable[[str], Editor]]:
    """An editor in an engine; one page for all workflows, since each opens in a tab of its own."""
    source = workspace.current().comfyui / "input" / EXAMPLE
    (server.launch.log.parent / "input" / EXAMPLE).write_bytes(source.read_bytes())
    opened: dict[str, Editor] = {}

    def open_one(engine: str) -> Editor:
        if engine not in opened:
            context = browser.new_context(**STILL, device_scale_factor=2)
            opened[engine] = Editor(context.new_page(), server.url, engine).open(**templates.SHARP)
        return opened[engine]

    yield open_one
    for editor in opened.values():
        editor.page.context.close()


def complaints(editor: Editor) -> list[str]:
    """What the console holds against this pack since the last call.

    Not counted: a thumbnail that is not made yet, and the editor's questions to a registry that it
    cannot reach.
    """
    missing = [path.stem for path in WORKFLOWS if not path.with_suffix(".jpg").exists()]
    expected = [REGISTRY, *(f"/{name}.jpg" for name in missing)]
    told = [one for one in editor.complaints if not any(words in one for words in expected)]
    editor.complaints.clear()
    return told


def check_layout(sheet: Sheet) -> None:
    assert list(sheet.backward()) == []
    assert list(sheet.crowded()) == []
    assert list(sheet.astray()) == []
    assert len(sheet.notes) == 1
    assert all(group.name[0].isdigit() and len(group.name) > 4 for group in sheet.groups)


@pytest.mark.opens_anywhere
@each_slowly
def test_it_opens_from_the_template_browser(open_page: Callable, path: Path) -> None:
    """No class is unknown, no dialog lacks a node, all lies in groups, and no wire goes back."""
    editor = open_page("canvas")
    templates.open_template(editor, path.stem)
    saved = json.loads(path.read_text(encoding="utf-8"))
    templates.show_all(editor)
    sheet = templates.sheet(editor)
    assert sheet.unknown == ()
    assert len(sheet.nodes) == len(saved["nodes"])
    assert len(sheet.links) == len(saved["links"])
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    expect(templates.missing_nodes(editor)).to_have_count(0)
    editor.photograph(path.stem)
    check_layout(sheet)
    assert complaints(editor) == []


@pytest.mark.opens_anywhere
@each_workflow
def test_it_lies_well_in_nodes_2(open_page: Callable, path: Path) -> None:
    """Nodes of the newer engine have other heights."""
    editor = open_page("vue")
    saved = json.loads(path.read_text(encoding="utf-8"))
    saved["extra"].pop("linearMode", None)  # else the app lies before the graph
    editor.load(saved)
    templates.show_all(editor)
    editor.page.locator("[data-node-id]").nth(1).wait_for()
    sheet = templates.sheet(editor)
    editor.photograph(path.stem)
    check_layout(sheet)
    assert complaints(editor) == []


def test_a_class_that_nobody_has_is_reported(canvas_editor: Editor) -> None:
    """What the two checks for missing nodes would see."""
    saved: dict[str, Any] = json.loads(WORKFLOWS[0].read_text(encoding="utf-8"))
    saved["nodes"][-1]["type"] = "InstantIDNobodyHasIt"
    canvas_editor.load(saved)
    assert templates.sheet(canvas_editor).unknown == ("InstantIDNobodyHasIt",)
    expect(templates.missing_nodes(canvas_editor)).to_have_count(1)
    canvas_editor.complaints.clear()


@pytest.mark.opens_anywhere
def test_all_templates_are_offered_with_a_picture(open_page: Callable) -> None:
    """The picture beside a workflow is the one that the browser shows."""
    editor = open_page("canvas")
    cards = templates.browse(editor)
    expect(cards).to_have_count(len(WORKFLOWS))
    found = cards.evaluate_all("(cards) => cards.map((card) => card.dataset.testid)")
    assert found == [templates.CARD + path.stem for path in WORKFLOWS], "from simple to rich"
    for path in WORKFLOWS:
        card = editor.page.get_by_test_id(templates.CARD + path.stem)
        if not path.with_suffix(".jpg").exists():
            continue
        card.scroll_into_view_if_needed()
        editor.page.wait_for_function(SHOWN, arg=path.stem)
    editor.page.keyboard.press("Escape")


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_the_app_shows_what_people_set(open_editor: Callable[..., Editor], engine: str) -> None:
    """Photo, text, likeness and size, and no graph."""
    editor = open_editor(engine)
    templates.browse(editor)
    editor.page.get_by_test_id(templates.CARD + FILES["app"]).click(timeout=LOADING)
    # A newer editor explains its app mode in a dialog, which may stay.
    widgets = editor.page.get_by_test_id("linear-widgets")
    for label in ("image", "text", "likeness", "width", "height"):
        expect(widgets.get_by_text(label, exact=True).first).to_be_visible(timeout=LOADING)
    expect(widgets.get_by_text("pose strength", exact=True)).to_have_count(0)
    editor.photograph("app_mode")
    editor.complaints.clear()


@pytest.mark.opens_anywhere
def test_the_search_finds_them(open_page: Callable) -> None:
    """The words that people type, in the search of the template browser."""
    editor = open_page("canvas")
    cards = templates.browse(editor)
    search = editor.page.get_by_role("dialog").locator("input").first
    for words, name in (
        ("identity", "with_and_without"),
        ("portrait", "basic"),
        ("likeness", "best_of_batch"),
        ("same person", "several_references"),
        ("face swap", "face_swap"),
        ("two people", "two_people"),
        ("InstantID", "comparison"),
    ):
        search.fill(words)
        expect(editor.page.get_by_test_id(templates.CARD + FILES[name])).to_be_visible()
        if words != "InstantID":
            expect(cards).not_to_have_count(len(WORKFLOWS))
    expect(cards).to_have_count(len(WORKFLOWS))
    search.fill("")
    editor.page.keyboard.press("Escape")


@pytest.mark.thorough
def test_a_picture_from_a_run_is_shown_beside_its_workflow(
    open_editor: Callable[..., Editor], server: HostServer, client: ComfyClient
) -> None:
    """What `tools.pictures.thumbnails` makes, where the template browser looks for it."""
    path = WORKFLOWS[0]  # basic
    pack = server.launch.log.parent / "custom_nodes" / workspace.PACK
    shown = pack / "workflows" / f"{path.stem}.jpg"
    before = shown.read_bytes() if shown.exists() else None
    album = thumbnails.upload(client, drawn_people(thumbnails.PEOPLE))
    given = (client, "basic", client.object_info(), random_models(), album)
    thumbnails.write(apart(thumbnails.make, *given), shown)
    try:
        editor = open_editor("canvas")
        templates.browse(editor)
        editor.page.wait_for_function(SHOWN, arg=path.stem)
        editor.photograph("template_browser")
        editor.complaints.clear()
    finally:
        shown.unlink()
        if before:
            shown.write_bytes(before)


def test_what_the_layout_checks_see() -> None:
    left, right = Area("left", 0, 0, 100, 50), Area("right", 200, 0, 100, 50)
    frame, other = Area("frame", -10, -10, 320, 70), Area("other", 250, 0, 100, 100)
    good = Sheet({1: left, 2: right}, (), (frame,), ((1, 2),), ())
    assert not [*good.backward(), *good.crowded(), *good.astray()]
    assert list(Sheet(good.nodes, (), (frame,), ((2, 1),), ()).backward()) == ["right -> left"]
    assert list(Sheet({1: left, 2: left}, (), (), (), ()).crowded()) == ["left lies on left"]
    assert len(list(Sheet(good.nodes, (), (frame, other), (), ()).astray())) == 2
    assert len(list(Sheet(good.nodes, (1,), (frame,), (), ()).astray())) == 1
