"""What the repository promises about itself."""

import ast
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST_FILE = 350
LONGEST_FUNCTION = 40
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = [
    REPOSITORY / "__init__.py",
    REPOSITORY / "dev.py",
    *sorted((REPOSITORY / "instantid_core").glob("**/*.py")),
    *sorted((REPOSITORY / "nodes").glob("**/*.py")),
]
ALL_PYTHON = [*SHIPPED, *sorted((REPOSITORY / "tests").glob("**/*.py"))]


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def requirements() -> list[str]:
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_requirements_are_the_projects_dependencies():
    assert requirements() == PROJECT["project"]["dependencies"]


def test_the_gpu_runtime_is_installed_after_what_brings_the_cpu_one():
    names = [re.split(r"[<>=!~; \[]", line)[0] for line in requirements()]
    assert names[0] == "insightface"
    assert names[-1] == "onnxruntime-gpu"
    assert "sys_platform" in requirements()[-1]


def test_the_host_provides_torch_and_numpy():
    assert not [line for line in requirements() if re.match(r"(torch|numpy|safetensors)\b", line)]


def test_the_changelog_tells_of_this_version():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*\b{re.escape(PROJECT['project']['version'])}\b", changelog, re.M)


def test_the_registry_finds_what_it_asks_for():
    assert PROJECT["project"]["name"] == "instantid-compose"
    assert PROJECT["tool"]["comfy"]["DisplayName"] == "InstantID Compose"
    assert re.fullmatch(r">=\d+\.\d+\.\d+", PROJECT["tool"]["comfy"]["requires-comfyui"])
    assert (REPOSITORY / PROJECT["project"]["license"]["file"]).is_file()
    assert (REPOSITORY / PROJECT["project"]["readme"]).is_file()


@pytest.mark.parametrize("path", SHIPPED, ids=named)
def test_files_and_functions_stay_short(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_FILE
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("path", ALL_PYTHON, ids=named)
def test_sources_are_readable_on_windows(path):
    path.read_text(encoding="utf-8").encode("cp1252")
