"""From a run's records to its report: pure functions, one for each part of the view.

What a list shows is capped, and the rest is counted. Where a run was not evaluated, its validations or the first
and the last fifth of its steps stand in for before and after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ace.core.statistics import compare, percentile, share, sign_test
from ace.models.playbook import Bullet, SourceClass
from ace.models.run import Answered, Comparison, Interval, PairRecord, StepRecord, Validation
from ace.models.task import Usage
from ace.utils.report_charts import growth, histogram, learning_curve, nice_top
from ace.utils.report_view import Change, Changes, Difference, Lesson, Lessons, ReportView, Score
from ace.utils.report_words import (
    counted,
    interval_text,
    money,
    p_value,
    percent,
    seconds,
    shortened,
    signed,
)

LESSONS, LESSONS_AT_ONCE = 48, 12
CHANGES, CHANGES_AT_ONCE = 12, 6
FAILURES = 8
SETTINGS = 80
LESSON_CHARS, QUESTION_CHARS, ANSWER_CHARS = 500, 400, 200
EDGE = 5  # the first and the last fifth of a run are compared

WROTE = {
    SourceClass.TEMPLATE: "written by a fixed template around the checked right answer, not by a model",
    SourceClass.REFLECTION: "written by a model that reflected on what had happened",
    SourceClass.HUMAN: "written or approved by a person",
    SourceClass.IMPORT: "carried over from another playbook",
}


def report_view(
    *,
    config: Mapping[str, Any],
    steps: Sequence[StepRecord] = (),
    pairs: Sequence[PairRecord] = (),
    validations: Sequence[Validation] = (),
    validation_answers: Sequence[Answered] = (),
    bullets: Sequence[Bullet] = (),
    baselines: Mapping[str, Interval] | None = None,
    notices: Sequence[str] = (),
    kept: str = "",
) -> ReportView:
    """The view of a learning, training or evaluation run, from its records alone.

    `baselines` maps a description ("copying the nearest example's answer") to its share on the evaluated tasks;
    `notices` stand on top, such as why a run stopped early; `kept` says which playbook a training kept.
    """
    comparison = compare(pairs) if pairs else None
    arms = _arms(steps, pairs, validation_answers)
    records = [record for _, group in arms for record in group]
    shares = _shares(steps, validations, comparison, baselines or {})
    axis = nice_top(max((found.high for _, _, found in shares), default=1.0))
    main = [pair.with_playbook.latency_s for pair in pairs] or [step.latency_s for step in steps]
    failed = [record.error for record in records if record.error is not None]
    headline, lede = _headline(steps, validations, comparison, len(bullets), baselines or {})
    return ReportView(
        title=f"{headline} · ACE",
        kind=str(config.get("kind", "run")),
        headline=headline,
        lede=lede,
        facts=_facts(config, steps, pairs, kept),
        scores=tuple(score(label, role, found, axis) for label, role, found in shares),
        axis=axis,
        difference=_difference(comparison) if comparison and comparison.difference.n else None,
        curve=learning_curve(steps, validations),
        growth=growth(steps),
        latency=histogram(main),
        costs=_costs(arms),
        latencies=_latencies(arms),
        lessons=_lessons(bullets) if bullets else None,
        wins=_changes(pairs, won=True),
        losses=_changes(pairs, won=False),
        failures=tuple(Counter(shortened(error, ANSWER_CHARS) for error in failed).most_common(FAILURES)),
        failed=len(failed),
        answers=len(records),
        settings=tuple(_flat(config)[:SETTINGS]),
        notices=tuple(shortened(notice, QUESTION_CHARS) for notice in notices if notice),
    )


Arms = list[tuple[str, Sequence[StepRecord | Answered]]]


def _arms(steps: Sequence[StepRecord], pairs: Sequence[PairRecord], validation: Sequence[Answered]) -> Arms:
    """The kinds of answers a run has, in the order they were given."""
    arms: Arms = [
        ("Learning", steps),
        ("Validation", validation),
        ("Without the playbook", [pair.without for pair in pairs]),
        ("With the playbook", [pair.with_playbook for pair in pairs]),
    ]
    return [(name, records) for name, records in arms if records]


Shares = list[tuple[str, str, Interval]]


def _shares(
    steps: Sequence[StepRecord],
    validations: Sequence[Validation],
    comparison: Comparison | None,
    baselines: Mapping[str, Interval],
) -> Shares:
    """`(label, role, share)` of what the run is best judged by."""
    if comparison and comparison.difference.n:
        found: Shares = [("Without the playbook", "old", comparison.without)]
        found.append(("With the playbook", "new", comparison.with_playbook))
        return found + [(f"Baseline: {name}", "baseline", interval) for name, interval in baselines.items()]
    if validations:
        return _validation_shares(validations)
    known = [step.correct for step in steps if step.correct is not None]
    edge = max(1, len(known) // EDGE)
    parts = (("First", "old", known[:edge]), ("Last", "new", known[-edge:])) if len(known) > edge else ()
    return [(f"{name} {counted(len(part), 'answer')}", role, share(sum(part), len(part))) for name, role, part in parts]


def _validation_shares(validations: Sequence[Validation]) -> Shares:
    best = max(validations, key=lambda validation: (validation.correct, -validation.epoch))
    first = validations[0]
    label = "Validation before learning" if first.epoch == 0 else f"Validation after epoch {first.epoch}"
    found: Shares = [(label, "old", share(first.correct, first.n))]
    if best is not first:
        found.append((f"Validation after epoch {best.epoch}, the best", "new", share(best.correct, best.n)))
    return found


def score(label: str, role: str, found: Interval, axis: float) -> Score:
    """A share as it is drawn on an axis that ends at `axis`."""
    at, low, high = (round(100 * edge / axis, 2) for edge in (found.value, found.low, found.high))
    return Score(label=label, role=role, value=percent(found.value, found.n), interval=interval_text(found),
                 at=at, low=low, high=high)  # fmt: skip


def _difference(comparison: Comparison) -> Difference:
    difference, n = comparison.difference, comparison.difference.n
    both = round(comparison.with_playbook.value * n) - comparison.wins
    neither = n - both - comparison.wins - comparison.losses
    tally = (
        ("right only with the playbook", comparison.wins, "new"),
        ("right both times", both, "same"),
        ("wrong both times", neither, "neither"),
        ("right only without it", comparison.losses, "loss"),
    )
    return Difference(
        points=signed(difference.value, n),
        role="new" if difference.low > 0 else "loss" if difference.high < 0 else "same",
        interval=f"{signed(difference.low, n)} to {signed(difference.high, n)}",
        verdict=_verdict(comparison),
        tally=tuple((what, count, round(100 * count / n, 2), role) for what, count, role in tally),
    )


def _verdict(comparison: Comparison) -> str:
    """What may be said of the difference, and what not."""
    wins, losses, p = comparison.wins, comparison.losses, sign_test(comparison.wins, comparison.losses)
    split = f"{counted(wins, 'task')} gained, {losses:,} lost; by chance as uneven or more: {p_value(p)} (sign test)."
    if comparison.difference.low > 0:
        return f"The interval lies above zero: the playbook helped. {split}"
    if comparison.difference.high < 0:
        return f"The interval lies below zero: the playbook did harm. {split}"
    return f"The interval holds zero: whether the playbook helps is not shown by these tasks. {split}"


def _headline(
    steps: Sequence[StepRecord],
    validations: Sequence[Validation],
    comparison: Comparison | None,
    bullets: int,
    baselines: Mapping[str, Interval],
) -> tuple[str, str]:
    """One sentence that says what came out, and one that says on what it rests."""
    if comparison and comparison.difference.n:
        return _compared(comparison, baselines)
    learned = f"{counted(bullets, 'bullet')} in the playbook after {counted(len(steps), 'step')}"
    if validations:
        best = max(validations, key=lambda validation: (validation.correct, -validation.epoch))
        first, n = validations[0], best.n
        risen = f"Validation went from {percent(first.accuracy, n)} to {percent(best.accuracy, n)}"
        text = risen if best is not first else f"Learning did not raise validation above {percent(first.accuracy, n)}"
        caution = "The best epoch was chosen on these tasks, which flatters it a little."
        return text, f"{learned}; {counted(n, 'task')} held out for validation. {caution}"
    if steps:
        known = [step.correct for step in steps if step.correct is not None]
        right = f"{sum(known):,} of {counted(len(known), 'judged answer')} right on the way."
        return learned, f"{right} Each task was answered once, before it was learned from."
    return "Nothing was judged in this run", "There are no answers with a known truth to report on."


def _compared(comparison: Comparison, baselines: Mapping[str, Interval]) -> tuple[str, str]:
    n = comparison.difference.n
    old, new = percent(comparison.without.value, n), percent(comparison.with_playbook.value, n)
    if comparison.difference.low > 0:
        text = f"The playbook raised accuracy from {old} to {new}"
    elif comparison.difference.high < 0:
        text = f"The playbook lowered accuracy from {old} to {new}"
    else:
        text = f"No clear effect: {old} right without the playbook, {new} with it"
    basis = f"{counted(n, 'task')}, each answered twice by the same model: without the playbook and with it."
    others = [f" For comparison, {name}: {percent(found.value, found.n)}." for name, found in baselines.items()]
    return text, basis + "".join(others)


def _facts(
    config: Mapping[str, Any], steps: Sequence[StepRecord], pairs: Sequence[PairRecord], kept: str
) -> tuple[tuple[str, str], ...]:
    """What ran, in one line: the few settings that matter most, where the config has them."""
    flat = {name.rpartition(".")[2]: value for name, value in _flat(config)}
    files = [f"{file.get('name')} ({str(file.get('sha256', ''))[:8]})" for file in config.get("files", ())]
    facts = [
        ("Model", flat.get("model")),
        ("Tasks", ", ".join(files) or flat.get("dataset")),
        ("Learning steps", f"{len(steps):,}" if steps else None),
        ("Kept", kept),
        ("Tasks compared", f"{len(pairs):,}" if pairs else None),
        ("Seed", flat.get("seed")),
        ("Temperature", flat.get("temperature")),
        ("Bullets shown", flat.get("k")),
        ("ACE", flat.get("version")),
    ]
    return tuple((name, value) for name, value in facts if value)


def _flat(config: Any, name: str = "") -> list[tuple[str, str]]:
    """The config's leaves as `(dotted name, text)`."""
    if isinstance(config, Mapping):
        return [leaf for key, value in config.items() for leaf in _flat(value, f"{name}.{key}" if name else str(key))]
    if isinstance(config, list | tuple):
        return [leaf for place, value in enumerate(config) for leaf in _flat(value, f"{name}[{place}]")]
    return [(name, "–" if config is None else shortened(str(config), ANSWER_CHARS))]


def _costs(arms: Arms) -> tuple[tuple[str, ...], ...]:
    rows = [(name, sum((record.usage for record in records), Usage())) for name, records in arms]
    if len(rows) > 1:
        rows.append(("Together", sum((usage for _, usage in rows), Usage())))
    return tuple((name, *_usage(usage)) for name, usage in rows)


def _usage(usage: Usage) -> tuple[str, ...]:
    cached = percent(usage.cached_tokens / usage.prompt_tokens, 0) if usage.prompt_tokens else "–"
    counts = (usage.calls, usage.prompt_tokens, usage.completion_tokens)
    calls, prompt, completion = (f"{count:,}" for count in counts)
    return calls, prompt, cached, completion, money(usage.cost_usd)


def _latencies(arms: Arms) -> tuple[tuple[str, ...], ...]:
    rows = [(name, [record.latency_s for record in records]) for name, records in arms]
    return tuple(
        (name, f"{len(values):,}", *(seconds(percentile(values, q)) for q in (0.5, 0.95, 1.0))) for name, values in rows
    )


def _lessons(bullets: Sequence[Bullet]) -> Lessons:
    """The bullets with the best record first."""
    best = sorted(bullets, key=lambda b: (b.harmful_count - b.helpful_count, -b.helpful_count, b.content))
    cards = tuple(_lesson(bullet) for bullet in best[:LESSONS])
    return Lessons(
        total=len(bullets),
        note=_who_wrote(bullets),
        shown=cards[:LESSONS_AT_ONCE],
        folded=cards[LESSONS_AT_ONCE:],
        left_out=len(bullets) - len(cards),
    )


def _lesson(bullet: Bullet) -> Lesson:
    return Lesson(id=bullet.id, text=shortened(bullet.content, LESSON_CHARS), section=bullet.section.value,
                  stage=bullet.stage.value, source=bullet.origin.source.value,
                  helpful=bullet.helpful_count, harmful=bullet.harmful_count)  # fmt: skip


def _who_wrote(bullets: Sequence[Bullet]) -> str:
    sources = Counter(bullet.origin.source for bullet in bullets)
    if len(sources) == 1:
        (source,) = sources
        return f"{'It was' if len(bullets) == 1 else f'All {len(bullets):,} were'} {WROTE[source]}."
    parts = [f"{count:,} {'was' if count == 1 else 'were'} {WROTE[source]}" for source, count in sources.most_common()]
    return "; ".join(parts) + "."


def _changes(pairs: Sequence[PairRecord], *, won: bool) -> Changes:
    """The tasks right only with the playbook, or only without it."""
    turned = [pair for pair in pairs if (pair.without.correct, pair.with_playbook.correct) == (not won, won)]
    cards = tuple(_change(pair) for pair in turned[:CHANGES])
    return Changes(
        total=len(turned),
        shown=cards[:CHANGES_AT_ONCE],
        folded=cards[CHANGES_AT_ONCE:],
        left_out=len(turned) - len(cards),
    )


def _change(pair: PairRecord) -> Change:
    return Change(
        question=shortened(pair.question, QUESTION_CHARS),
        expected=shortened(pair.expected or "", ANSWER_CHARS),
        without=_answer(pair.without),
        with_playbook=_answer(pair.with_playbook),
    )


def _answer(arm: Answered) -> str:
    return shortened(arm.answer, ANSWER_CHARS) or (
        f"failed: {shortened(arm.error, ANSWER_CHARS)}" if arm.error else "no answer"
    )
