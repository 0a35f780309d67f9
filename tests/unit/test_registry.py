"""What may not be published is found before it is."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tools.registry import checkout
from tools.registry import command as registry
from tools.registry.command import REPOSITORY, RegistryError

TOKEN = "ghp" + "_" + "a" * 36
PROJECT = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
GITHUB = REPOSITORY / ".github"


def archive(folder: Path, name: str, content: str) -> Path:
    path = folder / registry.ARCHIVE
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("nodes/apply.py", "print('fine')\n")
        opened.writestr(name, content)
    return path


def test_an_archive_that_is_fit(tmp_path):
    assert registry.archive_faults(archive(tmp_path, "web/js/a.js", "let token = ask();")) == []


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("tests/data/model.json", "{}", "does not belong"),
        ("training/loop.py", "", "does not belong"),
        (".env", "", "does not belong"),
        ("nodes/host/id_rsa", "", "does not belong"),
        ("web/weights.safetensors", "", "does not belong"),
        ("nodes/__pycache__/a.cpython-311.pyc", "", "does not belong"),
        ("nodes/a.py", f"x = '{TOKEN}'", "a token of GitHub"),
        ("nodes/a.py", "-----BEGIN RSA PRIVATE" + " KEY-----", "a private key"),
        ("README.md", "https" + "://me:secret@example.invalid/x", "a password in an address"),
        ("nodes/a.py", "API_KEY = '" + "k" * 24 + "'", "a token written out"),
        ("web/picture.txt", "x" * (registry.LARGEST_FILE + 1), "is the most"),
    ],
)
def test_what_does_not_belong_into_one(tmp_path, name, content, fault):
    (found,) = registry.archive_faults(archive(tmp_path, name, content))
    assert found.startswith(name)
    assert fault in found


def test_a_large_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "LARGEST_ARCHIVE", 100)
    (found,) = registry.archive_faults(archive(tmp_path, "nodes/a.py", ""))
    assert "bytes in all, where 100 is the most" in found


def test_the_placeholder_is_found_and_nothing_is_published(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.TOKEN_VARIABLE, "a token")
    places = registry.placeholders(registry.REPOSITORY)
    if not places:  # the repository has its address by now
        places = ["pyproject.toml:1"]
    with pytest.raises(RegistryError, match=r"a placeholder stands in .*pyproject.toml:"):
        registry.refuse_unready(places)


def test_without_a_token_nothing_is_published(monkeypatch):
    monkeypatch.delenv(registry.TOKEN_VARIABLE, raising=False)
    monkeypatch.setattr(checkout, "git", lambda *_: "")
    with pytest.raises(RegistryError, match="REGISTRY_ACCESS_TOKEN is empty"):
        registry.refuse_unready([])


def test_changes_that_are_not_committed_are_not_published(monkeypatch):
    monkeypatch.setattr(checkout, "git", lambda *_: " M nodes/apply.py\n")
    with pytest.raises(RegistryError, match="commit the changes"):
        registry.refuse_unready([])


def test_a_tag_of_another_version_is_not_published():
    registry.refuse_other_version("v1.2.3", 'name = "x"\nversion = "1.2.3"\n')
    with pytest.raises(RegistryError, match=r"v1.2.4 does not name the version 1.2.3"):
        registry.refuse_other_version("v1.2.4", 'version = "1.2.3"\n')


def test_the_address_stands_once_in_every_line_of_the_project():
    """One search finds all that has to be replaced, and nothing has been replaced by halves."""
    addresses = re.findall(r'"(https://[^"]+?/instantid-compose)\b', PROJECT)
    assert len(addresses) == 3
    assert len(set(addresses)) == 1
    assert ("example.invalid" in PROJECT) == (registry.PLACEHOLDER in PROJECT)


@pytest.mark.parametrize(("key", "shape"), [("Icon", 1), ("Banner", 21 / 9)])
def test_the_registry_finds_the_pictures(key, shape):
    (name,) = re.findall(rf'^{key} = ".+/raw/main/(.+)"$', PROJECT, re.MULTILINE)
    head = (REPOSITORY / name).read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    assert width / height == pytest.approx(shape)
    assert key == "Banner" or width <= 400
    assert (REPOSITORY / name).with_suffix(".svg").is_file()


def workflow(name):
    return yaml.safe_load((GITHUB / "workflows" / name).read_text(encoding="utf-8"))


def test_tests_run_on_three_systems():
    jobs = workflow("tests.yml")["jobs"]
    systems = jobs["systems"]["strategy"]["matrix"]["system"]
    assert {*systems, jobs["everything"]["runs-on"]} == {
        *("ubuntu-latest", "windows-latest", "macos-latest")
    }
    assert "python dev.py test ${{ matrix.suites }}" in str(jobs["systems"]["steps"])
    assert (REPOSITORY / ".ci" / "run").is_file()


def test_publishing_goes_by_the_command_that_refuses():
    jobs = workflow("publish.yml")["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    tagged = 'python3 dev.py registry{} --tag "$GITHUB_REF_NAME"'
    built = " --archive output/instantid-compose.zip"
    assert commands == [
        tagged.format(""),
        tagged.format("") + built,
        tagged.format(" --publish") + built,
    ]


def test_one_step_alone_sees_the_token():
    text = (GITHUB / "workflows" / "publish.yml").read_text(encoding="utf-8")
    jobs = workflow("publish.yml")["jobs"]
    assert text.count("secrets.") == 1
    assert "secrets." not in str(jobs["build"])
    assert "environment" not in jobs["build"]
    (step,) = (step for step in jobs["publish"]["steps"] if "env" in step)
    assert step["env"] == {"REGISTRY_ACCESS_TOKEN": "${{ secrets.REGISTRY_ACCESS_TOKEN }}"}
    assert step is jobs["publish"]["steps"][-1]
    assert "--publish" in step["run"]


@pytest.mark.parametrize("path", sorted((GITHUB / "workflows").glob("*.yml")), ids=lambda p: p.name)
def test_actions_are_pinned_and_get_no_credentials(path):
    text = path.read_text(encoding="utf-8")
    steps = [step for job in workflow(path.name)["jobs"].values() for step in job["steps"]]
    used = [step for step in steps if "uses" in step]
    assert used
    for step in used:
        name, _, commit = step["uses"].partition("@")
        assert re.fullmatch("[0-9a-f]{40}", commit), step["uses"]
        assert re.search(rf"{commit} # v\d+\.\d+\.\d+$", text, re.MULTILINE)
        if name == "actions/checkout":
            assert step["with"]["persist-credentials"] is False
    assert workflow(path.name)["permissions"] == {"contents": "read"}


def test_the_token_reaches_the_publishing_program_alone(tmp_path, monkeypatch):
    """Through a pipe: neither its arguments nor any environment show it."""
    seen = []

    def program(command, **settings):
        seen.append((command, settings["env"], settings["input"]))
        return subprocess.CompletedProcess(command, 0, registry.VALID)

    monkeypatch.setattr(registry, "ready_python", lambda *_: Path(sys.executable))
    monkeypatch.setattr(subprocess, "run", program)
    monkeypatch.setattr(registry, "refuse_unready", lambda places: None)
    monkeypatch.setattr(registry, "placeholders", lambda folder: [])
    monkeypatch.setenv(registry.TOKEN_VARIABLE, "hidden-token")
    given = archive(tmp_path, "pyproject.toml", "version")
    assert registry.run(tmp_path / "output", True, None, given) == 0
    assert [command[-1] for command, _, _ in seen] == ["validate", "publish"]
    assert [given for _, _, given in seen] == ["\n", "hidden-token\n"]
    assert not any("hidden-token" in str((command, env)) for command, env, _ in seen)
    assert registry.TOKEN_VARIABLE not in os.environ


def test_the_token_becomes_the_programs_argument(capfd):
    program = registry.WITH_TOKEN.replace(registry.WITHOUT_TOKEN, "print(sys.argv)")
    command = [sys.executable, "-c", program, "node", "publish"]
    subprocess.run(command, input="secret\n", text=True, check=True)
    assert capfd.readouterr().out.strip() == "['-c', 'node', 'publish', '--token', 'secret']"


def test_reports_of_faults_need_the_doctor():
    (path,) = (GITHUB / "ISSUE_TEMPLATE").glob("1-*.yml")
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    (doctor,) = (field for field in form["body"] if field.get("id") == "doctor")
    assert doctor["validations"]["required"] is True
    assert "InstantID Doctor" in doctor["attributes"]["description"]


NETWORK = re.compile(
    r"^\s*(?:import|from) "
    r"(socket|ssl|http\.client|urllib\.(?:request|error)|ftplib|smtplib|requests|httpx)\b",
    re.MULTILINE,
)
SHIPPED = [REPOSITORY / name for name in ("instantid_core", "nodes", "web/js")]


def test_network_code_is_in_one_file():
    """Reviewers of the registry read it there; docs/RELEASING.md says what a scan looks for."""
    files = [
        path for folder in SHIPPED for path in folder.rglob("*") if path.suffix in (".py", ".js")
    ]
    texts = {path.relative_to(REPOSITORY).as_posix(): path.read_text("utf-8") for path in files}
    assert [name for name, text in texts.items() if NETWORK.search(text)] == [
        "instantid_core/models/http.py"
    ]
    assert [name for name, text in texts.items() if re.search(r"\.(connect|send)\(", text)] == []
    assert "For reviewers:" in texts["instantid_core/models/http.py"]
