"""`ace simulate` needs no database and no model, and says what it found for people and for machines."""

from __future__ import annotations

from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures


def test_both_policies_in_the_terminal_and_on_a_page(ace: Ace) -> None:  # noqa: F811
    said = ace("simulate", "--tasks", "200", "--out", "report.html").stdout
    assert "fixed: 200 tasks" in said
    assert "evidence: 200 tasks" in said
    assert "200 placebo" in said
    assert (ace.home / "report.html").read_text().startswith("<!doctype html>")


def test_figures_for_machines(ace: Ace) -> None:  # noqa: F811
    (result,) = ace.json("simulate", "--policy", "fixed", "--tasks", "200", "--seed", "3")
    assert (result["policy"], result["tasks"], result["seed"]) == ("fixed", 200, 3)
    assert {kind["kind"] for kind in result["kinds"]} == {"strong", "weak", "placebo", "harmful", "poison"}
