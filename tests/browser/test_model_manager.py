"""The models manager in a real editor: seen, worked by keyboard and mouse, and never on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect
from support.engines import EACH_ENGINE
from support.model_server import Served
from support.model_site import LIMIT, Site, site_without_models
from support.small_files import SMALL

from instantid_core.models import published, relatives
from tools.pictures.browser import TOAST, Editor

COMMAND = "InstantIDCompose.GetModels"
EVENT = "instantid_compose.models"
MILLISECONDS = LIMIT * 1000
ROWS = 2 + len(published()) + len(relatives())
"""With the head and the heading of the optional files."""


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory) -> Iterator[Site]:
    with site_without_models(tmp_path_factory.mktemp("without_models")) as running:
        yield running


@pytest.fixture(scope="module")
def server(site, pages) -> Iterator[Site]:
    """In place of the server with models."""
    yield site
    pages.close(site.url)


def opened(editor: Editor) -> Locator:
    """The dialog, opened by its command."""
    editor.page.evaluate("(id) => window.app.extensionManager.command.execute(id)", COMMAND)
    dialog = editor.page.get_by_role("dialog", name="InstantID models")
    expect(dialog.get_by_role("row")).to_have_count(ROWS, timeout=MILLISECONDS)
    return dialog


def row(dialog: Locator, title: str) -> Locator:
    return dialog.get_by_role("row").filter(has_text=title)


def served(site: Site, end: str) -> Served:
    return next(file for path, file in site.mirror.files.items() if path.endswith(end))


def test_the_menu_has_the_entry(canvas_editor):
    page = canvas_editor.page
    page.get_by_label("ComfyUI menu").or_(page.locator(".comfyui-logo")).first.click()
    page.get_by_text("Extensions", exact=True).first.hover()
    page.get_by_text("Get InstantID models").first.click()
    expect(page.get_by_role("dialog", name="InstantID models")).to_be_visible()


def test_the_list_shows_what_goes_where(canvas_editor, site):
    dialog = opened(canvas_editor)
    adapter = row(dialog, "InstantID image adapter")
    for text in ("ip-adapter.bin", str(site.elsewhere), "non-commercial", "missing"):
        expect(adapter).to_contain_text(text)
    expect(adapter.get_by_role("progressbar")).to_be_hidden()
    link = adapter.get_by_role("link")
    expect(link).to_have_attribute("href", "https://huggingface.co/InstantX/InstantID")
    expect(dialog.get_by_role("checkbox", checked=True)).to_have_count(3)
    expect(dialog).to_contain_text(site.mirror.url)
    optional = row(dialog, "buffalo_l face models")
    for text in ("w600k_r50.onnx", "non-commercial", "not downloaded"):
        expect(optional).to_contain_text(text)
    expect(optional.get_by_role("checkbox")).not_to_be_checked()
    expect(row(dialog, "Optional: IP-Adapter FaceID")).to_be_visible()
    canvas_editor.photograph("model_manager")
    assert not any(file.requests for file in site.mirror.files.values())


def test_nothing_chosen_nothing_to_press(canvas_editor):
    dialog = opened(canvas_editor)
    for box in dialog.get_by_role("checkbox").all():
        box.uncheck()
    expect(dialog.get_by_role("button", name="Download", exact=True)).to_be_disabled()
    expect(dialog.get_by_role("button", name="Stop download")).to_be_disabled()
    # The page is used again, and keeps what is chosen: the optional files stay unchosen.
    for box in dialog.get_by_role("checkbox").all()[: len(published())]:
        box.check()
    expect(dialog.get_by_role("button", name="Download (")).to_be_enabled()


def test_the_keyboard_is_enough(canvas_editor):
    dialog, page = opened(canvas_editor), canvas_editor.page
    graph = page.evaluate("() => JSON.stringify(window.app.rootGraph.serialize().nodes)")
    visited = set()
    for _ in range(14 + 2 * len(relatives())):  # a box and a link in each row
        page.keyboard.press("Tab")
        visited.add(
            page.evaluate(
                "() => document.activeElement.ariaLabel || document.activeElement.textContent"
            )
        )
    assert {"Get IdentityNet, a ControlNet", "Close"} <= visited
    assert any(name.startswith("Download") for name in visited)
    page.keyboard.press("Delete")
    page.keyboard.press("Control+a")
    assert graph == page.evaluate("() => JSON.stringify(window.app.rootGraph.serialize().nodes)"), (
        "keys in the dialog do not reach the graph"
    )
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_at_200_percent_everything_can_be_reached(open_editor):
    editor = open_editor("canvas", viewport={"width": 720, "height": 450}, device_scale_factor=2)
    dialog = opened(editor)
    for name in ("Download", "Stop download", "Close"):
        button = dialog.get_by_role("button", name=name).first
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 720
        assert box["y"] + box["height"] <= 450
    assert dialog.evaluate("(it) => it.scrollWidth <= it.clientWidth"), "only the table scrolls"
    editor.photograph("model_manager_zoomed")


def test_an_error_is_a_sentence_in_its_row(canvas_editor, site):
    served(site, "antelopev2.zip").failures = [404]
    dialog = opened(canvas_editor)
    for box in dialog.get_by_role("checkbox").all()[:2]:
        box.uncheck()
    dialog.get_by_role("button", name="Download").first.click()
    faces = row(dialog, "antelopev2")
    expect(faces).to_contain_text(
        "could not be downloaded: the server answered 404. ", timeout=MILLISECONDS
    )
    expect(faces).to_contain_text("failed")
    # In one step: the rows are made anew at the end of the job.
    widths = dialog.evaluate(
        "(it) => [...it.querySelectorAll('th')].map((cell) => cell.clientWidth)"
    )
    assert min(widths[1:]) > 60, "the error leaves room for the rest"
    assert not site.written()


def test_text_of_the_server_is_never_markup(canvas_editor):
    page = canvas_editor.page
    page.route(
        "**/instantid_compose/models",
        lambda route: route.fulfill(
            json={
                "models": [
                    {
                        "id": "x",
                        "title": "<img src=x onerror=window.hacked=1>",
                        "state": "missing",
                        "complete": False,
                        "optional": False,
                        "size": 5,
                        "licence": "<b>l</b>",
                        "source": "javascript:window.hacked=1",
                        "files": [{"name": "<i>", "folder": "<u>", "detail": "<s>"}],
                    }
                ],
                "mirror": None,
                "job": {"running": False, "tasks": [], "at": 0},
            }
        ),
    )
    page.evaluate("(id) => window.app.extensionManager.command.execute(id)", COMMAND)
    dialog = page.get_by_role("dialog", name="InstantID models")
    expect(dialog).to_contain_text("<img src=x onerror=window.hacked=1>")
    expect(dialog).to_contain_text("<u>")
    expect(dialog.locator("img, b, i, u, s")).to_have_count(0)
    expect(dialog.get_by_role("link")).to_have_count(0)
    assert page.evaluate("() => window.hacked") is None


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_loader_without_a_file_leads_to_the_dialog(open_editor, engine):
    editor = open_editor(engine)
    hint = editor.page.get_by_role("status").filter(has_text="InstantID is missing model files")
    editor.add("InstantIDLoadAdapter")
    expect(hint).to_be_visible()
    expect(hint).to_contain_text(re.compile(r"InstantID image adapter \(\d+ MB\), .* to download"))
    editor.photograph("model_hint")
    hint.get_by_role("button", name="Get InstantID models").click()
    expect(editor.page.get_by_role("dialog", name="InstantID models")).to_be_visible()
    expect(hint).to_be_hidden()


def test_a_refused_run_leads_to_the_dialog_too(own_editor):
    loader = own_editor.add("ControlNetLoader")
    own_editor.set_value(loader, "control_net_name", "instantid/ours.safetensors")
    shown = own_editor.add("PreviewAny", 300)
    own_editor.connect(loader, 0, shown, "source")
    own_editor.run()
    hint = own_editor.page.get_by_role("status").filter(has_text="is missing model files")
    expect(hint).to_be_visible(timeout=MILLISECONDS)
    hint.get_by_role("button", name="Not now").click()
    expect(hint).to_be_hidden()


PLACES = {
    "ControlNetLoader": ("control_net_name", "instantid/diffusion_pytorch_model.safetensors"),
    "InstantIDLoadAdapter": ("adapter_name", "instantid/ip-adapter.bin"),
}
"""Widgets that name files, and names as workflows have them."""


def as_windows(name: str) -> str:
    return name.replace("/", "\\")


def list_files(editor: Editor, names: dict[str, str]) -> None:
    """From now on the server offers one file at each loader."""

    def answer(route):
        nodes = route.fetch().json()
        for kind, name in names.items():
            choice = nodes[kind]["input"]["required"][PLACES[kind][0]]
            if choice[0] == "COMBO":
                choice[1]["options"] = [name]
            else:
                choice[0] = [name]
        route.fulfill(json=nodes)

    editor.page.unroute("**/object_info")
    editor.page.route("**/object_info", answer)


def sent_files(editor: Editor) -> dict[str, str]:
    """What Run would send, subgraphs included."""
    nodes = [node for node in editor.prompt().values() if node["class_type"] in PLACES]
    return {node["class_type"]: node["inputs"][PLACES[node["class_type"]][0]] for node in nodes}


def into_subgraph(editor: Editor, *nodes: int) -> None:
    editor.page.evaluate(
        """(ids) => {
            const { graph } = window.app;
            graph.convertToSubgraph(new Set(ids.map((id) => graph.getNodeById(id))));
        }""",
        list(nodes),
    )


def let_files_arrive(editor: Editor) -> None:
    """What the server tells while and after a download."""
    editor.page.evaluate(
        """([kind, states]) => {
            for (const detail of states)
                window.app.api.dispatchEvent(new CustomEvent(kind, { detail }));
        }""",
        [
            EVENT,
            [
                {"running": True, "tasks": [], "at": 1e12},
                {"running": False, "tasks": [{"id": "adapter", "phase": "done"}], "at": 2e12},
            ],
        ],
    )
    toast = editor.page.locator(TOAST).filter(has_text="The InstantID models are ready.")
    expect(toast.first).to_be_visible(timeout=MILLISECONDS)


def loaders(editor: Editor) -> list[int]:
    """Both, connected to what makes Run send them."""
    found = []
    for row_number, kind in enumerate(PLACES):
        found.append(editor.add(kind, 0, 200 * row_number))
        shown = editor.add("PreviewAny", 400, 200 * row_number)
        editor.connect(found[-1], 0, shown, "source")
    return found


@pytest.mark.parametrize(
    "inside",
    [pytest.param(False, id="root", marks=pytest.mark.thorough), pytest.param(True, id="subgraph")],
)
def test_names_of_windows_are_those_of_the_workflow(own_editor, inside):
    """There, the server lists a backslash, and refuses the slash that workflows are saved with."""
    windows = {kind: as_windows(name) for kind, (_, name) in PLACES.items()}
    list_files(own_editor, {kind: name for kind, (_, name) in PLACES.items()})
    own_editor.reload()
    own_editor.page.evaluate("() => window.app.graph.clear()")
    both = loaders(own_editor)
    if inside:
        into_subgraph(own_editor, *both)
    saved = own_editor.saved()
    list_files(own_editor, windows)
    own_editor.reload()
    own_editor.load(saved)
    assert sent_files(own_editor) == windows


def test_arrived_names_of_windows_are_those_of_the_workflow(own_editor):
    windows = {kind: as_windows(name) for kind, (_, name) in PLACES.items()}
    for node, (widget, name) in zip(loaders(own_editor), PLACES.values(), strict=True):
        own_editor.set_value(node, widget, name)
    list_files(own_editor, windows)
    let_files_arrive(own_editor)
    assert sent_files(own_editor) == windows


def test_an_empty_loader_in_a_subgraph_takes_what_arrives(own_editor):
    both = loaders(own_editor)
    assert "Get InstantID models" in sent_files(own_editor)["InstantIDLoadAdapter"]
    into_subgraph(own_editor, *both)
    kind = "InstantIDLoadAdapter"
    list_files(own_editor, {kind: "ip-adapter.bin"})
    let_files_arrive(own_editor)
    assert sent_files(own_editor)[kind] == "ip-adapter.bin"


# From here on there are files.


def test_from_an_empty_loader_to_a_chosen_file(own_editor, site):
    loader = own_editor.add("InstantIDLoadAdapter")
    assert "Get InstantID models" in own_editor.value(loader, "adapter_name")
    file = served(site, "ip-adapter.bin")
    file.hold_after = 50_000
    dialog = opened(own_editor)
    for box in dialog.get_by_role("checkbox").all()[1:]:
        box.uncheck()
    dialog.get_by_role("button", name="Download").first.click()
    assert file.held.wait(LIMIT)
    adapter = row(dialog, "InstantID image adapter")
    expect(adapter.get_by_role("progressbar")).to_be_visible(timeout=MILLISECONDS)
    own_editor.photograph("model_progress")
    # A reloaded page shows the same download, and can stop it.
    own_editor.reload()
    dialog = opened(own_editor)
    adapter = row(dialog, "InstantID image adapter")
    expect(adapter).to_contain_text("downloading")
    dialog.get_by_role("button", name="Stop download").click()
    file.release.set()
    expect(adapter).to_contain_text("the downloaded part is kept", timeout=MILLISECONDS)
    assert "ip-adapter.bin" not in site.written()
    own_editor.page.evaluate("() => window.app.graph.clear()")
    loader = own_editor.add("InstantIDLoadAdapter")
    for box in dialog.get_by_role("checkbox").all()[1:]:
        box.uncheck()
    dialog.get_by_role("checkbox").first.check()
    dialog.get_by_role("button", name="Download").first.click()
    expect(adapter).to_contain_text("present", timeout=MILLISECONDS)
    assert (site.elsewhere / "ip-adapter.bin").read_bytes() == SMALL["adapter"]
    own_editor.page.wait_for_function(
        """(id) => window.app.graph.getNodeById(id).widgets
            .find((widget) => widget.name === "adapter_name").value === "ip-adapter.bin" """,
        arg=loader,
        timeout=MILLISECONDS,
    )


def test_progress_without_the_events(own_editor, site):
    """ComfyUI may lose a page's socket, as when it is reloaded while the server restarts."""

    def deaf(socket):
        server = socket.connect_to_server()
        server.on_message(lambda text: None if EVENT in str(text) else socket.send(text))

    own_editor.page.route_web_socket("**/ws*", deaf)
    own_editor.reload()
    dialog = opened(own_editor)
    served(site, "antelopev2.zip").failures = []
    dialog.get_by_role("button", name="Download").first.click()
    expect(dialog).to_contain_text(
        "All files that InstantID needs are present.", timeout=MILLISECONDS
    )
