"""ComfyUI instances that serve a batch: running ones, and ones that the batch starts.

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

RECONNECT_LIMIT = 60.0  # seconds that a remote worker may be unreachable
PROBE_TIMEOUT = 10.0  # seconds for its answer
CACHE_ARGUMENTS = ("--cache-classic",)
"""Caches the previous prompt only; `worker_client` relies on it when it deletes files."""
COUNT_GPUS = "import torch; print(torch.cuda.device_count())"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PACK_NAME = 'name = "instantid-compose"'


class Instance(Protocol):
    """A ComfyUI that runs, or can be started."""

    @property
    def name(self) -> str: ...

    @property
    def output(self) -> Path | None:
        """Its output folder, if nobody else uses it."""
        ...

    def open(self) -> str:
        """Waits until ComfyUI answers and returns its URL; also reconnects to a lost one.

        Raises BatchError or ServerError when it does not answer.
        """
        ...

    def describe(self) -> str:
        """One line about an open instance, for people."""
        ...

    def close(self) -> None:
        """Stops it if the batch started it; it does not open again."""
        ...


class RemoteInstance:
    """A ComfyUI that runs already."""

    output = None

    def __init__(self, name: str, url: str, limit: float = RECONNECT_LIMIT) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self.limit = limit
        self._closed = threading.Event()

    def open(self) -> str:
        deadline = time.monotonic() + self.limit
        while True:
            try:
                self.check()
            except BatchError:
                if time.monotonic() > deadline or self._closed.wait(1):
                    raise
            else:
                return self.url

    def check(self) -> None:
        """Raises BatchError unless a ComfyUI answers."""
        fault = probe_fault(self.url)
        if fault:
            raise BatchError(
                f"--worker should be the address of a running ComfyUI, such as "
                f"http://127.0.0.1:8188, but at {self.url} {fault}. Start ComfyUI there, or name "
                "another address."
            )

    def describe(self) -> str:
        return self.url

    def close(self) -> None:
        self._closed.set()


def probe_fault(url: str) -> str:
    """Reason why the address is not a running ComfyUI; empty when it is one."""
    if not url.startswith(("http://", "https://")):
        return "nothing can be reached: the address does not begin with http:// or https://"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/system_stats", timeout=PROBE_TIMEOUT) as response:
            answer = json.loads(response.read())
    except urllib.error.HTTPError as error:
        return f"something else answers, with HTTP status {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return f"nothing answers ({getattr(error, 'reason', error)})"
    except ValueError:
        return "something else answers"
    known = isinstance(answer, dict) and "comfyui_version" in (answer.get("system") or {})
    return "" if known else "something else answers"


class LocalInstance:
    """A ComfyUI that the batch starts."""

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
        server = self._running_server() or self._new_server()
        if not server.is_running():
            server.__enter__()
        return server.url

    def _running_server(self) -> HostServer | None:
        server = self._server
        if server and server.is_running() and responds(f"{server.url}/system_stats"):
            return server
        return None

    def _new_server(self) -> HostServer:
        with self._changing:
            if self._closed:
                raise ServerError("The batch has ended.")
            if self._server:
                self._server.stop()
            self._starts += 1
            self._server = HostServer(replace(self._launch, log=self._log(self._starts)))
            return self._server

    def describe(self) -> str:
        server = self._server
        return f"{server.url}, process {server.pid}, log {server.launch.log}" if server else ""

    def close(self) -> None:
        with self._changing:
            self._closed = True
        if self._server:
            self._server.stop()


def small_launch(host: Environment, base: Path, _number: int, threads: int | None) -> Launch:
    """Launch of a worker on the small models of tests and demo."""
    launch = workspace.small_launch(host, base)
    arguments = (*launch.arguments, *CACHE_ARGUMENTS)
    return replace(launch, arguments=arguments, environ=thread_limits(threads))


def installed_launch(host: Environment, base: Path, number: int, threads: int | None) -> Launch:
    """Launch of a worker on the user's ComfyUI, models and packs, with its own writable folders."""
    arguments = [*workspace.QUIET, *CACHE_ARGUMENTS, *device_arguments(host.python, number)]
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
        host.python, host.comfyui, arguments, base / "server.log", environ=thread_limits(threads)
    )


def thread_limits(threads: int | None) -> dict[str, str]:
    """Environment variables that limit a process to `threads` CPU threads."""
    return {} if threads is None else dict.fromkeys(THREADS, str(threads))


def has_pack(comfyui: Path) -> bool:
    """Whether this pack is one of its custom nodes."""
    projects = (comfyui / "custom_nodes").glob("*/pyproject.toml")
    return any(PACK_NAME in path.read_text("utf-8", errors="replace") for path in projects)


def device_arguments(python: Path, number: int) -> tuple[str, ...]:
    """Arguments that spread workers over the GPUs, or select the CPU where there is none."""
    arguments = workspace.processor(python)
    if arguments:
        return arguments
    done = subprocess.run(
        [str(python), "-c", COUNT_GPUS], env=child_environ(), capture_output=True, check=False
    )
    count = int(done.stdout) if done.stdout.strip().isdigit() else 0
    return ("--cuda-device", str(number % count)) if count > 1 else ()
