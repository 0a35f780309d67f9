"""A ComfyUI that the user installed: where its main.py is, and which Python runs it.

Standard library only.
"""

from pathlib import Path

from .cache import CacheError
from .environment import Environment

# Below the folder that holds main.py: virtual environments, and the portable build's Python.
PYTHONS = (
    "venv/bin/python",
    ".venv/bin/python",
    "venv/Scripts/python.exe",
    ".venv/Scripts/python.exe",
    "../python_embeded/python.exe",
)


def find(folder: Path, python: Path | None) -> Environment:
    """The installation in `folder`, run by `python` or by the Python found with it."""
    comfyui = find_comfyui(folder.expanduser().resolve())
    return Environment(find_python(comfyui, python), comfyui)


def find_comfyui(folder: Path) -> Path:
    """`folder`, or the ComfyUI inside it when it is the portable build's folder."""
    for candidate in (folder, folder / "ComfyUI"):
        if (candidate / "main.py").is_file() and (candidate / "folder_paths.py").is_file():
            return candidate
    raise CacheError(
        f"--comfyui should name ComfyUI's folder, the one that holds main.py, but neither {folder}"
        f" nor {folder / 'ComfyUI'} holds it."
    )


def find_python(comfyui: Path, python: Path | None) -> Path:
    """The Python that runs the ComfyUI in `comfyui`, as a path that may be a symbolic link."""
    # Not resolved: a virtual environment is known by where its link lies.
    candidates = [python.expanduser().absolute()] if python else [comfyui / p for p in PYTHONS]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    places = "".join(f"\n  {candidate}" for candidate in candidates)
    raise CacheError(
        "No Python that runs your ComfyUI was found; name it with --python FILE. Looked at:"
        f"{places}"
    )
