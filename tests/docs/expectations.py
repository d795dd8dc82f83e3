"""What must come of each block of the runbook: the table that tests/docs/test_runbook.py goes by.

says     patterns that must be in its output          given    what is true before
fails    patterns of commands that must fail          holds    what must be true afterwards
fill     what stands for a <name>                     after    puts back what later blocks need
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from ace.curator import semantic_curator
from ace.generator import cot_generator
from ace.reflector import grounded_reflector
from tests.docs.site import ROOT, Ran, Site

Memo = dict[str, Any]
Check = Callable[[Site, Ran, Memo], None]
Fill = Callable[[Site, Memo], str]


def nothing(site: Site, *_: Any) -> None:
    """Neither before nor after."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One block's expectations. `memo` of the functions is this block's own."""

    says: tuple[str, ...] = ()
    given: Callable[[Site, Memo], None] = nothing
    holds: Check = nothing
    fails: tuple[str, ...] = ()
    fill: Mapping[str, Fill] = field(default_factory=dict)
    after: Callable[[Site], None] = nothing
    runs: bool = True


DOMAIN: Mapping[str, Fill] = {"domain_id": lambda site, memo: "customer-a"}
BULLET: Mapping[str, Fill] = {**DOMAIN, "id": lambda site, memo: str(memo["bullet"])}
HEALTHY = r'"status":"healthy".*"database":"connected","faiss":"ready"'
CLOSED = r'circuit_breaker_state\{name="generator",state="closed"\} 1'
OPEN = r'circuit_breaker_state\{name="generator",state="open"\} 1'
SHADOW = r"strategy-\w+: helpful=\d+, harmful=\d+, ratio=\d"
STATUS_PAGE = "All Systems Operational"


def with_open_breaker(site: Site, memo: Memo) -> None:
    site.open_breaker("generator")


def close_breaker(site: Site) -> None:
    site.api("POST", "/v1/breakers/generator/reset")


def generator_is_closed(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.breaker("generator") == "closed"
    assert site.api("GET", "/health")["circuit_breakers"]["generator"] == "closed"


def with_app_pid(site: Site, memo: Memo) -> None:
    memo["pid"] = site.pid("ace-app")


def app_is_another_and_serves(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.pid("ace-app") != memo["pid"]
    assert site.api("GET", "/health")["status"] == "healthy"


def with_a_bullet(site: Site, memo: Memo) -> None:
    memo["bullet"] = site.bullets()[0]


def with_three_votes(site: Site, memo: Memo) -> None:
    """A bullet of three helpful votes by episodes, in SHADOW."""
    shadow = site.api("GET", "/v1/domains/customer-a/bullets?stage=shadow")["bullets"]
    memo["bullet"] = next(one["id"] for one in shadow if not one["helpful_count"])
    for number in range(3):
        body = {"votes": [{"bullet_id": memo["bullet"], "tag": "helpful"}], "episode_id": f"{memo['bullet']}-{number}"}
        site.api("POST", "/v1/domains/customer-a/insights", body)


def rose(site: Site, ran: Ran, memo: Memo) -> None:
    assert memo["bullet"] in ran.output
    assert site.bullet(memo["bullet"])["stage"] == "staging"


def with_dead_letter(site: Site, memo: Memo) -> None:
    memo["bullet"], memo["episode"] = site.bullets()[2], f"dead-{site.position()}"
    site.give_up_on(memo["episode"], memo["bullet"])
    memo["votes"] = site.bullet(memo["bullet"])["helpful_count"]


def dead_letter_voted(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.episode(memo["episode"]) == "done"
    assert site.bullet(memo["bullet"])["helpful_count"] == memo["votes"] + 1


def dead_letter_waits_no_more(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.episode(memo["episode"]) in ("queued", "leased", "done")


def good_release(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.git("branch", "--show-current").startswith("rollback-emergency-")
    assert not (site.clone / "release-3").exists()
    assert (site.clone / "release-0").exists()


def main_again(site: Site) -> None:
    site.git("checkout", "--quiet", "--force", "main")


def on_branch(site: Site, memo: Memo) -> None:
    site.git("reset", "--quiet", "--hard")
    memo["bad"] = site.commit("shadow")


def deployed(stage: str) -> Check:
    def holds(site: Site, ran: Ran, memo: Memo) -> None:
        commit = site.commit(stage)
        assert site.commit(f"origin/{stage}") == commit
        assert site.setting("ace-app", "ACE_ENV") == stage
        assert httpx.get(f"{site.url}/version").json()["commit"] == commit
        assert "17 passed" in ran.output, "the smoke test"

    return holds


def reverted_and_deployed(site: Site, ran: Ran, memo: Memo) -> None:
    deployed("shadow")(site, ran, memo)
    assert site.git("log", "-1", "--format=%s", "shadow").startswith("Revert")


def set_for(name: str, value: str, *services: str) -> Check:
    def holds(site: Site, ran: Ran, memo: Memo) -> None:
        for service in services:
            assert site.setting(service, name) == value
            assert site.pid(service) != memo[service]
        code = f"from ace.config import get_settings; print(get_settings().{name.removeprefix('ACE_').lower()})"
        said = site.run(f'docker exec {services[0]} python -c "{code}"').output
        assert float(said) == float(value)
        assert site.api("GET", "/health")["status"] == "healthy"

    return holds


def with_service_pids(site: Site, memo: Memo) -> None:
    memo.update({name: site.pid(name) for name in ("ace-app", "ace-reflector", "ace-embeddings")})


def without_settings(site: Site) -> None:
    (site.clone / "ace.env").unlink()


def embeddings_are_others(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.pid("ace-embeddings") != memo["ace-embeddings"]
    shown = [line.split()[1] for line in ran.output.splitlines() if "sentence-transformers" in line]
    assert str(site.pid("ace-embeddings")) in shown


def put_back(site: Site) -> None:
    site.put_back()


def came_down(site: Site, ran: Ran, memo: Memo) -> None:
    (revision,) = site.sql("SELECT version_num FROM alembic_version")[0]
    assert revision == "0001"
    assert "playbook_bullets" in site.tables()
    assert "episodes" not in site.tables()
    assert site.sql("SELECT count(*) FROM playbook_bullets WHERE domain_id = 'customer-a'")[0][0] >= 6


def came_up(site: Site, ran: Ran, memo: Memo) -> None:
    (revision,) = site.sql("SELECT version_num FROM alembic_version")[0]
    assert revision == "0005"


def nothing_is_left(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.tables() <= {"alembic_version", "pg_stat_statements"}


def without_backups(site: Site, memo: Memo) -> None:
    for file in site.clone.glob("backup-*"):
        file.unlink()


def copied_to_the_bucket(site: Site, ran: Ran, memo: Memo) -> None:
    (file,) = (site.home / "s3/ace-backups").rglob("backup-*.sql.gz")
    text = subprocess.run(["gunzip", "--stdout", file], capture_output=True, check=True).stdout
    assert b"COPY public.playbook_bullets" in text
    assert re.search(r"PostgreSQL database dump", ran.output)
    file.unlink()


def with_a_dump(site: Site, memo: Memo) -> None:
    without_backups(site, memo)
    made = "docker exec ace-db pg_dump -U ace ace | gzip > backup-20251014-120000.sql.gz"
    assert site.run(made).failed == ()
    memo["bullets"] = sorted(site.bullets())
    body = {"insights": [{"content": "Learned after the backup: prefer the newest price list."}]}
    site.api("POST", "/v1/domains/customer-a/insights", body)


def with_a_backup(site: Site, memo: Memo) -> None:
    assert site.run("docker exec ace-app ace db backup").failed == ()
    memo["bullets"] = sorted(site.bullets())
    body = {"insights": [{"content": "Learned after the backup: prefer the newest price list."}]}
    site.api("POST", "/v1/domains/customer-a/insights", body)


def is_as_it_was_backed_up(site: Site, ran: Ran, memo: Memo) -> None:
    assert sorted(site.bullets()) == memo["bullets"]
    assert site.api("GET", "/v1/domains/customer-a/journal/verification")["sound"]


def with_an_anchor(site: Site, memo: Memo) -> None:
    assert site.run("docker exec ace-app ace journal anchor").failed == ()


def anchored_anew(site: Site, ran: Ran, memo: Memo) -> None:
    assert (site.home / "data/anchors-before-restore.jsonl").exists()
    assert (site.home / "data/anchors.jsonl").exists()


def with_position(site: Site, memo: Memo) -> None:
    memo["bullets"], memo["position"] = sorted(site.bullets()), site.position()
    site.api("POST", "/v1/domains/customer-a/insights", {"insights": [{"content": "Wrong: skip every second row."}]})


def rolled_back(site: Site, ran: Ran, memo: Memo) -> None:
    assert sorted(site.bullets()) == memo["bullets"]
    assert site.position() > memo["position"]


def quarantined(site: Site, ran: Ran, memo: Memo) -> None:
    assert site.bullet(memo["bullet"])["stage"] == "quarantined"
    site.api("POST", f"/v1/domains/customer-a/bullets/{memo['bullet']}/restore", {"reason": "test"})


def with_a_key(site: Site, memo: Memo) -> None:
    memo["key"] = site.api("POST", "/v1/keys", {"role": "read", "label": "lost"})["id"]


def key_is_revoked(site: Site, ran: Ran, memo: Memo) -> None:
    keys = {one["id"]: one for one in site.api("GET", "/v1/keys")}
    assert keys[memo["key"]]["revoked_at"]
    assert "their agent" in {one["label"] for one in keys.values()}


def without_the_indexes(site: Site, memo: Memo) -> None:
    for name in ("idx_playbook_bullets_domain_stage", "idx_playbook_bullets_section"):
        site.sql(f"DROP INDEX {name}")


def both_indexes_are_there(site: Site, ran: Ran, memo: Memo) -> None:
    names = {row[0] for row in site.sql("SELECT indexname FROM pg_indexes WHERE tablename = 'playbook_bullets'")}
    assert {"idx_playbook_bullets_domain_stage", "idx_playbook_bullets_section"} <= names


def both_rows(site: Site, ran: Ran, memo: Memo) -> None:
    assert len(re.findall(SHADOW, ran.output)) >= 5


def twice_said(pattern: str) -> Check:
    def holds(site: Site, ran: Ran, memo: Memo) -> None:
        assert len(re.findall(pattern, ran.output)) >= 2

    return holds


def alerts_are_those_shipped(site: Site, ran: Ran, memo: Memo) -> None:
    shipped = yaml.safe_load((ROOT / "prometheus/alerts.yml").read_text())["groups"][0]
    rules = {rule["alert"]: rule for rule in shipped["rules"]}
    (group,) = yaml.safe_load(memo["body"])["groups"]
    assert group["name"] == shipped["name"]
    for shown in group["rules"]:
        own = rules[shown["alert"]]
        assert (own["expr"], own["for"]) == (shown["expr"], shown["for"])
        assert own["annotations"]["summary"] == shown["annotations"]["summary"]


def the_numbers_are_the_codes(site: Site, ran: Ran, memo: Memo) -> None:
    """Every number such a block shows is the one that counts in the code."""
    known = {name: getattr(module, name) for module in (semantic_curator, cot_generator, grounded_reflector)
             for name in dir(module) if isinstance(getattr(module, name), int | float)}  # fmt: skip
    known |= {"timeout": semantic_curator.BATCH_TIMEOUT_S}
    shown = re.findall(r"\b(\w+) ?= ?(\d+(?:\.\d+)?)", memo["body"])
    assert shown
    for name, value in shown:
        assert known[name] == float(value), name


def the_timeout_can_be_set(site: Site, ran: Ran, memo: Memo) -> None:
    assert "timeout(60)" in memo["body"]
    assert semantic_curator.BATCH_TIMEOUT_S == 30


def template_has_its_parts(site: Site, ran: Ran, memo: Memo) -> None:
    for part in ("Summary", "Timeline", "Root Cause", "Impact", "Resolution", "Lessons Learned", "Action Items"):
        assert f"## {part}" in memo["body"]


def image_of_the_good_release(site: Site, ran: Ran, memo: Memo) -> None:
    assert httpx.get(f"{site.url}/version").json()["commit"] == (site.home / "images/ace-playbook@good").read_text()


BREAKERS = "Circuit Breaker Stuck OPEN"
ROLLBACK, MEMORY = "Emergency Rollback (< 5 minutes)", "Out of Memory (OOM) Errors"
LATENCY, PROMOTIONS = "High Retrieval Latency", "Failed Promotions (Shadow → Staging → Prod)"
SLOW, BATCHES = "Playbook Retrieval Slow (> 10ms P50)", "Batch Operations Timing Out"
SIZES = (r"customer-a: [6-9]\d* vectors\ncustomer-b: [6-9]\d* vectors", "playbook_bullets")
REVISION: Mapping[str, Fill] = {"revision_id": lambda site, memo: "0001"}
BAD: Mapping[str, Fill] = {"commit_hash": lambda site, memo: str(memo["bad"])}
FIGURES = r"generator:\n  State: open\n  Failures: 5\n  Successes: \d+\n  Open count: 1"
BREAKER_LIST = (r"generator: open \(failures: 5\)\nreflector: closed", STATUS_PAGE, OPEN)

OURS: dict[str, Row] = {
    "SEV1 Response Steps 1": Row(says=(HEALTHY, r"\(1 row\)", "batch_merge_complete")),
    f"{ROLLBACK} 1": Row(says=(r"\w{7,} Release 3\n", "T072")),
    f"{ROLLBACK} 2": Row(says=("Emergency rollback to 109663d",), holds=good_release, after=main_again),
    f"{ROLLBACK} 3": Row(
        says=("ace-playbook   good", "the smoke test|17 passed", "serves at"),
        fill={"image_tag": lambda site, memo: "good"}, holds=image_of_the_good_release),
    f"{ROLLBACK} 4": Row(says=(r"0005 \(head\)", r"0005 -> 0004", r"0004 -> 0003", r"0002 -> 0001", "0001"),
                         fill=REVISION, holds=came_down, after=put_back),
    f"{ROLLBACK} 5": Row(given=with_app_pid, holds=app_is_another_and_serves),
    f"{ROLLBACK} 6": Row(given=with_app_pid, holds=app_is_another_and_serves,
                         says=("ace-app rolled back", "successfully rolled out", "ace-app-.*Running")),
    f"{ROLLBACK} 7": Row(says=(r'"version":"v', "17 passed", CLOSED)),
    "Playbook Rollback 1": Row(given=with_a_bullet, fill=BULLET, says=('"stage":"quarantined"',), holds=quarantined),
    "Playbook Rollback 2": Row(fill=DOMAIN, says=("0 bullets|nothing|Nothing|no bullet",)),
    "Playbook Rollback 3": Row(
        given=with_position, fill={**DOMAIN, "position": lambda site, memo: str(memo["position"])},
        says=("before-import", '"kind":"add"', "sound|holds"), holds=rolled_back),
    "Staged Rollback 1": Row(given=on_branch, fill=BAD, holds=reverted_and_deployed),
    "Staged Rollback 2": Row(says=(r"\d+ passed", "test_stage_option", r"P50 .* ms \(target 10\)")),
    "Staged Rollback 3": Row(holds=deployed("staging")),
    "Staged Rollback 4": Row(holds=twice_said("playbook_retrieval_latency_ms_count")),
    "Staged Rollback 5": Row(holds=deployed("production"), after=main_again),
    f"{LATENCY} 1": Row(says=(*SIZES, "faiss_search_latency_ms_sum", "circuit_breaker_state")),
    f"{LATENCY} 2": Row(given=with_service_pids, fill=DOMAIN, says=("customer-a: .* vectors, .*unloaded",),
                        holds=set_for("ACE_FAISS_MEMORY_MB", "512", "ace-app"), after=without_settings),
    f"{LATENCY} 3": Row(given=with_open_breaker, says=(STATUS_PAGE, "generator: open -> closed"),
                        holds=generator_is_closed),
    f"{LATENCY} 4": Row(says=("idx_playbook_bullets_domain_stage .*exists", "idx_playbook_bullets_section .*exists",
                              "REINDEX")),
    f"{MEMORY} 1": Row(says=(r"ace-app +\d+\.\dMiB", r"Memory: \d+\.\d\d MB", "ace serve", "embedding model",
                             r"customer-a .*vectors")),
    f"{MEMORY} 2": Row(given=with_app_pid, says=("T072",), holds=app_is_another_and_serves),
    f"{MEMORY} 3": Row(says=(r'"event": "batch_merge_start".*"tasks": 1',)),
    f"{MEMORY} 4": Row(given=with_service_pids, holds=embeddings_are_others),
    f"{PROMOTIONS} 1": Row(given=with_three_votes, holds=both_rows,
                           says=("SHADOW -> STAGING|shadow -> staging", r"[1-9]\d* would be promoted",
                                 "stage_manager_leads")),
    f"{PROMOTIONS} 2": Row(given=with_service_pids, says=("would be promoted",),
                           holds=set_for("ACE_PROMOTION_HELPFUL_MIN", "2", "ace-app"), after=without_settings),
    f"{PROMOTIONS} 3": Row(given=with_dead_letter, fill=BULLET, holds=dead_letter_voted,
                           says=('"event": "reflection_complete"', r'ace_episodes\{state="dead"\} 1', "queued again")),
    f"{PROMOTIONS} 4": Row(given=with_three_votes, holds=rose,
                           says=(r"stage_manager runs inside the server .*process \S+ runs it now",
                                 r"[1-9]\d* promoted")),
    "Dead Letters 1": Row(
        given=with_dead_letter, fill={**DOMAIN, "episode_id": lambda site, memo: str(memo["episode"])},
        says=("the model was away", '"state":"queued"'), holds=dead_letter_waits_no_more),
    f"{BREAKERS} 1": Row(given=with_open_breaker, after=close_breaker, says=(*BREAKER_LIST, "llm_api_errors_total")),
    f"{BREAKERS} 2": Row(given=with_open_breaker, says=("Circuit breakers reset", CLOSED), holds=generator_is_closed),
    f"{BREAKERS} 3": Row(holds=twice_said(CLOSED)),
    "A Journal That Does Not Verify 1": Row(given=with_a_backup, fill=DOMAIN,
                                            says=("customer-a", '"sound":true', "ace-.*jsonl.gz", "sound")),
    "Manual Health Check 1": Row(says=(HEALTHY, "accepting connections", "FAISS ready: True", "alive", "ready")),
    "Automated Health Monitoring 1": Row(holds=alerts_are_those_shipped, runs=False),
    f"{SLOW} 1": Row(says=("2 passed", r"P95 .* ms \(target 15\)", r"FAISS search: \d+\.\d\dms", "max_exec_time")),
    f"{SLOW} 2": Row(given=without_the_indexes, holds=both_indexes_are_there),
    f"{BATCHES} 1": Row(says=("batch_merge_start", r"ace-app +\d+\.\dMiB", "batch_merge_duration_seconds_bucket")),
    f"{BATCHES} 2": Row(given=with_service_pids, holds=set_for("ACE_MAX_BATCH_SIZE", "50", "ace-app"),
                        after=without_settings),
    f"{BATCHES} 3": Row(says=("120 lessons merged",)),
    "Manual Backup 1": Row(says=("ace-.*jsonl.gz", "Drill of .* passed")),
    "Manual Backup 2": Row(given=without_backups, holds=copied_to_the_bucket),
    "Restore from Backup 1": Row(given=with_a_backup, holds=is_as_it_was_backed_up),
    "Restore from Backup 2": Row(given=with_an_anchor, holds=anchored_anew, says=("customer-a",)),
    "Restore from Backup 3": Row(given=with_a_dump, says=("DROP DATABASE", "CREATE DATABASE", "migrate: done"),
                                 holds=is_as_it_was_backed_up),
    "Migration Rollback 1": Row(says=(r"0004 -> 0005 \(head\)", r"0005 -> 0004", r"0002 -> 0001", "0001 -> 0002"),
                                fill=REVISION, holds=came_up, after=put_back),
    "Migration Rollback 2": Row(says=("0001 -> ",), holds=nothing_is_left, after=put_back),
    "API Keys 1": Row(given=with_a_key, fill={"key_id": lambda site, memo: str(memo["key"])},
                      says=("ace_", "is revoked"), holds=key_is_revoked),
    "Prometheus Queries 1": Row(runs=False),
    "Check Circuit Breaker Status 1": Row(
        given=with_open_breaker, after=close_breaker, says=(FIGURES,
                                       r'"name":"generator","state":"open"')),
    "Reset Circuit Breakers 1": Row(given=with_open_breaker, holds=generator_is_closed,
                                    says=("All circuit breakers reset", "Generator circuit breaker reset")),
    "Reset Circuit Breakers 2": Row(given=with_open_breaker, says=('"state":"closed"',), holds=generator_is_closed),
    "Adjust Circuit Breaker Thresholds 1": Row(
        given=with_service_pids, holds=set_for("ACE_RECOVERY_TIMEOUT", "120", "ace-app", "ace-reflector"),
        after=without_settings),
    "Post-Mortem Template 1": Row(holds=template_has_its_parts, runs=False),
}  # fmt: skip
"""Our own runbook."""

SEED: dict[str, Row] = {
    f"{ROLLBACK} 5": Row(says=(r'"version":"v', "17 passed", CLOSED)),
    "Staged Rollback (Recommended) 4": Row(holds=twice_said("playbook_retrieval_latency_ms_count")),
    f"{PROMOTIONS} 2": Row(holds=the_numbers_are_the_codes),
    f"{BREAKERS} 4": Row(holds=the_numbers_are_the_codes),
    f"{SLOW} 2": Row(given=without_the_indexes, holds=both_indexes_are_there),
    f"{SLOW} 3": Row(),
    f"{BATCHES} 2": Row(holds=the_numbers_are_the_codes),
    f"{BATCHES} 3": Row(),
    # a sketch and no Python: `batch_merge(...)`; the setting ACE_BATCH_TIMEOUT_S does it
    f"{BATCHES} 4": Row(holds=the_timeout_can_be_set, runs=False),
    # docker runs nothing in a container that was stopped two lines before; a dump of today's schema needs no migration
    "Restore from Backup 1": Row(given=with_a_dump, says=("DROP DATABASE", "CREATE DATABASE", "is not running"),
                                 fails=("docker exec ace-app alembic upgrade head",), holds=is_as_it_was_backed_up),
    "Prometheus Queries 1": Row(runs=False),
    # a sketch and no Python: `...` after named arguments; ACE_FAILURE_THRESHOLD and ACE_RECOVERY_TIMEOUT do it
    "Adjust Circuit Breaker Thresholds 1": Row(holds=the_numbers_are_the_codes, runs=False),
    "Post-Mortem Template 1": Row(holds=template_has_its_parts, runs=False),
}  # fmt: skip
"""The runbook this one came from, where its lines are other than ours."""


def promql(text: str) -> list[str]:
    """The queries of a block."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def rules_of(queries: list[str], file: Path) -> Path:
    """A file of rules made of queries, for promtool."""
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": rules}]}))
    return file
