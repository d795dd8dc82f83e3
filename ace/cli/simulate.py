"""`ace simulate`: what a promotion policy does to bullets whose effect is known. No database, no model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli.grammar import Json

if TYPE_CHECKING:
    from ace.models.evidence import Policy
    from ace.models.simulation import KindResult, Simulation
    from ace.services.simulation import Progress


class Choice(StrEnum):
    """Which policies are tried."""

    FIXED = "fixed"
    EVIDENCE = "evidence"
    BOTH = "both"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(simulate)


def simulate(
    policy: Annotated[Choice, typer.Option(help="which rule moves bullets")] = Choice.BOTH,
    tasks: Annotated[int, typer.Option(min=100, max=1_000_000, help="how many tasks arrive")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="of all chance")] = 0,
    shared: Annotated[float, typer.Option(min=0, max=0.95, help="luck that two runs of one task have in common")] = 0.5,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="an HTML page with the pictures")] = None,
) -> None:
    """Measure promotion: who reaches PROD, who is quarantined, when bullets help, do nothing, or harm.

    Example: ace simulate --policy both --seed 1 --out report.html
    """
    from ace.models.evidence import Policy
    from ace.utils import simulation_report
    from ace.utils.files import write_atomic

    policies = list(Policy) if policy == Choice.BOTH else [Policy(policy.value)]
    results = [_simulated(one, tasks, seed, shared) for one in policies]
    if out is not None:
        write_atomic(out, simulation_report.render(results))
    if as_json:
        print(json.dumps([result.to_json() for result in results]))
        return
    for result in results:
        _show(result)
    if out is not None:
        typer.echo(f"\nReport  {out}")


def _simulated(policy: Policy, tasks: int, seed: int, shared: float) -> Simulation:
    from ace.bootstrap import App
    from ace.services.simulation import Setup
    from ace.services.simulation import simulate as run
    from ace.testing.world import Laws, TaskWorld

    setup = Setup(policy=policy, gates=App().gates, tasks=tasks, seed=seed)
    with _progress(policy.value) as progress:
        return run(TaskWorld(seed, Laws(shared=shared)), setup, progress)


@contextmanager
def _progress(title: str) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.progress import Progress as Bars

    from ace.cli import present

    with Bars(console=present.err, disable=not present.err.is_terminal) as bars:
        bar = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _show(result: Simulation) -> None:
    from ace.cli import present

    present.table(f"\n{result.policy.value}: {result.tasks:,} tasks, seed {result.seed}", _rows(result.kinds))
    share = result.false_in_prod
    present.out.print(
        "Ever in that stage, with 95 % intervals; median pairs to PROD¹ and to quarantine².\n"
        f"{share.value:.1%} of the {share.n} promoted to PROD do no good; {result.pairs:,} replayed pairs."
    )
    for goal in result.goals:
        present.out.print(f"  {'reached' if goal.reached else 'MISSED '}  {goal.text}: {goal.found}")


def _rows(kinds: Sequence[KindResult]) -> list[dict[str, str]]:
    from ace.utils.report_words import signed

    return [
        {
            "bullets": f"{kind.n} {kind.kind}",
            "effect": signed(kind.effect, 0),
            "STAGING": _share(kind.staging.value, kind.staging.low, kind.staging.high),
            "PROD": _share(kind.prod.value, kind.prod.low, kind.prod.high),
            "quarantined": _share(kind.quarantined.value, kind.quarantined.low, kind.quarantined.high),
            "pairs¹": _median(kind.median_pairs_to_prod),
            "pairs²": _median(kind.median_pairs_to_quarantine),
        }
        for kind in kinds
    ]


def _share(value: float, low: float, high: float) -> str:
    return f"{100 * value:.0f}% ({100 * low:.0f}–{100 * high:.0f})"


def _median(pairs: float | None) -> str:
    return "–" if pairs is None else f"{pairs:g}"
