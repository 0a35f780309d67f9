"""Tables for people, for pages and for programs."""

from __future__ import annotations

from tools.bench.report import Row, Table, as_data, as_markdown, as_text, missing

TABLE = Table(
    "A step", (Row("plain", 1567.0, "ms", 1.0), Row("waits", 0, ""), missing("peak")), ("A note.",)
)


def test_text_says_what_was_not_measured() -> None:
    lines = as_text(TABLE).splitlines()
    assert lines[0] == "A step"
    assert lines[1].split() == ["plain", "1567", "ms", "1.000", "x"]
    assert lines[3].split(maxsplit=1) == ["peak", "not measured: needs a CUDA device"]


def test_page_has_a_table_and_the_machine() -> None:
    lines = as_markdown({"torch": "2"}, [TABLE]).splitlines()
    assert "- torch: 2" in lines
    assert "| plain | 1567 ms | 1 |" in lines
    assert "| waits | 0 |  |" in lines
    assert "| peak | not measured: needs a CUDA device |  |" in lines
    assert lines[-1] == "A note."


def test_data_has_null_for_what_is_missing() -> None:
    rows = as_data({}, [TABLE])["tables"][0]["rows"]
    assert [row["value"] for row in rows] == [1567.0, 0, None]
