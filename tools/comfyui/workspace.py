"""Files that a server needs: the pack, the small models, and its own folders to write to.

Standard library only, so that any Python that runs ComfyUI can use it.
"""

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.small_world import trained as small_world
from tools.small_world.trained import link_or_copy

from .cache import CacheError, build_once, cache_root, key_of
from .environment import REPOSITORY, Environment, child_environ, module_command, say
from .server import Launch

PACK = "instantid-compose"
SMALL_PACK = "instantid-small-models"
PACK_FILES = (
    "__init__.py",
    "nodes",
    "instantid_core",
    "web",
    "subgraphs",
    "workflows",
    "locales",
    "pyproject.toml",
    "requirements.txt",
    "LICENSE",
)
PACKAGES = ("insightface", "onnxruntime", "cv2")
SMALL_MODELS = REPOSITORY / "tools" / "small_world"
SMALL_NODE = SMALL_MODELS / "node"
# Nothing of the network, of the user's other packs, or of a database file.
QUIET = ("--disable-api-nodes", "--database-url", "sqlite:///:memory:")
FIND_ACCELERATOR = (
    "import sys, torch; xpu = getattr(torch, 'xpu', None); "
    "sys.exit(not (torch.cuda.is_available() or torch.backends.mps.is_available() "
    "or (xpu and xpu.is_available())))"
)


def current() -> Environment:
    """The environment this code runs in, as `dev.py` started it."""
    return Environment(Path(sys.executable), Path(os.environ["COMFYUI_PATH"]))


def small_launch(
    environment: Environment, base: Path, port: int = 0, world: bool = False
) -> Launch:
    """A server on the pack and the small models, with everything it writes under `base`.

    world: the trained models of the small world, too, face models included.
    """
    prepare_small(environment, base, world)
    arguments = [
        *("--base-directory", str(base)),
        *("--disable-all-custom-nodes", "--whitelist-custom-nodes", PACK, SMALL_PACK),
        *QUIET,
        *processor(environment.python),
    ]
    return Launch(environment.python, environment.comfyui, arguments, base / "server.log", port)


def installed_launch(environment: Environment, scratch: Path) -> Launch:
    """A server on the user's own installation and models, which nothing is written into.

    The pack reaches it through an extra search path, and no other pack is loaded.
    """
    custom_nodes = scratch / "custom_nodes"
    install_pack(custom_nodes)
    paths = scratch / "extra_model_paths.yaml"
    # A JSON string is a YAML string, backslashes of Windows included.
    entry = f"instantid_compose:\n  custom_nodes: {json.dumps(str(custom_nodes))}\n"
    paths.write_text(entry, encoding="utf-8")
    arguments = [
        *("--extra-model-paths-config", str(paths)),
        *("--disable-all-custom-nodes", "--whitelist-custom-nodes", PACK),
        *QUIET,
        *processor(environment.python),
    ]
    for kind in ("input", "output", "temp", "user"):
        (scratch / kind).mkdir()
        arguments += [f"--{kind}-directory", str(scratch / kind)]
    return Launch(environment.python, environment.comfyui, arguments, scratch / "server.log")


def require_packages() -> None:
    """Raises CacheError unless this Python, the user's, has the packages that the pack needs."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise CacheError(
            f"The Python of your ComfyUI lacks {', '.join(missing)}, which the pack needs. "
            f'Install: "{sys.executable}" -m pip install -r "{REPOSITORY / "requirements.txt"}"'
        )


@functools.cache
def processor(python: Path) -> tuple[str, ...]:
    """Arguments that ComfyUI needs to start without an accelerator, which it does not detect."""
    result = subprocess.run(
        [str(python), "-c", FIND_ACCELERATOR], env=child_environ(), capture_output=True, check=False
    )
    return () if result.returncode == 0 else ("--cpu",)


def prepare_small(environment: Environment, base: Path, world: bool = False) -> None:
    """Fills `base` with the pack, the small models, and the node that loads their checkpoint."""
    for kind in ("input", "output", "custom_nodes"):
        (base / kind).mkdir(parents=True, exist_ok=True)
    install_pack(base / "custom_nodes")
    node = base / "custom_nodes" / SMALL_PACK
    copy_fresh(SMALL_NODE, node)
    copy_fresh(small_world.NETWORKS, node / "networks")
    models = base / "models"
    if models.exists():
        shutil.rmtree(models)
    shutil.copytree(small_models(environment), models, copy_function=link_or_copy)
    if world:
        small_world.lay_out(models)


def install_pack(custom_nodes: Path) -> None:
    """Copies what the published archive holds, as a registry install would lay it out."""
    target = custom_nodes / PACK
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for name in PACK_FILES:
        source = REPOSITORY / name
        if source.is_dir():
            copy_fresh(source, target / name)
        elif source.is_file():
            shutil.copy2(source, target / name)


def copy_fresh(source: Path, target: Path) -> None:
    """Copies a folder of source files, in place of an older copy."""
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


def small_models(environment: Environment) -> Path:
    """The models folder of the small models, written once for each state of their sources."""
    sources = sorted(SMALL_MODELS.glob("**/*.py"))
    text = [path.read_text(encoding="utf-8") for path in sources]
    folder = cache_root() / f"small-models-{key_of(str(environment.comfyui), *text)}"
    build_once(folder, lambda target: _write_models(environment, target / "models"))
    return folder / "models"


def _write_models(environment: Environment, target: Path) -> None:
    say("Writing the small models (once)")
    paths = (str(environment.comfyui), str(target))
    result = subprocess.run(
        module_command(environment.python, "tools.small_world.random_models", *paths),
        env=child_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise CacheError(f"The small models could not be written:\n{result.stderr[-2000:]}")
