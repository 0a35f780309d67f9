"""A ComfyUI with the pack and the small models, and a Chromium on its editor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser
from support.engines import EACH_ENGINE

from tools.checks.front_ends import VARIABLE as FRONT_END
from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.server import HostServer
from tools.pictures.browser import STILL, BrowserError, Editor, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as running:
            yield running
    except BrowserError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostServer]:
    """One server for all tests. It asks for the browser first, which may be missing."""
    launch = workspace.small_launch(workspace.current(), tmp_path_factory.mktemp("comfyui"))
    if other := os.environ.get(FRONT_END):
        launch = replace(launch, arguments=[*launch.arguments, "--front-end-root", other])
    with HostServer(launch) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: HostServer) -> ComfyClient:
    """For uploads and for runs without a browser; give `run` to `tools.pictures.browser.apart`."""
    return ComfyClient(server.url)


class Kind(NamedTuple):
    """An editor that several tests want."""

    settings: Mapping[str, Any] = MappingProxyType({})
    """Of the editor, other than the usual."""
    context: Mapping[str, Any] = MappingProxyType({})
    """Of the browser's context."""


KINDS = {
    "usual": Kind(),
    "chinese": Kind(settings={"Comfy.Locale": "zh"}),
    "zoomed": Kind(context={"viewport": {"width": 720, "height": 450}, "device_scale_factor": 2}),
}
"""Zoomed: a window of 1440 x 900 at 200 % has half the room in CSS pixels."""


class Pages:
    """Loaded editors, one for each server, engine and kind, which tests use one after another."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.loaded: dict[tuple[str, str, str], Editor] = {}

    def new(self, url: str, engine: str, **context: object) -> Editor:
        """An editor that is still to be opened, in a browser that remembers nothing."""
        page = self.browser.new_context(**{**STILL, **context}).new_page()
        return Editor(page, url, engine)

    def take(self, url: str, engine: str, kind: str) -> Editor:
        """An editor with an empty graph; until it is given back, there is none to reuse."""
        used = self.loaded.pop((url, engine, kind), None)
        if used:
            used.rest(False)
            if used.start_again():
                return used
            used.page.context.close()
        wanted = KINDS[kind]
        return self.new(url, engine, **wanted.context).open(**wanted.settings)

    def give_back(self, editor: Editor, kind: str) -> None:
        editor.page.unroute_all()
        editor.rest(True)
        self.loaded[editor.url, editor.engine, kind] = editor

    def close(self, url: str | None = None) -> None:
        """Closes the pages of a server that ends, or all."""
        for key in [key for key in self.loaded if url in (None, key[0])]:
            self.loaded.pop(key).page.context.close()


@pytest.fixture(scope="session")
def pages(browser: Browser) -> Iterator[Pages]:
    kept = Pages(browser)
    yield kept
    kept.close()


@pytest.fixture
def open_editor(pages: Pages, server: HostServer) -> Iterator[Callable[..., Editor]]:
    """Opens the editor in an engine of `ENGINES`, each time in a page of its own.

    settings: of the editor, other than the usual. At the end of the test nothing of this pack may
    have complained in the console.
    """
    opened: list[Editor] = []

    def open_one(
        engine: str = "canvas", settings: Mapping[str, Any] | None = None, **context: object
    ) -> Editor:
        opened.append(pages.new(server.url, engine, **context))
        return opened[-1].open(**(settings or {}))

    yield open_one
    for editor in opened:
        editor.page.context.close()
    assert [told for editor in opened for told in editor.complaints] == []


@pytest.fixture
def reused_editor(
    request: pytest.FixtureRequest, pages: Pages, server: HostServer
) -> Iterator[Callable[..., Editor]]:
    """Gives an empty graph in an engine and in a page of one of `KINDS`, the page of the tests
    before if they left it usable."""
    taken: list[tuple[Editor, str]] = []

    def take(engine: str, kind: str = "usual") -> Editor:
        taken.append((pages.take(server.url, engine, kind), kind))
        return taken[-1][0]

    failed = request.session.testsfailed
    yield take
    for editor, kind in taken:
        # After a failure, nobody knows what the page shows.
        if request.session.testsfailed > failed:
            editor.page.context.close()
        else:
            pages.give_back(editor, kind)
    assert [told for editor, _ in taken for told in editor.complaints] == []


@pytest.fixture(params=EACH_ENGINE)
def editor(request: pytest.FixtureRequest, reused_editor: Callable[..., Editor]) -> Editor:
    """The editor with an empty graph, in each engine; a quick run takes one of them."""
    return reused_editor(request.param)


@pytest.fixture
def canvas_editor(reused_editor: Callable[..., Editor]) -> Editor:
    """The editor in the classic engine alone, for what does not depend on the engine."""
    return reused_editor("canvas")


@pytest.fixture
def own_editor(open_editor: Callable[..., Editor]) -> Editor:
    """The classic engine in a page of its own, for tests that change more than the workflow."""
    return open_editor("canvas")
