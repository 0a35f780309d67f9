"""A ComfyUI server without models, and a mirror with small files in their place."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from tools.comfyui import workspace
from tools.comfyui.server import HostServer, Launch

from .model_server import ModelServer
from .small_files import served_by_mirror, small_downloads, small_relatives, write_small_list

PREFIX = "/instantid_compose/models"
GUARD = {"X-InstantID-Compose": "1"}
LIMIT = 120  # seconds until a test that waits gives up
LIST = f"custom_nodes/{workspace.PACK}/instantid_core/models/model_files.json"


class Site(NamedTuple):
    """The running server, its folder, and the mirror."""

    url: str
    base: Path
    mirror: ModelServer

    @property
    def elsewhere(self) -> Path:
        """The folder that extra_model_paths.yaml names for adapters."""
        return self.base / "elsewhere" / "adapters"

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path,
            data=data if method == "POST" else None,
            headers={**GUARD, **headers},
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=LIMIT) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def models(self) -> dict[str, Any]:
        return {item["id"]: item for item in self.ask("GET", PREFIX)[1]["models"]}

    def until_done(self) -> dict[str, str]:
        deadline = time.monotonic() + LIMIT
        while (state := self.ask("GET", f"{PREFIX}/progress")[1])["running"]:
            if time.monotonic() > deadline:
                raise AssertionError(f"still running: {state}")
            time.sleep(0.05)
        return {task["id"]: task["phase"] for task in state["tasks"]}

    def written(self) -> set[str]:
        """Files below the model folders."""
        folders = (self.base / "models", self.base / "elsewhere")
        return {p.name for folder in folders for p in folder.rglob("*") if p.is_file()}


@contextmanager
def site_without_models(base: Path) -> Iterator[Site]:
    """Runs both; adapters go to a folder that an extra_model_paths.yaml names."""
    environment = workspace.current()
    workspace.install_pack(base / "custom_nodes")
    for kind in ("models", "input", "output"):
        (base / kind).mkdir()
    write_small_list(base / LIST)
    paths = base / "paths.yaml"
    adapters = json.dumps(str(base / "elsewhere" / "adapters"))
    paths.write_text(f"mine:\n  instantid: {adapters}\n", encoding="utf-8")
    arguments = [
        *("--base-directory", str(base)),
        *("--extra-model-paths-config", str(paths)),
        *("--disable-all-custom-nodes", "--whitelist-custom-nodes", workspace.PACK),
        *workspace.QUIET,
        *workspace.processor(environment.python),
    ]
    launch = Launch(environment.python, environment.comfyui, arguments, base / "server.log")
    listed = (*small_downloads(base), *small_relatives(base))
    with ModelServer(served_by_mirror(listed)) as mirror:
        environ = {"INSTANTID_COMPOSE_MIRROR": mirror.url, "no_proxy": "*"}
        with patch.dict(os.environ, environ), HostServer(launch) as running:
            yield Site(running.url, base, mirror)
