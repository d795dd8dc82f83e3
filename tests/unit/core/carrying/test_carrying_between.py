"""A section in somebody else's file: what stands around it stays to the byte, and damaged markers stop everything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace.core.carrying.between import from_sections, has_sections, put, to_section
from ace.errors import InvalidInput
from ace.models.playbook import Bullet
from tests.unit.core.carrying.texts import playbooks

BEGIN, END = b"<!-- ace-playbook:begin d -->", b"<!-- ace-playbook:end d -->"
ID = "strategy-aaaaaaaaaa"
around = st.binary(max_size=40).filter(
    lambda data: b"ace-playbook" not in data and data[:2] not in (b"\xff\xfe", b"\xfe\xff")
)


@settings(max_examples=20)
@given(before=around, after=around, first=playbooks, second=playbooks)
def test_the_rest_stays_to_the_byte_and_again_changes_nothing(
    before: bytes, after: bytes, first: list[Bullet], second: list[Bullet]
) -> None:
    written = put(before, "d", to_section("d", first))
    assert written.startswith(before)
    file = written + after
    again = put(file, "d", to_section("d", second))
    start, end = again.index(BEGIN), again.index(END) + len(END)
    assert again[:start] + again[end:] == file[: file.index(BEGIN)] + file[file.index(END) + len(END) :]
    assert put(again, "d", to_section("d", second)) == again
    assert len(from_sections(again)) == len(second)


def test_domains_have_a_section_each_and_lines_end_as_in_the_file() -> None:
    file = put(b"# Theirs\r\n", "d", to_section("d", []))
    both = put(file, "e", to_section("e", [Bullet(id=ID, domain_id="e", content="Read on.")]))
    assert both.startswith(file)
    assert b"\n" not in both.replace(b"\r\n", b"")
    (one,) = from_sections(both)
    assert (one.content, one.place.id, one.place.details) == ("Read on.", ID, (("domain", "e"),))
    assert b"Nothing yet." in file


@pytest.mark.parametrize(
    ("file", "says"),
    [
        pytest.param(b"x\n" + BEGIN + b"\n", "line 2: begins a section that does not end", id="no-end"),
        pytest.param(END + b"\n", "line 1: ends a section that does not begin", id="no-begin"),
        pytest.param(END + b"\n" + BEGIN, "line 1: ends a section", id="crossed"),
        pytest.param(BEGIN + b"\n" + BEGIN + b"\n" + END, "line 1: begins a section", id="begun-twice"),
        pytest.param((BEGIN + b"\n" + END + b"\n") * 2, "line 3: begins the section of d again", id="twice"),
        pytest.param(BEGIN + b"\n" + END.replace(b" d ", b" e "), "line 1: begins a section", id="another-domain"),
        pytest.param(b"<!-- ace-playbook:begin -->\n" + END, "line 1: is a marker that cannot be read", id="no-domain"),
        pytest.param(BEGIN + b" x\n" + END, "line 1: is a marker that cannot be read", id="more-on-its-line"),
        pytest.param("x".encode("utf-16"), "file: is UTF-16", id="utf-16"),
    ],
)  # fmt: skip
def test_damaged_markers_are_named_and_nothing_is_written(file: bytes, says: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        put(file, "d", "new")
    assert str(raised.value).startswith(says)


def test_a_file_without_a_section_says_so() -> None:
    assert not has_sections(b"# Theirs")
    with pytest.raises(InvalidInput, match="--from markdown"):
        from_sections(b"# Theirs")
