"""A git repository that holds what the working tree holds, for what works on repositories: the
registry's packer, which takes the files that git tracks, and ComfyUI-Manager, which clones.

Standard library only.
"""

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.comfyui.cache import CacheError
from tools.comfyui.environment import REPOSITORY, child_environ

BRANCH = "main"
WRITTEN_BY = ("-c", "user.name=Tests", "-c", "user.email=tests@localhost")


def git(folder: Path, *arguments: str) -> str:
    """Runs git in a folder and returns its output. Raises CacheError with its message."""
    if not shutil.which("git"):
        raise CacheError("git was not found on the search path. Install it, then run this again.")
    command = ["git", "-C", str(folder), *WRITTEN_BY, *arguments]
    done = subprocess.run(command, env=child_environ(), capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        raise CacheError(f"`git {' '.join(arguments[:2])}` failed in {folder}: {words}")
    return done.stdout.decode(errors="replace")


def source_files() -> list[str]:
    """Paths of the working tree's files, but for those that git ignores; new files included."""
    listed = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted(name for name in set(listed.split("\0")) if (REPOSITORY / name).is_file())


def copy_of_the_tree(folder: Path) -> Path:
    """Writes the working tree's files into `folder` as the one commit of a new repository."""
    for name in source_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target)
    git(folder, "init", "-q", "-b", BRANCH)
    keep(folder, "The working tree")
    return folder


def keep(folder: Path, message: str) -> str:
    """Commits everything in the repository, ready to be fetched by HTTP; returns the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--no-verify", "-m", message)
    git(folder, "repack", "-adq")
    git(folder, "update-server-info")
    return git(folder, "rev-parse", "HEAD").strip()


@contextmanager
def served(repository: Path) -> Iterator[str]:
    """Serves a repository on the loopback interface, read-only; gives the URL to clone.

    The URL ends in the name of the repository's folder, as ComfyUI-Manager wants it for a pack.
    """

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            inside = path.partition("?")[0].removeprefix(f"/{repository.name}")
            return super().translate_path(inside)

        def log_message(self, format: str, *args: object) -> None:
            """Tests want no log."""

    handler = functools.partial(Quiet, directory=str(repository / ".git"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{repository.name}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
