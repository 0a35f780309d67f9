"""A new user's way from a ComfyUI without the pack to the first picture, by mouse, in Chromium.

The ComfyUI has ComfyUI-Manager, an SDXL checkpoint (a stand-in: `support.new_user`) and settings
as on the first day; what the pack needs is not installed. The person installs the pack through
Manager, opens the basic template, is told what is missing, presses the button, waits, chooses a
photo, runs, and sees a picture. Clicks and seconds are counted and printed; a screenshot of every
step is left in `output/browser`.

Not as for a real person: the pack is installed from a URL, because it is not in Manager's lists;
models come from this machine and are small; and before the run the picture is made small and the
steps few, through the graph and without clicks, so that a machine without a GPU is soon done.
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect
from support import new_user
from support.new_user import Machine

from tools.comfyui.client import ComfyClient
from tools.comfyui.workspace import PACK
from tools.pictures.browser import PICTURES, VIEWPORT, Editor
from tools.workflows.names import FILES

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform == "win32", reason="links need special rights on Windows"),
]
LONG = 900_000  # milliseconds: packages and models arrive, on a machine that may be busy
MOST_CLICKS = 9
"""From the installed pack to the first picture."""
SIDE = 256
QUICK = {"EmptyLatentImage": {"width": SIDE, "height": SIDE}, "KSampler": {"steps": 4}}
REPORT = PICTURES / "new_user.json"
NODE = "(kind) => window.app.graph.nodes.find((node) => node.type === kind)"
UPLOAD_BUTTON = f"""() => {{
    const {{ canvas }} = window.app, node = ({NODE})("LoadImage");
    const widget = node.widgets.find((widget) => widget.name === "upload");
    const [x, y] = canvas.convertOffsetToCanvas(
        [node.pos[0] + node.size[0] / 2, node.pos[1] + widget.last_y + 10]);
    const frame = canvas.canvas.getBoundingClientRect();
    return [frame.left + x, frame.top + y];
}}"""
"""The middle of "choose file to upload" on the screen."""


@pytest.fixture(scope="module")
def machine(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with new_user.machine(tmp_path_factory.mktemp("new_user")) as running:
        yield running


class Person:
    """Somebody at the mouse, whose clicks and waiting are counted."""

    def __init__(self, editor: Editor, photo: Path) -> None:
        self.editor = editor
        self.page = editor.page
        self.clicks = 0
        self.started = time.monotonic()
        self.story: list[dict[str, Any]] = []
        # Listened for from the start: a chooser that nobody waits for yet would be a window.
        self.page.on("filechooser", lambda chooser: chooser.set_files(photo))

    def click(self, target: Locator) -> None:
        target.click(timeout=LONG)
        self.clicks += 1

    def click_at(self, x: float, y: float) -> None:
        self.page.mouse.click(x, y)
        self.clicks += 1

    def sees(self, step: str) -> None:
        """Keeps a picture of the screen, and what it took to get here."""
        self.story.append({"step": step, "clicks": self.clicks, "seconds": self.seconds})
        PICTURES.mkdir(parents=True, exist_ok=True)
        name = f"new_user_{len(self.story):02}_{step.replace(' ', '_')}.png"
        self.page.screenshot(path=PICTURES / name)

    @property
    def seconds(self) -> int:
        return round(time.monotonic() - self.started)


@pytest.fixture
def person(browser: Browser, machine: Machine) -> Iterator[Person]:
    page = browser.new_context(viewport=VIEWPORT).new_page()
    someone = Person(Editor(page, machine.server.url, "canvas"), machine.photo)
    yield someone
    page.context.close()
    # Missing thumbnails are told by test_templates.py.
    assert [told for told in someone.editor.complaints if "/workflow_templates/" not in told] == []


def test_from_an_empty_comfyui_to_a_picture(person: Person, machine: Machine) -> None:
    person.page.goto(machine.server.url, timeout=LONG)
    person.editor.wait_until_ready()
    install_through_manager(person, machine)
    installed = person.clicks
    open_the_template(person)
    get_the_models(person, machine)
    choose_the_photo(person)
    make_it_quick(person.editor)
    picture = run(person, machine)
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.std() > 1, "it shows something"
    tell(person)
    assert person.clicks - installed <= MOST_CLICKS


def install_through_manager(person: Person, machine: Machine) -> None:
    page = person.page
    # On the first day the editor greets with its templates.
    person.click(page.get_by_role("button", name="Close dialog"))
    person.click(page.get_by_role("button", name="Extensions").first)
    person.sees("Manager")
    person.click(page.get_by_role("button", name="Install via Git URL"))
    page.locator("input:visible").last.fill(machine.url_of_the_pack)
    person.click(page.get_by_role("button", name="Confirm"))
    restart = page.get_by_role("button", name="RESTART", exact=True)
    restart.wait_for(timeout=LONG)
    person.sees("installed")
    person.click(restart)
    person.click(page.get_by_role("button", name="Confirm"))
    expect(page.get_by_text("Reconnecting").first).to_be_visible(timeout=LONG)
    # Away first: ComfyUI forgets the new connection when the page's old one, with the same client
    # id, is closed after it.
    page.goto("about:blank", timeout=LONG)
    machine.server.wait_again()
    page.goto(machine.server.url, timeout=LONG)
    person.editor.wait_until_ready()
    page.locator("#splash-loader").wait_for(state="detached", timeout=LONG)
    person.sees("restarted")


def open_the_template(person: Person) -> None:
    page = person.page
    person.click(page.get_by_role("button", name="Templates", exact=True).first)
    person.click(page.get_by_role("dialog").get_by_role("button", name=PACK, exact=True))
    template = page.get_by_test_id(f"template-workflow-{FILES['basic']}")
    template.wait_for(timeout=LONG)
    person.sees("templates")
    person.click(template)
    page.wait_for_function(f"() => ({NODE})('InstantIDApply')", timeout=LONG)


def get_the_models(person: Person, machine: Machine) -> None:
    page = person.page
    hint = page.get_by_role("status").filter(has_text="InstantID is missing model files")
    expect(hint).to_be_visible(timeout=LONG)
    person.sees("told what is missing")
    person.click(hint.get_by_role("button", name="Get InstantID models"))
    dialog = page.get_by_role("dialog", name="InstantID models")
    expect(dialog.get_by_text("missing", exact=True)).to_have_count(3, timeout=LONG)
    person.sees("models to get")
    person.click(dialog.get_by_role("button", name=re.compile("^Download")))
    expect(dialog).to_contain_text("All files that InstantID needs are present.", timeout=LONG)
    person.sees("models are there")
    person.click(dialog.get_by_role("button", name="Close"))
    written = {path.name for path in (machine.base / "models").rglob("*") if path.is_file()}
    assert {"ip-adapter.bin", "diffusion_pytorch_model.safetensors", "glintr100.onnx"} <= written


def choose_the_photo(person: Person) -> None:
    """By the button on the node; turning the wheel over it first brings it near."""
    page = person.page
    page.mouse.move(*page.evaluate(UPLOAD_BUTTON))
    for _ in range(8):
        page.mouse.wheel(0, -120)
        person.editor.settle()
    person.click_at(*page.evaluate(UPLOAD_BUTTON))
    name = "widgets.find((widget) => widget.name === 'image').value"
    page.wait_for_function(f"() => ({NODE})('LoadImage').{name} === 'me.png'", timeout=LONG)
    page.wait_for_function(f"() => ({NODE})('LoadImage').imgs?.[0]?.naturalWidth > 0", timeout=LONG)
    person.sees("photo")


def make_it_quick(editor: Editor) -> None:
    """For a machine without a GPU; nothing that a person would do."""
    for kind, values in QUICK.items():
        node = editor.page.evaluate(f"(kind) => ({NODE})(kind).id", kind)
        for widget, value in values.items():
            editor.set_value(node, widget, value)


def run(person: Person, machine: Machine) -> np.ndarray:
    """Presses Run, and returns the picture that the last node shows; uint8 [height, width, 3]."""
    editor = person.editor
    person.clicks += 1  # of Run
    assert editor.run()["kind"] == "execution_success"
    node = editor.page.evaluate(f"() => ({NODE})('SaveImage').id")
    editor.show(node)
    editor.page.wait_for_function(
        f"() => ({NODE})('SaveImage').imgs?.[0]?.naturalWidth > 0", timeout=LONG
    )
    editor.settle()
    person.sees("picture")
    (image,) = editor.outputs(node)["images"]
    content = ComfyClient(machine.server.url).image(image)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def tell(person: Person) -> None:
    """The figures that the README quotes."""
    REPORT.write_text(json.dumps(person.story, indent=2), encoding="utf-8")
    for entry in person.story:
        print(f"{entry['seconds']:5} s {entry['clicks']:3} clicks  {entry['step']}")
