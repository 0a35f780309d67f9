"""The environment that tests, demo and benchmark run in: a Python with everything pinned in
`tools/locks/environment.lock`, and the source tree of a real ComfyUI.

Standard library only: `dev.py` uses this before any environment exists.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from instantid_core.errors import printable

from . import hosts
from .cache import CacheError, build_once, cache_root, key_of

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = REPOSITORY / "tools" / "locks" / "environment.lock"
OLDEST_PYTHON = (3, 10)
# Raise it when the build changes, so that environments of the old build go unused.
FORMAT = "1"
LOG = "install.log"
# A wheel of this size or more is worth a line while it is on its way.
LARGE_MEGABYTES = 20


# Threads that wait give their core away. Spinning makes sampling on a busy machine with few cores
# several times slower.
CHILD_DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE"}


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Environment:
    """A Python that has ComfyUI's packages, and the ComfyUI to run with it."""

    python: Path
    comfyui: Path

    def script(self, name: str) -> Path:
        """A console script that lies beside the interpreter."""
        return self.python.with_name(name + (".exe" if sys.platform == "win32" else ""))


def ready() -> Environment:
    """The environment, built first if this machine does not have it yet.

    `COMFYUI_PATH` names a source tree that takes the place of the pinned ComfyUI.
    """
    python = ready_python(LOCK, cache_root())
    chosen = os.environ.get("COMFYUI_PATH")
    comfyui = own_host(Path(chosen)) if chosen else ready_host(python, cache_root())
    return Environment(python, comfyui)


def older_hosts(environment: Environment, versions: Sequence[str]) -> dict[str, Environment]:
    """Other ComfyUI releases that the pack supports, by version, with the same Python."""
    return {
        version: Environment(
            environment.python, ready_host(environment.python, cache_root(), version)
        )
        for version in versions
    }


def own_host(folder: Path) -> Path:
    """The ComfyUI source tree that the user named."""
    folder = folder.expanduser().resolve()
    if not (folder / "main.py").is_file():
        raise CacheError(
            f"COMFYUI_PATH names {folder}, which should hold ComfyUI's main.py but does not. "
            "Let it name the folder of a ComfyUI checkout, or unset it."
        )
    return folder


def ready_host(python: Path, root: Path, version: str = hosts.DEFAULT) -> Path:
    """The source tree of one ComfyUI release, downloaded first if need be."""
    release = hosts.RELEASES[version]
    folder = root / f"comfyui-{version}-{key_of(FORMAT, release.package, release.sha256)}"

    def build(target: Path) -> None:
        say(f"Fetching ComfyUI {version}")
        hosts.fetch_host(release, python, target)

    build_once(folder, build)
    return folder


def ready_python(lock: Path, root: Path, build: Callable[[Path, Path], None] | None = None) -> Path:
    """The interpreter of a virtual environment that holds exactly what `lock` pins.

    build: another way to fill a folder from a lock than `build_python`.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise CacheError(
            f"Python 3.10 or newer is needed, and this is {platform.python_version()}. "
            "Start dev.py with a newer one."
        )
    folder = python_folder(lock, root)
    build_once(folder, lambda target: (build or build_python)(target, lock))
    return venv_python(folder / "venv")


def python_folder(lock: Path, root: Path) -> Path:
    """Place of the environment that `lock` describes, for the Python that runs this."""
    return root / f"python-{key_of(FORMAT, lock.read_text(encoding='utf-8'), *_interpreter())}"


def _interpreter() -> tuple[str, ...]:
    """Properties that a virtual environment inherits from the Python that creates it."""
    implementation = platform.python_implementation()
    return (
        implementation,
        platform.python_version(),
        sys.platform,
        platform.machine(),
        sys.base_prefix,
    )


def venv_python(folder: Path) -> Path:
    """The interpreter of the virtual environment in `folder`."""
    if sys.platform == "win32":
        return folder / "Scripts" / "python.exe"
    return folder / "bin" / "python"


def build_python(folder: Path, lock: Path) -> None:
    """Makes a virtual environment in `folder` and installs `lock` into it, hashes checked."""
    effort = "minutes, and several GB on disk" if lock == LOCK else lock.name
    say(f"Building the Python environment in {folder} (once; {effort})")
    make_venv(folder)
    install(folder, lock)


def make_venv(folder: Path) -> None:
    """Makes an empty virtual environment in `folder`."""
    _logged([sys.executable, "-m", "venv", str(folder / "venv")], folder / LOG)


def install(folder: Path, lock: Path) -> None:
    """Installs what `lock` pins, and nothing else, into the environment in `folder`."""
    python = str(venv_python(folder / "venv"))
    pip = [python, "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    # Compiling every module ahead of use would take longer than the tests' own imports do.
    _logged([*pip, "--no-compile", "--no-deps", "--require-hashes", "-r", str(lock)], folder / LOG)


def _logged(command: list[str], log: Path) -> None:
    """Runs `command`, keeping its output in `log` and reporting its larger steps."""
    with (
        log.open("a", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=child_environ(),
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                file.write(line)
                for step in reported_step(line):
                    say(step)
        except BaseException:
            # Interrupted: it must not go on writing into a folder that is about to be removed.
            process.kill()
            raise
    if process.returncode:
        last = "".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-15:])
        raise CacheError(
            f"`{' '.join(command[1:4])}` ended with exit code {process.returncode}, and the "
            f"unfinished environment was removed. Its last words were:\n{last}"
        )


def reported_step(line: str) -> Iterator[str]:
    """Progress messages for one line of pip's output."""
    large = re.match(r"\s*Downloading (\S+?)-[^-\s]*-\S+ \(([\d.]+) MB\)", line)
    if large and float(large[2]) >= LARGE_MEGABYTES:
        yield f"  downloading {large[1]} ({large[2]} MB)"
    if line.startswith("Installing collected packages"):
        yield f"  installing {line.count(',') + 1} packages"


def module_command(python: Path, module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this repository in another Python.

    Not `-m` with PYTHONPATH: the Python that comes with ComfyUI's portable build ignores both that
    variable and the current folder.
    """
    return [str(python), str(REPOSITORY / "tools" / "run.py"), module, *arguments]


def child_environ(**extra: str) -> dict[str, str]:
    """This process's environment without what would leak into another Python."""
    leaking = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    kept = {name: value for name, value in os.environ.items() if name not in leaking}
    return {**CHILD_DEFAULTS, **kept, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", **extra}


def say(text: str) -> None:
    """Progress, visible at once even through a pipe; made printable line by line."""
    print("\n".join(printable(line) for line in text.split("\n")), flush=True)
