"""A replay from the command line: its folder, the pairs shown as they come, its figures at the end.

The folder's name follows from what was asked, so the same command goes on with a run that was stopped. A run of pairs
that has ended is left alone: the same command then starts the next, `…-2`, on tasks that are fresh. The others write no
evidence: the same command gives the same answer again, and pays for nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ace.cli import present
from ace.config import get_settings
from ace.core.evidence import harmful_e_value, helpful_e_value
from ace.core.pairing import plus
from ace.core.validation import check_domain
from ace.errors import BudgetExhausted
from ace.models.replay import BulletReplay, ReplayPair, Score
from ace.models.run import Limits

if TYPE_CHECKING:
    from types import TracebackType

    from ace.models.playbook import Bullet
    from ace.models.task import Task
    from ace.services.attempts import Attempts
    from ace.services.replay_tasks import Candidate
    from ace.services.time_travel import Past


MAKING_EVIDENCE = ("bullet", "due")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What was asked for on the command line; `subject` is what is replayed, in JSON."""

    kind: str
    domain: str
    subject: Mapping[str, Any]
    tasks: Path | None = None
    run: str | None = None
    limits: Limits = field(default_factory=Limits)
    as_json: bool = False


class Bench:
    """One replay being done; a context manager that holds the run folder and the language model."""

    def __init__(self, ask: Ask) -> None:
        from ace.bootstrap import App
        from ace.utils.datasets import load

        check_domain(ask.domain)
        self.ask, self._stack, self.stopped = ask, ExitStack(), ""
        self.app = App()
        self._dataset = load(ask.tasks) if ask.tasks else None

    @cached_property
    def run_id(self) -> str:
        """As asked for, or kind and a hash of all that shapes the run; of pairs, the first that has not ended."""
        if self.ask.run:
            return check_domain(self.ask.run)
        digest = hashlib.sha256(json.dumps(self._config, sort_keys=True).encode()).hexdigest()
        base, runs = f"replay-{self.ask.kind}-{digest[:10]}", get_settings().path("runs")
        if self.ask.kind not in MAKING_EVIDENCE:
            return base
        names = (base if number == 1 else f"{base}-{number}" for number in range(1, 1_000_000))
        return next(name for name in names if not _has_ended(runs / name))

    @cached_property
    def _config(self) -> dict[str, Any]:
        file = self._dataset.sha256 if self._dataset else None
        return {"kind": f"replay {self.ask.kind}", "domain": self.ask.domain, "subject": dict(self.ask.subject),
                "tasks": file, **self.app.fingerprint()}  # fmt: skip

    def __enter__(self) -> Self:
        self._folder = self._stack.enter_context(self.app.run_folder(self.run_id, self._config))
        with present.status() as say, ExitStack() as on_failure:
            on_failure.callback(self._stack.close)
            workshop = self._stack.enter_context(self.app.workshop(self._folder, self.ask.limits, say))
            on_failure.pop_all()
        self.attempts: Attempts = workshop.attempts
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def task(self, task_id: str) -> Task | None:
        """The task of this id in the file that was given."""
        tasks = self._dataset.tasks if self._dataset else ()
        return next((task for task in tasks if task.id == task_id), None)

    @cached_property
    def pool(self) -> Sequence[Candidate]:
        """The tasks there are: the file's, or else those stored in the domain."""
        source = self.app.replay_tasks
        return source.of_file(self._dataset.tasks) if self._dataset else source.stored(self.ask.domain)

    def bullet(self, bullet: Bullet, pairs: int) -> BulletReplay:
        """Run the bullet's pairs, showing each; a limit reached ends it politely."""
        seen, done = self.app.replays.standing(bullet)[0], list[ReplayPair]()
        with present.Tally(bullet.id, pairs) as tally:
            playing = self.app.replays.play(bullet, self.pool, run_id=self.run_id, pairs=pairs, attempts=self.attempts)
            for pair in self.politely(playing):
                done.append(pair)
                now = plus(seen, Score.of(done))
                harm, good = harmful_e_value(now), helpful_e_value(now)
                tally.step(pair.having.correct, f"+{now.wins} -{now.losses}  good {good:.3g}  harm {harm:.3g}")
        return self.app.replays.result(bullet, done, pairs, stopped=bool(self.stopped))

    def politely(self, events: Iterable[Any]) -> Iterable[Any]:
        """The events, as far as the limits let them come."""
        try:
            yield from events
        except BudgetExhausted as error:
            self.stopped = str(error)

    def states(self, old: Past, new: Past, pairs: int) -> dict[str, Any]:
        """Compare two states of the playbook, showing each pair; the figures."""
        from ace.models.evidence import Bars
        from ace.services import release_replays

        done, showing, bar = list[ReplayPair](), self.app.showing, Bars().prod.e_value
        tasks = [candidate.task for candidate in self.pool[:pairs]]
        arms = (showing.of(self.ask.domain, state) for state in (old, new))
        name = f"{old.position}..{new.position}"
        with present.Tally("replaying", len(tasks)) as tally:
            playing = release_replays.compare(tasks, *arms, subject=name, bar=bar, attempts=self.attempts)
            for pair in self.politely(playing):
                done.append(pair)
                tally.step(pair.having.correct, f"+{Score.of(done).wins} -{Score.of(done).losses}")
        return release_replays.figures(done, bar)

    def finish(self, found: Mapping[str, Any], tell: Callable[[], None]) -> None:
        """Write the summary; print it for machines, or let `tell` say it and add what it cost."""
        from ace.utils.call_ledger import CallLedger

        usage = CallLedger(self._folder).spent
        summary = {"run": self.run_id, **found, "usage": {**asdict(usage), "tokens": usage.tokens},
                   "stopped": self.stopped, "ended_run": not self.stopped}  # fmt: skip
        self._folder.write_summary(summary)
        if self.ask.as_json:
            print(json.dumps(summary | {"folder": str(self._folder.path)}))
            return
        tell()
        cost = f"{usage.calls} calls, {usage.tokens:,} tokens, ${usage.cost_usd:.2f}"
        present.out.print(f"\nCost: {cost}. Folder: {self._folder.path}", markup=False)
        if self.stopped:
            present.out.print(f"Stopped: {self.stopped} The same command with a higher limit goes on.", markup=False)


def _has_ended(folder: Path) -> bool:
    """Has the run in this folder come to its end?"""
    file = folder / "summary.json"
    return file.is_file() and bool(json.loads(file.read_text()).get("ended_run"))
