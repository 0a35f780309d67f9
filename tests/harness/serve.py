"""`dev.py serve`: a ComfyUI with the pack and the small models, until Ctrl-C."""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import workspace
from .cache import CacheError
from .environment import REPOSITORY
from .host_server import HostServer, ServerError

# Kept between runs, so that what a person made in the editor is still there.
BASE = REPOSITORY / "output" / "serve"


def main(arguments: Sequence[str]) -> int:
    """Serves until interrupted and returns the exit code."""
    parser = argparse.ArgumentParser(prog="dev.py serve")
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args(arguments).port
    signal.signal(signal.SIGTERM, _leave)
    try:
        serve(port)
    except (ServerError, CacheError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
    return 0


def serve(port: int) -> None:
    """Runs the server until it ends or the user ends it."""
    BASE.mkdir(parents=True, exist_ok=True)
    launch = workspace.small_launch(workspace.current(), BASE, port)
    print("Starting ComfyUI", flush=True)
    with HostServer(launch) as server:
        print(f"Open {server.url} in a browser. Ctrl-C stops it.")
        print(f"What you make stays in {BASE}; the log is {launch.log}.", flush=True)
        server.wait()
        raise ServerError(f"ComfyUI ended by itself. The end of its log:\n{server.log_tail()}")


def _leave(_number: int, _frame: object) -> NoReturn:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
