"""DSPy: a playbook around any program, and an optimizer that fills it.

    program = WithPlaybook(program, Playbook("support"))          shows the bullets that fit, says which were cited
    compiled = ACE(metric=metric, domain="support").compile(program, trainset=train, valset=dev)

What `ACE` does       with what
for each epoch        the examples, shuffled by seed + epoch
  for each batch      run beside each other with the playbook as the batch found it; each is reported, with its receipt
                      what was reported is reflected on and merged: here, or at a server by its ace-reflector
  validate            dspy.Evaluate; at the end the playbook goes back to where it did best, unless others wrote to it
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ace.core.sampling import batches, shuffled
from ace.errors import BudgetExhausted, InvalidInput
from ace.integrations.dspy_program import WithPlaybook, worded
from ace.integrations.needs import needs
from ace.sdk.learner import Learner
from ace.sdk.playbook import Playbook

with needs("dspy"):
    import dspy
    from dspy.teleprompt.teleprompt import Teleprompter
    from dspy.utils.parallelizer import ParallelExecutor
    from tqdm import tqdm

__all__ = ["ACE", "Compiled", "Validated", "WithPlaybook"]
RUN = re.compile(r"[\w.-]{1,60}", re.ASCII)
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Validated:
    """How the program did on the validation set, in percent, with the playbook as of a position of its journal."""

    epoch: int
    position: int
    score: float


@dataclass(kw_only=True, slots=True)
class Compiled:
    """What compiling came to: `learned` counts bullets added, insights merged or held, and votes.

    `stopped` says which limit ended it; then nothing is rolled back. `kept` is where the playbook went back to.
    """

    run: str
    metric_calls: int = 0
    validations: list[Validated] = field(default_factory=list)
    learned: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    kept: Validated | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    id: str
    example: Any


class ACE(Teleprompter):  # type: ignore[misc]  # DSPy ships no types
    """Learns a playbook for a program from a training set.

    metric             gives a bool, a number, or a `dspy.Prediction` with score and feedback, as for GEPA;
                       from `metric_threshold` on an answer counts as right
    verifier           who judges, where it is neither the labels nor a test: "llm_judge", "human" …
    reflection_lm      writes the lessons, else `dspy.settings.lm`; at a server it is the ace-reflector there,
                       which is waited for `patience_s` an episode
    max_metric_calls   ends it politely
    run                a name to go on under: what was reported under it is not run again
    seed               with `num_threads=1` the same seed gives the same playbook
    options            those of `WithPlaybook`
    """

    def __init__(
        self,
        metric: Callable[..., Any],
        *,
        domain: str | None = None,
        playbook: Playbook | None = None,
        epochs: int = 1,
        batch_size: int = 4,
        metric_threshold: float = 1.0,
        verifier: str | None = None,
        reflection_lm: Any = None,
        max_metric_calls: int | None = None,
        max_errors: int | None = None,
        num_threads: int | None = None,
        failure_score: float = 0.0,
        seed: int = 0,
        run: str | None = None,
        patience_s: float = 600.0,
        display_progress: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        self.playbook = playbook or Playbook(_given(domain))
        if reflection_lm is not None and self.playbook.app is None:
            raise InvalidInput("reflection_lm", "is not asked at a server", "Set the model of its ace-reflector")
        if run is not None and not RUN.fullmatch(run):
            raise InvalidInput("run", f"{run[:80]!r} is no name of a run", "Use 1-60 letters, digits and . _ -")
        self.metric, self.metric_threshold, self.verifier = _two_of(metric), metric_threshold, verifier
        self.epochs, self.batch_size, self.seed, self.run = epochs, batch_size, seed, run
        self.reflection_lm, self.patience_s, self.options = reflection_lm, patience_s, options
        self.max_metric_calls, self.max_errors, self.num_threads = max_metric_calls, max_errors, num_threads
        self.failure_score, self.display_progress = failure_score, display_progress

    def compile(
        self, student: Any, *, trainset: list[Any], teacher: Any = None, valset: list[Any] | None = None
    ) -> WithPlaybook:
        """The student with its playbook; `detailed_results` say how it came about. Raises UserError, Outage."""
        if teacher is not None:
            raise InvalidInput("teacher", "is not used", "Leave it out")
        if not trainset:
            raise InvalidInput("trainset", "is empty", "Give it examples")
        student = student.program if isinstance(student, WithPlaybook) else student
        program = WithPlaybook(student.deepcopy(), self.playbook, **{**self.options, "traffic": "shadow"})
        done = Compiled(run=self.run or f"dspy-{uuid.uuid4().hex[:12]}")
        try:
            self._train(done, program, trainset, valset or [])
        except BudgetExhausted as limit:
            done.stopped = str(limit)
        compiled = WithPlaybook(student.deepcopy(), self.playbook, **self.options)
        compiled._compiled, compiled.detailed_results = True, done
        return compiled

    def _train(self, done: Compiled, program: WithPlaybook, trainset: list[Any], valset: list[Any]) -> None:
        items = [_Item(f"{number}-{_digest(example)}", example) for number, example in enumerate(trainset)]
        self._validate(done, 0, program, valset)
        steps = tqdm(total=self.epochs * len(items), desc="ACE", disable=not self.display_progress)
        with Learner(self.playbook, lm=self._writer(), patience_s=self.patience_s) as learner, steps:
            beside = ParallelExecutor(num_threads=self.num_threads, max_errors=self.max_errors,
                                      disable_progress_bar=True, timeout=0)  # fmt: skip
            for epoch in range(1, self.epochs + 1):
                for batch in batches(shuffled(items, self.seed + epoch), self.batch_size):
                    self._learn(
                        done, {f"{done.run}:{epoch}:{item.id}": item for item in batch}, program, learner, beside
                    )
                    steps.update(len(batch))
                    steps.set_postfix(done.learned)
                self._validate(done, epoch, program, valset)
            self._keep_best(done, learner)

    def _learn(
        self, done: Compiled, batch: Mapping[str, _Item], program: WithPlaybook, learner: Learner, beside: Any
    ) -> None:
        """Run the batch, report it, and have it learned from. What goes wrong is logged, up to `max_errors`."""
        fresh = [own for own in batch if not (self.run and learner.known(own))]
        before = [own for own in batch if own not in fresh]
        if fresh := fresh[: self._room(done, 1)] if fresh else []:
            done.metric_calls += len(fresh)
            fresh = beside.execute(lambda own: self._rollout(program, batch[own], own), fresh)
        reported = [*before, *filter(None, fresh)]
        for progress in filter(None, beside.execute(learner.learn, reported) if reported else []):
            figures = progress.result or {}
            done.learned.update({name: figures.get(name, 0) for name in ("added", "merged", "held", "votes")})

    def _rollout(self, program: WithPlaybook, item: _Item, own: str) -> str:
        """One example, run with the bullets that fit and reported with its verdict. Raises what went wrong."""
        inputs = item.example.inputs().toDict()
        attempt = program.attempt((), inputs, episode_id=own, task_id=item.id)
        if attempt.episode.outage:
            raise attempt.episode.outage
        with dspy.context(adapter=attempt.adapter()):
            prediction = attempt.ended(program.program(**inputs))
        attempt.episode.outcome(**self._outcome(item.example, *self._scored(item.example, prediction)))
        attempt.episode.end()
        return own

    def _scored(self, example: Any, prediction: Any) -> tuple[float, str]:
        found = self.metric(example, prediction)
        feedback = found.get("feedback") if isinstance(found, Mapping) else getattr(found, "feedback", None)
        return float(found["score"] if isinstance(found, Mapping) else found), str(feedback or "")

    def _outcome(self, example: Any, score: float, feedback: str) -> dict[str, Any]:
        """The verdict as a report has it: feedback where the metric gives some, else the labels as the truth."""
        correct, labels = score >= self.metric_threshold, worded(example.labels().toDict())
        if feedback or not labels:
            detail = feedback or f"It scored {score:g}; {self.metric_threshold:g} was wanted."
            return {"correct": correct, "verifier": self.verifier or "test", "detail": detail}
        return {"correct": correct, "verifier": self.verifier or "exact_match", "expected": labels}

    def _validate(self, done: Compiled, epoch: int, program: WithPlaybook, valset: list[Any]) -> None:
        if not valset:
            return
        self._room(done, len(valset))
        position = self.playbook.journal(limit=1).head
        done.metric_calls += len(valset)
        evaluate = dspy.Evaluate(devset=valset, metric=lambda *pair: self._scored(*pair)[0], max_errors=self.max_errors,
                                 num_threads=self.num_threads, display_progress=self.display_progress,
                                 failure_score=self.failure_score)  # fmt: skip
        done.validations.append(Validated(epoch=epoch, position=position, score=evaluate(program).score))
        log.info("program_validated", extra={"domain": self.playbook.domain, "run": done.run, "epoch": epoch,
                                             "position": position, "score": done.validations[-1].score})  # fmt: skip

    def _keep_best(self, done: Compiled, learner: Learner) -> None:
        """Go back to the earliest of the playbooks that did best, where that can be done."""
        best = max(done.validations, key=lambda one: (one.score, -one.epoch), default=None)
        if best is None:
            return
        reason = f"{done.run}: epoch {best.epoch} validated best, {best.score:g} %"
        done.kept = best if learner.go_back(done.run, best.position, reason) else None

    def _writer(self) -> Any:
        return self.reflection_lm or (dspy.settings.lm if self.playbook.app else None)

    def _room(self, done: Compiled, wanted: int) -> int | None:
        """How many calls of the metric are left. Raises BudgetExhausted when fewer are than wanted."""
        if self.max_metric_calls is None:
            return None
        left = self.max_metric_calls - done.metric_calls
        if left < wanted:
            raise BudgetExhausted(f"The limit of {self.max_metric_calls} metric calls is reached: raise it, and go on.")
        return left


def _digest(example: Any) -> str:
    return hashlib.sha256(json.dumps(example.toDict(), sort_keys=True, default=str).encode()).hexdigest()[:12]


def _given(domain: str | None) -> str:
    if domain is None:
        raise InvalidInput("domain", "is missing", "Name the playbook's domain, or give a playbook")
    return domain


def _two_of(metric: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """The metric as it is called here: with an example and a prediction, and None for whatever else it wants."""
    for more in range(4):
        try:
            inspect.signature(metric).bind(*[None] * (2 + more))
        except TypeError:
            continue
        return lambda example, prediction: metric(example, prediction, *[None] * more)
    raise InvalidInput("metric", "takes no example and prediction", "Write it as def metric(example, prediction)")
