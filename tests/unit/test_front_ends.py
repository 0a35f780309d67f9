"""Another front end is fetched once, checked, and given to the browser suite."""

import zipfile

import pytest

from tools.checks import front_ends, suites
from tools.comfyui.cache import CacheError
from tools.comfyui.environment import Environment
from tools.pictures import chromium


def wheel(folder, version="9.9.9", name="comfyui_frontend_package/static/index.html"):
    path = folder / f"comfyui_frontend_package-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "<html>")
        archive.writestr("comfyui_frontend_package/__init__.py", "")
    return path


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """In place of pip: what was asked for, answered with a wheel."""
    asked = []

    def download(python, wanted, folder):
        asked.append(wanted)
        return wheel(folder, wanted.partition("==")[2] or "9.9.9")

    monkeypatch.setattr(front_ends, "download", download)
    return asked


def test_a_release_is_fetched_once(pip, tmp_path):
    first, again = (front_ends.ready_front_end(tmp_path, tmp_path, "9.9.8") for _ in range(2))
    assert first == again
    assert (first / "index.html").read_text() == "<html>"
    assert not (first.parent / "__init__.py").exists()
    assert pip == ["comfyui-frontend-package==9.9.8"]


def test_the_newest_is_asked_for_each_time(pip, tmp_path):
    folders = {front_ends.ready_front_end(tmp_path, tmp_path, "newest") for _ in range(2)}
    assert len(folders) == 1
    assert pip == ["comfyui-frontend-package"] * 2


@pytest.mark.parametrize("version", [front_ends.TESTED, front_ends.OLDEST])
def test_the_releases_that_runs_fetch_are_checked(pip, version, tmp_path):
    with pytest.raises(CacheError, match="should have the SHA-256"):
        front_ends.ready_front_end(tmp_path, tmp_path, version)
    assert not list(tmp_path.glob("front-end-*/*"))


def test_a_wheel_without_a_front_end(tmp_path):
    with pytest.raises(CacheError, match=r"should hold .*index.html"):
        front_ends.unpacked(wheel(tmp_path, name="other/index.html"), tmp_path)


@pytest.mark.parametrize(
    ("version", "marks"),
    [(front_ends.OLDEST, "opens_anywhere and not thorough"), ("9.9.9", "not thorough")],
)
def test_the_oldest_front_end_opens_the_templates(monkeypatch, tmp_path, version, marks):
    given = []

    def run(environment, arguments, settings, console):
        given.append(arguments[arguments.index("-m") + 1])
        return suites.Outcome("browser", True, 1.0, passed=3)

    monkeypatch.setattr(suites, "run_browser", run)
    plan = suites.Plan(Environment(tmp_path, tmp_path), [], front_ends={version: tmp_path})
    (part,) = suites.parts_of(plan)
    part.run(suites.OPEN)
    assert given == [marks]


def test_the_browser_suite_gets_the_folder(monkeypatch, tmp_path):
    reported = []
    outcome = suites.Outcome("browser", True, 1.0, passed=3)

    def run(environment, name, arguments, settings=None, console=suites.OPEN):
        reported.append((name, settings))
        return outcome

    monkeypatch.setattr(suites, "run_pytest", run)
    monkeypatch.setattr(chromium, "ready", lambda python: "/a/chromium")
    somewhere = Environment(tmp_path, tmp_path)
    plan = suites.Plan(somewhere, ["browser"], front_ends={"9.9.9": tmp_path})
    assert suites.run_checks(plan) == 0
    driven = {chromium.VARIABLE: "/a/chromium"}
    other = {front_ends.VARIABLE: str(tmp_path)}
    assert reported == [("browser", driven), ("browser", {**driven, **other})]
