"""What a person rejected is not proposed again in other words: with the real embedder and second look, measured.

The second look's mistakes are this memory's too: one opposite in eight is taken for what was rejected.
"""

from __future__ import annotations

from pathlib import Path

from ace.core.ports import SecondLook
from ace.core.review import Policy
from ace.core.statistics import share
from ace.curator.semantic_curator import SemanticCurator
from ace.models.insight import Delta, Insight
from ace.models.plan import Outcome
from ace.models.review import ReviewMode
from ace.services.review import Reviews
from ace.testing.clock import FrozenClock
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.testing.reviews import InMemoryReviews
from ace.utils.embeddings import CachedEmbedder, LocalEmbedder
from ace.utils.nli import NliSecondLook
from benchmarks.curator_pairs import LabelledPair, load

PAIRS = 90  # of each kind, spread over the topics nothing was tuned on


def test_most_rewordings_of_a_rejected_insight_are_known_and_few_others_are(models_dir: Path) -> None:
    look, embedder = NliSecondLook(models_dir), CachedEmbedder(LocalEmbedder(models_dir))
    found = {
        label: [_is_rejected(pair, look, embedder) for pair in _some(label)]
        for label in ("paraphrase", "contradiction", "different")
    }
    for label, rejected in found.items():
        known = share(sum(rejected), len(rejected))
        print(f"{label:<14} taken for what was rejected: {known.value:.0%} ({known.low:.0%} to {known.high:.0%})")
    assert sum(found["paraphrase"]) >= 0.8 * len(found["paraphrase"])
    assert sum(found["contradiction"]) <= 0.2 * len(found["contradiction"])
    assert sum(found["different"]) <= 0.15 * len(found["different"])


def _some(label: str) -> list[LabelledPair]:
    pairs = [pair for pair in load() if pair.split == "test" and pair.label == label]
    return pairs[:: max(len(pairs) // PAIRS, 1)][:PAIRS]


def _is_rejected(pair: LabelledPair, look: SecondLook, embedder: CachedEmbedder) -> bool:
    """Somebody proposes the one text, a person rejects it, somebody proposes the other."""
    store = InMemoryPlaybook()
    queue, clock = InMemoryReviews(store), FrozenClock()
    curator = SemanticCurator(store=store, index=ExactIndex(store), embedder=embedder, second_look=look, clock=clock,
                              reviews=queue, policy=Policy(mode=ReviewMode.FULL))  # fmt: skip
    doubtful = Delta(episode_id="e1", insights=(Insight(content=pair.a, confidence=0.1),))
    (held,) = curator.apply_delta(doubtful, "d").outcomes
    Reviews(store=store, queue=queue, curator=curator, clock=clock).reject("d", held.bullet_id, "no", by="me")
    (again,) = curator.apply_delta(Delta(episode_id="e2", insights=(Insight(content=pair.b),)), "d").outcomes
    return again.outcome == Outcome.REJECTED
