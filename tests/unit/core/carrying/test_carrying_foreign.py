"""Files that other projects' own code wrote (foreign/make.py says how): every field they have is read.

The releases of ace-framework are those at which its file changed its form.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ace.core.carrying.carried import Carried
from ace.core.carrying.forms import read, recognised, recognised_text
from ace.core.carrying.mem0 import from_mem0
from ace.core.carrying.skillbook import from_printed, from_skillbook
from ace.errors import InvalidInput
from ace.models.form import Read
from ace.models.playbook import Section, normalise

FILES = Path(__file__).parent / "foreign"
PENDING = "Check whether a charge is only pending before you call it a duplicate."
QUOTED = 'Quote values that hold a comma, a "quote" or a colon: they break the list. Second line.'
EARLIER = [
    (Section.STRATEGY, PENDING, "strategies-00001", "Strategies", 3, 1),
    (Section.OTHER, QUOTED, "edge-00002", "edge cases", 3, 1),
    (Section.TOOL, "Page through the list with `cursor`.", "tool_use-00003", "tool_use", 3, 1),
]
ISSUE = "Charges are called duplicates while one is pending"
LATER = [
    (Section.STRATEGY, f"{ISSUE}: {PENDING}", "context-00001", "context", 1, 0),
    (Section.TOOL, "The list tool returns one page only; follow `cursor`.", "harness-00002", "harness", 0, 0),
]


def told(one: Carried) -> tuple[str | int | None, ...]:
    return one.place.id, one.place.section, one.place.helpful, one.place.harmful


def content(name: str) -> Any:
    text = (FILES / name).read_text()
    return json.loads(text) if name.endswith(".json") else text


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.glob("ace-framework-*")))
def test_skillbooks_of_every_release_are_read_as_they_are_saved_and_as_they_are_printed(name: str) -> None:
    given = content(name)
    assert (recognised if name.endswith(".json") else recognised_text)(given) in (Read.SKILLBOOK, Read.MARKDOWN)
    kept = [one for one in read(Read.SKILLBOOK, given) if "taken out" not in one.content]
    found = [(one.section, normalise(one.content), *told(one)) for one in kept]
    without_votes = [(*one[:4], None, None) for one in LATER]
    assert found == (EARLIER if "0.13" not in name else LATER if name.endswith(".json") else without_votes)


@pytest.mark.parametrize("release", ["0.7.1", "0.9.0", "0.13.0"])
def test_what_was_taken_out_stays_behind(release: str) -> None:
    assert len(content(f"ace-framework-{release}.json")["skills"]) > len(
        read(Read.AUTO, content(f"ace-framework-{release}.json"))
    )


def test_what_has_no_place_here_is_told() -> None:
    (first, _) = from_skillbook(content("ace-framework-0.13.0.json"))
    told = dict(first.place.details)
    assert (told["keywords"], told["used_count"], told["sources"]) == ("billing, double_charge", "1", "legacy:t-1")
    assert told["created_at"].startswith("2026-")


def test_memories_are_read_as_get_all_gives_them() -> None:
    given = content("mem0-2.2.1.json")
    assert recognised(given) is recognised(given["results"]) is Read.MEM0
    refund, pending = from_mem0(given)
    assert (refund.section, normalise(refund.content)) == (
        Section.OTHER,
        "A refund does not close the ticket by itself.",
    )
    assert (pending.section, pending.content, pending.place.helpful) == (Section.STRATEGY, PENDING, None)
    assert pending.place.id == given["results"][1]["id"]
    told = dict(pending.place.details)
    assert (told["user_id"], told["agent_id"], told["metadata.ticket"]) == ("ada", "support", "4711")
    assert told["hash"] == given["results"][1]["hash"]
    assert from_mem0(given["results"]) == [refund, pending]


@pytest.mark.parametrize(
    ("form", "given", "field"),
    [
        pytest.param(Read.SKILLBOOK, {}, "skills", id="no-skillbook"),
        pytest.param(Read.SKILLBOOK, {"skills": {"a": 3}}, "skills.a", id="no-skill"),
        pytest.param(Read.SKILLBOOK, {"skills": {"a": {"content": " "}}}, "skills.a.content", id="nothing-said"),
        pytest.param(Read.SKILLBOOK, "skills[2]{id,content}:\n  a,b", "line 1", id="a-row-is-missing"),
        pytest.param(Read.SKILLBOOK, "skills[1]{id,content}:\n  a,b,c", "line 2", id="too-many-values"),
        pytest.param(Read.SKILLBOOK, 'skills[1]{id,content}:\n  a,"\\x"', "line 2", id="badly-quoted"),
        pytest.param(Read.MEM0, {}, "results", id="no-answer"),
        pytest.param(Read.MEM0, {"results": [], "next": "http://x.example/2"}, "next", id="one-page-of-more"),
        pytest.param(Read.MEM0, [{"memory": None}], "results[0].memory", id="no-memory"),
        pytest.param(Read.PAPER, {"bullets": []}, "--from", id="text-is-wanted"),
        pytest.param(Read.MEM0, "[a-1] x", "--from", id="json-is-wanted"),
    ],
)
def test_what_cannot_be_used_is_named(form: Read, given: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(form, given)
    assert raised.value.field == field


def test_values_in_a_table_may_be_empty_or_quoted() -> None:
    (one,) = from_printed('bullets[1]{id,section,content}:\n  a-1,,"x, y"')
    assert (one.content, one.place.section, one.place.id) == ("x, y", None, "a-1")
