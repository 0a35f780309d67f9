"""A real Chromium on ComfyUI's graph editor, for the tests in `tests/browser`.

Playwright drives, through a pipe, the Chromium that `tools.pictures.chromium` finds or installs.
"""

import json
import re
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, sync_playwright

from tools.comfyui.environment import REPOSITORY

from .chromium import NoChromiumError, ready
from .page_scripts import FRAMES, READY, SETTLED, START_AGAIN

ENGINES = {"canvas": False, "vue": True}
"""ComfyUI's two ways to show nodes: the classic canvas, and Nodes 2.0 made of Vue components."""
QUIET_EDITOR = {
    "Comfy.Locale": "en",
    "Comfy.TutorialCompleted": True,
    "Comfy.Graph.CanvasInfo": False,
    "Comfy.Minimap.Visible": False,
    # The server remembers that a test before has opened it; it covers half of a zoomed window.
    "Comfy.RightSidePanel.IsOpen": False,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Workflow.WarnBlueprintOverwrite": False,
}
VIEWPORT = {"width": 1440, "height": 900}
STILL: dict[str, Any] = {"viewport": VIEWPORT, "reduced_motion": "reduce"}
"""A browser context without animations, such as ComfyUI's own while it loads."""
PICTURES = REPOSITORY / "output" / "browser"
"""Screenshots of the last run, for people to look at; git ignores them."""
HELP_IN_ENGLISH = re.compile(r"/docs/InstantID\w+/en\.md\)$")
"""Asked for before the page for every language, `docs/NODE.md`, which is the English one."""
PACK_WORDS = ("instantid-compose", "instantid_compose", "InstantIDCompose")
TOAST = ".p-toast-message, li:has([data-reka-toast-announce-exclude])"
"""A message of the front end in the corner: up to 1.47, and in 1.58."""
MESSAGE = ".instantid-message"
"""The pack's own."""
LOADING, RUNNING = 120_000, 180_000  # milliseconds; a busy machine needs them
TRIES = 5

Result = TypeVar("Result")


class BrowserError(Exception):
    """There is no browser, or the editor did not do what it was asked."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running headless browser."""
    try:
        program = ready(Path(sys.executable))
    except NoChromiumError as error:
        raise BrowserError(str(error)) from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def apart(function: Callable[..., Result], *given: Any) -> Result:
    """Calls what needs an event loop of its own, such as `ComfyClient.run`: Playwright's is
    running in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *given).result()


def keep_settings(url: str, settings: Mapping[str, Any]) -> None:
    """Changes settings of the editor on the server, before a page reads them."""
    request = urllib.request.Request(
        f"{url}/settings",
        data=json.dumps(dict(settings)).encode(),
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(request, timeout=60).close()


class Editor:
    """The graph editor in one page: what a person does in it, by name."""

    def __init__(self, page: Page, url: str, engine: str) -> None:
        self.page = page
        self.url = url
        self.engine = engine
        self.complaints: list[str] = []
        """Errors and warnings in the console that come from this pack."""
        self.settings: dict[str, Any] = {}
        """Of the editor, since `open`."""
        page.add_init_script(FRAMES)
        page.on("console", self._hear)
        page.on("pageerror", self._suffer)

    def open(self, **settings: Any) -> "Editor":
        """Loads the page with an empty graph. settings: others of the editor than the usual."""
        engine = {"Comfy.VueNodes.Enabled": ENGINES[self.engine]}
        self.settings = {**QUIET_EDITOR, **engine, **settings}
        keep_settings(self.url, self.settings)
        self.page.goto(self.url, timeout=LOADING)
        self.wait_until_ready()
        self.page.evaluate("() => window.app.graph.clear()")
        return self

    def rest(self, rests: bool) -> None:
        """Draws no frames while it rests."""
        self.page.evaluate("(rests) => window.restFrames(rests)", rests)

    def start_again(self) -> bool:
        """Begins an empty workflow in a used page, much sooner than a new page has loaded.

        Returns False, and the page is of no more use, if it shows more than workflows: errors of
        a run, or a dialog that Escape does not close.
        """
        self.complaints.clear()
        self.page.mouse.move(0, 0)
        dialogs = self.page.get_by_role("dialog")
        for _ in range(TRIES):
            if not dialogs.count():
                return self.page.evaluate(START_AGAIN, self.settings)
            self.page.keyboard.press("Escape")
            self.settle()
        return False

    def reload(self) -> None:
        """Reloads the page, as F5 does."""
        # Another page may have changed the server's settings since.
        keep_settings(self.url, self.settings)
        self.page.reload(timeout=LOADING)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until nodes can be made."""
        self.page.wait_for_function(READY, timeout=LOADING)
        self.settle()

    def settle(self) -> None:
        """Until the screen shows the graph as it is."""
        self.page.evaluate(SETTLED)

    def add(self, kind: str, x: float = 0, y: float = 0) -> int:
        """Puts a node of class `kind` on the canvas; returns its id."""
        node = self.page.evaluate(
            """([kind, x, y]) => {
                const node = window.LiteGraph.createNode(kind);
                if (!node) return null;
                node.pos = [x, y];
                window.app.graph.add(node);
                return node.id;
            }""",
            [kind, x, y],
        )
        if node is None:
            raise BrowserError(f"The editor knows no node class '{kind}'.")
        return int(node)

    def connect(self, source: int, output: str | int, target: int, name: str) -> None:
        """Connects an output, by name or number, to the input called `name`."""
        done = self.page.evaluate(
            """([source, output, target, name]) => {
                const from = window.app.graph.getNodeById(source);
                const to = window.app.graph.getNodeById(target);
                const slot = typeof output === "number" ? output : from.findOutputSlot(output);
                return Boolean(from.connect(slot, to, to.findInputSlot(name)));
            }""",
            [source, output, target, name],
        )
        if not done:
            raise BrowserError(f"Output {output} of {source} does not fit {name} of {target}.")

    def value(self, node: int, widget: str) -> Any:
        """Value of a widget."""
        return self.page.evaluate(
            """([id, name]) => window.app.graph.getNodeById(id)
                .widgets.find((widget) => widget.name === name)?.value""",
            [node, widget],
        )

    def set_value(self, node: int, widget: str, value: Any) -> None:
        """Changes a widget, callback included, as typing into it does."""
        self.page.evaluate(
            """([id, name, value]) => {
                const node = window.app.graph.getNodeById(id);
                const widget = node.widgets.find((widget) => widget.name === name);
                widget.value = value;
                widget.callback?.(value, window.app.canvas, node, node.pos);
            }""",
            [node, widget, value],
        )

    def run(self) -> dict[str, Any]:
        """Presses Run and waits for the end: {"kind": "execution_success"} or what went wrong."""
        self.page.evaluate(
            """() => {
                window.runEnd = null;
                for (const kind of ["success", "error", "interrupted"])
                    window.app.api.addEventListener(`execution_${kind}`, (event) => {
                        window.runEnd = { kind: `execution_${kind}`, ...event.detail };
                    }, { once: true });
            }"""
        )
        self.page.get_by_test_id("queue-button").first.click()
        self.page.wait_for_function(
            "() => window.runEnd || window.app.lastNodeErrors", timeout=RUNNING
        )
        refused = {"kind": "refused"}
        return self.page.evaluate("() => window.runEnd") or refused | self.node_errors()

    def node_errors(self) -> dict[str, Any]:
        """Errors of the last prompt according to the server, by node id."""
        return self.page.evaluate("() => window.app.lastNodeErrors || {}")

    def outputs(self, node: int) -> dict[str, Any]:
        """Output that a node displayed after its last run: `images`, `text` and so on."""
        return self.page.evaluate(
            "(id) => (window.app.nodeOutputs || window.app._nodeOutputs || {})[String(id)] || {}",
            node,
        )

    def saved(self) -> dict[str, Any]:
        """The workflow file that saving would write."""
        # As text: Playwright would turn what is undefined, and absent in a file, into null.
        text = self.page.evaluate("() => JSON.stringify(window.app.rootGraph.serialize())")
        return json.loads(text)

    def save_as(self, name: str) -> None:
        """Saves the workflow under a name, by keys."""
        self.page.keyboard.press("ControlOrMeta+s")
        field = self.page.get_by_role("dialog").get_by_role("textbox")
        field.fill(name)
        field.press("Enter")
        self.page.wait_for_function(
            """(name) => {
                const { activeWorkflow } = window.app.extensionManager.workflow;
                return activeWorkflow.isPersisted && activeWorkflow.path.endsWith(`/${name}.json`);
            }""",
            arg=name,
            timeout=LOADING,
        )

    def load(self, workflow: Mapping[str, Any]) -> None:
        """Opens a workflow file."""
        self.page.evaluate("(saved) => window.app.loadGraphData(saved)", dict(workflow))
        self.settle()

    def prompt(self) -> dict[str, Any]:
        """The API form of the graph, as Run sends it."""
        return self.page.evaluate("async () => (await window.app.graphToPrompt()).output")

    def show(self, node: int) -> None:
        """Brings a node into the middle of the view at full size."""
        self.page.evaluate(
            """(id) => {
                const { graph, canvas } = window.app, node = graph.getNodeById(id);
                canvas.ds.scale = 1;
                canvas.centerOnNode(node);
                canvas.setDirty(true, true);
            }""",
            node,
        )
        self.settle()

    def select(self, node: int) -> None:
        """Clicks a node's title with the mouse, until a busy machine has seen it."""
        for _ in range(TRIES):
            self.show(node)
            place = self.page.evaluate(
                """(id) => {
                    const { graph, canvas } = window.app, { pos } = graph.getNodeById(id);
                    const [x, y] = canvas.convertOffsetToCanvas([pos[0] + 80, pos[1] - 15]);
                    const frame = canvas.canvas.getBoundingClientRect();
                    return [frame.left + x, frame.top + y];
                }""",
                node,
            )
            self.page.mouse.click(*place)
            self.settle()
            if self.page.evaluate("() => window.app.canvas.selectedItems.size === 1"):
                return
        raise BrowserError(f"Node {node} was clicked, but is not selected.")

    def press_button(self, node: int, name: str) -> None:
        """Clicks a button widget of a node with the mouse, in whichever engine draws it."""
        self.show(node)
        if ENGINES[self.engine]:
            self.vue_node(node).get_by_role("button", name=name).first.click()
            return
        x, y = self.page.evaluate(
            """([id, name]) => {
                const { graph, canvas } = window.app, node = graph.getNodeById(id);
                const widget = node.widgets.find((widget) =>
                    widget.name === name || widget.label === name);
                const [x, y] = canvas.convertOffsetToCanvas(
                    [node.pos[0] + node.size[0] / 2, node.pos[1] + widget.last_y + 10]);
                const frame = canvas.canvas.getBoundingClientRect();
                return [frame.left + x, frame.top + y];
            }""",
            [node, name],
        )
        self.page.mouse.click(x, y)

    def vue_node(self, node: int) -> Locator:
        """The element of a node in Nodes 2.0."""
        return self.page.locator(f'[data-node-id="{node}"]')

    def photograph(self, name: str) -> Path:
        """A screenshot in `output/browser`."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}_{self.engine}.png"
        self.page.screenshot(path=path)
        return path

    def _hear(self, message: ConsoleMessage) -> None:
        text = f"{message.text} ({message.location.get('url', '')})"
        if HELP_IN_ENGLISH.search(text):
            return
        if message.type in ("error", "warning") and _is_ours(text):
            self.complaints.append(f"{message.type}: {text}")

    def _suffer(self, error: Error) -> None:
        text = f"{error.message}\n{error.stack}"
        if _is_ours(text):
            self.complaints.append(text)


def _is_ours(text: str) -> bool:
    return any(word.lower() in text.lower() for word in PACK_WORDS)
