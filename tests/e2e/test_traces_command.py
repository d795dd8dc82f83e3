"""`ace traces import`: once each however often, with a reason for whatever is passed over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures

EXPORTS = Path(__file__).parents[1] / "exports"
TRACE = "92b006ea9c878e1956c0e43bf40e2e1b"


def queue(ace: Ace) -> EpisodeRepository:  # noqa: F811
    return EpisodeRepository(Database(f"sqlite:///{ace.home / 'data' / 'ace.db'}"))


def chat(own: str, text: str, **more: Any) -> str:
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "no idea"}]
    return json.dumps({"id": own, "messages": messages, **more})


def test_a_second_import_finds_nothing_new(ace: Ace) -> None:  # noqa: F811
    rows = (EXPORTS / "langfuse-table.jsonl").read_text().splitlines(keepends=True)
    file = ace.home / "langfuse.jsonl"
    file.write_text("".join(rows[:-1]))
    told = {"domain": "d", "dry_run": True, "read": 1, "new": 1, "known": 0, "changed": 0, "judged": 0, "skipped": 0}
    assert ace.json("traces", "import", "langfuse.jsonl", "-d", "d", "--dry-run") == {**told, "reasons": []}
    assert queue(ace).list("d") == []
    first = ace("traces", "import", "langfuse.jsonl", "-d", "d")
    assert first.stdout == "1 read, 1 new, 0 known, 0 changed, 0 judged, 0 skipped\n"
    assert "ace worker --once" in first.stderr and "importing: 1/1" in first.stderr
    again = ace.json("traces", "import", "langfuse.jsonl", "-d", "d")
    assert (again["new"], again["known"], again["changed"]) == (0, 1, 0)
    file.write_text("".join(rows))  # somebody has judged it meanwhile
    later = ace("traces", "import", "langfuse.jsonl", "-d", "d")
    assert "0 new, 0 known, 1 changed, 1 judged" in later.stdout and "imported first stays" in later.stderr
    episode = queue(ace).get("d", f"langfuse-{TRACE}")
    assert episode and episode.feedback.correct is None


def test_what_is_passed_over_is_told_with_its_line(ace: Ace) -> None:  # noqa: F811
    lines = [chat("a", "What is the code of item amber?"), "{broken", chat("b", ""), '{"messages": 7}']
    (ace.home / "chats.jsonl").write_text("\n".join(lines))
    shutil.copy(EXPORTS / "phoenix-download.jsonl", ace.home)
    (ace.home / "notes.json").write_text('{"colour": "red"}')
    done = ace("traces", "import", ".", "-d", "d")
    assert done.stdout == "3 read, 2 new, 0 known, 0 changed, 1 judged, 4 skipped\n"
    for reason in (
        "chats.jsonl, line 2: is not valid JSON",
        "chats.jsonl, line 3, trace b: has no task",
        "chats.jsonl, line 4, messages: should be an array",
        "notes.json, line 1, fields: colour tell no format",
    ):
        assert f"skipped: {reason}" in done.stderr


def test_a_score_is_asked_for_by_name_and_number(ace: Ace) -> None:  # noqa: F811
    lines = [chat(own, f"What is the code of item {own}?", score={"helpfulness": value, "toxicity": 1})
             for own, value in (("amber", 0.9), ("birch", 0.2))]  # fmt: skip
    (ace.home / "chats.jsonl").write_text("\n".join(lines))
    words = ("traces", "import", "chats.jsonl", "-d", "d", "--score", "helpfulness", "--right-from", "0.5")
    assert ace.json(*words, "--limit", "1")["judged"] == 1
    assert ace.json(*words)["known"] == 1
    episodes = [queue(ace).get("d", f"chats-{own}") for own in ("amber", "birch")]
    assert [one.feedback.correct for one in episodes if one] == [True, False]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("none.jsonl",), "none.jsonl: does not exist"),
        (("empty",), "empty: holds no .json, .jsonl, .ndjson or .csv file"),
        (("broken.jsonl",), "broken.jsonl, line 1: is not valid JSON"),
        (("broken.jsonl", "--dry-run", "--wait"), "--wait: does not go with --dry-run"),
        (("broken.jsonl", "-d", "No Domain"), "domain: 'No Domain' is not a domain id"),
    ],
)
def test_what_cannot_be_imported_ends_with_a_reason(ace: Ace, words: tuple[str, ...], says: str) -> None:  # noqa: F811
    (ace.home / "empty").mkdir()
    (ace.home / "broken.jsonl").write_text("{")
    assert says in ace("traces", "import", *words, code=2).stderr
