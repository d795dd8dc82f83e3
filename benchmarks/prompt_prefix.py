"""How much of a prompt is the same as the one before it, while learning goes on? `python -m benchmarks.prompt_prefix`

    retrieved    each of 100 tasks is shown the 5 bullets nearest to it; after each a lesson is merged
    whole        the same with every bullet there is, oldest first, so that a new one comes last
    paper        the same as `render_playbook` writes it: by section and id, with counters

Share: characters of the common beginning of a prompt and the one before it, by the prompt's own length. That is what
a server's prefix cache can keep. The tasks are the demo's (ace/data/demo), the lessons those of the template.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean

from ace.core.checking import check
from ace.core.rendering import render_context, render_playbook
from ace.curator.semantic_curator import CosineRule, SemanticCurator
from ace.generator.prompts import LAYOUTS, narrowed
from ace.models.playbook import Bullet, PlaybookStage
from ace.models.task import Task, Trajectory
from ace.reflector.template_reflector import TemplateReflector
from ace.services.retrieval import Retrieval
from ace.testing.clock import FrozenClock
from ace.testing.index import ExactIndex
from ace.testing.playbook import InMemoryPlaybook
from ace.utils.datasets import demo_files, load
from ace.utils.embeddings import CachedEmbedder, LocalEmbedder
from ace.utils.llm_adapter import CompactAdapter

DOMAIN, K = "prefix", 5
MODELS = Path(".ace/models")

Show = Callable[[str], tuple[list[Bullet], str]]


class World:
    """A playbook that grows with every task."""

    def __init__(self) -> None:
        embedder = CachedEmbedder(LocalEmbedder(MODELS))
        self.store = InMemoryPlaybook()
        index = ExactIndex(self.store)
        self.retrieval = Retrieval(
            index=index, embedder=embedder, stages=set(PlaybookStage), floor=0.2, trust_weight=0.1
        )
        self.curator = SemanticCurator(store=self.store, index=index, embedder=embedder, second_look=CosineRule(),
                                       clock=FrozenClock())  # fmt: skip

    def retrieved(self, question: str) -> tuple[list[Bullet], str]:
        found = self.retrieval.context(DOMAIN, question, k=K)
        return [scored.bullet for scored in found.bullets], found.text

    def whole(self, question: str, render: Callable[[list[Bullet]], str]) -> tuple[list[Bullet], str]:
        del question
        bullets = self.store.get_all(DOMAIN)
        return bullets, render(bullets)

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


def main() -> None:
    """Print a line for each way to show bullets."""
    tasks = load(demo_files()[0]).tasks[:100]
    for name in ("retrieved", "whole", "paper"):
        world = World()
        ways: dict[str, Show] = {
            "retrieved": world.retrieved,
            "whole": partial(world.whole, render=render_context),
            "paper": partial(world.whole, render=render_playbook),
        }
        found = shares(ways[name], world.learn, tasks)
        last = mean(found[-20:])
        print(json.dumps({"prompt": name, "tasks": len(tasks), "stable_share": round(mean(found), 3),
                          "last_20": round(last, 3), "worst": round(min(found), 3)}))  # fmt: skip


if __name__ == "__main__":
    main()
