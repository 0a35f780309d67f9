"""README, docs, help pages and translations agree with the code.

Tables are generated: `python tools/run.py tools.documents.command` brings them up to date.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.documents import pages, schemas, tables

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
TROUBLESHOOTING = REPOSITORY / "docs" / "troubleshooting.md"
DOCUMENTS = [
    README,
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "tools").glob("*/*.md")),
]
CONTRACT = REPOSITORY / "tests" / "data" / "node_contract.json"
LONGEST = {"README.md": 250, "CONTRIBUTING.md": 90}
MESSAGE_SYNTAX = set("{}@|")
"""Characters with a meaning in the editor's translations."""


@pytest.fixture(scope="module")
def nodes() -> dict[str, schemas.Node]:
    return schemas.read_nodes()


# Generated parts


def test_every_node_is_read(nodes: dict[str, schemas.Node]) -> None:
    assert len(nodes) == len({node.id for node in nodes.values()}) >= 25
    faces = nodes["InstantIDAnalyzeFaces"]
    assert [output.type for output in faces.outputs] == ["INSTANTID_FACES", "IMAGE", "MASK", "INT"]
    choice = next(item for item in faces.inputs if item.name == "select")
    assert (choice.type, choice.default) == ("COMBO", "largest")
    assert "left_to_right" in choice.choices


def test_the_stand_ins_read_what_a_host_reports(nodes: dict[str, schemas.Node]) -> None:
    """`tests/host/test_nodes.py` compares the same file with a real host."""
    read = {
        name: {
            "inputs": {
                item.name: (item.optional, item.settings.get("default")) for item in node.inputs
            },
            "outputs": {output.name: output.type for output in node.outputs},
        }
        for name, node in nodes.items()
    }
    contract = json.loads(CONTRACT.read_text(encoding="utf-8"))
    for node in contract.values():
        for name, item in node["inputs"].items():
            node["inputs"][name] = (item["optional"], item.get("default"))
    assert read == contract


def test_generated_parts_are_up_to_date(nodes: dict[str, schemas.Node]) -> None:
    stale = [path.relative_to(REPOSITORY).as_posix() for path in pages.stale(nodes)]
    assert not stale, "Run `python tools/run.py tools.documents.command`."


def test_a_changed_tooltip_makes_its_pages_stale(nodes: dict[str, schemas.Node]) -> None:
    node = nodes["InstantIDDoctor"]
    (item,) = node.inputs
    changed = schemas.Input(item.name, item.type, {**item.settings, "tooltip": "Another text."})
    other = schemas.Node(node.id, node.display_name, node.description, (changed,), node.outputs)
    stale = pages.stale({**nodes, node.id: other})
    assert set(stale) == {pages.locale_file("en"), pages.help_file(node.id, "en")}
    assert all("Another text." in text for text in stale.values())


def test_a_page_without_the_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- generated: inputs -->\n", encoding="utf-8")
    with pytest.raises(pages.PageError, match="between '<!-- generated: inputs -->'"):
        pages.filled(page, "inputs", "table")


def test_a_missing_translation_is_named() -> None:
    english = {"Node": {"description": "A text.", "inputs": {"size": {"tooltip": "Another."}}}}
    with pytest.raises(pages.PageError, match="lacks /Node/inputs/size/tooltip"):
        pages.complete({"Node": {"description": "\u6587\u5b57"}}, english)


def test_names_and_explained_choices_are_code() -> None:
    text = "Faces. all: every one. For select = all, not before start_at, for all faces."
    coded = "Faces. `all`: every one. For `select = all`, not before `start_at`, for all faces."
    assert tables.coded(text, ("all", "index")) == coded


def test_the_first_sentence_may_hold_a_file_name() -> None:
    assert (
        tables.first_sentence("Loads ip-adapter.bin now. And more.") == "Loads ip-adapter.bin now."
    )


# README, docs


@pytest.mark.parametrize("name", LONGEST)
def test_documents_stay_short(name: str) -> None:
    assert len((REPOSITORY / name).read_text(encoding="utf-8").splitlines()) <= LONGEST[name]


def test_named_files_exist() -> None:
    missing = [
        f"{path.relative_to(REPOSITORY)}: {name}"
        for path in DOCUMENTS
        for name, target in named_files(path)
        if not target.exists()
    ]
    assert not missing


def named_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Links, relative to the document, and paths in code marks, relative to the repository."""
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link and not link.startswith(("#", "mailto:")):
            yield link, path.parent / link.split("#")[0]
    folders = r"(?:docs|tests|tools|training|web|workflows|locales|instantid_core|nodes)"
    for name in re.findall(rf"`({folders}/[\w./]*)`", text):
        yield name, REPOSITORY / name
    for name in re.findall(r"`(instantid_\w+\.json)`", text):
        yield name, REPOSITORY / "workflows" / name


def test_links_lead_to_headings() -> None:
    broken = [
        f"{path.relative_to(REPOSITORY)}: {link}"
        for path in DOCUMENTS
        for link in re.findall(r"\]\(([^)\s:]*#[^)\s]+)\)", path.read_text(encoding="utf-8"))
        if link.split("#")[1] not in anchors(path.parent / link.split("#")[0], path)
    ]
    assert not broken


def anchors(target: Path, page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings; an empty link means the page itself."""
    text = (page if target == page.parent else target).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    pages_of_docs = {path.name for path in (REPOSITORY / "docs").glob("*.md")}
    assert pages_of_docs == set(re.findall(r"\]\(docs/([\w-]+\.md)", text))


def messages() -> Iterator[str]:
    """Every text in the pack's code, with dots for what is filled in."""
    for folder in ("instantid_core", "nodes"):
        for path in sorted((REPOSITORY / folder).glob("**/*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(getattr(part, "value", "...") for part in dotted(node))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value.replace("%s", "...")


def dotted(text: ast.JoinedStr) -> Iterator[ast.Constant]:
    for part in text.values:
        yield part if isinstance(part, ast.Constant) else ast.Constant("...")


def test_troubleshooting_quotes_real_messages() -> None:
    text = TROUBLESHOOTING.read_text(encoding="utf-8")
    quoted = re.findall(r'^## "(.+)"$', text, re.MULTILINE)
    known = list(messages())
    wanted = {quote: quote.removesuffix("...").removeprefix("...").strip() for quote in quoted}
    unknown = [quote for quote, part in wanted.items() if not any(part in text for text in known)]
    assert len(quoted) > 15
    assert not unknown


# Help pages and translations


def test_help_has_no_other_page(nodes: dict[str, schemas.Node]) -> None:
    found = set(pages.HELP.glob("**/*.md"))
    assert found == {pages.help_file(name, lang) for name in nodes for lang in pages.LANGUAGES}


def test_languages_have_the_same_entries() -> None:
    english, chinese = (pages.leaves(pages.translations(language)) for language in pages.LANGUAGES)
    assert english.keys() == chinese.keys()


def test_translations_are_plain_text() -> None:
    broken = [
        f"{language}{path}"
        for language in pages.LANGUAGES
        for path, text in pages.leaves(pages.translations(language)).items()
        if not text.strip() or MESSAGE_SYNTAX & set(text)
    ]
    assert not broken


def test_chinese_is_chinese() -> None:
    texts = pages.leaves(pages.translations("zh"))
    english = [
        path
        for path, text in texts.items()
        if path.endswith(("tooltip", "description")) and not re.search("[\u4e00-\u9fff]", text)
    ]
    assert not english


def test_one_english_text_has_one_translation() -> None:
    english, chinese = (pages.leaves(pages.translations(language)) for language in pages.LANGUAGES)
    translated: dict[str, set[str]] = {}
    for path, text in english.items():
        if path.endswith("tooltip"):
            translated.setdefault(text, set()).add(chinese[path])
    assert not {text: found for text, found in translated.items() if len(found) > 1}
