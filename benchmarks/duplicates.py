"""How many near-duplicates does a playbook hold after 1,000 learned episodes? `python -m benchmarks.duplicates`

Each episode teaches one lesson: 800 are advice in various wordings, its opposites and other advice
(benchmarks/data/bullet_pairs.jsonl), 200 are solved tasks of the demo, written down by the template. They are learned
in three ways, and counted before and after refinement:

    add only       every lesson becomes a bullet, as in the paper's reference code
    cosine         what is nearer than 0.8 is merged, whatever it says
    second look    as ACE does it

    near_duplicates   share of the bullets in use beside which an older one in use has cosine >= 0.8 and says the same,
                      as the second look judges
    labelled          the same by the labels of the data alone: another wording of it is in use, at any cosine
    labelled_near     of these, those with a cosine >= 0.8
    archived          by what the labels call the two texts; `unlabelled`: nobody compared them
    second_run        operations of another refinement

Two lines of JSON for each way.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence

from ace.core.checking import check
from ace.core.ports import Pair, SecondLook
from ace.core.similarity import Relation
from ace.curator.semantic_curator import CosineRule, SemanticCurator
from ace.models.insight import Delta, Insight
from ace.models.playbook import IN_USE, Bullet, normalise
from ace.models.task import Trajectory
from ace.reflector.template_reflector import TemplateReflector
from ace.services.refining import NEAR_DUPLICATE, Refining
from ace.testing.clock import FrozenClock
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.utils.datasets import demo_files, load
from ace.utils.embeddings import CachedEmbedder, LocalEmbedder
from ace.utils.nli import NliSecondLook
from benchmarks import curator_pairs

DOMAIN, MODELS = "duplicates", curator_pairs.MODELS
ADVICE, SOLVED, SEED = 800, 200, 0
WORDING = "paraphrase"


class AddOnly:
    """The second look of a playbook that merges nothing."""

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        return [Relation.DIFFERENT] * len(pairs)


class Labels:
    """What people said of the texts."""

    def __init__(self) -> None:
        self.pairs = {frozenset((normalise(p.a), normalise(p.b))): p.label for p in curator_pairs.load()}
        self._group: dict[str, str] = {}
        for pair, label in self.pairs.items():
            if label == WORDING and len(pair) == 2:
                one, other = (self.group(text) for text in sorted(pair))
                self._group[other] = one

    def group(self, text: str) -> str:
        """The same for all wordings of one piece of advice."""
        while (other := self._group.get(text, text)) != text:
            text = other
        return text

    def said_twice(self, bullets: Sequence[Bullet]) -> int:
        return len(bullets) - len({self.group(bullet.content) for bullet in bullets})

    def of(self, one: str, other: str) -> str:
        if self.group(one) == self.group(other):
            return WORDING
        return self.pairs.get(frozenset((one, other)), "unlabelled")


def lessons() -> list[Delta]:
    """A thousand episodes, in an order drawn once."""
    draw = random.Random(SEED)
    advice = sorted({normalise(text) for pair in curator_pairs.load() for text in (pair.a, pair.b)})
    deltas = [Delta(episode_id=f"a{at}", insights=(Insight(content=text),))
              for at, text in enumerate(draw.sample(advice, ADVICE))]  # fmt: skip
    tasks = [task for file in demo_files() for task in load(file).tasks]
    for at in range(SOLVED):
        task = tasks[at % len(tasks)]
        trajectory = Trajectory(task_id=task.id, episode_id=f"t{at}", answer="")
        deltas.append(TemplateReflector().reflect(task, trajectory, check(task, ""), ()))
    draw.shuffle(deltas)
    return deltas


class World:
    """A playbook, who learns into it, and who refines it."""

    def __init__(self, learner: SecondLook, judge: SecondLook, embedder: CachedEmbedder) -> None:
        self.store, clock, self._judge, self._embedder = InMemoryPlaybook(), FrozenClock(), judge, embedder
        index = ExactIndex(self.store)
        self.curator = SemanticCurator(
            store=self.store, index=index, embedder=embedder, second_look=learner, clock=clock
        )
        self.refining = Refining(self.store, index, judge, clock)

    def in_use(self) -> list[Bullet]:
        return [bullet for bullet in self.store.get_all(DOMAIN) if bullet.stage in IN_USE]

    def near_duplicates(self, labels: Labels) -> tuple[int, int]:
        """Bullets beside which a near older one says the same: as the second look judges, and by the labels."""
        bullets = self.in_use()
        vectors = self.store.vectors(DOMAIN, [bullet.id for bullet in bullets])
        cosines = vectors @ vectors.T
        near = [
            (at, older) for at in range(len(bullets)) for older in range(at) if cosines[at, older] >= NEAR_DUPLICATE
        ]
        asked = [
            Pair(left=bullets[at].content, right=bullets[older].content, cosine=float(cosines[at, older]))
            for at, older in near
        ]
        judged = zip(near, self._judge.judge(asked), strict=True)
        labelled = {
            at for (at, _), pair in zip(near, asked, strict=True) if labels.of(pair.left, pair.right) == WORDING
        }
        return len({at for (at, _), relation in judged if relation == Relation.SAME}), len(labelled)


def figures(world: World, labels: Labels) -> dict[str, object]:
    bullets, (near, labelled_near) = world.in_use(), world.near_duplicates(labels)
    twice = labels.said_twice(bullets)
    return {"in_use": len(bullets), "near_duplicates": near, "near_duplicates_share": round(near / len(bullets), 4),
            "labelled": twice, "labelled_share": round(twice / len(bullets), 4),
            "labelled_near": labelled_near, "labelled_near_share": round(labelled_near / len(bullets), 4)}  # fmt: skip


def main() -> None:
    labels, judge, learned = Labels(), NliSecondLook(MODELS), lessons()
    embedder = CachedEmbedder(LocalEmbedder(MODELS))
    ways: dict[str, SecondLook] = {"add only": AddOnly(), "cosine": CosineRule(), "second look": judge}
    for name, learner in ways.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        world, started = World(learner, judge, embedder), time.perf_counter()
        for delta in learned:
            world.curator.apply_delta(delta, DOMAIN)
        print(json.dumps({"learned": name, "refined": False, "episodes": len(learned),
                          "seconds": round(time.perf_counter() - started, 1), **figures(world, labels)}),
              flush=True)  # fmt: skip
        started = time.perf_counter()
        done, texts = world.refining.refine(DOMAIN), {one.id: one.content for one in world.store.get_all(DOMAIN)}
        seconds = time.perf_counter() - started
        kinds = Counter(labels.of(texts[one.bullet_id], texts[one.superseded_by or ""]) for one in done.archived)
        again = world.refining.refine(DOMAIN).operations
        print(json.dumps({"learned": name, "refined": True, "seconds": round(seconds, 1), "judged": done.judged,
                          **figures(world, labels), "archived": dict(kinds), "second_run": len(again)}),
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
