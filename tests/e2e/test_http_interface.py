"""The HTTP interface as a client meets it: a real server, two processes, one SQLite file."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.servers import Server, serving

UNITS = "Check the units of every number before you divide."
TOTALS = "Add up the rows yourself before you trust a printed total."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("http"), "--workers", "2", ACE_MODELS_DIR=str(models_dir)) as running:
        yield running


def teach(server: Server, domain: str, *lessons: str, **headers: str) -> dict[str, Any]:
    body = {"insights": [{"content": lesson} for lesson in lessons], "episode_id": "e1"}
    response = server.post(f"/v1/domains/{domain}/insights", body, **headers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_what_is_taught_is_given_to_the_task_it_fits(server: Server) -> None:
    taught = teach(server, "flow", UNITS, TOTALS)
    assert [one["outcome"] for one in taught["outcomes"]] == ["added", "added"]
    asked = {"task": "Divide 3 km by 20 minutes; mind the units.", "k": 1}
    answer = server.post("/v1/domains/flow/context", asked).json()
    assert [bullet["content"] for bullet in answer["bullets"]] == [UNITS]
    assert answer["text"] == f"[{taught['outcomes'][0]['bullet_id']}] {UNITS}"
    assert (answer["position"], answer["domain"]) == (2, "flow")
    assert answer["tokens"] == -(-len(answer["text"]) // 4)
    assert answer["receipt"]


def test_production_traffic_sees_proven_bullets_alone(server: Server) -> None:
    own = teach(server, "stages", UNITS)["outcomes"][0]["bullet_id"]

    def shown(traffic: str) -> list[str]:
        answer = server.post("/v1/domains/stages/context", {"task": "units of numbers", "traffic": traffic}).json()
        return [bullet["id"] for bullet in answer["bullets"]]

    assert (shown("shadow"), shown("staging"), shown("production")) == ([own], [], [])
    for _ in range(2):
        server.post(f"/v1/domains/stages/bullets/{own}/promote", {"reason": "seen to work"})
    assert (shown("shadow"), shown("staging"), shown("production")) == ([own], [own], [own])


def test_a_token_budget_is_kept(server: Server) -> None:
    teach(server, "budget", UNITS, TOTALS)
    answer = server.post("/v1/domains/budget/context", {"task": "numbers, units, totals", "token_budget": 20}).json()
    assert 0 < answer["tokens"] <= 20


def test_the_whole_playbook_is_shown_oldest_first_and_only_grows_at_its_end(server: Server) -> None:
    def shown() -> str:
        body = {"task": "anything", "selection": "whole", "k": 1, "traffic": "shadow", "session": "s"}
        return str(server.post("/v1/domains/all/context", body).json()["text"])

    teach(server, "all", UNITS)
    first = shown()
    assert UNITS in first
    teach(server, "all", TOTALS)
    assert shown().startswith(first + "\n")
    assert TOTALS in shown()


def test_a_domain_nobody_taught_gives_no_bullets_and_is_not_made_by_asking(server: Server) -> None:
    answer = server.post("/v1/domains/untaught/context", {"task": "anything"}).json()
    assert (answer["bullets"], answer["text"], answer["position"]) == ([], "", 0)
    assert server.ask("GET", "/v1/domains/untaught").status_code == 404


def test_the_same_key_is_done_once_and_another_body_under_it_is_a_conflict(server: Server) -> None:
    first = teach(server, "once", UNITS, **{"Idempotency-Key": "k1"})
    assert teach(server, "once", UNITS, **{"Idempotency-Key": "k1"}) == first
    other = server.post("/v1/domains/once/insights", {"insights": [{"content": TOTALS}]}, **{"Idempotency-Key": "k1"})
    assert other.status_code == 409
    assert server.ask("GET", "/v1/domains/once").json()["position"] == 1
    own, path = first["outcomes"][0]["bullet_id"], "/v1/domains/once/bullets/"
    moved = [server.post(f"{path}{own}/promote", {"reason": "r"}, **{"Idempotency-Key": "k2"}) for _ in range(2)]
    assert [(one.status_code, one.json()["stage"]) for one in moved] == [(200, "staging"), (200, "staging")]
    reused = server.post(f"{path}{own}/quarantine", {"reason": "r"}, **{"Idempotency-Key": "k2"})
    assert reused.status_code == 409
    assert server.ask("GET", "/v1/domains/once").json()["position"] == 2


def test_a_bullet_is_moved_with_a_reason_and_its_history_says_so(server: Server) -> None:
    own = teach(server, "moves", UNITS)["outcomes"][0]["bullet_id"]
    path = f"/v1/domains/moves/bullets/{own}"
    steps = [("promote", "staging"), ("promote", "prod"), ("quarantine", "quarantined"), ("restore", "shadow"),
             ("archive", "archived")]  # fmt: skip
    for move, stage in steps:
        assert server.post(f"{path}/{move}", {"reason": f"to {stage}"}).json()["stage"] == stage
    history = server.ask("GET", f"{path}/history").json()
    assert [entry["kind"] for entry in history] == ["add", "promote", "promote", "quarantine", "restore", "archive"]
    assert history[3]["body"]["reason"] == "to quarantined"
    refused = server.post(f"{path}/promote", {"reason": "again"})
    assert refused.status_code == 422
    assert "is archived and cannot rise" in refused.json()["detail"]
    listed = server.ask("GET", "/v1/domains/moves/bullets?stage=archived").json()["bullets"]
    assert [one["id"] for one in listed] == [own]
    assert server.ask("GET", path).json()["superseded_by"] is None, "put aside by hand"


def test_bullets_and_journal_come_in_pages_that_meet(server: Server) -> None:
    lessons = [
        f"When item {name} is late, write to {name} before noon." for name in ("ant", "bee", "cow", "doe", "elk")
    ]
    teach(server, "pages", *lessons)
    seen, cursor = [], ""
    while True:
        page = server.ask("GET", f"/v1/domains/pages/bullets?limit=2{cursor}").json()
        seen += [bullet["content"] for bullet in page["bullets"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == lessons[::-1]
    one = server.ask("GET", "/v1/domains/pages/bullets", params={"contains": "BEE"}).json()
    assert [bullet["content"] for bullet in one["bullets"]] == [lessons[1]]
    first = server.ask("GET", "/v1/domains/pages/journal?limit=3").json()
    rest = server.ask("GET", f"/v1/domains/pages/journal?limit=9&after={first['next']}").json()
    assert [entry["seq"] for entry in first["entries"] + rest["entries"]] == list(range(1, first["head"] + 1))
    assert rest["next"] is None
    assert server.ask("GET", "/v1/domains/pages/journal/verification").json()["sound"] is True


def test_domains_are_listed_with_their_stages(server: Server) -> None:
    teach(server, "listed", UNITS)
    found = {one["domain"]: one for one in server.ask("GET", "/v1/domains").json()}
    assert found["listed"]["bullets"] == {"shadow": 1, "staging": 0, "prod": 0, "quarantined": 0, "archived": 0}


JSON = {"Content-Type": "application/json"}
BAD: list[Any] = [
    pytest.param("context", b'{"task": "x", "kk": 1}', 422, "kk", id="unknown-field"),
    pytest.param("context", b'{"task": "x", "task": "y"}', 400, "task", id="duplicate-key"),
    pytest.param("context", b'{"task": NaN}', 400, "body", id="nan"),
    pytest.param("context", b'{"task": "x", "k": 1e400}', 400, "body", id="1e400"),
    pytest.param("context", b'{"task": "x", "k": 1.5}', 422, "k", id="half-a-bullet"),
    pytest.param("context", b'{"task": "x", "k": "5"}', 422, "k", id="number-as-text"),
    pytest.param("context", b'{"task": "x", "k": 99999999999999999999}', 422, "k", id="huge-number"),
    pytest.param("context", b'{"task": "\\ud800"}', 400, "task", id="lone-surrogate"),
    pytest.param("context", b'{"task": "a\\u0000b"}', 400, "task", id="nul"),
    pytest.param("context", b'{"task": ""}', 422, "task", id="empty-task"),
    pytest.param("context", b'{"task": "   "}', 422, "task", id="blank-task"),
    pytest.param("context", b'{"task": null}', 422, "task", id="null"),
    pytest.param("context", b"[]", 422, "body", id="a-list"),
    pytest.param("context", b"", 422, "body", id="no-body"),
    pytest.param("context", b"{", 400, "body", id="half-json"),
    pytest.param("context", b"[" * 50_000, 400, "body", id="deep"),
    pytest.param("context", b"\xff\xfe", 400, "body", id="not-utf-8"),
    pytest.param("context", b'{"task": "x", "traffic": "all"}', 422, "traffic", id="unknown-traffic"),
    pytest.param("insights", b'{"insights": [{"content": ""}]}', 422, "insights[0].content", id="empty-lesson"),
    pytest.param("insights", b'{"insights": [{"content": " "}]}', 422, "insights[0].content", id="blank-lesson"),
    pytest.param("insights", b'{"insights": [{"content": "x", "confidence": 2}]}', 422,
                 "insights[0].confidence", id="confidence-2"),
    pytest.param("insights", json.dumps({"insights": [{"content": "x" * 8001}]}).encode(), 422,
                 "insights[0].content", id="long-lesson"),
    pytest.param("insights", json.dumps({"insights": [{"content": "x"}] * 301}).encode(), 422, "insights",
                 id="too-many"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "field"), BAD)
def test_bad_input_is_refused_naming_the_field_and_the_remedy(
    server: Server, path: str, body: bytes, status: int, field: str
) -> None:
    response = server.ask("POST", f"/v1/domains/bad/{path}", content=body, headers=JSON)
    problem = response.json()
    assert (response.status_code, problem["field"]) == (status, field), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["remedy"]
    assert server.ask("GET", "/v1/domains/bad").status_code == 404, "nothing was written"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/v1/nowhere", 404, id="unknown-path"),
        pytest.param("PUT", "/v1/domains/a/context", 405, id="wrong-method"),
        pytest.param("GET", "/v1/domains/UPPER/bullets", 422, id="bad-domain"),
        pytest.param("GET", "/v1/domains/a%00b/bullets", 422, id="nul-in-domain"),
        pytest.param("GET", "/v1/domains/a/bullets?cursor=x", 422, id="foreign-cursor"),
        pytest.param("GET", "/v1/domains/a/bullets?limit=0", 422, id="limit-0"),
        pytest.param("GET", "/v1/domains/a/bullets?contains=%00", 422, id="nul-in-a-filter"),
        pytest.param("GET", "/v1/domains/a/bullets/no-such", 404, id="unknown-bullet"),
        pytest.param("GET", "/v1/domains/a/bullets/%00", 404, id="nul-in-a-bullet"),
        pytest.param("GET", "/v1/domains/a/journal?after=-1", 422, id="negative-position"),
        pytest.param("POST", "/v1/breakers/none/reset", 404, id="unknown-breaker"),
        pytest.param("DELETE", "/v1/keys/none", 404, id="unknown-key"),
    ],
)
def test_what_is_not_there_is_a_problem_too(server: Server, method: str, path: str, status: int) -> None:
    response = server.ask(method, path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


def test_a_body_that_is_not_called_json_is_refused(server: Server) -> None:
    response = server.ask(
        "POST", "/v1/domains/bad/context", content=b'{"task": "x"}', headers={"Content-Type": "text/plain"}
    )
    assert (response.status_code, response.json()["field"]) == (415, "Content-Type")


def test_a_body_over_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = "POST /v1/domains/a/context HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100000000000\r\n\r\n".encode())
        assert b" 413 " in connection.recv(4096)


def test_a_body_that_grows_past_the_limit_is_refused(server: Server) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"task": "'
        for _ in range(40):
            yield b"x" * 50_000

    try:
        response = server.ask("POST", "/v1/domains/a/context", content=parts(), headers=JSON)
    except httpx.TransportError:
        return  # the server closed the connection while we were still sending
    assert response.status_code == 413


def test_without_keys_a_page_that_points_its_name_here_is_refused(server: Server) -> None:
    response = server.ask("GET", "/v1/domains", headers={"Host": "evil.example:80"})
    assert response.status_code == 403
    assert "localhost only" in response.json()["detail"]


def test_every_answer_carries_an_id_and_forbids_guessing_its_type(server: Server) -> None:
    responses = [server.ask("GET", path) for path in ("/livez", "/v1/domains", "/v1/nowhere")]
    assert len({response.headers["x-request-id"] for response in responses}) == 3
    assert all(response.headers["x-content-type-options"] == "nosniff" for response in responses)


def test_health_has_exactly_the_keys_of_the_runbook(server: Server) -> None:
    response = server.ask("GET", "/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy", "version": response.json()["version"], "database": "connected", "faiss": "ready",
        "circuit_breakers": {"generator": "closed", "reflector": "closed"},
    }  # fmt: skip
    assert response.json()["version"].startswith("v")
    assert server.ask("GET", "/readyz").text == "ready"
    assert set(server.ask("GET", "/version").json()) == {"version", "commit", "schema"}


def test_what_happened_is_reported_with_the_receipt_once(server: Server) -> None:
    own = teach(server, "reports", UNITS)["outcomes"][0]["bullet_id"]
    receipt = server.post("/v1/domains/reports/context", {"task": "units of numbers"}).json()["receipt"]
    report = {"receipt": receipt, "task": "units of numbers", "answer": "9 km/h", "cited": [own],
              "outcome": {"correct": True, "verifier": "test"}}  # fmt: skip
    first, again = (server.post("/v1/domains/reports/episodes", report) for _ in range(2))
    assert (first.status_code, first.json()["new"], again.json()["new"]) == (202, True, False)
    other = server.post("/v1/domains/reports/episodes", {**report, "answer": "another"})
    assert other.status_code == 409
    assert server.post("/v1/domains/reports/episodes", {**report, "episode_id": "e2"}).status_code == 409
    page = server.ask("GET", "/v1/domains/reports/episodes?state=queued").json()
    assert [one["episode_id"] for one in page["episodes"]] == [first.json()["episode_id"]]
    assert page["counts"] == {"queued": 1, "leased": 0, "done": 0, "dead": 0}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"receipt": "forged.receipt"}, "receipt", id="forged-receipt"),
        pytest.param({"receipt": None}, "episode_id", id="neither-receipt-nor-id"),
        pytest.param({"outcome": {"correct": True}}, "outcome.verifier", id="nobody-verified"),
        pytest.param({"outcome": {"correct": "yes"}}, "outcome.correct", id="correct-as-text"),
    ],
)
def test_a_report_that_cannot_be_used_is_refused(server: Server, change: dict[str, Any], field: str) -> None:
    receipt = server.post("/v1/domains/refused/context", {"task": "x"}).json()["receipt"]
    response = server.post("/v1/domains/refused/episodes", {"receipt": receipt, "task": "x", **change})
    assert (response.status_code, response.json()["field"]) == (422, field)


def test_a_receipt_is_good_for_its_own_domain_alone(server: Server) -> None:
    receipt = server.post("/v1/domains/mine/context", {"task": "x"}).json()["receipt"]
    response = server.post("/v1/domains/yours/episodes", {"receipt": receipt, "task": "x"})
    assert (response.status_code, response.json()["field"]) == (422, "receipt")
