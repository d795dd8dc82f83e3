"""Find out what a promotion policy does: let it run through a world in which every bullet's effect is known.

Each task: retrieve, draw what is shown, attempt, report, vote; with `evidence` also a trial per draw and up to
`replays` pairs. Every `review_every` tasks all bullets are ruled on, one step each, as the stage manager does.

A bullet is replayed while that can still change something: in SHADOW and STAGING, up to `pairs_max` pairs, and not
once its e-value for good has fallen below `hopeless` while harm is not in sight. Stopping is free: see `evalues`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from ace.core.evalues import pairs_e_value
from ace.core.evidence import Ruling, family, gather, helpful_e_value, rule
from ace.core.exposure import Exposure, Shares, expose
from ace.core.gates import Gates, Verdict
from ace.core.ranking import VISIBLE
from ace.core.replay import NEXT_STAGE
from ace.core.statistics import share
from ace.core.trials import Stakes, Trial, after
from ace.core.verdicts import kind_results, reached
from ace.core.voices import WEIGHTS, Ballot, Voices
from ace.models.evidence import Bars, Evidence, Policy
from ace.models.insight import Tag
from ace.models.observation import Lot
from ace.models.playbook import Bullet, PlaybookStage, Traffic
from ace.models.simulation import Fate, Moment, Planted, Report, Simulation, World, WorldTask

T = TypeVar("T")

MOMENTS = 100  # points of the course kept for the picture
OPEN = Shares(dropout=0.0, canary=0.0, trial=1.0, holdout=0.0)
"""What `fixed` knows of drawing lots: nothing. Whatever a kind of traffic may see, it sees."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What is tried, and how."""

    policy: Policy
    gates: Gates
    bars: Bars = field(default_factory=Bars)
    shares: Shares = field(default_factory=Shares)
    tasks: int = 10_000
    seed: int = 0
    k: int = 8
    replays: int = 8
    pairs_max: int = 240
    hopeless: float = 0.05
    review_every: int = 25


@dataclass(slots=True)
class _Life:
    """One bullet as it fares."""

    planted: Planted
    bullet: Bullet
    voices: Voices = field(default_factory=Voices)
    stakes: defaultdict[str, Stakes] = field(default_factory=lambda: defaultdict(Stakes))
    wins: int = 0
    losses: int = 0
    pairs: int = 0
    shown: int = 0
    reached: dict[PlaybookStage, int] = field(default_factory=dict)
    fell_from_prod: bool = False
    settled: float | None = None  # the e-value with which it went to PROD or into quarantine

    def evidence(self) -> Evidence:
        return gather(self.bullet, chorus=self.voices.chorus(), wins=self.wins, losses=self.losses, stakes=self.stakes)

    def fate(self) -> Fate:
        at = self.reached.get
        return Fate(bullet=self.planted, staging_at=at(PlaybookStage.STAGING), prod_at=at(PlaybookStage.PROD),
                    quarantined_at=at(PlaybookStage.QUARANTINED), quarantined_in_prod=self.fell_from_prod,
                    pairs=self.pairs, shown=self.shown)  # fmt: skip


def simulate(world: World, setup: Setup, progress: Progress | None = None) -> Simulation:
    """Run the policy through the world; the figures."""
    play = _Play(world, setup)
    for number in range(setup.tasks):
        play.step(number)
        if progress:
            progress(number + 1, setup.tasks)
    return play.result()


class _Play:
    """One policy's run, task by task."""

    def __init__(self, world: World, setup: Setup) -> None:
        self._world, self._setup = world, setup
        self._shares = setup.shares if setup.policy == Policy.EVIDENCE else OPEN
        self._lives = {
            planted.id: _Life(planted, Bullet(id=planted.id, domain_id="simulated", content=planted.kind))
            for planted in world.bullets
        }
        self._success: defaultdict[str, list[int]] = defaultdict(lambda: [1, 2])  # by cluster, Laplace
        self._right = self._tried = 0
        self._course: list[Moment] = []
        self._rulings: Sequence[Ruling] = ()

    def step(self, number: int) -> None:
        """One task, and a review when it is time for one."""
        task = self._world.task(number)
        offered = self._retrieve(task)
        exposure = expose(task.id, offered, task.traffic, self._shares)
        shown = [lot.bullet_id for lot in exposure.lots if lot.shown]
        success = self._world.attempt(task, shown)
        self._right, self._tried = self._right + success, self._tried + 1
        report = self._world.report(task, shown, success)
        self._vote(task, shown, report)
        if self._setup.policy == Policy.EVIDENCE:
            self._try(task, exposure, report)
            self._replay(task)
        if (number + 1) % self._setup.review_every == 0:
            self._review()
        if (number + 1) % max(1, self._setup.tasks // MOMENTS) == 0:
            self._course.append(self._moment(number + 1))

    def result(self) -> Simulation:
        """What became of all of them."""
        fates = [life.fate() for life in self._lives.values()]
        kinds = kind_results(fates)
        in_prod = [life for life in self._lives.values() if PlaybookStage.PROD in life.reached]
        return Simulation(
            policy=self._setup.policy,
            tasks=self._setup.tasks,
            seed=self._setup.seed,
            kinds=kinds,
            goals=reached(kinds),
            course=tuple(self._course),
            pairs=sum(fate.pairs for fate in fates),
            success=share(self._right, self._tried),
            false_in_prod=share(sum(life.planted.effect <= 0 for life in in_prod), len(in_prod)),
            last_rulings=tuple(ruling.to_json() for ruling in self._rulings[:3]),
        )

    def _retrieve(self, task: WorldTask) -> list[Bullet]:
        """The nearest bullets that this kind of traffic may be shown; canaries are drawn among production's tasks."""
        canaries = self._setup.policy == Policy.EVIDENCE and task.traffic == Traffic.PRODUCTION
        visible = VISIBLE[Traffic.STAGING if canaries else task.traffic]
        near = (self._lives[name].bullet for name in task.nearest)
        return _first((bullet for bullet in near if bullet.stage in visible), self._setup.k)

    def _vote(self, task: WorldTask, shown: Sequence[str], report: Report) -> None:
        """Every bullet shown is credited with the outcome: the commonest way to tag, and the weakest."""
        tag = Tag.HELPFUL if report.success else Tag.HARMFUL
        for name in shown:
            self._lives[name].shown += 1
            self._hear(name, Ballot(episode_id=task.id, principal=task.principal, cluster=task.cluster, tag=tag,
                                    source=report.source))  # fmt: skip
        for vote in self._world.stuffed(task):
            self._hear(vote.bullet_id, Ballot(episode_id=vote.episode_id, principal=task.principal, tag=vote.tag,
                                              cluster=task.cluster, source=report.source))  # fmt: skip

    def _hear(self, name: str, ballot: Ballot) -> None:
        life = self._lives[name]
        if not life.voices.hear(ballot):
            return
        helpful, harmful = life.bullet.helpful_count, life.bullet.harmful_count
        if ballot.tag == Tag.HELPFUL:
            life.bullet = life.bullet.evolve(helpful_count=helpful + 1)
        else:
            life.bullet = life.bullet.evolve(harmful_count=harmful + 1)

    def _try(self, task: WorldTask, exposure: Exposure, report: Report) -> None:
        """Hold each draw against the outcome; the forecast is what tasks of this kind came to before."""
        right, tried = self._success[task.cluster]
        for lot in exposure.lots:
            self._stake(lot, right / tried, task, report)
        self._success[task.cluster] = [right + report.success, tried + 1]

    def _stake(self, lot: Lot, expected: float, task: WorldTask, report: Report) -> None:
        stakes = self._lives[lot.bullet_id].stakes
        trial = Trial(shown=lot.shown, probability=lot.chance, success=report.success, expected=expected,
                      weight=WEIGHTS[report.source])  # fmt: skip
        stakes[task.principal] = after(stakes[task.principal], trial)

    def _replay(self, task: WorldTask) -> None:
        """Pairs, bullet alone against nothing, for those near the task that are nearest to a decision."""
        near = (self._lives[name] for name in task.nearest)
        open_ones = _first((life for life in near if self._worth_replaying(life)), self._setup.k)
        for run, life in enumerate(sorted(open_ones, key=_undecided)[: self._setup.replays]):
            without, having = self._world.pair(task, life.planted.id, run)
            life.pairs += 1
            life.wins += having and not without
            life.losses += without and not having

    def _worth_replaying(self, life: _Life) -> bool:
        if life.bullet.stage not in NEXT_STAGE or life.pairs >= self._setup.pairs_max:
            return False
        helpful, harmful = pairs_e_value(life.wins, life.losses), pairs_e_value(life.losses, life.wins)
        return helpful >= self._setup.hopeless or harmful >= 1.0

    def _review(self) -> None:
        """What the stage manager does: one step per bullet."""
        known = [life for life in self._lives.values() if life.bullet.stage != PlaybookStage.QUARANTINED]
        records = {life.planted.id: life.evidence() for life in known}
        among = family(self._e_values(records), self._setup.bars)
        self._rulings = rule(records.values(), policy=self._setup.policy, levels=self._setup.gates,
                             bars=self._setup.bars, among=among)  # fmt: skip
        for ruling in self._rulings:
            if ruling.decision.verdict != Verdict.STAY:
                self._move(self._lives[ruling.case.evidence.bullet_id], ruling)

    def _e_values(self, records: Mapping[str, Evidence]) -> list[float]:
        """Of every bullet the domain ever had: what it left SHADOW and STAGING with, else as it stands."""
        return [helpful_e_value(records[name]) if life.settled is None else life.settled
                for name, life in self._lives.items()]  # fmt: skip

    def _move(self, life: _Life, ruling: Ruling) -> None:
        rises = ruling.decision.verdict == Verdict.RISE
        stage = NEXT_STAGE[life.bullet.stage] if rises else PlaybookStage.QUARANTINED
        if stage not in NEXT_STAGE and life.settled is None:
            life.settled = helpful_e_value(ruling.case.evidence)
        life.fell_from_prod = not rises and life.bullet.stage == PlaybookStage.PROD
        life.bullet = life.bullet.evolve(stage=stage)
        life.reached.setdefault(stage, life.pairs)

    def _moment(self, tasks: int) -> Moment:
        counts: dict[str, int] = {life.planted.kind: 0 for life in self._lives.values()}
        for life in self._lives.values():
            counts[life.planted.kind] += life.bullet.stage == PlaybookStage.PROD
        return Moment(tasks=tasks, in_prod=counts)


def _first(items: Iterable[T], k: int) -> list[T]:
    return list(islice(items, k))


def _undecided(life: _Life) -> tuple[float, str]:
    """Nearest to a decision first."""
    best = max(pairs_e_value(life.wins, life.losses), pairs_e_value(life.losses, life.wins))
    return -best, life.planted.id
