"""`ace worker` is `ace-reflector`; `ace report` writes the page of any run."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures
from tests.e2e.test_learn_episodes import episode, write


def test_the_worker_reflects_on_what_is_queued(ace: Ace) -> None:  # noqa: F811
    ace("learn", write(ace, episode("amber"), episode("birch")), "--domain", "d")
    told = json.loads(ace("worker", "--once", "--json", "--domain", "d").stdout)
    assert (told["done"], told["added"]) == (2, 2)


def test_the_worker_stops_when_told_to(ace: Ace) -> None:  # noqa: F811
    process = ace.start("worker", "--poll-s", "0.05")
    try:
        assert process.stdout is not None
        assert any("reflector_started" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_worker_says_no_to_a_domain_that_is_none(ace: Ace) -> None:  # noqa: F811
    assert "domain" in ace("worker", "--once", "--domain", "No Domain", code=2).stderr


def test_a_report_is_one_page_of_a_run(ace: Ace) -> None:  # noqa: F811
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch"]), "--run", "first")
    told = ace.json("report", "first")
    first = Path(told["report"])
    assert first == ace.home / "data" / "runs" / "first" / "report.html"
    ace("report", str(first.parent), "--out", "page.html")
    page = (ace.home / "page.html").read_text()
    assert page == first.read_text()
    assert "<html" in page
    assert "src=" not in page, "it needs nothing else"


def test_a_run_that_is_not_there_is_named_with_those_that_are(ace: Ace) -> None:  # noqa: F811
    ace("learn", ace.tasks("tasks.jsonl", ["amber"]), "--run", "first")
    assert "Known: first" in ace("report", "second", code=2).stderr
