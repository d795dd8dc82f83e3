"""Replays in a real store: each task makes one pair, whatever happens in between, and the pairs move the bullet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ace.core.gates import Gate
from ace.core.ports import EpisodeQueue, PlaybookStore
from ace.errors import BudgetExhausted, InvalidInput, NotFound
from ace.models.evidence import Policy
from ace.models.plan import Add, Pairs, Quarantine, Rollback
from ace.models.playbook import Bullet, PlaybookStage
from ace.models.replay import BulletReplay, Ended, ReplayPair, Score
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from ace.services import release_replays
from ace.services.attempts import Attempts
from ace.services.blaming import Trials, accused
from ace.services.release_replays import Showing
from ace.services.releases import Releases
from ace.services.replay_tasks import Candidate, ReplayTasks
from ace.services.replays import Replays
from ace.services.staging import Staging
from ace.services.time_travel import TimeTravel
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.episodes import InMemoryEpisodes
from ace.testing.generator import RuleGenerator
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.releases import InMemoryReleases
from ace.utils.run_folder import RunFolder
from tests.playbooks import DOMAIN, add, assert_sound, bullet, write
from tests.replays import HARMFUL, HELPFUL, PLACEBO, clerk, reported, supported, task

SHADOW, STAGING, PROD, QUARANTINED, ARCHIVED = PlaybookStage
GATES = {SHADOW: Gate(helpful_min=3, ratio_min=3.0), STAGING: Gate(helpful_min=5, ratio_min=5.0)}


class Office:
    """A store with reported episodes, and runs in folders."""

    def __init__(self, store: PlaybookStore, episodes: EpisodeQueue, home: Path) -> None:
        self.store, self.episodes, self.home = store, episodes, home
        self.tasks = ReplayTasks(store=store, episodes=self.episodes, embedder=HashEmbedder(), model="clerk", floor=0.2)
        self.replays = Replays(store, FrozenClock(), tasks=self.tasks, levels=GATES)
        self.generator = RuleGenerator(clerk)

    def report(self, count: int) -> None:
        for number in range(count):
            self.episodes.report(reported(number))

    def bullet(self, text: str) -> Bullet:
        (own,) = add(self.store, text)
        return self.replays.find(DOMAIN, own)

    def folder(self, name: str = "run") -> RunFolder:
        return RunFolder.open(self.home / name, {})

    def run(
        self, chosen: Bullet, *, pairs: int = 40, name: str = "run", only: list[Candidate] | None = None
    ) -> BulletReplay:
        pool = self.tasks.stored(DOMAIN) if only is None else only
        with self.folder(name) as log:
            attempts, done = Attempts(self.generator, log), list[ReplayPair]()
            try:
                for pair in self.replays.play(chosen, pool, run_id=name, pairs=pairs, attempts=attempts):
                    done.append(pair)
            except BudgetExhausted:
                return self.replays.result(chosen, done, pairs, stopped=True)
        return self.replays.result(chosen, done, pairs, stopped=False)

    def journal(self) -> list[Pairs]:
        return [Pairs(**entry.body) for entry in self.store.entries(DOMAIN) if entry.kind == "pairs"]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    if request.param == "memory":
        playbook = InMemoryPlaybook()
        yield Office(playbook, InMemoryEpisodes(playbook), tmp_path)
        return
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    yield Office(PlaybookRepository(opened), EpisodeRepository(opened), tmp_path)
    opened.close()


def test_a_helpful_bullet_wins_and_the_run_ends_as_soon_as_that_decides(office: Office) -> None:
    office.report(40)
    found = office.run(office.bullet(HELPFUL))
    assert (found.ended, found.run.wins, found.run.losses) == (Ended.HELPS, 4, 0), "E(4, 0) = 6.2 is past the bar of 5"
    assert found.run.n < 40
    assert [(entry.wins, entry.losses, entry.ties) for entry in office.journal()] == [(4, 0, found.run.ties)]
    assert_sound(office.store)


def test_a_harmful_bullet_loses_and_a_placebo_does_neither(office: Office) -> None:
    office.report(40)
    harmful, placebo = office.run(office.bullet(HARMFUL)), office.run(office.bullet(PLACEBO), name="other", pairs=30)
    assert (harmful.ended, harmful.run.wins, harmful.run.losses) == (Ended.HARMS, 0, 3)
    assert (placebo.ended, placebo.run) == (Ended.ENOUGH, Score(ties=30))


def test_pairs_move_the_bullets_as_they_should(office: Office) -> None:
    office.report(40)
    chosen = {text: office.bullet(text) for text in (HELPFUL, HARMFUL, PLACEBO)}
    for text, one in chosen.items():
        write(office.store, *supported(one.id))
        office.run(one, name=text.split()[0].lower())
    manager = Staging(office.store, FrozenClock(), levels=GATES, policy=Policy.EVIDENCE)
    manager.advance(DOMAIN)
    stages = {text: office.store.get_many(DOMAIN, [one.id])[0].stage for text, one in chosen.items()}
    assert stages == {HELPFUL: STAGING, HARMFUL: QUARANTINED, PLACEBO: SHADOW}


def test_no_task_is_used_twice_for_a_bullet(office: Office) -> None:
    office.report(6)
    one = office.bullet(PLACEBO)
    assert office.run(one).ended == Ended.NO_TASKS
    asked = office.generator.asked
    again = office.run(one, name="again")
    assert (again.ended, again.run.n, again.total.ties) == (Ended.NO_TASKS, 0, 6)
    assert office.generator.asked == asked
    office.report(8)
    assert office.run(one, name="third").run.n == 2, "what is new since then"


def test_the_same_task_under_another_id_is_the_same_task(office: Office) -> None:
    twins = [Candidate(task=replace(task(2), id=name), key="") for name in ("a", "b")]
    assert len(office.tasks.of_file([one.task for one in twins])) == 1


def test_two_runs_of_the_same_pairs_count_once(office: Office) -> None:
    office.report(20)
    one = office.bullet(HELPFUL)
    first = office.run(one)
    with office.folder("run") as log:
        pairs = Attempts(office.generator, log).pairs(one.id)
    assert office.replays.settle(one, pairs, "rival") == Score()
    assert len(office.journal()) == 1
    assert first.total.wins == 4


@pytest.mark.parametrize("calls", range(9))
def test_a_limit_keeps_what_was_finished_and_the_run_goes_on(office: Office, calls: int) -> None:
    office.report(20)
    one, patient = office.bullet(HELPFUL), office.generator

    def limit(asked: int) -> None:
        if asked >= calls:
            raise BudgetExhausted("The limit is reached.")

    office.generator = RuleGenerator(clerk, before=limit)
    stopped = office.run(one)
    assert stopped.ended is None
    assert stopped.run.n == calls // 2 == sum(entry.wins + entry.ties for entry in office.journal())
    office.generator = patient
    whole = office.run(one)
    assert (whole.ended, whole.run.wins, whole.total.wins) == (Ended.HELPS, 4, 4)
    assert sum(entry.wins for entry in office.journal()) == 4


def test_what_a_killed_run_had_finished_is_counted_once(office: Office) -> None:
    """Killed between the run folder's line and the journal's entry."""
    office.report(20)
    one, pool = office.bullet(HELPFUL), office.tasks.stored(DOMAIN)
    with office.folder() as log:
        playing = office.replays.play(one, pool, run_id="run", pairs=40, attempts=Attempts(office.generator, log))
        kept = [next(playing) for _ in range(3)]
        assert office.journal() == []  # nothing of this process will ever get there
        lines = (log.path / "replay_pairs.jsonl").read_bytes()
        playing.close()
    (office.home / "after-kill").mkdir()
    (office.home / "after-kill" / "run.json").write_text("{}")
    (office.home / "after-kill" / "replay_pairs.jsonl").write_bytes(lines)
    found = office.run(one, name="after-kill")
    assert found.run.n >= len(kept)
    assert (found.ended, found.total.wins, sum(entry.wins for entry in office.journal())) == (Ended.HELPS, 4, 4)


def test_a_bullet_is_not_tried_on_what_it_was_learned_from(office: Office) -> None:
    office.report(4)
    by_task, by_episode = bullet(HELPFUL, task_id="t1"), bullet(PLACEBO, episode_id="e2")
    write(office.store, Add(bullet=by_task), Add(bullet=by_episode))
    pool = office.tasks.stored(DOMAIN)
    assert {one.id for one in office.tasks.fresh(by_task, pool)} == {"t0", "t2", "t3"}
    assert {one.id for one in office.tasks.fresh(by_episode, pool)} == {"t0", "t1", "t3"}


def test_nobody_judges_their_own_bullet_where_there_are_others(office: Office) -> None:
    mine = bullet(HELPFUL, principal="key-1")
    write(office.store, Add(bullet=mine))
    for number in range(4):
        office.episodes.report(reported(number, principal="key-1"))
    assert len(list(office.tasks.fresh(mine, office.tasks.stored(DOMAIN)))) == 4, "a domain of one key has no others"
    office.episodes.report(reported(9, principal="key-2"))
    assert [one.id for one in office.tasks.fresh(mine, office.tasks.stored(DOMAIN))] == ["t9"]


def test_the_majority_counts_where_a_model_is_noisy(office: Office) -> None:
    """Each third answer of this model is wrong, whatever it is shown; the harmful bullet is found all the same."""
    calls = iter(range(10_000))
    office.generator = RuleGenerator(lambda asked, shown: "noise" if next(calls) % 3 == 1 else clerk(asked, shown))
    bullets = [bullet(f"Note {number}: be friendly.") for number in range(7)] + [bullet(HARMFUL)]
    with office.folder() as log:
        trials = Trials(accused(task(2), bullets), Attempts(office.generator, log), repeat=5)
        tried = list(trials.run())
    assert trials.finding.culprits == (bullets[-1].id,)
    assert all(3 <= len(trial.answers) <= 5 for trial in tried)


def test_tasks_that_nobody_can_judge_or_that_are_far_away_make_no_pair(office: Office) -> None:
    office.report(2)
    office.episodes.report(reported(7, truth=False))
    one = office.bullet("Wash your hands before dinner.")
    assert len(office.tasks.stored(DOMAIN)) == 2
    assert list(office.tasks.fresh(one, office.tasks.stored(DOMAIN))) == []


def test_a_bullet_that_is_out_of_use_or_unknown_is_not_replayed(office: Office) -> None:
    one = office.bullet(HELPFUL)
    write(office.store, Quarantine(bullet_id=one.id, reason="test"))
    with pytest.raises(InvalidInput, match="quarantined"):
        office.replays.find(DOMAIN, one.id)
    with pytest.raises(NotFound):
        office.replays.find(DOMAIN, "strategy-aaaaaaaaaa")


def test_due_are_those_that_only_lack_pairs_and_the_nearest_come_first(office: Office) -> None:
    near, far, alone, bad, young = (office.bullet(f"{HELPFUL} {word}") for word in ("a", "b", "c", "d", "e"))
    for one in (near, far, bad):
        write(office.store, *supported(one.id))
    write(office.store, *[vote for vote in supported(alone.id) if getattr(vote, "principal", "key-1") == "key-1"])
    write(office.store, Pairs(bullet_id=near.id, wins=2, losses=0), Pairs(bullet_id=bad.id, wins=0, losses=5))
    found = office.replays.due(DOMAIN)
    assert [(one.bullet.id, one.wins_left) for one in found] == [(near.id, 2), (far.id, 4), (alone.id, 4)]
    assert found[2].lacks.startswith("1 of 2 principals")
    assert young.id not in {one.bullet.id for one in found}


def test_pairs_that_are_rolled_back_are_no_evidence_and_their_tasks_stay_used(office: Office) -> None:
    office.report(20)
    one = office.bullet(HELPFUL)
    before = office.store.head(DOMAIN).seq
    office.run(one)
    write(office.store, Rollback(to=before, reason="test"))
    after = office.run(one, name="after")
    assert after.total.wins == after.run.wins


@pytest.fixture
def compare(office: Office) -> Callable[[int, int], list[ReplayPair]]:
    travel = TimeTravel(office.store, Releases(office.store, InMemoryReleases(), FrozenClock()))
    showing = Showing(embedder=HashEmbedder(), stages=set(PlaybookStage), floor=0.2, trust_weight=0.1, k=3)

    def run(old: int, new: int) -> list[ReplayPair]:
        arms = (showing.of(DOMAIN, travel.as_of(DOMAIN, str(position))) for position in (old, new))
        with office.folder(f"{old}-{new}") as log:
            attempts = Attempts(office.generator, log)
            return list(release_replays.compare([task(n) for n in range(40)], *arms, subject="x", bar=20.0,
                                                attempts=attempts))  # fmt: skip

    return run


def test_the_better_state_of_a_playbook_wins(office: Office, compare: Callable[[int, int], list[ReplayPair]]) -> None:
    office.bullet(PLACEBO)
    office.bullet(HELPFUL)
    better, worse, same = compare(1, 2), compare(2, 1), compare(2, 2)
    assert release_replays.figures(better, 20.0)["verdict"] == "better"
    assert release_replays.figures(worse, 20.0)["verdict"] == "worse"
    assert len(better) < 40
    figures = release_replays.figures(same, 20.0)
    assert (figures["verdict"], figures["same_context"], figures["pairs"]["ties"]) == ("undecided", 40, 40)


def test_a_comparison_asked_again_asks_nothing(office: Office, compare: Callable[[int, int], list[ReplayPair]]) -> None:
    office.bullet(HELPFUL)
    first, asked = compare(0, 1), office.generator.asked
    assert compare(0, 1) == first
    assert office.generator.asked == asked
