"""Where the workers of a batch are: a ComfyUI that runs somewhere, or one that the batch starts.

Standard library only.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tools.comfyui import workspace
from tools.comfyui.environment import Environment, child_environ
from tools.comfyui.server import HostServer, Launch, ServerError, responds

from .values import BatchError

PATIENCE = 60.0  # seconds that a given worker may be away
GREETING = 10.0  # seconds for its answer
CACHES = ("--cache-classic",)
"""Remembers the prompt before and no more; `batch_hand` deletes files on the strength of it."""
COUNT_GPUS = "import torch; print(torch.cuda.device_count())"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PACK_NAME = 'name = "instantid-compose"'


class Post(Protocol):
    """A place where a ComfyUI runs."""

    @property
    def name(self) -> str: ...

    @property
    def output(self) -> Path | None:
        """Its output folder where nobody else uses it."""
        ...

    def open(self) -> str:
        """Waits until ComfyUI answers and returns its URL; also to find it again once it was lost.

        Raises BatchError or ServerError when it does not.
        """
        ...

    def told(self) -> str:
        """What to know of it, once it is open."""
        ...

    def close(self) -> None:
        """Ends it if the batch has started it; afterwards it does not open again."""
        ...


class GivenPost:
    """A ComfyUI that somebody else runs."""

    output = None

    def __init__(self, name: str, url: str, patience: float = PATIENCE) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self.patience = patience
        self._closed = threading.Event()

    def open(self) -> str:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                self.greet()
            except BatchError:
                if time.monotonic() > deadline or self._closed.wait(1):
                    raise
            else:
                return self.url

    def greet(self) -> None:
        """Raises BatchError unless a ComfyUI answers."""
        found = greeting(self.url)
        if found:
            raise BatchError(
                f"--worker should be the address of a running ComfyUI, such as "
                f"http://127.0.0.1:8188, but at {self.url} {found}. Start ComfyUI there, or name "
                "another address."
            )

    def told(self) -> str:
        return self.url

    def close(self) -> None:
        self._closed.set()


def greeting(url: str) -> str:
    """What is wrong with the answer to a ComfyUI's usual question; empty when nothing is."""
    if not url.startswith(("http://", "https://")):
        return "nothing can be asked: it does not begin with http:// or https://"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/system_stats", timeout=GREETING) as response:
            answer = json.loads(response.read())
    except urllib.error.HTTPError as error:
        return f"something else answers, with HTTP status {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return f"nothing answers ({getattr(error, 'reason', error)})"
    except ValueError:
        return "something else answers"
    known = isinstance(answer, dict) and "comfyui_version" in (answer.get("system") or {})
    return "" if known else "something else answers"


class StartedPost:
    """A ComfyUI of the batch's own."""

    def __init__(self, name: str, launch: Launch, output: Path, log: Callable[[int], Path]) -> None:
        self.name = name
        self.output = output
        self._launch = launch
        self._log = log
        self._starts = 0
        self._closed = False
        self._changing = threading.Lock()
        self._server: HostServer | None = None

    def open(self) -> str:
        server = self._running() or self._fresh()
        if not server.is_running():
            server.__enter__()
        return server.url

    def _running(self) -> HostServer | None:
        server = self._server
        if server and server.is_running() and responds(f"{server.url}/system_stats"):
            return server
        return None

    def _fresh(self) -> HostServer:
        with self._changing:
            if self._closed:
                raise ServerError("The batch has ended.")
            if self._server:
                self._server.stop()
            self._starts += 1
            self._server = HostServer(replace(self._launch, log=self._log(self._starts)))
            return self._server

    def told(self) -> str:
        server = self._server
        return f"{server.url}, process {server.pid}, log {server.launch.log}" if server else ""

    def close(self) -> None:
        with self._changing:
            self._closed = True
        if self._server:
            self._server.stop()


def small_launch(host: Environment, base: Path, _number: int, threads: int | None) -> Launch:
    """A worker on the small models of tests and demo."""
    launch = workspace.small_launch(host, base)
    arguments = (*launch.arguments, *CACHES)
    return replace(launch, arguments=arguments, environ=limited(threads))


def installed_launch(host: Environment, base: Path, number: int, threads: int | None) -> Launch:
    """A worker on the user's ComfyUI, models and packs, with folders of its own to write to."""
    arguments = [*workspace.QUIET, *CACHES, *device(host.python, number)]
    if not has_pack(host.comfyui):
        workspace.install_pack(base / "custom_nodes")
        paths = base / "extra_model_paths.yaml"
        # A JSON string is a YAML string, backslashes of Windows included.
        entry = f"instantid_compose:\n  custom_nodes: {json.dumps(str(base / 'custom_nodes'))}\n"
        paths.write_text(entry, encoding="utf-8")
        arguments += ["--extra-model-paths-config", str(paths)]
    for kind in ("input", "output", "temp", "user"):
        (base / kind).mkdir(parents=True, exist_ok=True)
        arguments += [f"--{kind}-directory", str(base / kind)]
    return Launch(
        host.python, host.comfyui, arguments, base / "server.log", environ=limited(threads)
    )


def limited(threads: int | None) -> dict[str, str]:
    """Variables that hold a process to so many CPU threads."""
    return {} if threads is None else dict.fromkeys(THREADS, str(threads))


def has_pack(comfyui: Path) -> bool:
    """Whether this pack is among its custom nodes."""
    projects = (comfyui / "custom_nodes").glob("*/pyproject.toml")
    return any(PACK_NAME in path.read_text("utf-8", errors="replace") for path in projects)


def device(python: Path, number: int) -> tuple[str, ...]:
    """Spreads workers over the GPUs; what to say without one."""
    told = workspace.processor(python)
    if told:
        return told
    done = subprocess.run(
        [str(python), "-c", COUNT_GPUS], env=child_environ(), capture_output=True, check=False
    )
    count = int(done.stdout) if done.stdout.strip().isdigit() else 0
    return ("--cuda-device", str(number % count)) if count > 1 else ()
