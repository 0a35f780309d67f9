"""The arrows of the architecture: __init__ -> nodes -> nodes/host -> instantid_core <- tools."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
CORE = REPOSITORY / "instantid_core"
HOST = {"comfy", "comfy_extras", "comfy_execution", "folder_paths", "nodes", "server", "execution"}
HOST |= {"app", "comfy_config", "latent_preview", "main", "node_helpers", "protocol", "utils"}
SCHEMA = {"comfy_api"}
HEAVY = {"insightface", "onnxruntime", "cv2"}
PACKAGES = {path.parent.name for path in CORE.glob("*/__init__.py")}
STANDARD_LIBRARY_ONLY = ("models", "doctor", "libraries")
"""Packages of the core that work on a machine where nothing is installed."""
PARTS_WITHOUT_LIBRARIES = ("errors", *STANDARD_LIBRARY_ONLY)
MOST_PACKAGES, MOST_MODULES = 11, 6
LAZY = {
    "torch": {"libraries/imports.py", "doctor/import_probe.py"},
    "cv2": {"libraries/imports.py"},
    "insightface": {"libraries/imports.py", "faces/analyzer.py"},
    "onnxruntime": {"libraries/imports.py"},
}
"""Libraries that are imported inside functions alone, to the files that may."""


class Import(NamedTuple):
    """One import statement."""

    module: str
    """As written, without the dots."""
    level: int
    names: tuple[str, ...]
    is_at_import: bool
    """Whether it runs while the module is imported."""

    @property
    def package(self) -> str:
        return self.module.split(".")[0]


def sources(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).glob("**/*.py"))


def imports(path: Path) -> Iterator[Import]:
    """Every import in a file, those in functions and below TYPE_CHECKING included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_import = {id(node) for node in _run_at_import(tree)}
    for node in ast.walk(tree):
        runs = id(node) in at_import
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, 0, (), runs) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.module or "", node.level, names, runs)


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        is_typing = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not is_function and not is_typing:
            yield child
            yield from _run_at_import(child)


def offenders(paths: list[Path], forbidden: set[str]) -> list[str]:
    """Absolute imports of forbidden packages, each as `file: package`."""
    return [
        f"{path.relative_to(REPOSITORY).as_posix()}: {found.module}"
        for path in paths
        for found in imports(path)
        if found.level == 0 and found.package in forbidden
    ]


def test_the_core_knows_nothing_of_the_host():
    assert offenders(sources("instantid_core"), HOST | SCHEMA) == []


def test_the_core_does_not_reach_out_of_its_package():
    outside = [
        f"{path.relative_to(CORE).as_posix()}: {'.' * found.level}{found.module}"
        for path in sources("instantid_core")
        for found in imports(path)
        if found.level > len(path.relative_to(CORE).parts)
    ]
    assert outside == []


def test_only_nodes_host_imports_the_host():
    host = REPOSITORY / "nodes" / "host"
    thin = [path for path in sources("nodes") if path.parent != host]
    assert offenders(thin, HOST) == []
    assert offenders(sources("nodes/host"), SCHEMA) == [], "schemas belong to the nodes"


def test_the_host_side_does_not_import_nodes():
    reaching = [
        f"{path.name}: {found.module}"
        for path in sources("nodes/host")
        for found in imports(path)
        if found.level == 2
    ]
    assert reaching == [], "`from ..` in nodes/host names a node module; the core is `from ...`"


def test_nothing_outside_of_the_tests_imports_them():
    folders = ("instantid_core", "nodes", "tools", "training")
    paths = [path for folder in folders for path in sources(folder)]
    paths += [REPOSITORY / "dev.py", REPOSITORY / "__init__.py"]
    assert offenders(paths, {"tests", "support", "conftest", "harness", "pytest"}) == []


def test_the_pack_does_not_import_what_is_not_in_its_archive():
    paths = [*sources("instantid_core"), *sources("nodes"), REPOSITORY / "__init__.py"]
    assert offenders(paths, {"tools", "training", "dev"}) == []


def test_rooms_are_few_and_modules_beside_them_fewer():
    assert len(PACKAGES) <= MOST_PACKAGES
    assert len(list(CORE.glob("*.py"))) <= MOST_MODULES
    assert {path.relative_to(CORE).parts[0] for path in CORE.glob("*/*.py")} == PACKAGES


def arrows() -> dict[str, set[str]]:
    """Package to the packages that its modules import from, at any time."""
    found: dict[str, set[str]] = {package: set() for package in PACKAGES}
    for path in sources("instantid_core"):
        package = path.parent.name
        for one in imports(path):
            if package in PACKAGES and one.level == 2:
                found[package] |= ({one.package} if one.module else set(one.names)) & PACKAGES
    return found


def test_arrows_between_rooms_form_no_circle():
    order = tuple(TopologicalSorter(arrows()).static_order())
    assert set(order) == PACKAGES
    assert arrows()["doctor"], "an arrow that exists is seen"


def tool_arrows() -> dict[str, set[str]]:
    """Folder of `tools/` to the folders that its modules import from, at any time."""
    folders = {path.parent.name for path in (REPOSITORY / "tools").glob("*/__init__.py")}
    found: dict[str, set[str]] = {folder: set() for folder in folders}
    for path in sources("tools"):
        folder = path.parts[len(REPOSITORY.parts) + 1]
        for one in imports(path) if folder in folders else ():
            first, *rest = one.module.split(".")
            if one.level == 0 and first == "tools":
                found[folder] |= ({rest[0]} if rest else set(one.names)) & folders
    return {folder: others - {folder} for folder, others in found.items()}


def test_arrows_between_tools_form_no_circle():
    order = tuple(TopologicalSorter(tool_arrows()).static_order())
    assert set(order) == tool_arrows().keys()
    assert tool_arrows()["demo"], "an arrow that exists is seen"


def test_rooms_are_entered_by_their_door():
    """Other packages and the nodes import a package's names from its `__init__`, and only those in
    `__all__`."""
    around = []
    for path in [*sources("instantid_core"), *sources("nodes")]:
        for found in imports(path):
            parts = found.module.split(".")
            parts = parts[1:] if parts[0] == "instantid_core" else parts
            entering = found.level >= 2 and parts[0] in PACKAGES
            if entering and path.parent != CORE:
                named = parts[1:] or set(found.names) - shown(parts[0])
                around += [f"{path.relative_to(REPOSITORY)}: {parts[0]}: {named}"] if named else []
    assert around == []


def shown(package: str) -> set[str]:
    """Names in a package's `__all__`."""
    tree = ast.parse((CORE / package / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    raise AssertionError(f"{package} has no __all__")


def test_some_rooms_need_the_standard_library_alone():
    wrong = []
    paths = [CORE / "errors.py", CORE / "__init__.py", CORE / "__main__.py"]
    paths += [
        path for package in STANDARD_LIBRARY_ONLY for path in sources(f"instantid_core/{package}")
    ]
    for path in paths:
        name = path.relative_to(CORE).as_posix()
        for found in imports(path):
            own = found.level > 0 and (found.package or found.names[0])
            if found.level == 2 and own not in PARTS_WITHOUT_LIBRARIES:
                wrong.append(f"{name}: {own}")
            if found.level == 0 and found.package not in sys.stdlib_module_names:
                lazy = name in LAZY.get(found.package, ()) and not found.is_at_import
                typing_only = name == "libraries/onnx_sessions.py" and not found.is_at_import
                wrong += [] if lazy or typing_only else [f"{name}: {found.module}"]
    assert wrong == []


def test_the_root_imports_only_the_standard_library_when_loaded():
    found = [one for one in imports(REPOSITORY / "__init__.py") if one.is_at_import]
    assert all(one.level == 0 for one in found)
    assert {one.package for one in found} <= sys.stdlib_module_names


def loaded_by(statement: str) -> set[str]:
    """Top-level names of the modules that a statement leaves imported, in a new process."""
    program = (
        f"import sys; sys.path.insert(0, sys.argv[1]); import conftest; {statement}; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", program, str(REPOSITORY / "tests")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=REPOSITORY / "tests"
    )
    return set(done.stdout.split())


def test_importing_the_core_stays_light():
    loaded = loaded_by("import instantid_core")
    assert "instantid_core" in loaded
    assert not loaded & (HEAVY | SCHEMA | {"comfy", "folder_paths", "server", "execution"})


def test_importing_every_room_leaves_heavy_libraries_alone():
    packages = "; ".join(f"import instantid_core.{package}" for package in sorted(PACKAGES))
    assert not loaded_by(packages) & HEAVY


def test_the_console_needs_no_package():
    loaded = loaded_by("import instantid_core.__main__")
    assert not loaded & (HEAVY | SCHEMA | {"torch", "numpy", "PIL", "safetensors", "yaml"})
