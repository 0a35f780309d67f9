"""The browser of the browser tests: installed, downloaded, packaged, or missed in a sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.pictures import chromium
from tools.pictures.chromium import NoChromiumError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stand-ins are shell scripts")
Program = Callable[..., Path]


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing on the search path, nothing in the cache folder, nobody's choice."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("INSTANTID_COMPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.setattr(chromium, "PLACES", {})


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes a program that lies on the search path."""

    def write(name: str, *lines: str) -> Path:
        path = tmp_path / "bin" / name
        path.write_text("\n".join(["#!/bin/sh", f'echo "{name} $*" >> {tmp_path}/log', *lines]))
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def playwright(program: Program, tmp_path: Path) -> Path:
    """A Python whose Playwright downloads a browser; `log` has its arguments."""
    browser = '"$PLAYWRIGHT_BROWSERS_PATH/chrome"'
    return program(
        "python",
        f'if [ "$2" = playwright ]; then printf "#!/bin/sh\\n" > {browser}',
        f"/bin/chmod +x {browser}; else echo {browser}; fi",
    )


def calls(tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    return log.read_text().splitlines() if log.is_file() else []


def test_an_installed_browser_is_taken(program: Program, playwright: Path, tmp_path: Path) -> None:
    edge = program("microsoft-edge")
    assert chromium.ready(playwright) == str(edge)
    found = program("chromium")
    assert chromium.ready(playwright) == str(found)
    assert not any("playwright" in call for call in calls(tmp_path))


def test_a_browser_that_does_not_start_is_none(program: Program, playwright: Path) -> None:
    """As Ubuntu's `chromium-browser`, a script that asks for snap."""
    program("chromium-browser", "exit 1")
    chrome = program("google-chrome")
    assert chromium.ready(playwright) == str(chrome)


def test_the_users_choice_goes_first_and_has_no_substitute(
    monkeypatch: pytest.MonkeyPatch, program: Program, playwright: Path, tmp_path: Path
) -> None:
    program("chromium")
    own = program("mine")
    monkeypatch.setenv(chromium.VARIABLE, str(own))
    assert chromium.ready(playwright) == str(own)
    monkeypatch.setenv(chromium.VARIABLE, "/nowhere/chromium")
    with pytest.raises(NoChromiumError, match="names /nowhere/chromium, which is no program"):
        chromium.ready(playwright)
    assert not any("playwright" in call for call in calls(tmp_path))


def test_playwright_downloads_one_once(playwright: Path, tmp_path: Path) -> None:
    first, again = chromium.ready(playwright), chromium.ready(playwright)
    assert first == again
    assert Path(first).is_relative_to(tmp_path / "cache")
    downloads = [call for call in calls(tmp_path) if "playwright install" in call]
    assert downloads == ["python -m playwright install chromium"]


def test_a_download_that_lacks_a_library_is_not_taken(program: Program, tmp_path: Path) -> None:
    python = program("python", f"echo {tmp_path}/missing")
    with pytest.raises(NoChromiumError, match="missing does not start on this system"):
        chromium.downloaded(python, tmp_path / "cache")


def without_network(program: Program) -> Path:
    """As Playwright says it, before a stack trace."""
    said = ("Error: Failed to download Chrome", "Error: code=1", "    at ChildProcess")
    return program("python", *(f"echo '{line}' >&2" for line in said), "exit 1")


def test_the_systems_package_comes_last(
    monkeypatch: pytest.MonkeyPatch, program: Program, tmp_path: Path
) -> None:
    python = without_network(program)
    place = tmp_path / "bin" / "chromium"
    program("apt-get", f'printf "#!/bin/sh\\n" > {place}; /bin/chmod +x {place}')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert chromium.ready(python) == str(place)
    assert [call for call in calls(tmp_path) if call.startswith("apt")] == [
        "apt-get -qq -y update",
        "apt-get -qq -y install --no-install-recommends chromium",
    ]


@pytest.mark.parametrize(
    ("user", "said"),
    [(1000, "only root can install one"), (0, "`-qq -y update` failed: no route to host")],
)
def test_where_all_fail_every_reason_is_given(
    monkeypatch: pytest.MonkeyPatch, program: Program, user: int, said: str
) -> None:
    python = without_network(program)
    program("apt-get", "echo 'no route to host' >&2", "exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(NoChromiumError, match=r"Install one, or let INSTANTID_\w+ name") as caught:
        chromium.ready(python)
    reasons = str(caught.value)
    assert "installed: none of chromium, " in reasons
    download = "`playwright install chromium` failed: Error: Failed to download Chrome"
    assert f"Playwright's download: {download}" in reasons
    assert f"the system's package: {said}" in reasons
    assert not list((Path(os.environ["INSTANTID_COMPOSE_CACHE"])).glob("chromium-*/*"))
