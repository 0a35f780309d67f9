"""A real ComfyUI server: started on a free port, waited for, and always stopped.

Standard library only.
"""

import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from .environment import child_environ

LOOPBACK = "127.0.0.1"
START_LIMIT = 900  # seconds; a cold start from a slow disk, or on a busy machine, takes minutes
STOP_LIMIT = 15
LOG_TAIL = 25
LOG_WIDTH = 300


class ServerError(Exception):
    """The server did not start or has died; the message holds the end of its log."""


@dataclass(frozen=True)
class Launch:
    """Everything that decides how a server runs."""

    python: Path
    comfyui: Path
    arguments: Sequence[str]
    log: Path
    port: int = 0  # 0: a free one
    environ: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of its own."""


class HostServer:
    """A context manager around one server process; `url` is valid inside."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.port = launch.port or free_port()
        self.seconds_to_start = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def save_log(self, folder: Path) -> Path:
        """Copies the log into `folder`, where it outlasts the server's own; returns the copy."""
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / self.launch.log.name
        copy.write_bytes(self.launch.log.read_bytes())
        return copy

    def __enter__(self) -> "HostServer":
        started = time.monotonic()
        with self.launch.log.open("wb") as log:
            self._process = self._start(log)
        try:
            self._wait_until_ready(started + START_LIMIT)
        except BaseException:
            self.stop()
            raise
        self.seconds_to_start = time.monotonic() - started
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        # In this process's group on purpose: what ends the group ends the server too.
        return subprocess.Popen(
            [
                str(self.launch.python),
                "main.py",
                *("--listen", LOOPBACK, "--port", str(self.port)),
                *self.launch.arguments,
            ],
            cwd=self.launch.comfyui,
            env=child_environ(**self.launch.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def _wait_until_ready(self, deadline: float) -> None:
        while not responds(f"{self.url}/system_stats"):
            if not self.is_running():
                raise ServerError(
                    f"ComfyUI ended before it was ready. The end of its log:\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                raise ServerError(
                    f"ComfyUI did not answer at {self.url} within {START_LIMIT} seconds. "
                    f"The end of its log:\n{self.log_tail()}"
                )
            time.sleep(0.2)

    def wait_again(self) -> None:
        """Waits for a server that restarts itself, as ComfyUI-Manager makes it do."""
        self._wait_until_ready(time.monotonic() + START_LIMIT)

    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process's number; None before it was started."""
        return self._process.pid if self._process else None

    def wait(self) -> None:
        """Blocks until the process ends by itself."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Ends the process: asked first, forced when it takes too long."""
        if self._process is None:
            return
        if self.is_running():
            self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """Ends the process as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines: int = LOG_TAIL) -> str:
        """The last lines that the server wrote."""
        text = self.launch.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(plain(line) for line in text.splitlines()[-lines:])


def plain(line: str) -> str:
    """A log line without colours, truncated to LOG_WIDTH."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)[:LOG_WIDTH]


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def responds(url: str) -> bool:
    """Whether a GET of `url` is answered with success."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
