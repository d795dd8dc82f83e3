"""How much of a prompt is the same as the one before it, while learning goes on? `python -m benchmarks.prompt_prefix`

    retrieved    each of 100 tasks is shown the 5 bullets nearest to it; after each a lesson is merged
    by birth     the same five, the oldest first
    whole        the same with every bullet there is, oldest first, so that a new one comes last (ACE_SELECTION=whole)
    paper        every bullet as `render_playbook` writes it: by section and id, with counters

Then what a request for the whole playbook costs the service, of 1,000 bullets in SQLite, with lots drawn (production).

Share: characters of the common beginning of a prompt and the one before it, by the prompt's own length. That is what
a server's prefix cache can keep. The tasks are the demo's (ace/data/demo), the lessons those of the template.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

import numpy as np

from ace.core.checking import check
from ace.core.exposure import Draws, Shares
from ace.core.rendering import render_context, render_playbook
from ace.curator.semantic_curator import CosineRule, SemanticCurator
from ace.generator.prompts import LAYOUTS, narrowed
from ace.models.plan import Add, Increment, Operation, Promote
from ace.models.playbook import IN_USE, Bullet, PlaybookStage, Section, Selection, Traffic, bullet_id
from ace.models.task import Task, Trajectory
from ace.reflector.template_reflector import TemplateReflector
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.schema import require_head
from ace.services.retrieval import Retrieval
from ace.services.whole import Whole
from ace.testing.clock import FrozenClock
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.utils.datasets import demo_files, load
from ace.utils.embeddings import CachedEmbedder, LocalEmbedder
from ace.utils.llm_adapter import CompactAdapter
from benchmarks.corpus import strategy_bullets
from benchmarks.world import timed

DOMAIN, K = "prefix", 5
BULLETS, RUNS = 1000, 100
MODELS = Path(".ace/models")

Show = Callable[[str], tuple[list[Bullet], str]]


class World:
    """A playbook that grows with every task."""

    def __init__(self) -> None:
        embedder = CachedEmbedder(LocalEmbedder(MODELS))
        self.store = InMemoryPlaybook()
        index = ExactIndex(self.store)
        self.retrieval = Retrieval(
            index=index,
            embedder=embedder,
            stages=set(PlaybookStage),
            floor=0.2,
            trust_weight=0.1,
            whole=Whole(self.store),
        )
        self.curator = SemanticCurator(store=self.store, index=index, embedder=embedder, second_look=CosineRule(),
                                       clock=FrozenClock())  # fmt: skip

    def retrieved(self, question: str) -> tuple[list[Bullet], str]:
        found = self.retrieval.context(DOMAIN, question, k=K)
        return [scored.bullet for scored in found.bullets], found.text

    def by_birth(self, question: str) -> tuple[list[Bullet], str]:
        """The same bullets, the oldest first."""
        bullets, _ = self.retrieved(question)
        place = {bullet.id: at for at, bullet in enumerate(self.store.get_all(DOMAIN))}
        ordered = sorted(bullets, key=lambda bullet: place[bullet.id])
        return ordered, render_context(ordered)

    def whole(self, question: str) -> tuple[list[Bullet], str]:
        found = self.retrieval.context(DOMAIN, question, k=K, selection=Selection.WHOLE)
        return [scored.bullet for scored in found.bullets], found.text

    def paper(self, question: str) -> tuple[list[Bullet], str]:
        del question
        bullets = self.store.get_all(DOMAIN)
        return bullets, render_playbook(bullets)

    def learn(self, task: Task) -> None:
        trajectory = Trajectory(task_id=task.id, episode_id=task.id, answer="")
        delta = TemplateReflector().reflect(task, trajectory, check(task, ""), ())
        self.curator.apply_delta(delta, DOMAIN)


def shares(show: Show, learn: Callable[[Task], None], tasks: tuple[Task, ...]) -> list[float]:
    """The share of each prompt that the one before it began with, the first prompt left out."""
    found, before = [], ""
    for task in tasks:
        prompt = _prompt(task, *show(task.question))
        if before:
            found.append(_common(before, prompt) / len(prompt))
        before = prompt
        learn(task)
    return found


def _common(one: str, other: str) -> int:
    """How many characters two texts begin alike with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def _prompt(task: Task, bullets: list[Bullet], text: str) -> str:
    signature = narrowed(LAYOUTS["full"].signature, task.options, tuple(bullet.id for bullet in bullets))
    inputs = {"context": task.context, "playbook": text, "hint": "", "question": task.question}
    messages = CompactAdapter().format(signature, [], inputs)
    return "\n".join(message["content"] for message in messages)


def proven(text: str) -> list[Operation]:
    """A bullet that has come to PROD."""
    bullet = Bullet(id=bullet_id(DOMAIN, Section.STRATEGY, text), domain_id=DOMAIN, content=text)
    to = (PlaybookStage.STAGING, PlaybookStage.PROD)
    return [Add(bullet=bullet), *(Promote(bullet_id=bullet.id, to=stage, reason="benchmark") for stage in to)]


def costs(folder: Path) -> dict[str, float]:
    """Milliseconds of a request for a whole playbook (p50)."""
    database = Database(f"sqlite:///{folder / 'ace.db'}")
    store, texts = PlaybookRepository(require_head(database)), strategy_bullets(BULLETS + 2 * RUNS)
    spare = iter(texts[BULLETS:])

    def write(*operations: Operation) -> None:
        vectors = {one.bullet.id: np.ones(8, np.float32) for one in operations if isinstance(one, Add)}
        with store.transaction(DOMAIN) as transaction:
            transaction.apply(operations, vectors=vectors, now=FrozenClock().now())

    write(*(operation for text in texts[:BULLETS] for operation in proven(text)))
    whole, first = Whole(store), store.get_all(DOMAIN)[0].id

    def ask(session: str) -> None:
        draws = Draws(unit=session, traffic=Traffic.PRODUCTION, shares=Shares(holdout=0.0, salt="s"))
        whole.context(DOMAIN, stages=IN_USE, token_budget=10**6, draws=draws)

    def after(*operations: Operation, session: str) -> float:
        write(*operations)
        started = time.perf_counter()
        ask(session)
        return 1000 * (time.perf_counter() - started)

    found = {"same session": timed(lambda _: ask("s"), RUNS).p50, "new session": timed(lambda n: ask(f"{n}"), RUNS).p50}
    votes = [after(Increment(bullet_id=first, episode_id=f"e{n}", helpful=1), session=f"v{n}") for n in range(RUNS)]
    grown = [after(*proven(next(spare)), session=f"g{n}") for n in range(RUNS)]
    database.close()
    return found | {"new session, after a vote": median(votes), "new session, after a new bullet": median(grown)}


def main() -> None:
    """Print a line for each way to show bullets, and one for the cost."""
    with TemporaryDirectory() as folder:
        rounded = {name: round(ms, 2) for name, ms in costs(Path(folder)).items()}
    print(json.dumps({"request": "whole", "bullets": BULLETS, "ms_p50": rounded}), flush=True)
    tasks = load(demo_files()[0]).tasks[:100]
    for name in ("retrieved", "by birth", "whole", "paper"):
        world = World()
        ways: dict[str, Show] = {
            "retrieved": world.retrieved,
            "by birth": world.by_birth,
            "whole": world.whole,
            "paper": world.paper,
        }
        found = shares(ways[name], world.learn, tasks)
        last = mean(found[-20:])
        print(json.dumps({"prompt": name, "tasks": len(tasks), "stable_share": round(mean(found), 3),
                          "last_20": round(last, 3), "worst": round(min(found), 3)}))  # fmt: skip


if __name__ == "__main__":
    main()
