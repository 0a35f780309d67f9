"""A server of model files on the loopback interface, as badly behaved as a test wants it.

Standard library only.
"""

import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

LOOPBACK = "127.0.0.1"
CHUNK = 4096


@dataclass
class Served:
    """A file, and how it is served."""

    content: bytes
    etag: str = '"first"'
    content_type: str = "application/octet-stream"
    status: int = 200
    location: str = ""
    """With a 3xx status: where it redirects to."""
    drops: list[int] = field(default_factory=list)
    """For each request in turn: after how many bytes the connection ends."""
    failures: list[int] = field(default_factory=list)
    """Statuses that the first requests get instead."""
    announced: int | None = None
    """A Content-Length that is not the truth; 0 leaves the header out."""
    ranges: bool = True
    if_range: bool = True
    """Whether If-Range is looked at."""
    range_start: int | None = None
    """Offset of a partial answer, if it is to be a wrong one."""
    hold_after: int | None = None
    """After how many bytes it waits until `release` is set: a slow server, without a clock."""
    release: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    """Set once it waits."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """Headers of every request, names in lower case."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class ModelServer:
    """A context manager; `url` is valid inside."""

    def __init__(self, files: Mapping[str, Served]) -> None:
        """files: path below the server's root to the file served there."""
        self.files = dict(files)
        handler = type("Handler", (_Handler,), {"files": self.files})
        self._server = http.server.ThreadingHTTPServer((LOOPBACK, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> "ModelServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for served in self.files.values():
            served.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    files: dict[str, Served]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        served = self.files.get(self.path)
        if served is None:
            self._status(404)
            return
        served.requests.append({name.lower(): value for name, value in self.headers.items()})
        if served.failures:
            self._status(served.failures.pop(0))
        elif served.location:
            self.send_response(served.status)
            self.send_header("Location", served.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._file(served)

    def _status(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, served: Served) -> None:
        start = self._start(served)
        if start > len(served.content):
            self._status(416)
            return
        stated = start if served.range_start is None or not start else served.range_start
        self.send_response(206 if start else served.status)
        self.send_header("Content-Type", served.content_type)
        if served.etag:
            self.send_header("ETag", served.etag)
        if start:
            size = len(served.content)
            self.send_header("Content-Range", f"bytes {stated}-{size - 1}/{size}")
        rest = len(served.content) - stated
        length = rest if served.announced is None else served.announced
        if length:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self._send(served, served.content[stated:])

    def _start(self, served: Served) -> int:
        asked = self.headers.get("Range", "")
        fresh = not served.if_range or self.headers.get("If-Range", served.etag) == served.etag
        if not (served.ranges and fresh and asked.startswith("bytes=")):
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _send(self, served: Served, content: bytes) -> None:
        drop = served.drops.pop(0) if served.drops else len(content)
        for start in range(0, drop, CHUNK):
            if served.hold_after is not None and start >= served.hold_after:
                served.held.set()
                served.release.wait()
            try:
                self.wfile.write(content[start : min(start + CHUNK, drop)])
                self.wfile.flush()
            except OSError:
                return  # whoever asked has left

    def log_message(self, format: str, *args: object) -> None:
        """Tests want no log."""


def zipped(entries: Mapping[str, bytes]) -> bytes:
    """A zip archive with these entries, names as given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()
