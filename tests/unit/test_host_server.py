"""The server is waited for, always stopped, and its own words are passed on when it fails."""

import sys
from pathlib import Path

import pytest

from tools.comfyui.server import HostServer, Launch, ServerError, responds

ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
BREAKS = "print('no module named torchaudio'); raise SystemExit(3)"


def launch(folder: Path, program: str) -> Launch:
    (folder / "main.py").write_text(program)
    return Launch(Path(sys.executable), folder, (), folder / "server.log")


def test_a_server_that_answers_is_stopped_afterwards(tmp_path):
    with HostServer(launch(tmp_path, ANSWERS)) as server:
        url = server.url
        assert responds(url)
        assert server.seconds_to_start > 0
    assert not server.is_running()
    assert not responds(url)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_stops_the_server_too(tmp_path, error):
    with pytest.raises(error), HostServer(launch(tmp_path, ANSWERS)) as server:
        raise error
    assert not server.is_running()


def test_a_server_that_ends_early_is_quoted(tmp_path):
    with (
        pytest.raises(ServerError, match=r"ended before it was ready[^$]*no module named torcha"),
        HostServer(launch(tmp_path, BREAKS)),
    ):
        pass


def test_each_server_has_a_port_of_its_own(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        HostServer(launch(tmp_path / "a", ANSWERS)) as first,
        HostServer(launch(tmp_path / "b", ANSWERS)) as second,
    ):
        assert first.port != second.port
