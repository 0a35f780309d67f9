"""A ComfyUI with the pack and the small models, and a Chromium on its editor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser
from support.engines import EACH_ENGINE

from tools.checks.front_ends import VARIABLE as FRONT_END
from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.server import HostServer
from tools.pictures.browser import VIEWPORT, BrowserError, Editor, chromium


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


@pytest.fixture
def open_editor(browser: Browser, server: HostServer) -> Iterator[Callable[..., Editor]]:
    """Opens the editor in an engine of `ENGINES`, each time in a browser that remembers nothing.

    settings: of the editor, other than the usual. At the end of the test nothing of this pack may
    have complained in the console.
    """
    opened: list[Editor] = []

    def open_one(
        engine: str = "canvas", settings: Mapping[str, Any] | None = None, **context: object
    ) -> Editor:
        page = browser.new_context(**{"viewport": VIEWPORT, **context}).new_page()
        opened.append(Editor(page, server.url, engine))
        return opened[-1].open(**(settings or {}))

    yield open_one
    for editor in opened:
        editor.page.context.close()
    assert [told for editor in opened for told in editor.complaints] == []


@pytest.fixture(params=EACH_ENGINE)
def editor(request: pytest.FixtureRequest, open_editor: Callable[..., Editor]) -> Editor:
    """The editor with an empty graph, in each engine; a quick run takes one of them."""
    return open_editor(request.param)


@pytest.fixture
def canvas_editor(open_editor: Callable[..., Editor]) -> Editor:
    """The editor in the classic engine alone, for what does not depend on the engine."""
    return open_editor("canvas")
