"""A finished or interrupted run in figures, from its log alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ace.core.ports import RunLog
from ace.core.statistics import compare, percentile, share
from ace.models.run import Answered, Interval, PairRecord, StepRecord, Validation
from ace.models.task import Usage
from ace.services.training import Kept, ValidationAnswer

EDGE = 5  # a learning curve's first and last fifth are compared


def summarise(log: RunLog) -> dict[str, Any]:
    """Figures of every part the run has: learning, validation, the paired evaluation, cost and latency."""
    steps, pairs = log.read("steps", StepRecord), log.read("pairs", PairRecord)
    arms = [arm for pair in pairs for arm in (pair.without, pair.with_playbook)]
    arms += [answer.answered for answer in log.read("validation_answers", ValidationAnswer)]
    answers: list[StepRecord | Answered] = [*steps, *arms]
    usage = sum((answer.usage for answer in answers), Usage())
    latencies = [answer.latency_s for answer in answers]
    found: dict[str, Any] = {
        "tasks": len(steps) + len(pairs),
        "failed": sum(answer.error is not None for answer in answers),
        "usage": {**asdict(usage), "tokens": usage.tokens},
        "latency_s": {"p50": percentile(latencies, 0.5), "p95": percentile(latencies, 0.95)} if latencies else None,
    }
    if steps:
        found["learning"] = _learning(steps)
    if validations := log.read("validations", Validation):
        found["validation"] = [asdict(v) | {"accuracy": v.accuracy} for v in validations]
        found["kept"] = [asdict(kept) for kept in log.read("finished", Kept)][-1:]
    if pairs:
        found["comparison"] = asdict(compare(pairs))
    return found


def _learning(steps: list[StepRecord]) -> dict[str, Any]:
    edge = max(len(steps) // EDGE, 1)
    return {
        "steps": len(steps),
        "first": asdict(_share(steps[:edge])),
        "last": asdict(_share(steps[-edge:])),
        "added": sum(step.added for step in steps),
        "merged": sum(step.merged for step in steps),
        "bullets": steps[-1].bullets,
        "calls_per_step": sum(step.usage.calls for step in steps) / len(steps),
    }


def _share(steps: list[StepRecord]) -> Interval:
    known = [step.correct for step in steps if step.correct is not None]
    return share(sum(known), len(known))
