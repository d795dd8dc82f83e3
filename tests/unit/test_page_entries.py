"""A journal's entries in words, those of kinds that nobody knows yet too."""

from __future__ import annotations

from typing import Any

import pytest

from ace.models.journal import GENESIS, Entry
from ace.web.pages.entries import Line, decisions, line
from tests.playbooks import DOMAIN, NOW


def told(kind: str, body: dict[str, Any], about: str = "") -> Line:
    return line(Entry(domain_id=DOMAIN, seq=7, at=NOW, kind=kind, body=body, previous=GENESIS, hash=GENESIS), about)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        pytest.param("add", {"id": "b", "origin": {"episode_id": "e"}}, "Learned", id="add"),
        pytest.param("increment", {"bullet_id": "b", "helpful": 1, "harmful": 0}, "Found helpful", id="helpful"),
        pytest.param("increment", {"bullet_id": "b", "helpful": 0, "harmful": 1}, "Found harmful", id="harmful"),
        pytest.param("increment", {"bullet_id": "b", "helpful": 0, "harmful": 0}, "Used without effect", id="neither"),
        pytest.param("promote", {"bullet_id": "b", "to": "prod", "reason": "r"}, "Promoted to prod", id="promote"),
        pytest.param("quarantine", {"bullet_id": "b", "reason": "r"}, "Put into quarantine", id="quarantine"),
        pytest.param("restore", {"bullet_id": "b", "reason": "r"}, "Restored to shadow", id="restore"),
        pytest.param("archive", {"bullet_id": "b", "reason": "r"}, "Archived", id="archive"),
        pytest.param("observe", {"episode_id": "e", "success": True}, "Observed a success", id="observe"),
        pytest.param("observe", {"episode_id": "e"}, "Observed an outcome nobody could judge", id="unjudged"),
        pytest.param("pairs", {"bullet_id": "b", "wins": 3, "losses": 1},
                     "Tried with and without: 3 wins, 1 losses, 0 ties", id="pairs"),
        pytest.param("rollback", {"to": 3, "reason": "r"}, "The playbook was rolled back", id="rollback"),
    ],
)  # fmt: skip
def test_every_kind_has_words(kind: str, body: dict[str, Any], words: str) -> None:
    found = told(kind, body)
    assert (found.words, found.body, found.reason) == (words, "", body.get("reason", ""))


def test_a_kind_nobody_knows_is_shown_as_it_stands() -> None:
    found = told("blessed", {"bullet_id": "b", "by": ["a"], "weight": 2.5})
    assert (found.words, found.bullet) == ("blessed", "b")
    assert found.body == '{"bullet_id":"b","by":["a"],"weight":2.5}'


@pytest.mark.parametrize("kind", ["add", "increment", "promote", "relate", "rollback", "observe", "pairs", "archive"])
def test_a_body_of_another_shape_breaks_nothing(kind: str) -> None:
    for body in ({}, {"origin": None, "to": None, "lots": []}, {"to": "x", "left": 1}):
        assert told(kind, body).words


def test_a_long_unknown_body_is_cut() -> None:
    assert len(told("blessed", {"text": "a" * 9_000}).body) < 2_100


def test_a_contradiction_names_the_other_one() -> None:
    assert told("relate", {"left": "a", "right": "b"}, about="a").bullet == "b"
    assert told("relate", {"left": "a", "right": "b"}, about="b").bullet == "a"


def test_an_observation_tells_the_lot_of_the_bullet_looked_at() -> None:
    body = {"episode_id": "e", "success": False, "lots": [["a", 0.85, True], ["b", 0.85, False]]}
    assert told("observe", body, about="a").reason == "shown, with a chance of 85%"
    assert told("observe", body, about="b").reason == "left out by lot, with a chance of 85%"
    assert told("observe", body, about="c").reason == ""


def test_the_evidence_of_a_ruling_is_kept_with_it() -> None:
    found = told("promote", {"bullet_id": "b", "to": "prod", "reason": "r", "ruling": {"wins": 7}})
    assert (found.words, found.body) == ("Promoted to prod", '{"wins":7}')


def test_a_duplicate_archived_names_the_one_that_stays() -> None:
    body = {"bullet_id": "a", "reason": "says the same", "superseded_by": "b"}
    found = told("archive", body, about="a")
    assert (found.words, found.bullet) == ("Archived in favour of", "b")


def test_decisions_are_what_moved_something_newest_first() -> None:
    kinds = ["add", "promote", "increment", "rollback"]
    entries = [
        Entry(domain_id=DOMAIN, seq=seq, at=NOW, kind=kind, body={}, previous=GENESIS, hash=GENESIS)
        for seq, kind in enumerate(kinds, start=1)
    ]
    assert [one.kind for one in decisions(entries)] == ["rollback", "promote"]
