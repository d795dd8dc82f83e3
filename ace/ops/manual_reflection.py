"""A bullet lacks feedback: reflect now on the reported episodes that bear on it, those given up on included.

the episodes that bear on a bullet    it was shown in them, cited in them, or born from them
dead                                  queued again, then reflected on
queued, due or not                    reflected on
leased, done                          left alone, and counted
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from ace.bootstrap import App
from ace.core.ports import EpisodeQueue, PlaybookStore
from ace.core.validation import check_domain
from ace.errors import AceError, BudgetExhausted, CircuitOpen, NotFound
from ace.models.episode import EpisodeState, EpisodeStatus
from ace.models.playbook import Bullet
from ace.services.reflection import Reflected, Reflection
from ace.utils import commands, logs, metrics

Say = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What was found and done for one bullet."""

    before: Bullet
    after: Bullet
    found: Counter[EpisodeState]
    reflected: list[Reflected] = field(default_factory=list)

    @property
    def error(self) -> AceError | None:
        """The last thing that went wrong."""
        return next((one.error for one in reversed(self.reflected) if one.error), None)


def find(store: PlaybookStore, bullet_id: str, domain: str | None) -> list[Bullet]:
    """The bullet in this domain, or in whichever has it. Raises NotFound."""
    domains = store.domains() if domain is None else [check_domain(domain)]
    found = [bullet for bullet in (store.get(one, bullet_id) for one in domains) if bullet]
    if not found:
        place = f"domain {domain}" if domain else f"any of the {len(domains)} domains"
        raise NotFound(f"There is no bullet '{bullet_id[:200]}' in {place}. See: ace playbook show --domain DOMAIN.")
    return found


def bearing_on(bullet: Bullet, episodes: EpisodeQueue) -> list[EpisodeStatus]:
    """The episodes that bear on the bullet, by id."""
    named = {status.id: status for status in episodes.naming(bullet.domain_id, bullet.id)}
    origin = bullet.origin.episode_id
    born = episodes.status(bullet.domain_id, origin) if origin else None
    return sorted({**named, **({born.id: born} if born else {})}.values(), key=lambda status: status.id)


def reflect_on(bullet: Bullet, statuses: Sequence[EpisodeStatus], app: App, say: Say) -> Report:
    """Queue the dead ones again and reflect on every queued one, until an error that would meet all of them."""
    report = Report(before=bullet, after=bullet, found=Counter(status.state for status in statuses))
    waiting = [status for status in statuses if status.state in (EpisodeState.DEAD, EpisodeState.QUEUED)]
    if not waiting:
        return report
    for status in waiting:
        if status.state == EpisodeState.DEAD:
            app.episodes.requeue(status.domain_id, status.id)
            say(f"  {status.id}: queued again (it was dead: {status.error})")
    with app.reflecting(say) as reflection:
        _work(reflection, waiting, report, say)
    report.after = app.store.get(bullet.domain_id, bullet.id) or bullet
    return report


def _work(reflection: Reflection, waiting: Sequence[EpisodeStatus], report: Report, say: Say) -> None:
    worker = f"manual-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    for status in waiting:
        claim = reflection.claim_one(worker, status.domain_id, status.id)
        if claim is None:
            say(f"  {status.id}: another worker took it meanwhile")
            continue
        reflected = reflection.reflect(claim)
        report.reflected.append(reflected)
        figures = f"{reflected.added} added, {reflected.merged} merged, {reflected.votes} votes"
        say(f"  {status.id}: {reflected.ending.value}, {reflected.error or reflected.reason or figures}")
        if isinstance(reflected.error, BudgetExhausted | CircuitOpen):
            return


def manual_reflection(
    bullet_id: Annotated[str, typer.Option("--bullet-id", help="as `ace playbook show` prints it")],
    domain: Annotated[str | None, typer.Option("--domain", "-d", help="default: whichever has the bullet")] = None,
) -> None:
    """A bullet lacks feedback: reflect now on the episodes that showed or cited it, or that it was born from.

    Exit codes: 0 done, or nothing to do · 2 something for you to mend · 3 the model's fault · 4 an outage.

    Example: python scripts/manual_reflection.py --bullet-id strategy-k3j5x7q2ab --domain customer-a
    """
    app = App()
    logs.configure(app.settings, "reflector", quiet=True)
    metrics.enable(app.settings.data_dir)
    errors: list[AceError] = []
    for bullet in find(app.store, bullet_id, domain):
        print(f"{bullet.id} in {bullet.domain_id}: {_counters(bullet)}, {bullet.stage.value}")
        report = reflect_on(bullet, bearing_on(bullet, app.episodes), app, print)
        _present(report)
        errors += [report.error] if report.error else []
    if errors:
        raise errors[-1]


def _present(report: Report) -> None:
    found = ", ".join(f"{report.found[state]} {state.value}" for state in EpisodeState)
    print(f"episodes that bear on it: {found}")
    if not report.found[EpisodeState.DEAD] and not report.found[EpisodeState.QUEUED]:
        print(
            "Nothing to reflect on: no episode about this bullet is waiting or dead. Feedback comes with new episodes."
        )
        return
    print(f"before {_counters(report.before)}, after {_counters(report.after)}")


def _counters(bullet: Bullet) -> str:
    return f"+{bullet.helpful_count} -{bullet.harmful_count}"


def main() -> None:
    """The command."""
    commands.run(manual_reflection)
