"""The archive that the Comfy Registry would publish, packed by comfy-cli, in a real ComfyUI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.environment import REPOSITORY, child_environ
from tools.comfyui.server import HostServer, Launch
from tools.registry import checkout
from tools.registry import command as registry

CONTRACT = json.loads((REPOSITORY / "tests/data/node_contract.json").read_text(encoding="utf-8"))
FOR_READERS = {"README.md", "CHANGELOG.md"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own with the working tree's files."""
    return checkout.copy_of_the_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def archive(tree: Path) -> Path:
    return registry.pack(tree)


def test_comfy_cli_finds_nothing_to_complain_of(tree: Path) -> None:
    assert registry.VALID in registry.validate(tree)


def test_what_it_would_complain_of_is_a_failure(tmp_path: Path) -> None:
    source = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(source, encoding="utf-8")
    (tmp_path / "a.py").write_text("exec('1')\n", encoding="utf-8")
    with pytest.raises(registry.RegistryError, match="S102"):
        registry.validate(tmp_path)


def test_nothing_is_in_it_that_does_not_belong(archive: Path) -> None:
    assert registry.archive_faults(archive) == []


def test_everything_is_in_it_that_the_pack_needs(archive: Path) -> None:
    """And nothing else: what other tests install as the pack is what this archive holds."""
    with zipfile.ZipFile(archive) as opened:
        packed = {entry.filename for entry in opened.infolist() if not entry.is_dir()}
    wanted = {
        name for name in checkout.source_files() if name.split("/")[0] in workspace.PACK_FILES
    }
    assert packed == wanted | FOR_READERS


def test_a_host_with_the_archive_alone(archive: Path, tmp_path: Path) -> None:
    """Unpacked as an installation is: every node, template, help page and script is served."""
    pack = tmp_path / "custom_nodes" / workspace.PACK
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(pack)
    environment = workspace.current()
    arguments = [
        *("--base-directory", str(tmp_path)),
        *("--disable-all-custom-nodes", "--whitelist-custom-nodes", workspace.PACK),
        *workspace.QUIET,
        *workspace.processor(environment.python),
    ]
    launch = Launch(environment.python, environment.comfyui, arguments, tmp_path / "server.log")
    with HostServer(launch) as server:
        client = ComfyClient(server.url)
        assert {name for name in client.object_info() if "InstantID" in name} == set(CONTRACT)
        listed = json.loads(client.get("/workflow_templates"))[workspace.PACK]
        assert len(listed) == len(list((REPOSITORY / "workflows").glob("*.json")))
        for name in CONTRACT:
            assert client.get(f"/extensions/{workspace.PACK}/docs/{name}.md").startswith(b"# ")
        scripts = {name for name in json.loads(client.get("/extensions")) if workspace.PACK in name}
        assert len(scripts) == len(list((REPOSITORY / "web" / "js").glob("**/*.js")))
        assert set(CONTRACT) <= set(json.loads(client.get("/i18n"))["zh"]["nodeDefs"])


@pytest.mark.skipif(
    not registry.placeholders(REPOSITORY), reason="publisher and address are known by now"
)
def test_the_publish_step_refuses_while_the_placeholder_stands(tmp_path: Path) -> None:
    environ = child_environ(**{registry.TOKEN_VARIABLE: "not-a-token"})
    command = [sys.executable, str(REPOSITORY / "dev.py"), "registry", "--publish"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Nothing was published: a placeholder stands in " in done.stderr
    assert "pyproject.toml:" in done.stderr
    assert not os.listdir(tmp_path)
