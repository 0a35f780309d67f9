"""Model folders of a ComfyUI that is not running.

Standard library only, except for what ComfyUI's own module imports.
"""

import importlib
import os
import sys
from pathlib import Path

from ..errors import SettingError
from ..libraries import REPAIR_PATHS, first_line

KINDS = ("instantid", "controlnet", "insightface")
"""ComfyUI's names for the folders of adapters, ControlNets and face models."""


class ExtraPathsError(SettingError):
    """ComfyUI's extra_model_paths.yaml cannot be read, by this pack or by ComfyUI."""

    def __init__(self, found: str) -> None:
        super().__init__(f"{found}. {REPAIR_PATHS}")
        self.found = found


def model_roots(comfyui: Path) -> dict[str, list[Path]]:
    """Folders of each kind, in the order in which this ComfyUI with the pack searches them.

    Raises ExtraPathsError, and the errors of importing ComfyUI's module.
    """
    sys.path.insert(0, str(comfyui))
    folder_paths = importlib.import_module("folder_paths")
    configuration = comfyui / "extra_model_paths.yaml"
    if configuration.is_file():
        _read_extra_paths(configuration)
    roots = {}
    for kind in KINDS:
        folder_paths.add_model_folder_path(kind, os.path.join(folder_paths.models_dir, kind))
        roots[kind] = [Path(folder) for folder in folder_paths.get_folder_paths(kind)]
    return roots


def _read_extra_paths(configuration: Path) -> None:
    extra_config = importlib.import_module("utils.extra_config")
    not_yaml = importlib.import_module("yaml").YAMLError
    try:
        extra_config.load_extra_path_config(str(configuration))
    except not_yaml as error:
        raise ExtraPathsError(f"{configuration} is not YAML: {_describe(error)}") from error
    except (AttributeError, TypeError) as error:
        # ComfyUI expects sections of text and does not check.
        raise ExtraPathsError(
            f"{configuration} should hold sections that name folders, but holds something else "
            f"({first_line(error)})"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: bytes that are not UTF-8
        raise ExtraPathsError(f"{configuration} cannot be read: {first_line(error)}") from error


def _describe(error: Exception) -> str:
    """The position, first line and problem of a YAML error, as far as known."""
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    # Usually the first line says what was expected, and `problem` what was found.
    parts = dict.fromkeys([first_line(error), getattr(error, "problem", None)])
    return line + ", ".join(part for part in parts if part)
