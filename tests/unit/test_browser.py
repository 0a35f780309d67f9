"""The browser suite says what it needs; scripts stay short and ask nothing of the network."""

import re
from pathlib import Path

import pytest

from tools.pictures import browser

SCRIPTS = sorted((Path(__file__).parents[2] / "web" / "js").glob("**/*.js"))
LONGEST_FILE = 350


def test_a_missing_browser_is_answered_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(browser.CHROMIUM_VARIABLE, raising=False)
    with pytest.raises(browser.BrowserError, match="apt-get install chromium"):
        browser.find_chromium()
    monkeypatch.setenv(browser.CHROMIUM_VARIABLE, "/nowhere/chromium")
    with pytest.raises(browser.BrowserError, match="found /nowhere/chromium"):
        browser.find_chromium()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_short_and_stay_at_home(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_FILE
    assert not re.search(r"""(?:from|import\()\s*["']https?:""", source)
    assert "innerHTML" not in source
