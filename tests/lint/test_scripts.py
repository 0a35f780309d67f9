"""The front end's modules ask nothing of the network and write no HTML of their own."""

import re

from support.sources import named, scripts, text_of

FOREIGN_IMPORT = re.compile(r"""(?:from|import\()\s*["']https?:""")


def test_scripts_import_nothing_from_elsewhere() -> None:
    assert [named(path) for path in scripts() if FOREIGN_IMPORT.search(text_of(path))] == []


def test_scripts_make_elements_instead_of_html() -> None:
    assert [named(path) for path in scripts() if "innerHTML" in text_of(path)] == []
