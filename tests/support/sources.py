"""The repository's own files, as the checks of `tests/lint` read them."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = ("instantid_core", "nodes", "tools", "training")
"""Folders of Python beside the tests."""
NOT_OURS = ("node_modules", "output", "__pycache__", "custom_nodes")
SCRIPTS = REPOSITORY / "web" / "js"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(folder: str, *endings: str) -> list[Path]:
    """Files below a folder of the repository with one of the endings, such as `.py`."""
    return [
        path
        for path in sorted((REPOSITORY / folder).glob("**/*"))
        if path.suffix in endings and not set(NOT_OURS) & set(path.parts)
    ]


def code() -> list[Path]:
    """All Python but the tests."""
    return [
        REPOSITORY / "__init__.py",
        REPOSITORY / "dev.py",
        *(path for folder in CODE for path in files(folder, ".py")),
    ]


def all_python() -> list[Path]:
    """All Python, tests included."""
    return [*code(), *files("tests", ".py")]


def scripts() -> list[Path]:
    """The front end's modules."""
    return files("web/js", ".js")


def documents() -> list[Path]:
    """Every page in Markdown."""
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob(".github/**/*.md")]
    folders = ("docs", "tests", "tools", "training", "web/docs")
    return [*sorted(pages), *(path for folder in folders for path in files(folder, ".md"))]


def named(path: Path) -> str:
    """The path as people write it."""
    return path.relative_to(REPOSITORY).as_posix()


def text_of(path: Path) -> str:
    """The file's text, which is UTF-8 everywhere in the repository."""
    return path.read_text(encoding="utf-8")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a Python file; several checks ask for it."""
    return ast.parse(text_of(path))


def functions(path: Path) -> Iterator[Function]:
    """Every function of a Python file, methods and inner ones included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a Python file: of itself, its classes, functions and values."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, documented):
            texts = (each.value for each in node.body if isinstance(each, ast.Expr))
            yield from (
                each.value.strip()
                for each in texts
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )
