"""Pairs for a bullet: tasks answered with it alone and without, until its evidence is decided or the tasks run out.

a pair finished        a line of the run folder, and durable
a run that ends        its pairs go into the journal as one entry, and each pair's idempotency key with them, in one
                       commit; so does what is there when a limit or an outage ends it
a run killed           goes on where it was; what it had finished goes into the journal first
the same pair twice    (another run, another folder) counts once: its key is known
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ace.core import gates, pairing
from ace.core.evidence import harmful_e_value, helpful_e_value
from ace.core.gates import Gates, Verdict
from ace.core.pairing import Aim
from ace.core.ports import Clock, PlaybookStore
from ace.core.validation import check_domain
from ace.errors import InvalidInput, NotFound
from ace.models.evidence import Bars, Evidence
from ace.models.plan import Pairs
from ace.models.playbook import IN_USE, Bullet, Context, PlaybookStage
from ace.models.replay import BulletReplay, Due, Ended, ReplayPair, Score
from ace.services.attempts import Attempts
from ace.services.books import Books
from ace.services.replay_tasks import Candidate, ReplayTasks


class Replays:
    """What the journals of one store lack, and how pairs are put into them."""

    def __init__(
        self,
        store: PlaybookStore,
        clock: Clock,
        *,
        tasks: ReplayTasks,
        levels: Gates,
        books: Books | None = None,
        bars: Bars | None = None,
    ) -> None:
        self._store, self._clock, self._tasks, self._levels = store, clock, tasks, levels
        self._books, self._bars = books or Books(store), bars or Bars()

    def find(self, domain_id: str, bullet_id: str) -> Bullet:
        """A bullet that can be replayed. Raises NotFound, InvalidInput when it is out of use."""
        bullet = self._store.get(check_domain(domain_id), bullet_id)
        if bullet is None:
            raise NotFound(f"There is no bullet {bullet_id[:80]} in domain {domain_id}.")
        if bullet.stage not in IN_USE:
            raise InvalidInput("bullet", f"{bullet.id} is {bullet.stage}, nobody is shown it", "Restore it first")
        return bullet

    def play(
        self, bullet: Bullet, pool: Sequence[Candidate], *, run_id: str, pairs: int, attempts: Attempts
    ) -> Iterator[ReplayPair]:
        """The pairs of this run one by one, those of an earlier process first.

        Raises BudgetExhausted, Outage: what was finished is in the journal then, and the same call goes on.
        """
        done = attempts.pairs(bullet.id)
        self.settle(bullet, done, run_id)
        seen, aim = self.standing(bullet)
        new: list[ReplayPair] = []
        yield from done
        try:
            for task in islice(self._tasks.fresh(bullet, pool), max(pairs - len(done), 0)):
                if pairing.ended(pairing.plus(seen, Score.of(new)), aim):
                    break
                pair = attempts.pair(bullet.id, task, Context(domain_id=bullet.domain_id), pairing.alone(bullet))
                new.append(pair)
                yield pair
        finally:
            self.settle(bullet, new, run_id)

    def settle(self, bullet: Bullet, pairs: Sequence[ReplayPair], run_id: str) -> Score:
        """Put these pairs into the journal, those that are not in it; what was counted now."""
        if not pairs:
            return Score()
        with self._store.transaction(bullet.domain_id) as transaction:
            marks = {self._tasks.mark(bullet, pair.task_key): pair for pair in pairs}
            new = {mark: pair for mark, pair in marks.items() if transaction.recall(mark, pair.task_key) is None}
            score = Score.of(list(new.values()))
            if new:
                entry = Pairs(bullet_id=bullet.id, wins=score.wins, losses=score.losses, ties=score.ties, run_id=run_id)
                transaction.apply([entry], vectors={}, now=self._clock.now())
            for mark, pair in new.items():
                transaction.remember(mark, pair.task_key, {"run": run_id, "outcome": pair.outcome.value})
        return score

    def result(self, bullet: Bullet, pairs: Sequence[ReplayPair], wanted: int, *, stopped: bool) -> BulletReplay:
        """What the run showed, from its pairs and the journal. `stopped`: a limit ended it."""
        seen, aim = self.standing(bullet)
        ended = pairing.ended(seen, aim)
        if ended is None and not stopped:
            ended = Ended.ENOUGH if len(pairs) >= wanted else Ended.NO_TASKS
        return BulletReplay(
            bullet=bullet,
            ended=ended,
            run=Score.of(pairs),
            total=Score(wins=seen.wins, losses=seen.losses, ties=self._ties(bullet)),
            helpful=helpful_e_value(seen),
            harmful=harmful_e_value(seen),
            bar=aim.bar(bullet.stage).e_value,
        )

    def due(self, domain_id: str) -> list[Due]:
        """Bullets that the gates let rise and the e-value does not; those first that pairs alone would move."""
        if self._store.head(check_domain(domain_id)).seq == 0:
            raise NotFound(f"There is no domain {domain_id}.")
        bullets = list(self._passing_gates(domain_id))
        standings = zip(bullets, self._standings(domain_id, bullets), strict=True)
        found = [one for bullet, (seen, aim) in standings if (one := _due(bullet, seen, aim))]
        return sorted(found, key=lambda one: (bool(one.lacks), one.wins_left, -one.helpful, one.bullet.id))

    def standing(self, bullet: Bullet) -> tuple[Evidence, Aim]:
        """The bullet's evidence as the journal has it, and what that is measured against."""
        return self._standings(bullet.domain_id, [bullet])[0]

    def _standings(self, domain_id: str, bullets: Sequence[Bullet]) -> list[tuple[Evidence, Aim]]:
        with self._books.open(domain_id) as book:
            family, records = book.family(), [book.evidence(bullet) for bullet in bullets]
        return [(seen, Aim(bars=self._bars, others=_others(family, seen))) for seen in records]

    def _passing_gates(self, domain_id: str) -> Iterable[Bullet]:
        for stage in (PlaybookStage.STAGING, PlaybookStage.SHADOW):
            gate = self._levels[stage]
            ripe = self._store.ripe(domain_id, stage=stage, helpful_min=gate.helpful_min, ratio_min=gate.ratio_min)
            yield from (one for one in ripe if gates.decide(one, self._levels).verdict == Verdict.RISE)

    def _ties(self, bullet: Bullet) -> int:
        entries = self._store.history(bullet.domain_id, bullet.id)
        return sum(entry.body["ties"] for entry in entries if entry.kind == "pairs")


def _others(family: Sequence[float], seen: Evidence) -> tuple[float, ...]:
    """The e-values of the others of its family. Only towards PROD they are looked at."""
    if seen.stage != PlaybookStage.STAGING:
        return ()
    others, own = list(family), helpful_e_value(seen)
    if own in others:
        others.remove(own)
    return tuple(others)


def _due(bullet: Bullet, seen: Evidence, aim: Aim) -> Due | None:
    """None when pairs would change nothing: decided, or hopeless."""
    if pairing.ended(seen, aim):
        return None
    return Due(bullet=bullet, wins_left=pairing.wins_left(seen, aim), helpful=helpful_e_value(seen),
               harmful=harmful_e_value(seen), lacks=_lacks(seen, aim))  # fmt: skip


def _lacks(seen: Evidence, aim: Aim) -> str:
    """What pairs cannot give."""
    bar = aim.bar(seen.stage)
    needed = (
        (seen.supporters, bar.principals, "principals"),
        (seen.supporting_clusters, bar.clusters, "kinds of task"),
    )
    return ", ".join(f"{has} of {least} {name}" for has, least, name in needed if has < least)
