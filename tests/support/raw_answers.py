"""What servers should not say: whole answers that end, each of them no file.

Standard library only. Servers that never end are in `dribbling.py`.
"""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIZE = 200_001
"""Bytes of the file that is asked for."""
LINE = "HTTP/1.1 200 OK"
LONG = 70_000
"""More than http.client reads of one line."""


def _answer(*headers: str, line: str = LINE, body: bytes = b"x") -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


def _status_lines() -> Iterator[tuple[str, bytes]]:
    lines = (
        *(
            "",
            "\0",
            "HTTP",
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 abc",
            "HTTP/1.1 20",
            "HTTP/1.1 2000",
        ),
        *("HTTP/1.1 -200 OK", "HTTP/1.1 200.5", "HTTP/9.9 200 OK", "HTTP/0.9 200"),
        *(
            "ICY 200 OK",
            "SSH-2.0-OpenSSH_9.2",
            "220 ftp ready",
            "<html>",
            "\x16\x03\x01\x02\x00",
            "{}",
        ),
        *("HTTP/1.1 \u00b2\u00b2\u00b2", f"HTTP/1.1 200 {'x' * LONG}", "x" * LONG),
    )
    for number, line in enumerate(lines):
        yield f"status line {number}", _answer(f"Content-Length: {SIZE}", line=line)


def _statuses() -> Iterator[tuple[str, bytes]]:
    for status in (199, 204, 205, 206, 300, 301, 304, 305, 306, 308, 400, 401, 402, 407, 416, 418):
        yield f"status {status}", _answer("Content-Length: 1", line=f"HTTP/1.1 {status} So")
    for status in (451, 500, 503, 507, 599, 600, 999):
        yield f"status {status}", _answer("Content-Length: 1", line=f"HTTP/1.1 {status} So")


def _lengths() -> Iterator[tuple[str, bytes]]:
    texts = ("-1", "0", "1", str(SIZE + 1), "1e3", "0x10", "\u00b2", "9" * 5000, " ", "nan", "1, 2")
    for text in texts:
        yield f"length {text[:6]!r}", _answer(f"Content-Length: {text}")
    yield "two lengths", _answer("Content-Length: 1", f"Content-Length: {SIZE}")
    yield "less than said", _answer(f"Content-Length: {SIZE}", body=b"x" * 1000)
    yield "more than said", _answer("Content-Length: 1", body=b"x" * (SIZE + 1))
    yield "more than the file", _answer(body=b"x" * (SIZE + 1))
    yield "other bytes", _answer(f"Content-Length: {SIZE}", body=b"x" * SIZE)


def _ranges() -> Iterator[tuple[str, bytes]]:
    texts = ("", "bytes", "bytes 5-9/200001", "bytes 9-5/1", "bytes */200001", "bytes 0-0/9", "x")
    for text in (*texts, f"bytes {'9' * 5000}-1/1", "bytes -5--1/9", "bytes \u00b2-1/1"):
        line = "HTTP/1.1 206 Partial Content"
        yield f"range {text[:20]!r}", _answer(f"Content-Range: {text}", line=line)


def _chunks() -> Iterator[tuple[str, bytes]]:
    bodies = (
        b"",
        b"zz\r\n",
        b"-1\r\nx",
        b"5\r\nx",
        b"1\r\nx",
        b"0\r\n\r\n",
        b"f" * 40,
        b"\r\n\r\n",
    )
    for number, body in enumerate((*bodies, b"1;" + b"e" * LONG + b"\r\nx\r\n")):
        yield f"chunks {number}", _answer("Transfer-Encoding: chunked", body=body)


def _headers() -> Iterator[tuple[str, bytes]]:
    yield "a long header", _answer(f"X: {'y' * LONG}")
    yield "many headers", _answer(*(f"X{number}: y" for number in range(200)))
    yield "a header without a colon", _answer("nonsense", "\0\0", ": x")
    yield "no end of headers", f"{LINE}\r\nX: y\r\n".encode()
    yield "a page", _answer("Content-Type: text/html", body=b"<p>sign in</p>")
    yield "compressed", _answer("Content-Encoding: gzip")
    yield "unknown coding", _answer("Content-Encoding: \u00ff\u00fe")
    yield "continues and no more", b"HTTP/1.1 100 Continue\r\n\r\n" * 150


def _redirects() -> Iterator[tuple[str, bytes]]:
    targets = (
        "",
        "/f",
        "?",
        "#",
        "/" + "a" * LONG,
        "http://\0/",
        "https:///f",
        "gopher://x/f",
        "\t",
    )
    for number, target in enumerate(targets):
        headers = (f"Location: {target}", "Content-Length: 0")
        yield f"redirect {number}", _answer(*headers, line="HTTP/1.1 302 Found", body=b"")
    yield "redirect to nowhere", _answer("Content-Length: 0", line="HTTP/1.1 302 Found", body=b"")


ANSWERS = dict(
    itertools.chain(
        *(_status_lines(), _statuses(), _lengths(), _ranges(), _chunks(), _headers()),
        *(_redirects(), [("nothing", b"")]),
    )
)
"""Bytes of each answer, which the server sends to every request before it hangs up."""


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The address of a server that gives this answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    asked, _ = server.accept()
                except OSError:
                    return  # the server is closed
                with asked:
                    try:
                        asked.recv(4096)
                        asked.sendall(answer)
                    except OSError:
                        continue  # whoever asked has left

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/f"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
