"""A real ComfyUI-Manager installs the pack, updates it and removes it, in a real ComfyUI.

The environment has what ComfyUI and Manager need and nothing that the pack brings. By Manager
itself, asked by the requests of its own dialog: cloning from a URL, installing requirements.txt
line by line from the package index, restarting the server, fetching an update, removing.

What it cannot do here, where its lists of published packs are out of reach and the pack is not yet
published: find the pack by its name, and show it in its list of packs, which has only packs of
those lists. So the URL is given to "Install via Git URL", for which Manager wants
`allow_git_url_install` in its settings, and the requests for update and removal, which the list's
buttons would send, are sent without the list. The registry's archive is installed in
`test_registry_archive.py` by unpacking it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import managed
from support.managed import Manager

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import REPOSITORY, venv_python
from tools.comfyui.server import HostServer
from tools.registry import checkout

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform == "win32", reason="links need special rights on Windows"),
]
CONTRACT = json.loads((REPOSITORY / "tests/data/node_contract.json").read_text(encoding="utf-8"))
NEWS = "tests/NEWS.txt"
WHERE = "import importlib.util as u, sys; s = u.find_spec(sys.argv[1]); print(s and s.origin)"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that is installed from: the working tree."""
    folder = tmp_path_factory.mktemp("origin") / workspace.PACK
    return checkout.copy_of_the_tree(folder)


@pytest.fixture(scope="module")
def url(origin: Path) -> Iterator[str]:
    with checkout.served(origin) as address:
        yield address


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("managed")


@pytest.fixture(scope="module")
def manager(base: Path) -> Iterator[Manager]:
    with HostServer(managed.launch(base)) as server:
        yield Manager(server)


@pytest.fixture(scope="module")
def pack(base: Path) -> Path:
    """Where Manager puts it."""
    return base / "custom_nodes" / workspace.PACK


def our_nodes(manager: Manager) -> set[str]:
    known = ComfyClient(manager.server.url).object_info()
    return {name for name in known if name.startswith("InstantID")}


def file_of(base: Path, module: str) -> str:
    """Where the server's Python has a module from; "None" without one."""
    command = [str(venv_python(base / "venv")), "-c", WHERE, module]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# One story, in order.


def test_before(manager: Manager, base: Path) -> None:
    assert our_nodes(manager) == set()
    assert manager.installed() == {}
    for module in ("insightface", "cv2", "onnxruntime"):
        assert file_of(base, module) == "None"


def test_it_installs_pack_and_packages(manager: Manager, base: Path, url: str, pack: Path) -> None:
    manager.install(url)
    assert (pack / "__init__.py").is_file()
    assert set(manager.installed()) == {workspace.PACK}
    assert our_nodes(manager) == set(), "they come with the next start"
    for module in ("insightface", "cv2", "onnxruntime"):
        assert file_of(base, module).startswith(str(base / "venv")), f"{module} was installed"


def test_requirements_were_installed_line_by_line_in_their_order(base: Path) -> None:
    log = (base / "server.log").read_text(encoding="utf-8", errors="replace")
    said = " ".join(log.split())
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    places = [said.find(f"'{line}']") for line in lines if line and not line.startswith("#")]
    assert -1 not in places
    assert places == sorted(places)
    assert len(places) == said.count("ComfyUI-Manager: EXECUTE =>")


def test_after_a_restart_every_node_is_there(manager: Manager) -> None:
    manager.restart()
    assert our_nodes(manager) == set(CONTRACT)
    client = ComfyClient(manager.server.url)
    doctor = {"1": {"class_type": "InstantIDDoctor", "inputs": {"hash_files": False}}}
    report = "".join(client.run(doctor).outputs["1"]["text"])
    assert "insightface" in report
    assert "not installed" not in report


def test_it_updates(manager: Manager, origin: Path, url: str, pack: Path) -> None:
    (origin / NEWS).write_text("There is news.\n", encoding="utf-8")
    newest = checkout.keep(origin, "News")
    assert checkout.git(pack, "rev-parse", "HEAD").strip() != newest
    manager.work("update", url)
    assert checkout.git(pack, "rev-parse", "HEAD").strip() == newest
    assert (pack / NEWS).is_file()
    assert manager.installed()[workspace.PACK]["ver"] == newest


def test_running_the_pack_leaves_its_checkout_clean(pack: Path) -> None:
    """Manager refuses to update a checkout that something has written into."""
    assert checkout.git(pack, "status", "--porcelain") == ""


def test_it_removes(manager: Manager, url: str, pack: Path) -> None:
    manager.work("uninstall", url)
    assert not pack.exists()
    assert manager.installed() == {}
    manager.restart()
    assert our_nodes(manager) == set()
