"""A playbook as JSON: what cannot be used is named, and what a stranger says of itself is told and no more."""

from __future__ import annotations

from typing import Any

import pytest

from ace.core.carrying.carried import MAX_DETAIL, MAX_DETAILS, MAX_TOLD
from ace.core.carrying.document import from_document, to_document
from ace.errors import InvalidInput
from ace.models.playbook import Bullet, Link


def test_contradictions_of_what_is_carried_are_in_the_document() -> None:
    one, other = (Bullet(id=f"strategy-{name}", domain_id="d", content=name) for name in "ab")
    document = to_document("d", 1, [one, other], [Link.between(one.id, other.id), Link.between(one.id, "strategy-c")])
    assert document["contradictions"] == [["strategy-a", "strategy-b"]]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        pytest.param([], "bullets", id="an-array"),
        pytest.param({"bullets": {}}, "bullets", id="no-list"),
        pytest.param({"format": "other", "bullets": []}, "bullets", id="another-format"),
        pytest.param({"version": 9, "bullets": []}, "version", id="a-later-version"),
        pytest.param({"bullets": [3]}, "bullets[0]", id="no-object"),
        pytest.param({"bullets": [{"content": "a"}, {"content": " "}]}, "bullets[1].content", id="blank"),
        pytest.param({"bullets": [{"content": 3}]}, "bullets[0].content", id="no-text"),
        pytest.param({"bullets": [{"content": "a", "section": "x"}]}, "bullets[0]", id="unknown-section"),
        pytest.param({"bullets": [{"content": "a", "origin": {"source": "x"}}]}, "bullets[0]", id="unknown-source"),
        pytest.param({"bullets": [{"content": "a", "origin": [1]}]}, "bullets[0]", id="no-origin"),
        pytest.param({"bullets": [{"content": "a", "origin": {"source": "human", "foreign": [{}]}}]}, "bullets[0]",
                     id="a-place-without-a-form"),
        pytest.param({"bullets": [{"content": "a", "origin": {"source": "human", "foreign": 3}}]}, "bullets[0]",
                     id="no-places"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(document: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        from_document(document)
    assert raised.value.field == field


def test_what_a_stranger_tells_is_made_fit_to_be_kept() -> None:
    place = {"format": "x\ny", "file": ["a"], "id": "i" * 999, "section": "a\0b\ud800", "helpful": -1, "harmful": True,
             "details": {f"k{number}": "v" * 999 for number in range(99)} | {"deep": {"a": 1, "b": {}}}}  # fmt: skip
    bullet = {"content": "a", "id": 7, "helpful_count": 2.5, "origin": {"source": "human", "foreign": [place]}}
    (carried,) = from_document({"bullets": [bullet]})
    earlier, latest = carried.origin.foreign
    assert (earlier.format, earlier.file, len(earlier.id or ""), earlier.section) == ("x y", "", MAX_TOLD, "a b?")
    assert (earlier.helpful, earlier.harmful, len(earlier.details)) == (None, None, MAX_DETAILS)
    assert {len(value) for _, value in earlier.details} == {MAX_DETAIL}
    assert (latest.id, latest.helpful) == ("7", None)
