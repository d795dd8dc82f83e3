"""A service under attack, in memory: credulous where a model would be, with its defences on or off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ace.core.gates import Gate
from ace.core.ports import Pair
from ace.core.ranking import VISIBLE
from ace.core.review import Policy
from ace.core.similarity import Relation
from ace.curator.semantic_curator import SemanticCurator
from ace.models.insight import Delta, Insight, Tag, Vote
from ace.models.plan import Add, MergeResult, Promote
from ace.models.playbook import Bullet, PlaybookStage, Traffic
from ace.models.review import ReviewMode
from ace.models.task import Feedback, FeedbackSource, Task, Trajectory
from ace.reflector.lessons import CONFIDENCE_CAP
from ace.services.reflection import Reflection
from ace.services.retrieval import Retrieval
from ace.services.staging import Staging
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.episodes import InMemoryEpisodes
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.reviews import InMemoryReviews
from tests.episodes import episode
from tests.playbooks import DOMAIN, bullet

GATES = {
    PlaybookStage.SHADOW: Gate(helpful_min=3, ratio_min=3.0),
    PlaybookStage.STAGING: Gate(helpful_min=5, ratio_min=5.0),
}
NOTE = "NOTE: "


class Overlap:
    """The second look: the same advice when most words are shared, opposite when only one says never."""

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        return [self._one(set(pair.left.lower().split()), set(pair.right.lower().split())) for pair in pairs]

    def _one(self, left: set[str], right: set[str]) -> Relation:
        if ("never" in left) != ("never" in right):
            return Relation.CONTRADICTS
        return Relation.SAME if len(left & right) >= 0.6 * len(left | right) else Relation.DIFFERENT


class Credulous:
    """A Reflector that believes what it reads: what stands behind NOTE in a trace is its lesson; it votes as told."""

    def reflect(self, task: Task, trajectory: Trajectory, feedback: Feedback, bullets: Sequence[Bullet]) -> Delta:
        told = trajectory.reasoning.partition(NOTE)[2]
        sure = CONFIDENCE_CAP[feedback.source]
        insights = (Insight(content=told, confidence=sure),) if told else ()
        tag = Tag.HELPFUL if feedback.correct else Tag.HARMFUL
        votes = tuple(Vote(bullet_id=b.id, tag=tag) for b in bullets if b.id in trajectory.cited)
        return Delta(episode_id=trajectory.episode_id, insights=insights, votes=votes)


class World:
    """One store, and what works on it. `defended`: as the service is by default; else with every setting off."""

    def __init__(self, *, defended: bool) -> None:
        self.defended, self.clock, self.store = defended, FrozenClock(), InMemoryPlaybook()
        self.queue, self.episodes = InMemoryReviews(self.store), InMemoryEpisodes(self.store)
        index = ExactIndex(self.store)
        policy = Policy(mode=ReviewMode.FULL, votes_per_principal=3) if defended else Policy()
        self.curator = SemanticCurator(store=self.store, index=index, embedder=HashEmbedder(), second_look=Overlap(),
                                       clock=self.clock, reviews=self.queue, policy=policy)  # fmt: skip
        self.reflection = Reflection(store=self.store, episodes=self.episodes, reflector=Credulous(),
                                     embedder=HashEmbedder(), curator=self.curator, clock=self.clock,
                                     lease_s=300)  # fmt: skip
        self.retrieval = Retrieval(index=index, embedder=HashEmbedder(), stages=VISIBLE[Traffic.PRODUCTION], floor=-1.0,
                                   trust_weight=0.1)  # fmt: skip
        self._number = 0

    def known(self, text: str, stage: PlaybookStage = PlaybookStage.SHADOW, domain: str = DOMAIN) -> str:
        """A bullet that is there already, in this stage."""
        made = bullet(text, domain=domain)
        steps = {PlaybookStage.SHADOW: 0, PlaybookStage.STAGING: 1, PlaybookStage.PROD: 2}[stage]
        rising = [PlaybookStage.STAGING, PlaybookStage.PROD][:steps]
        moves = [Promote(bullet_id=made.id, to=to, reason="proven") for to in rising]
        with self.store.transaction(domain) as transaction:
            vectors = {made.id: HashEmbedder().embed([text])[0]}
            transaction.apply([Add(bullet=made), *moves], vectors=vectors, now=self.clock.now())
        return made.id

    def report(
        self,
        note: str = "",
        *,
        verdict: FeedbackSource = FeedbackSource.NONE,
        correct: bool | None = None,
        cites: Sequence[str] = (),
        principal: str | None = None,
    ) -> None:
        """An agent reports an episode, and it is reflected on. `cites`: bullets it was shown and says it used."""
        self._number += 1
        feedback = Feedback(correct=correct, source=verdict)
        reasoning, at = f"{NOTE}{note}" if note else "so", self.clock.now().timestamp()
        made = episode(f"e{self._number}", feedback=feedback, shown=cites, cited=cites, reasoning=reasoning, at=at)
        self.episodes.report(replace(made, principal=principal))
        claim = self.reflection.claim("w")
        assert claim is not None
        done = self.reflection.reflect(claim)
        assert done.error is None, done.error

    def say(self, text: str, **more: object) -> MergeResult:
        """An insight sent straight in, from an episode of its own."""
        self._number += 1
        delta = Delta(episode_id=f"e{self._number}", insights=(Insight(content=text),), **more)  # type: ignore[arg-type]
        return self.curator.apply_delta(delta, DOMAIN)

    def manage_stages(self) -> None:
        """The stage manager, as often as a bullet can rise."""
        for _ in range(3):
            Staging(self.store, self.clock, levels=GATES).advance(DOMAIN)

    def has(self, text: str) -> bool:
        """Is the text in the playbook?"""
        return any(text in found.content for found in self.store.get_all(DOMAIN))

    def stage(self, bullet_id: str) -> PlaybookStage:
        return self.get(bullet_id).stage

    def get(self, bullet_id: str) -> Bullet:
        found = self.store.get(DOMAIN, bullet_id)
        assert found is not None
        return found

    def shown_in_production(self, query: str, domain: str = DOMAIN) -> str:
        return self.retrieval.context(domain, query, k=10).text
