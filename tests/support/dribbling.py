"""A server on the loopback interface that never comes to the end of what it says.

Standard library only.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

WAYS = {
    "nothing": (b"", b""),
    "status line": (b"HTTP/1.1 20", b"0"),
    "headers": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "more headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "redirects": (b"", b"HTTP/1.1 302 Found\r\nLocation: /f\r\nContent-Length: 1"),
    "length of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 200001\r\nETag: x\r\n\r\n", b"x"),
}
"""What is sent first, and then again and again."""
AFTER_HEADERS = ("length of a chunk", "body")
PAUSE = 0.05  # seconds


@contextmanager
def dribbling(way: str) -> Iterator[str]:
    """The address of such a server."""
    first, again = WAYS[way]
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PAUSE)

        def answer(asked: socket.socket) -> None:
            with asked:
                try:
                    asked.recv(4096)
                    asked.sendall(first)
                    while not ended.wait(PAUSE):
                        asked.sendall(again)
                except OSError:
                    return  # whoever asked has left

        def serve() -> None:
            while not ended.is_set():
                try:
                    asked, _ = server.accept()
                except TimeoutError:
                    continue
                asked.settimeout(None)
                threading.Thread(target=answer, args=(asked,), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/f"
        finally:
            ended.set()
            thread.join()
