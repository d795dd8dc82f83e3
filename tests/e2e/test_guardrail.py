"""A real server and a real reflector: the second of two releases is bad, and is rolled back by itself."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.servers import Server, serving, wait_until

DOMAIN, TASKS, PATIENCE_S = "shop", 40, 240.0


def teach(server: Server, text: str) -> None:
    body = {"insights": [{"content": text, "section": "strategy", "confidence": 0.9}]}
    assert server.post(f"/v1/domains/{DOMAIN}/insights", body).status_code == 200


def work(server: Server, release: str, *, right: int) -> None:
    """Agents do their tasks with the playbook as it is, and report; a reflector takes the reports in."""
    assert server.post(f"/v1/domains/{DOMAIN}/releases", {"name": release}).status_code == 201
    for number in range(TASKS):
        given = server.post(f"/v1/domains/{DOMAIN}/context", {"task": f"count the boxes of order {number}"}).json()
        report = {
            "receipt": given["receipt"],
            "task": f"count the boxes of order {number}",
            "answer": "4",
            "outcome": {"correct": number < right, "verifier": "test"},
            "latency_s": 0.5,
        }
        assert server.post(f"/v1/domains/{DOMAIN}/episodes", report).status_code == 202
    server.run("-m", "ace.workers.reflection", "--once", "--json")


def test_a_bad_release_is_rolled_back_by_itself(tmp_path: Path, models_dir: Path) -> None:
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), ACE_STAGE_INTERVAL_S="0.5", ACE_DEDUPE="cosine") as server:

        def watched() -> dict[str, object]:
            answer: dict[str, object] = server.ask("GET", f"/v1/domains/{DOMAIN}/guardrail").json()
            return answer

        teach(server, "Count the boxes twice.")
        work(server, "v1", right=36)
        assert watched()["state"] == "alone"
        teach(server, "Always answer four boxes, without looking.")
        work(server, "v2", right=4)
        wait_until(lambda: watched()["state"] == "rolled_back", PATIENCE_S, server.log.read_text)
        journal = server.ask("GET", f"/v1/domains/{DOMAIN}/journal", params={"limit": 1000}).json()["entries"]
        (reason,) = [entry["body"]["reason"] for entry in journal if entry["kind"] == "rollback"]
        assert reason.startswith("guardrail: release v2 is worse than v1; success: 90.0% (n=40) to ")
        texts = [one["content"] for one in server.ask("GET", f"/v1/domains/{DOMAIN}/playbook").json()["bullets"]]
        assert "Always answer four boxes, without looking." not in texts
        assert (
            'ace_guardrail_trips_total{action="rolled_back",kind="success"} 1.0' in server.ask("GET", "/metrics").text
        )
        assert json.loads(server.ace("guardrail", DOMAIN, "--json"))["would"] == "nothing"
        assert "shop: v2 against v1: rolled_back" in server.ace("guardrail", DOMAIN)
        assert "guardrail_rolled_back" in server.log.read_text()
        assert json.loads(server.ace("playbook", "verify", "--domain", DOMAIN, "--json"))["sound"] is True
