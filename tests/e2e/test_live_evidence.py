"""Lots in live traffic, from the context over the report to the decision, with a real server and a real reflector."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.servers import Server, serving

DOMAIN, LESSON = "lots", "Check the units of every number before you divide."
ASKED, KINDS = 60, ("divide the length by the time", "what does the recipe weigh in all", "name the capital of a state")
CHANCES = {"ACE_CANARY": "0.5", "ACE_DROPOUT": "0.3", "ACE_HOLDOUT": "0.3", "ACE_POLICY": "evidence"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("lots")
    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_SIMILARITY_FLOOR": "-1", "ACE_STAGE_INTERVAL_S": "0",
                "ACE_DEDUPE": "cosine", "ACE_REFLECTOR": "template", **CHANCES}  # fmt: skip
    with serving(home, **settings) as running:
        yield running


def ask(server: Server, task: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = server.post(f"/v1/domains/{DOMAIN}/context", {"task": task, **more}).json()
    return answer


def test_lots_are_drawn_reported_counted_and_decide(server: Server) -> None:
    taught = server.post(f"/v1/domains/{DOMAIN}/insights", {"insights": [{"content": LESSON}]}).json()
    own = taught["outcomes"][0]["bullet_id"]
    server.post(f"/v1/domains/{DOMAIN}/bullets/{own}/promote", {"reason": "a canary"})
    shown = Counter[str]()
    for number in range(ASKED):
        task = f"{number}: {KINDS[number % len(KINDS)]}"
        given = ask(server, task, traffic="production")
        saw = [bullet["id"] for bullet in given["bullets"]] == [own]
        shown["held out" if given["held_out"] else "shown" if saw else "kept back"] += 1
        report = {"receipt": given["receipt"], "task": task, "answer": "x", "cited": [own] if saw else [],
                  "latency_s": 0.5, "outcome": {"correct": saw, "verifier": "test"}}  # fmt: skip
        assert server.post(f"/v1/domains/{DOMAIN}/episodes", report).status_code == 202
    assert min(shown[what] for what in ("held out", "shown", "kept back")) >= 5, shown
    server.run("-m", "ace.workers.reflection", "--once")

    found = server.ask("GET", f"/v1/domains/{DOMAIN}/worth").json()
    assert (found["with_playbook"]["n"], found["held_out"]["n"]) == (ASKED - shown["held out"], shown["held out"])
    assert found["held_out"]["value"] == 0
    assert found["with_playbook"]["value"] == pytest.approx(shown["shown"] / (ASKED - shown["held out"]))
    assert json.loads(server.ace("worth", "--domain", DOMAIN, "--json")) == found
    assert f"n={shown['held out']}" in server.ace("worth", "--domain", DOMAIN)

    seen = server.ask("GET", f"/v1/domains/{DOMAIN}/bullets/{own}/evidence").json()
    assert (seen["policy"], seen["stage"], seen["evidence"]["trials"]) == (
        "evidence",
        "staging",
        ASKED - shown["held out"],
    )
    assert seen["evidence"]["helpful_count"] == shown["shown"]
    assert "1 of 3 principals" in seen["reason"], "one caller is one voice, however strong the effect"
    assert own in server.ace("evidence", own, "--domain", DOMAIN)
    assert "0 promoted, 0 quarantined" in server.run("-m", "ace.ops.stage_manager", "--all")
    assert server.ace("journal", "verify", "--domain", DOMAIN)


def test_a_session_sees_the_same_from_task_to_task(server: Server) -> None:
    server.post(f"/v1/domains/{DOMAIN}/insights", {"insights": [{"content": f"Lesson {n}: {LESSON}"} for n in "abc"]})
    for session in ("s1", "s2", "s3"):
        answers = [ask(server, KINDS[0], traffic="production", session=session) for _ in range(5)]
        assert len({(answer["text"], answer["held_out"]) for answer in answers}) == 1


@pytest.mark.parametrize("path", ["worth", "bullets/strategy-aaaaaaaaaa/evidence"])
def test_what_is_not_there_has_no_evidence(server: Server, path: str) -> None:
    assert server.ask("GET", f"/v1/domains/nobody/{path}").status_code == 404
