"""One HTTP request for a file, with a safe redirect policy.

For reviewers: this is all of the pack's network code. It runs when a user has confirmed a download
in the editor's dialog or on the command line, never at import and never while a graph runs. The
addresses are those of `model_files.json` beside this file, or the same paths on a mirror that the
user has set in the server's environment; no request, workflow or file adds one. It only sends GET
requests and nothing about the user. `download.py` renames a file after comparing its SHA-256.

Standard library only, and only http and https: `urllib`'s own opener would follow a redirect to
ftp, and takes file and data URLs.
"""

from __future__ import annotations

import http.client
import importlib
import re
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, InvalidURL
from typing import IO, Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit

from ..errors import DownloadError

__all__ = [
    "Answer",
    "Connection",
    "HTTPError",
    "HTTPException",
    "InvalidURL",
    "URLError",
    "open_url",
    "watched",
]

MAX_REDIRECTS = 5
PAGES = ("text/", "application/json", "application/xml", "application/xhtml+xml")
"""Content types of pages, which no model file has."""
PARTIAL = 206
POLL = 0.1
"""Seconds between two looks at whether to go on waiting."""
SIZE = "[0-9]{1,18}"
"""Pattern of a number of bytes in a header."""


@dataclass
class Answer:
    """A server's answer: the bytes from `start` on."""

    body: http.client.HTTPResponse
    start: int
    announced: int | None
    """Size of the whole file according to the server, if known."""
    tag: str
    """Validator for a later request for the rest; empty if there is none."""
    content_type: str

    @property
    def is_page(self) -> bool:
        """Whether this is a page rather than a model file."""
        return self.content_type.lower().startswith(PAGES)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, as soon as any are available; empty at the end."""
        return self.body.read1(size)

    def close(self) -> None:
        """Close the connection."""
        self.body.close()


def open_url(url: str, start: int, tag: str, timeout: float, connection: Connection) -> Answer:
    """Request a file from byte `start` on, provided that its validator is still `tag`.

    timeout: seconds without data. Raises the errors of urllib, ConnectionAbortedError if the
    connection was cut before the end of the headers, ValueError for a malformed address, and
    DownloadError for one that must not be followed.
    """
    _require_web(url)
    # Without this header some servers compress, and lengths then mean something else.
    headers = {"Accept-Encoding": "identity", "User-Agent": "instantid-compose"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    request = urllib.request.Request(url, headers=headers)
    response = cast(
        "http.client.HTTPResponse", _opener(url, connection).open(request, timeout=timeout)
    )
    try:
        connection.answered()
        return _answer(url, response)
    except (DownloadError, ConnectionAbortedError):
        response.close()
        raise


def _answer(url: str, response: http.client.HTTPResponse) -> Answer:
    headers = response.headers
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise DownloadError(
            f"{url} should be sent unencoded, but is encoded as {encoding}. Use another mirror."
        )
    length = headers.get("Content-Length", "")
    start, announced = 0, int(length) if re.fullmatch(SIZE, length) else None
    if response.status == PARTIAL:
        start, announced = _content_range(url, headers.get("Content-Range", ""))
    return Answer(
        body=response,
        start=start,
        announced=announced,
        tag=_validator(headers.get("ETag", ""), headers.get("Last-Modified", "")),
        content_type=headers.get("Content-Type", ""),
    )


def _content_range(url: str, text: str) -> tuple[int, int | None]:
    """Offset of a partial answer, and size of the whole file."""
    found = re.fullmatch(rf"bytes ({SIZE})-{SIZE}/({SIZE}|\*)", text.strip())
    if not found:
        raise DownloadError(
            f"{url} sends an unspecified part of the file ({text[:80]!r}). Use another mirror."
        )
    return int(found[1]), int(found[2]) if found[2] != "*" else None


def _validator(etag: str, modified: str) -> str:
    # A weak ETag does not promise equal bytes and is not allowed in If-Range.
    return etag if etag and not etag.startswith("W/") else modified


def _require_web(url: str) -> None:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise DownloadError(f"Expected an http or https address, found {url!r}.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, and only to safe addresses."""

    max_redirections = MAX_REDIRECTS

    def __init__(self, url: str) -> None:
        self._first = urlsplit(url)

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The redirected request; raises DownloadError for an insecure address.

        https is always allowed; http only if the first address was http, and on the same host: a
        file published on https must not lead into the user's own network.
        """
        target = urlsplit(newurl)
        # With the port: another one of the same machine is another service.
        stays = _origin(target) == _origin(self._first)
        if target.scheme != "https" and not stays:
            raise DownloadError(
                f"{self._first.geturl()} redirects to {newurl}, which is not followed: expected "
                "https, or a mirror's own host. Use another mirror."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _opener(url: str, connection: Connection) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        *connection.handlers(_ssl_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(url),
    ):
        opener.add_handler(handler)
    return opener


def _ssl_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Python from python.org on macOS does not find the system's certificates; certifi is
    # installed with ComfyUI.
    with suppress(ImportError):
        context.load_verify_locations(importlib.import_module("certifi").where())
    return context


class Connection:
    """The sockets of one request, redirects included, so that another thread can end it.

    `urllib` waits for headers, and for the length of a next chunk, as long as single bytes come; a
    timeout is per byte.
    """

    def __init__(self) -> None:
        self.is_late = False
        """Whether it was cut because the headers took too long."""
        self._is_cut = self._has_answered = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def handlers(self, trust: ssl.SSLContext) -> tuple[urllib.request.BaseHandler, ...]:
        """urllib's handlers of http and https, whose sockets are kept in mind."""
        return _Http(self), _Https(self, trust)

    def opened(self, *where: Any) -> socket.socket:
        """As `socket.create_connection`."""
        made = socket.create_connection(*where)
        self.keep(made)
        return made

    def keep(self, made: socket.socket) -> None:
        """Keep a second handle: TLS takes the first one away, and is waited for as well."""
        with self._lock:
            self._sockets.append(made.dup())

    def answered(self) -> None:
        """Note that the headers are there: from now on it is never late. Raises
        ConnectionAbortedError if it was cut before: they are only what had come until then."""
        with self._lock:
            if self._is_cut:
                raise ConnectionAbortedError("cut before the end of the headers")
            self._has_answered = True

    def cut_unanswered(self) -> None:
        """Cut it if the headers are not there yet, from any thread."""
        with self._lock:
            if not self._has_answered:
                self.is_late = True
                self._cut()

    def cut(self) -> None:
        """End what is being waited for, from any thread."""
        with self._lock:
            self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        for each in self._sockets:
            with suppress(OSError):  # ended already
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the sockets."""
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._made, req)

    def _made(self, host: str, **settings: Any) -> http.client.HTTPConnection:
        made = http.client.HTTPConnection(host, **settings)
        setattr(made, "_create_connection", self._connection.opened)  # noqa: B010
        return made


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connection: Connection, trust: ssl.SSLContext) -> None:
        super().__init__(context=trust)
        self._connection, self._trust = connection, trust

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._made, req)

    def _made(self, host: str, **settings: Any) -> http.client.HTTPSConnection:
        made = http.client.HTTPSConnection(host, context=self._trust, **settings)
        setattr(made, "_create_connection", self._connection.opened)  # noqa: B010
        return made


@contextmanager
def watched(cancelled: threading.Event, patience: float) -> Iterator[Connection]:
    """A connection that is cut when `cancelled` is set, and when no headers came within `patience`
    seconds."""
    connection, done = Connection(), threading.Event()
    deadline = time.monotonic() + patience

    def watch() -> None:
        while not done.wait(POLL):
            if cancelled.is_set():
                connection.cut()
            elif time.monotonic() > deadline:
                connection.cut_unanswered()

    watcher = threading.Thread(target=watch, name="instantid-models-watch", daemon=True)
    watcher.start()
    try:
        yield connection
    finally:
        done.set()
        watcher.join()
        connection.close()
