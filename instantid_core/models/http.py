"""One HTTP request for a file, with a safe redirect policy.

Standard library only, and only http and https: `urllib`'s own opener would follow a redirect to
ftp, and takes file and data URLs.
"""

from __future__ import annotations

import http.client
import importlib
import re
import ssl
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, cast
from urllib.parse import urlsplit

from ..errors import DownloadError

MAX_REDIRECTS = 5
PAGES = ("text/", "application/json", "application/xml", "application/xhtml+xml")
"""Content types of pages, which no model file has."""
PARTIAL = 206


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


def open_url(url: str, start: int, tag: str, timeout: float) -> Answer:
    """Request a file from byte `start` on, provided that its validator is still `tag`.

    timeout: seconds without data. Raises the errors of urllib, and DownloadError for an address
    that must not be followed.
    """
    _require_web(url)
    # Without this header some servers compress, and lengths then mean something else.
    headers = {"Accept-Encoding": "identity", "User-Agent": "instantid-compose"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    request = urllib.request.Request(url, headers=headers)
    response = cast("http.client.HTTPResponse", _opener(url).open(request, timeout=timeout))
    try:
        return _answer(url, response)
    except DownloadError:
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
    start, announced = 0, int(length) if length.isdigit() else None
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
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text.strip())
    if not found:
        raise DownloadError(
            f"{url} sends an unspecified part of the file ({text!r}). Use another mirror."
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
        stays = target.scheme == self._first.scheme and target.hostname == self._first.hostname
        if target.scheme != "https" and not stays:
            raise DownloadError(
                f"{self._first.geturl()} redirects to {newurl}, which is not followed: expected "
                "https, or a mirror's own host. Use another mirror."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_ssl_context()),
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
