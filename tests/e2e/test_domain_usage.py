"""What a domain spends, as its users see it: by command and over HTTP, from what real reflectors have used."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say
from tests.e2e.servers import serving

DOMAIN = "customer-a"


def lesson(request: ChatRequest) -> Reply:
    item = re.findall(r"item (\w+)", request.prompt)[-1]
    found = {"section": "strategy", "content": f"Look item {item} up in the ledger.", "confidence": 0.9}
    return say(json.dumps({"tags": {}, "lessons": [found]}))


def test_a_budget_is_kept_shown_and_raised(tmp_path: Path, models_dir: Path) -> None:
    with ScriptedLLM(lesson) as llm:
        settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_MODEL": "openai/tutor", "ACE_MODEL_BASE_URL": llm.url,
                    "ACE_DEDUPE": "cosine", "ACE_DOMAIN_CALLS_PER_DAY": "2"}  # fmt: skip
        with serving(tmp_path, **settings) as server:
            for number in range(4):
                report = {"task": f"code of item i{number}", "episode_id": f"e{number}", "answer": "4",
                          "outcome": {"correct": False, "verifier": "test"}}  # fmt: skip
                assert server.post(f"/v1/domains/{DOMAIN}/episodes", report).status_code == 202
            did = json.loads(server.run("-m", "ace.workers.reflection", "--once", "--json"))
            assert (did["done"], did["deferred"], len(llm.requests)) == (2, 2, 2)
            shown = server.ask("GET", f"/v1/domains/{DOMAIN}/usage").json()
            assert (shown["today"]["calls"], shown["limits"]["calls"], shown["limits"]["tokens"]) == (2, 2, None)
            assert shown["used_up"] == "The budget of domain customer-a for today is used up: 2 calls (2 used)."
            assert shown["days"] == [shown["today"]]
            assert shown["today"]["tokens"] > 0
            assert json.loads(server.ace("usage", "--json"))["days"] == shown["days"]
            assert "is used up: 2 calls" in server.ace("usage", DOMAIN)
            waiting = server.ask("GET", f"/v1/domains/{DOMAIN}/episodes", params={"state": "queued"}).json()["episodes"]
            assert [(one["attempts"], "used up" in one["error"]) for one in waiting] == [(0, True)] * 2
            assert 'ace_reflections_total{outcome="deferred"} 2.0' in server.ask("GET", "/metrics").text
