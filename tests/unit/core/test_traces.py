"""What is read out of a trace: the task, the steps and the answer, of simple agents and of those inside of others."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.core.gathering import Patience, grown, joined, may_grow
from ace.core.traces import MAX_TEXT_CHARS, cut, episode_id, to_episode
from ace.errors import InvalidInput
from ace.models.episode import Episode, EpisodeState, EpisodeStatus
from ace.models.task import FeedbackSource
from ace.models.trace import Message, Score, Span, SpanKind, ToolCall, ToolResult, Trace, TraceSource

AGENT, MODEL, TOOL, OTHER = SpanKind
DIVIDE = ToolCall(id="c1", name="divide", arguments='{"a": 3, "b": 4}')


def user(text: str) -> Message:
    return Message(role="user", text=text)


def said(text: str, *calls: ToolCall) -> Message:
    return Message(role="assistant", text=text, calls=calls)


def result(text: str, own: str = "c1") -> Message:
    return Message(role="tool", results=(ToolResult(id=own, text=text),))


def span(own: str, parent: str = "", kind: SpanKind = MODEL, start: float = 1.0, **more: Any) -> Span:
    return Span(id=own, parent=parent, kind=kind, name=own, start=start, end=start + 1, **more)


def trace(*spans: Span, **more: Any) -> Trace:
    return Trace(source=TraceSource.OTLP, id="t", spans=spans, **more)


def read(*spans: Span, **more: Any) -> Episode:
    return to_episode(trace(*spans, **more), domain_id="d", now=0.0)


ASKED, CALLED, GIVEN, ANSWERED = user("What is 3 / 4?"), said("I divide.", DIVIDE), result("0.75"), said("0.75")
FIRST = span("m1", "a", input=(ASKED,), output=(CALLED,))
DONE = span("tool", "a", TOOL, 2.0, call=DIVIDE, result="0.75")
SECOND = span("m2", "a", start=3.0, input=(ASKED, CALLED, GIVEN), output=(ANSWERED,))
AROUND = span("a", kind=AGENT, start=0.5)


def test_an_agents_loop_is_one_episode() -> None:
    episode = read(FIRST, DONE, SECOND, AROUND)
    (step,) = episode.trajectory.steps
    assert (episode.task.question, episode.trajectory.answer) == ("What is 3 / 4?", "0.75")
    assert (step.thought, step.tool, step.arguments, step.observation) == (
        "I divide.",
        "divide",
        DIVIDE.arguments,
        "0.75",
    )
    assert episode.trajectory.latency_s == 3.5


def test_a_result_that_no_message_has_is_the_tools_own() -> None:
    (step,) = read(FIRST, DONE).trajectory.steps
    assert step.observation == "0.75"
    (step,) = read(FIRST, span("tool", "a", TOOL, call=DIVIDE, error="division by zero")).trajectory.steps
    assert step.observation == "error: division by zero"


def test_tools_without_messages_are_steps_too() -> None:
    whole = span("root", kind=OTHER, start=0.5, input=(user("What is 3 / 4?"),), output=(said("0.75"),))
    (step,) = read(whole, DONE).trajectory.steps
    assert (step.tool, step.observation, step.thought) == ("divide", "0.75", "")


def test_the_plain_question_goes_before_the_prompt_made_of_it() -> None:
    root = span("root", kind=OTHER, start=0.5, input=(user("What is 3 / 4?"),))
    prompt = span("m", "root", input=(user("Context: tables.\nQuestion: What is 3 / 4?"),), output=(ANSWERED,))
    assert read(root, prompt).task.question == "What is 3 / 4?"
    wrapped = span("root", kind=OTHER, start=0.5, input=(user('{"question": "What is 3 / 4?", "k": 5}'),))
    assert read(wrapped, prompt).task.question.startswith("Context: tables.")


def test_what_was_said_before_is_the_tasks_context() -> None:
    system = Message(role="system", text="You are terse.")
    later = span("m", input=(system, user("Hello"), said("Hi"), user("What is 3 / 4?")), output=(ANSWERED,))
    task = read(later).task
    assert (task.question, task.context) == ("What is 3 / 4?", "user: Hello\nassistant: Hi")


def test_calls_made_before_the_task_are_not_its_steps() -> None:
    before = (user("And 1 / 2?"), said("", ToolCall(id="c0", name="divide")), result("0.5", "c0"), said("0.5"))
    episode = read(span("m1", input=(*before, ASKED), output=(CALLED,)))
    assert [step.tool for step in episode.trajectory.steps] == ["divide"]
    assert episode.trajectory.steps[0].arguments == DIVIDE.arguments


def test_an_agent_inside_of_another_is_the_others_business() -> None:
    handed = ToolCall(id="h", name="ask_expert", arguments="3 / 4")
    outer = [
        span("a", kind=AGENT, start=0.5),
        span("m1", "a", input=(ASKED,), output=(said("", handed),)),
        span("expert", "a", TOOL, 1.5, call=handed, result="0.75"),
        span("m2", "a", start=4.0, input=(ASKED, said("", handed), result("0.75", "h")), output=(ANSWERED,)),
    ]
    inner = [span("b", "expert", AGENT, 1.6), span("m3", "b", start=2.0, input=(user("divide"),), output=(CALLED,))]
    assert [step.tool for step in read(*outer, *inner).trajectory.steps] == ["ask_expert"]


def test_a_head_that_failed_is_wrong_by_its_error() -> None:
    failed = span("a", kind=AGENT, start=0.5, error="TimeoutError: too slow")
    episode = read(FIRST, failed)
    assert (episode.trajectory.error, episode.trajectory.answer) == ("TimeoutError: too slow", "")
    assert (episode.feedback.correct, episode.feedback.source) == (False, FeedbackSource.ERROR)
    praised = read(FIRST, failed, scores=(Score(name="correct", value=1.0, source=FeedbackSource.HUMAN),))
    assert praised.feedback.correct is True, "what somebody said of it counts more"


def test_spans_in_a_circle_end() -> None:
    assert read(span("m", "n", input=(ASKED,)), span("n", "m", AGENT)).task.question == ASKED.text


@pytest.mark.parametrize("spans", [(), (AROUND,), (DONE,), (span("m", output=(ANSWERED,)),)])
def test_a_trace_without_a_task_says_what_to_do(spans: tuple[Span, ...]) -> None:
    with pytest.raises(InvalidInput, match="trace t: has no task"):
        read(*spans)


def test_ids_say_the_source_and_are_storable() -> None:
    assert episode_id(trace()) == "otlp-t"
    strange = Trace(source=TraceSource.LANGFUSE, id="what / is: this?" * 40)
    assert len(episode_id(strange)) == len("langfuse-") + 32 and episode_id(strange) == episode_id(strange)


def test_long_texts_lose_their_middle() -> None:
    long = "a" * MAX_TEXT_CHARS + "b" * MAX_TEXT_CHARS
    assert len(cut(long)) <= MAX_TEXT_CHARS and cut(long).startswith("aa") and cut(long).endswith("bb")


# a trace that comes in parts

PARTS = (FIRST, DONE, SECOND, AROUND)


@given(st.permutations(range(4)), st.sets(st.integers(1, 3)), st.booleans())
def test_in_whatever_parts_it_comes_the_episode_is_the_same(order: list[int], cuts: set[int], twice: bool) -> None:
    known: Episode | None = None
    edges = [0, *sorted(cuts), 4]
    groups = [[PARTS[n] for n in order[a:b]] for a, b in pairwise(edges)]
    for spans in groups * (2 if twice else 1):
        known = grown(known, trace(*spans), domain_id="d", now=5.0, principal="key-1")
    whole = grown(None, trace(*PARTS), domain_id="d", now=5.0, principal="key-1")
    assert known is not None and known.trace is not None and whole.trace is not None
    assert (known.task, known.trajectory, known.feedback) == (whole.task, whole.trajectory, whole.feedback)
    assert {span.id: span for span in known.trace.spans} == {span.id: span for span in whole.trace.spans}


def test_until_its_task_is_known_it_has_the_name_of_what_was_done() -> None:
    known = grown(None, trace(DONE), domain_id="d", now=5.0, principal=None)
    assert (known.task.question, known.trajectory.steps) == ("tool", ())
    assert grown(known, trace(FIRST), domain_id="d", now=9.0, principal=None).task.question == "What is 3 / 4?"
    assert grown(known, trace(FIRST), domain_id="d", now=9.0, principal=None).reported_at == 5.0


def test_a_trace_without_end_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"spans: of trace t are more than 2,000"):
        joined(trace(), trace(*(span(str(number)) for number in range(2001))))


def test_it_grows_until_a_worker_has_had_it() -> None:
    status = EpisodeStatus(id="e", domain_id="d", state=EpisodeState.QUEUED)
    assert may_grow(status)
    assert not may_grow(EpisodeStatus(id="e", domain_id="d", state=EpisodeState.QUEUED, attempts=1))
    assert not may_grow(EpisodeStatus(id="e", domain_id="d", state=EpisodeState.DONE))
    patience = Patience(quiet_s=120, settle_s=10)
    assert (patience.due_at(5.0, ended=False), patience.due_at(5.0, ended=True)) == (125.0, 15.0)


def test_an_episode_keeps_its_trace_each_message_once() -> None:
    episode = grown(None, trace(*PARTS, scores=(Score(name="n"),)), domain_id="d", now=5.0, principal=None)
    stored = json.loads(json.dumps(episode.to_json()))
    assert Episode.from_json(stored) == episode
    assert len(stored["trace"]["messages"]) == 4
    assert "trace" not in read(*PARTS).to_json()
