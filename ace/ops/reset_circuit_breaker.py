"""`scripts/reset_circuit_breaker.py`: close a breaker by hand; every process sees it at its next call."""

from __future__ import annotations

from typing import Annotated

import typer

from ace.errors import InvalidInput, NotFound
from ace.ops.command import All, Json, show
from ace.utils import commands


def reset_circuit_breaker(
    name: Annotated[list[str] | None, typer.Option("--name", help="which breaker; may be given more than once")] = None,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Close circuit breakers for every process; their totals stay.

    Example: python scripts/reset_circuit_breaker.py --name generator
    """
    from ace.utils.llm_circuit_breaker import get_llm_breaker_metrics, get_or_create_llm_breaker

    if bool(name) == every:
        raise InvalidInput("--name", "name some breakers, or all with --all, not both", "Try --name generator")
    before = {row["name"]: row["state"] for row in get_llm_breaker_metrics()}
    chosen = list(dict.fromkeys(name or before))
    if unknown := [one for one in chosen if one not in before]:
        raise NotFound(f"There is no breaker '{unknown[0]}'. Known: {', '.join(before)}.")
    for one in chosen:
        get_or_create_llm_breaker(one).reset()
    after = {row["name"]: row["state"] for row in get_llm_breaker_metrics()}
    facts = [{"name": one, "before": before[one], "after": after[one]} for one in chosen]
    show(facts, as_json=as_json, lines=[f"{one}: {before[one]} -> {after[one]}" for one in chosen])


def main() -> None:
    commands.run(reset_circuit_breaker)


if __name__ == "__main__":
    main()
