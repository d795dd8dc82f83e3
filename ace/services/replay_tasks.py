"""The tasks a bullet can be tried on: stored episodes whose right answer is known, nearest to the bullet first.

left out     why
no truth     nobody could tell whether an answer is right
far away     no context would show the bullet to them (`floor`, a cosine)
its own      the task the bullet was learned from: the bullet may hold its answer
its own key  reported by the key that the bullet came from, where others have reported too: nobody judges what is theirs
used         a pair of this bullet, model and task has been counted before
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ace.core.pairing import judgeable, learned_from, pair_key, task_key
from ace.core.ports import Embedder, EpisodeQueue, PlaybookStore
from ace.core.sampling import batches
from ace.models.episode import Episode, EpisodeStatus
from ace.models.playbook import Bullet
from ace.models.task import Task

POOL = 2000  # the newest stored tasks that are looked through: embedding them takes seconds
PAGE = 1000
BATCH = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A task that can be judged, and the episode it is from and who reported that, if it is from one."""

    task: Task
    key: str
    episode_id: str = ""
    principal: str | None = None


class ReplayTasks:
    """Tasks of one store's domains."""

    def __init__(
        self, *, store: PlaybookStore, episodes: EpisodeQueue, embedder: Embedder, model: str, floor: float
    ) -> None:
        self._store, self._episodes, self._embedder = store, episodes, embedder
        self._model, self._floor = model, floor

    def of_file(self, tasks: Iterable[Task]) -> list[Candidate]:
        """Those of a file's tasks that can be judged, each once."""
        return _once(Candidate(task=task, key=task_key(task)) for task in tasks if judgeable(task))

    def stored(self, domain_id: str) -> list[Candidate]:
        """The newest tasks reported in the domain that can be judged, each once."""
        newest = sorted(self._statuses(domain_id), key=lambda status: (-status.reported_at, status.id))
        found = (self._episodes.get(domain_id, status.id) for status in newest[:POOL])
        candidates = (_candidate(episode) for episode in found if episode)
        return _once(one for one in candidates if judgeable(one.task))

    def fresh(self, bullet: Bullet, pool: Sequence[Candidate]) -> Iterator[Task]:
        """The tasks this bullet has not been tried on, nearest first."""
        own = self._learned_from(bullet, pool)
        near = self._nearest(bullet, [one for one in _of_others(bullet, pool) if one.key not in own])
        for some in batches(near, BATCH):
            used = self.used(bullet, [one.key for one in some])
            yield from (one.task for one in some if one.key not in used)

    def used(self, bullet: Bullet, keys: Sequence[str]) -> set[str]:
        """Which of these tasks have made a pair of this bullet."""
        with self._store.transaction(bullet.domain_id) as transaction:
            return {key for key in keys if transaction.recall(self.mark(bullet, key), key) is not None}

    def mark(self, bullet: Bullet, key: str) -> str:
        """The idempotency key of the bullet's pair on the task of this key."""
        return pair_key(bullet.id, self._model, key)

    def _learned_from(self, bullet: Bullet, pool: Sequence[Candidate]) -> set[str]:
        """The keys of the tasks the bullet was learned from."""
        known = {one.key for one in pool if learned_from(bullet.origin, one.task, one.episode_id)}
        episode = self._episodes.get(bullet.domain_id, bullet.origin.episode_id or "")
        return known | ({task_key(known_task(episode))} if episode else set())

    def _nearest(self, bullet: Bullet, candidates: Sequence[Candidate]) -> list[Candidate]:
        if not candidates:
            return []
        own = self._embedder.embed([bullet.content])[0]
        cosines = [
            float(cosine)
            for some in batches(candidates, BATCH)
            for cosine in self._embedder.embed([one.task.question for one in some]) @ own
        ]
        ranked = sorted(zip(cosines, candidates, strict=True), key=lambda found: (-found[0], found[1].key))
        return [one for cosine, one in ranked if cosine >= self._floor]

    def _statuses(self, domain_id: str) -> Iterator[EpisodeStatus]:
        page = self._episodes.list(domain_id, limit=PAGE)
        while page:
            yield from page
            page = self._episodes.list(domain_id, limit=PAGE, after=page[-1].id)


def known_task(episode: Episode) -> Task:
    """The episode's task with the right answer, where the report told it."""
    truth = episode.task.ground_truth
    return replace(episode.task, ground_truth=episode.feedback.expected if truth is None else truth)


def _candidate(episode: Episode) -> Candidate:
    task = known_task(episode)
    return Candidate(task=task, key=task_key(task), episode_id=episode.id, principal=episode.principal)


def _of_others(bullet: Bullet, pool: Sequence[Candidate]) -> Sequence[Candidate]:
    """The tasks that others reported than the key the bullet came from; all of them where there are no others."""
    by = bullet.origin.principal
    return [one for one in pool if by is None or one.principal != by] or pool


def _once(candidates: Iterable[Candidate]) -> list[Candidate]:
    return list({one.key: one for one in candidates}.values())
