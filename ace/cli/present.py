"""What people see: tables, progress and one-line figures. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ace.core.rendering import one_line
from ace.models.difference import MOVES, Difference
from ace.models.playbook import Bullet
from ace.models.run import Interval

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(bar_width=28),
    MofNCompleteColumn(),
    TextColumn("{task.fields[note]}"),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
)


def percent(interval: Interval) -> str:
    """A share: `31% (95 % interval 25% to 38%)`"""
    return f"{interval.value:.0%} (95 % interval {interval.low:.0%} to {interval.high:.0%})"


def points(interval: Interval) -> str:
    """A difference of shares: `+29 points (95 % interval +21 to +37)`"""
    value, low, high = (round(100 * number) for number in (interval.value, interval.low, interval.high))
    return f"{value:+d} points (95 % interval {low:+d} to {high:+d})"


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """One row per mapping, one column per key."""
    view = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for key in rows[0] if rows else ():
        view.add_column(key, overflow="fold")
    for row in rows:
        view.add_row(*(Text(_cell(value)) for value in row.values()))
    out.print(view, soft_wrap=False)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def bullets(domain: str, chosen: Sequence[Bullet], limit: int, *, links: int) -> None:
    """The playbook as a table, the most helpful first."""
    best = sorted(chosen, key=lambda bullet: (bullet.harmful_count - bullet.helpful_count, bullet.id))
    rows = [
        {"id": b.id, "stage": b.stage.value, "+": b.helpful_count, "-": b.harmful_count, "text": one_line(b.content)}
        for b in best[:limit]
    ]
    table(f"{domain}: {len(chosen)} bullets, {links} contradictions", rows)
    if len(chosen) > limit:
        out.print(f"… and {len(chosen) - limit} more: --limit {len(chosen)}")


def difference(domain: str, found: Difference) -> None:
    """Every kind of change, one line a bullet."""
    counted = ", ".join(f"{count} {name}" for name, count in found.counts().items() if count) or "no difference"
    out.print(f"{domain}: position {found.start} -> {found.end}: {counted}")
    for sign, bullets in (("+", found.added), ("-", found.removed)):
        for bullet in bullets:
            out.print(Text(f"{sign} {bullet.id}  {one_line(bullet.content)[:120]}"))
    for name in MOVES:
        for change in getattr(found, name):
            out.print(f"  {change.before.id}  {name}: {change.before.stage.value} -> {change.after.stage.value}")
    for change in found.counters:
        out.print(f"  {change.before.id}  helpful {change.helpful:+d}, harmful {change.harmful:+d}")


@contextmanager
def status(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A line that says what is going on; plain lines where stderr is no terminal, nothing where it is to be quiet."""
    if quiet:
        yield lambda _: None
        return
    if not err.is_terminal:
        yield lambda message: print(message, file=sys.stderr)
        return
    with err.status("") as spinner:
        yield spinner.update


class Steps:
    """A progress bar with the time left, where somebody looks on; ten lines in all where nobody does."""

    def __init__(self, title: str, total: int, *, quiet: bool = False) -> None:
        self._title, self._total, self._done = title, total, 0
        self._lines = not (quiet or err.is_terminal)
        self._progress = Progress(*_COLUMNS, console=err, disable=quiet or not err.is_terminal)
        self._task = self._progress.add_task(title, total=total, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, note: str = "", advance: int = 1) -> None:
        """So many more are done."""
        before, self._done = self._done, self._done + advance
        self._progress.update(self._task, advance=advance, note=note)
        if self._lines and (_tenth(self._done, self._total) > _tenth(before, self._total)):
            print(f"{self._title}: {self._done}/{self._total}  {note}".rstrip(), file=sys.stderr)


def _tenth(done: int, total: int) -> int:
    return 10 * done // max(total, 1)


class Tally:
    """A progress bar over tasks, with the share right so far and the time left."""

    def __init__(self, title: str, total: int) -> None:
        self._right = self._known = 0
        self._progress = Progress(*_COLUMNS, console=err, disable=not err.is_terminal)
        self._title, self._total, self._done = title, total, 0
        self._task = self._progress.add_task(title, total=total, note="")

    def __enter__(self) -> Tally:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, correct: bool | None, note: str = "") -> None:
        """One more task is done."""
        self._done += 1
        self._known += correct is not None
        self._right += correct is True
        share = f"right {self._right / self._known:4.0%}" if self._known else "unjudged"
        self._progress.update(self._task, advance=1, note=f"{share}  {note}")
        if not err.is_terminal and (self._done % max(self._total // 10, 1) == 0 or self._done == self._total):
            print(f"{self._title}: {self._done}/{self._total}  {share}  {note}", file=sys.stderr)


def results(summary: Mapping[str, Any], learned: Sequence[Bullet], *, next_steps: bool) -> None:
    """A run's figures, three bullets, and where the rest is."""
    if learning := summary.get("learning"):
        first, last = Interval(**learning["first"]), Interval(**learning["last"])
        out.print(
            f"\nLearned from {learning['steps']} tasks: {learning['added']} bullets added, {learning['merged']} merged."
        )
        out.print(f"  first fifth  {percent(first)}\n  last fifth   {percent(last)}")
    if comparison := summary.get("comparison"):
        _comparison(comparison, summary)
    usage = summary["usage"]
    out.print(f"\nCost: {usage['calls']} calls, {usage['tokens']:,} tokens, ${usage['cost_usd']:.2f}.", end=" ")
    out.print(f"{summary['failed']} failed.")
    _examples(learned)
    if summary["stopped"]:
        out.print(f"\nStopped: {summary['stopped']} The same command with a higher limit goes on.")
    out.print(f"\nReport    {summary['report']}\nPlaybook  ace playbook show --domain {summary['domain']}")
    if next_steps:
        out.print("Next      ace train YOUR_TASKS.jsonl --domain mine   (the format: docs/task-format.md)")


def _comparison(comparison: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    without, having = Interval(**comparison["without"]), Interval(**comparison["with_playbook"])
    out.print(f"\nOn {having.n} tasks, answered without and with it:")
    out.print(f"  without playbook  {percent(without)}\n  with playbook     [bold]{percent(having)}[/bold]")
    out.print(f"  difference        {points(Interval(**comparison['difference']))}", end="")
    out.print(f", {comparison['wins']} won, {comparison['losses']} lost")
    if copying := summary.get("copying_nearest"):
        out.print(f"  for scale: copying the nearest answer, no model   {percent(Interval(**copying))}")


def _examples(learned: Sequence[Bullet]) -> None:
    best = sorted(learned, key=lambda bullet: (bullet.harmful_count - bullet.helpful_count, bullet.id))[:3]
    if best:
        out.print("\nThree of the bullets learned:")
    for bullet in best:
        text = one_line(bullet.content)
        out.print(Text(f"  [{bullet.id}] +{bullet.helpful_count} -{bullet.harmful_count}  {text[:150]}"))
