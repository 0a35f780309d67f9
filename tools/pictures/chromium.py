"""A Chromium for the browser tests: the machine's own, or Playwright's, or the system's package.

Standard library only: `dev.py` uses this before any environment exists.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.comfyui.cache import CacheError, build_once, cache_root, exclusive, key_of
from tools.comfyui.environment import child_environ, say

VARIABLE = "INSTANTID_COMPOSE_CHROMIUM"
NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge"),
)
"""Programs that Playwright's protocol can drive."""
PLACES = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "win32": (
        r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
        r"%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe",
        r"%LocalAppData%\Google\Chrome\Application\chrome.exe",
        r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",
    ),
}
"""Programs that installers leave off the search path."""
PROGRAM = "from playwright.sync_api import sync_playwright as s; p = s().start(); "
PROGRAM += "print(p.chromium.executable_path); p.stop()"
APT = ("apt-get", "-qq", "-y")
PACKAGE = ("install", "--no-install-recommends", "chromium")
LIMIT = 900
"""Seconds for one download."""


class NoChromiumError(Exception):
    """There is no browser, and none could be installed; the message says why and what to do."""


def ready(python: Path) -> str:
    """The browser's program, installed first if need be.

    python: of an environment that has Playwright. Raises NoChromiumError.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with exclusive(root / "chromium.lock"):
        return first_of(
            {
                "installed": installed,
                "Playwright's download": lambda: downloaded(python, root),
                "the system's package": packaged,
            }
        )


def first_of(sources: Mapping[str, Callable[[], str]]) -> str:
    """The program from the first source that has one. Raises NoChromiumError with all reasons."""
    reasons = []
    for name, source in sources.items():
        try:
            return source()
        except NoChromiumError as error:
            reasons.append(f"{name}: {error}")
        if os.environ.get(VARIABLE):
            # The user has chosen; another browser would not be what was asked for.
            break
    raise NoChromiumError(
        f"the browser tests need Chromium, Chrome or Edge ({'; '.join(reasons)}). Install one, or "
        f"let {VARIABLE} name its program."
    )


def installed() -> str:
    """A browser of this machine, or the one that the user names."""
    if chosen := os.environ.get(VARIABLE):
        if found := shutil.which(chosen):
            return found
        raise NoChromiumError(f"{VARIABLE} names {chosen}, which is no program")
    places = [os.path.expandvars(place) for place in PLACES.get(sys.platform, ())]
    for found in filter(None, map(shutil.which, (*NAMES, *places))):
        if starts(found):
            return found
    raise NoChromiumError(f"none of {', '.join(NAMES)} is on the search path and starts")


def downloaded(python: Path, root: Path) -> str:
    """The build that belongs to the environment's Playwright, in the cache folder."""
    folder = root / f"chromium-{key_of(str(python))}"

    def build(target: Path) -> None:
        say("Fetching Chromium with Playwright (once)")
        _run([str(python), "-m", "playwright", "install", "chromium"], _browsers(target))

    try:
        build_once(folder, build)
    except CacheError as error:
        raise NoChromiumError(str(error)) from error
    program = _run([str(python), "-c", PROGRAM], _browsers(folder)).strip()
    if not starts(program):
        raise NoChromiumError(f"{program} does not start on this system")
    return program


def packaged() -> str:
    """The distribution's package, where this process may install it."""
    if not shutil.which(APT[0]) or not hasattr(os, "geteuid") or os.geteuid():
        raise NoChromiumError("only root can install one, on Debian and Ubuntu")
    say("Installing the system's package of Chromium")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run([*APT, "update"], quiet)
    _run([*APT, *PACKAGE], quiet)
    return installed()


def starts(program: str) -> bool:
    """Whether the program runs here: a library may be missing, or a script ask for an installer.

    On Windows the question would open a window, and the file's presence has to do.
    """
    if sys.platform == "win32":
        return Path(program).is_file()
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _browsers(folder: Path) -> dict[str, str]:
    return {"PLAYWRIGHT_BROWSERS_PATH": str(folder)}


def _run(command: Sequence[str], settings: Mapping[str, str]) -> str:
    """Output of a command. Raises NoChromiumError with what it complains of."""
    name = " ".join(command[-3:])
    try:
        done = subprocess.run(
            command,
            env=child_environ(**settings),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoChromiumError(f"`{name}` did not come to an end: {error}") from error
    if done.returncode:
        raise NoChromiumError(f"`{name}` failed: {complaint(done.stderr or done.stdout)}")
    return done.stdout


def complaint(said: str) -> str:
    """The line of a program's complaints that names the error, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error: ")]
    return [*lines[-1:], *errors[:1]][-1] if lines else "it said nothing"
