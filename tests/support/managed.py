"""A ComfyUI with ComfyUI-Manager in which nothing is installed yet of what the pack needs.

A virtual environment of its own, new for every test, into which Manager really installs packages
from the package index. What ComfyUI and Manager themselves need is linked into it, the one from the
environment of the tests, the other from a folder in the cache. Standard library only.
"""

import configparser
import contextlib
import json
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.comfyui import workspace
from tools.comfyui.cache import build_once, cache_root, key_of
from tools.comfyui.environment import LOCK, REPOSITORY, say, venv_python
from tools.comfyui.server import HostServer, Launch

from . import imperfect

MANAGER_LOCK = REPOSITORY / "tools" / "locks" / "manager.lock"
OURS = ("insightface", "opencv-python", "onnxruntime")
"""Requirements of the pack, which Manager has to install."""
FORMAT = "1"
"""Increase it when the build procedure changes."""
SETTINGS = {
    "network_mode": "offline",
    "use_uv": "false",
    "allow_git_url_install": "true",
    "file_logging": "false",
}
"""Manager's config.ini. Its lists of published packs are out of reach. pip instead of uv: uv does
not see linked packages. An address that the lists do not have needs the permission."""
LIMIT = 900
"""Seconds until a test that waits for packages gives up."""


def new_python(folder: Path) -> Path:
    """The Python of a new virtual environment in `folder`, with ComfyUI's packages and Manager."""
    python = _empty_python(folder)
    _link(python, *_shared())
    return python


def _empty_python(folder: Path) -> Path:
    imperfect.run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    return venv_python(folder)


def _link(python: Path, *folders: Path) -> None:
    lines = "".join(f"{folder}\n" for folder in folders)
    (imperfect.site_packages(python) / imperfect.LINKS).write_text(lines, encoding="utf-8")


def _shared() -> tuple[Path, Path]:
    """Folders in the cache: ComfyUI's packages as links, and what Manager needs beyond them."""
    locks = (path.read_text(encoding="utf-8") for path in (LOCK, MANAGER_LOCK))
    folder = cache_root() / f"manager-{key_of(FORMAT, *locks, sys.executable, sys.version)}"
    build_once(folder, _build)
    return folder / "linked", imperfect.site_packages(venv_python(folder / "venv"))


def _build(folder: Path) -> None:
    say("Getting ComfyUI-Manager (once)")
    linked = imperfect.link_packages(folder / "linked", OURS)
    python = _empty_python(folder / "venv")
    _link(python, linked)
    imperfect.pip(python, "install", "--no-deps", "--require-hashes", "-r", str(MANAGER_LOCK))


def configure(base: Path) -> None:
    """Manager's settings for a server whose base directory is `base`."""
    folder = base / "user" / "__manager"
    folder.mkdir(parents=True, exist_ok=True)
    settings = configparser.ConfigParser()
    settings["default"] = SETTINGS
    with (folder / "config.ini").open("w", encoding="utf-8") as file:
        settings.write(file)


def launch(base: Path, environ: Mapping[str, str] | None = None) -> Launch:
    """A server in the folder `base` that has ComfyUI, Manager with its own dialog, and no pack."""
    for kind in ("custom_nodes", "models", "input", "output"):
        (base / kind).mkdir(parents=True, exist_ok=True)
    configure(base)
    python = new_python(base / "venv")
    arguments = [
        *("--base-directory", str(base), "--enable-manager", "--enable-manager-legacy-ui"),
        *workspace.QUIET,
        *workspace.processor(Path(sys.executable)),
    ]
    # Nothing on this machine is asked for by way of a proxy.
    environ = {"no_proxy": "127.0.0.1", "GIT_TERMINAL_PROMPT": "0", **(environ or {})}
    comfyui = workspace.current().comfyui
    return Launch(python, comfyui, arguments, base / "server.log", environ=environ)


@dataclass(frozen=True)
class Manager:
    """ComfyUI-Manager on a running server, asked as its own dialog asks it."""

    server: HostServer

    def ask(self, path: str, body: str | None = None) -> str:
        """The answer to a GET, or to a POST of `body`. Raises HTTPError where it is refused."""
        request = urllib.request.Request(
            f"{self.server.url}/v2/{path}", data=None if body is None else body.encode()
        )
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=LIMIT) as response:
            return response.read().decode()

    def install(self, url: str) -> None:
        """Does what the dialog's "Install via Git URL" does; returns once installed."""
        self.ask("customnode/install/git_url", url)

    def restart(self) -> None:
        """Does the same as the dialog's "Restart": the server replaces its own process."""
        # It leaves without an answer.
        with contextlib.suppress(ConnectionError):
            self.ask("manager/reboot", "")
        self.server.wait_again()

    def work(self, task: str, url: str) -> None:
        """Queues `update` or `uninstall` of the pack that came from an address, and waits."""
        name = url.rpartition("/")[2]
        pack = {"id": name, "ui_id": name, "version": "unknown", "files": [url]}
        failed = json.loads(self.ask("manager/queue/batch", json.dumps({task: [pack]})))["failed"]
        if failed:
            raise RuntimeError(f"Manager refused to {task} {failed}.")
        deadline = time.monotonic() + LIMIT
        while self.status()["is_processing"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Manager did not {task} {name} within {LIMIT} seconds.")
            time.sleep(0.2)

    def status(self) -> dict[str, Any]:
        """State of Manager's queue."""
        return json.loads(self.ask("manager/queue/status"))

    def installed(self) -> dict[str, Any]:
        """Packs in custom_nodes by their folder's name, as Manager knows them."""
        return json.loads(self.ask("customnode/installed"))
