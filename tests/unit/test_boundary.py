"""The arrows of the architecture: __init__ -> nodes -> nodes/host -> instantid_core."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HOST = {"comfy", "comfy_extras", "comfy_execution", "folder_paths", "nodes", "server", "execution"}
HOST |= {"app", "comfy_config", "latent_preview", "main", "node_helpers", "protocol", "utils"}
SCHEMA = {"comfy_api"}
HEAVY = {"insightface", "onnxruntime", "cv2"}


def sources(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).glob("**/*.py"))


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Top-level package and relative level of every import in `tree`, nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0], node.level


def absolute_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {package for package, level in imports(tree) if level == 0}


@pytest.mark.parametrize("path", sources("instantid_core"), ids=named)
def test_the_core_knows_nothing_of_the_host(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set(imports(tree))
    assert not {package for package, level in found if level == 0} & (HOST | SCHEMA)
    assert all(level <= 1 for _, level in found), "the core does not reach out of its package"


@pytest.mark.parametrize("path", sources("nodes"), ids=named)
def test_only_nodes_host_imports_the_host(path):
    if path.parent == REPOSITORY / "nodes" / "host":
        assert not absolute_imports(path) & SCHEMA, "schemas belong to the nodes"
    else:
        assert not absolute_imports(path) & HOST


@pytest.mark.parametrize("path", sources("nodes/host"), ids=named)
def test_the_host_side_does_not_import_nodes(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {package for package, level in imports(tree) if level == 2}
    assert not parents, "`from ..` in nodes/host names a node module; the core is `from ...`"


def test_the_root_imports_only_the_standard_library_when_loaded():
    tree = ast.parse((REPOSITORY / "__init__.py").read_text(encoding="utf-8"))
    found = {found for statement in tree.body if runs(statement) for found in imports(statement)}
    assert all(level == 0 for _, level in found)
    assert {package for package, _ in found} <= sys.stdlib_module_names


def runs(statement: ast.stmt) -> bool:
    """Whether imports in a module's statement happen while the module is imported."""
    if isinstance(statement, ast.If):
        return ast.unparse(statement.test) != "TYPE_CHECKING"
    return not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))


def test_importing_the_core_stays_light():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import conftest, instantid_core; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(REPOSITORY / "tests")],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY / "tests",
    )
    loaded = set(result.stdout.split())
    assert "instantid_core" in loaded
    assert not loaded & (HEAVY | SCHEMA | {"comfy", "folder_paths", "server", "execution"})
