"""JSON that says one thing is read; everything else is refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import InvalidInput
from ace.utils.json_lines import parse_rows
from ace.web.strict_json import parse

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_json_writes_is_read(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


REFUSED = [
    pytest.param(b"", "is not JSON", id="nothing"),
    pytest.param(b"{", "is not JSON", id="half"),
    pytest.param(b'{"a": 1} x', "is not JSON", id="more-behind"),
    pytest.param(b'{"a": 1, "a": 1}', "a: is given twice", id="duplicate-key"),
    pytest.param(b'[{"b": {"a": 1, "a": 2}}]', "a: is given twice", id="duplicate-key-inside"),
    pytest.param(b"[NaN]", "NaN, which is not JSON", id="nan"),
    pytest.param(b"[-Infinity]", "Infinity, which is not JSON", id="infinity"),
    pytest.param(b"[1e400]", "too large", id="1e400"),
    pytest.param(b"[" + b"9" * 5000 + b"]", "number nobody can use", id="5000-digits"),
    pytest.param(b'["\\ud800"]', "lone surrogate", id="lone-surrogate"),
    pytest.param(b'{"\\udfff": 1}', "lone surrogate", id="lone-surrogate-in-a-name"),
    pytest.param(b'["\\u0000"]', "NUL", id="escaped-nul"),
    pytest.param(b'["\0"]', "is not JSON", id="raw-nul"),
    pytest.param(b'["\xff"]', "is not UTF-8", id="not-utf-8"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested too deeply", id="deep"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED)
def test_everything_else_is_refused_with_the_reason(body: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse(body)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


def many_names(count: int) -> bytes:
    """An object with a name that comes twice behind this many others."""
    return ("{" + "".join(f'"{n:x}":0,' for n in range(count)) + '"x":0,"x":0}').encode()


@pytest.mark.parametrize("read", [parse, lambda body: parse_rows(Path("t.jsonl"), body)], ids=["body", "json-lines"])
def test_a_duplicate_behind_many_names_is_found(read: Callable[[bytes], Any]) -> None:
    with pytest.raises(InvalidInput, match=r"\bx\b.*twice"):
        read(many_names(100_000))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parse(body)
    except InvalidInput as error:
        assert error.field
