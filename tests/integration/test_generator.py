"""The generators answer over real HTTP, cite by id and never by guess, and turn a model's failure into a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dspy
import pytest

from ace.config import Settings
from ace.errors import BudgetExhausted, CircuitOpen, ModelUnreachable
from ace.generator.cot_generator import CoTGenerator
from ace.generator.episode import cited_ids
from ace.generator.react_generator import ReActGenerator
from ace.models.playbook import Bullet, Context, ScoredBullet, Section, bullet_id
from ace.models.run import Limits
from ace.models.task import Step, Task, Usage
from ace.testing.breakers import InMemoryBreakers
from ace.testing.llm import Reply, ScriptedLLM, fill, say, status
from ace.utils.clock import SystemClock
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_breaker_state import SharedBreakers
from ace.utils.llm_client import language_model
from ace.utils.llm_meter import Meter
from ace.utils.llm_protection import Backoff, Protection
from ace.utils.llm_rate_limit import RateLimiter

TASK = Task(id="t1", question="What is 2+2?", context="Use sums.", ground_truth="4")
TEXTS = ("Question: 1+1? Answer: 2", "Add from right\nto left.")
BULLETS = tuple(Bullet(id=bullet_id("maths", Section.EXAMPLE, text), domain_id="maths", content=text) for text in TEXTS)
FIRST, SECOND = (bullet.id for bullet in BULLETS)
CONTEXT = Context(domain_id="maths", bullets=tuple(ScoredBullet(bullet=b, similarity=0.5, score=0.5) for b in BULLETS))
EMPTY = Context(domain_id="maths")


def parts(llm: ScriptedLLM, meter: Meter | None = None) -> dict[str, Any]:
    meter = meter or Meter()
    clock = SystemClock()
    protection = Protection(
        breakers=SharedBreakers(InMemoryBreakers, clock),
        limiter=RateLimiter(None),
        deadline_s=5,
        clock=clock,
        backoff=Backoff(tries=2, first_s=0.01),
    )
    lm = language_model(Settings(), base_url=llm.url, meter=meter)
    return {"predict": protection, "lm": lm, "adapter": CompactAdapter(), "scope": meter.scope}


def reply(**fields: Any) -> Reply:
    return say(json.dumps(fields))


def test_full_answers_reason_and_cite() -> None:
    usage = {"prompt_tokens": 90, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 40}}
    text = json.dumps({"reasoning": "2+2 is 4", "answer": "4", "cited": [SECOND]})
    with ScriptedLLM([say(text, usage=usage)]) as llm:
        found = CoTGenerator(**parts(llm)).generate(TASK, CONTEXT, episode_id="run/1/t1")
        (request,) = llm.requests
    assert (found.answer, found.reasoning, found.cited) == ("4", "2+2 is 4", (SECOND,))
    assert (found.task_id, found.episode_id, found.shown, found.error) == ("t1", "run/1/t1", (FIRST, SECOND), None)
    assert found.usage == Usage(calls=1, prompt_tokens=90, cached_tokens=40, completion_tokens=9)
    assert found.latency_s > 0
    assert request.schema is not None
    assert request.schema["properties"]["cited"]["items"]["enum"] == [FIRST, SECOND]


def test_the_stable_part_of_the_prompt_comes_first_and_stays_the_same() -> None:
    with ScriptedLLM([fill()]) as llm:
        generator = CoTGenerator(**parts(llm))
        generator.generate(TASK, CONTEXT, episode_id="a")
        generator.generate(Task(id="t2", question="What is 3+3?"), CONTEXT, episode_id="b", hint="Count.")
        (system, user), (other_system, other_user) = (
            [message["content"] for message in request.messages] for request in llm.requests
        )
    assert system == other_system
    assert user == (
        f"Context: Use sums.\n\nPlaybook:\n[{FIRST}] {TEXTS[0]}\n[{SECOND}] Add from right to left.\n\n"
        "Question: What is 2+2?"
    )
    assert other_user.endswith("Hint: Count.\n\nQuestion: What is 3+3?")
    assert len(system) < 400, "a small model reads a few hundred tokens a second"


def test_without_bullets_there_is_nothing_to_cite() -> None:
    with ScriptedLLM([reply(reasoning=f"see [{FIRST}]", answer="4")]) as llm:
        found = CoTGenerator(**parts(llm)).generate(TASK, EMPTY, episode_id="e")
        (request,) = llm.requests
    assert (found.answer, found.cited) == ("4", ())
    assert "ited" not in request.prompt and "Playbook:" not in request.prompt


def test_options_are_all_the_answers_there_can_be() -> None:
    task = Task(id="t", question="?", options=("Revenues", "InterestExpense"))
    with ScriptedLLM([fill(), reply(reasoning="", answer="interestexpense.", cited=[])]) as llm:
        generator = CoTGenerator(**parts(llm))
        answers = [generator.generate(task, CONTEXT, episode_id=e).answer for e in "ab"]
        schema = llm.requests[0].schema
    assert answers == ["Revenues", "InterestExpense"]
    assert schema is not None and schema["properties"]["answer"]["enum"] == ["Revenues", "InterestExpense"]


def test_terse_asks_for_the_answer_alone_and_cites_nothing() -> None:
    with ScriptedLLM(["4"]) as llm:
        found = CoTGenerator(**parts(llm), layout="terse").generate(TASK, CONTEXT, episode_id="e")
        (request,) = llm.requests
    assert (found.answer, found.reasoning, found.cited, found.shown) == ("4", "", (), (FIRST, SECOND))
    assert request.messages[-1]["content"].endswith(
        f"Playbook:\n{TEXTS[0]}\nAdd from right to left.\n\nQuestion: What is 2+2?\n\nAnswer:"
    )
    assert FIRST not in request.prompt
    assert request.body["stop"] == ["\n"]


@pytest.mark.parametrize(
    "text", ["", "no field here", '{"reasoning": "and then', "\x00\x01"], ids=["empty", "prose", "cut off", "garbage"]
)
def test_a_model_that_fails_leaves_a_trajectory_that_says_so(text: str) -> None:
    with ScriptedLLM([say(text, usage={"prompt_tokens": 5, "completion_tokens": 1})]) as llm:
        found = CoTGenerator(**parts(llm)).generate(TASK, CONTEXT, episode_id="e")
    assert found.answer == "" and found.error and "could be read" in found.error
    assert found.usage.calls == 1, "what it cost is counted all the same"


def test_nothing_is_hoarded_from_call_to_call() -> None:
    with ScriptedLLM([fill()]) as llm:
        generator = CoTGenerator(**parts(llm))
        before = len(dspy.settings.trace)
        for number in range(3):
            generator.generate(TASK, CONTEXT, episode_id=str(number))
    assert len(dspy.settings.trace) == before
    assert generator.predictor.history == []


def test_an_outage_goes_up_and_in_the_end_opens_the_breaker() -> None:
    with ScriptedLLM([status(503)]) as llm:
        generator = CoTGenerator(**parts(llm))
        for _ in range(5):
            with pytest.raises(ModelUnreachable):
                generator.generate(TASK, EMPTY, episode_id="e")
        with pytest.raises(CircuitOpen, match="Circuit breaker 'generator' is OPEN"):
            generator.generate(TASK, EMPTY, episode_id="e")


def test_a_spent_budget_goes_up_before_anything_is_sent() -> None:
    with ScriptedLLM([]) as llm:
        generator = CoTGenerator(**parts(llm, Meter(Limits(calls=0))))
        with pytest.raises(BudgetExhausted):
            generator.generate(TASK, EMPTY, episode_id="e")
        assert llm.requests == []


@pytest.mark.parametrize(
    ("named", "reasoning", "cited"),
    [
        pytest.param([SECOND, FIRST], "", (SECOND, FIRST), id="as listed"),
        pytest.param([f"[{FIRST}]"], "", (FIRST,), id="in brackets"),
        pytest.param([f"[{FIRST}] Question: 1+1?"], "", (FIRST,), id="the whole line"),
        pytest.param([FIRST, FIRST], f"[{FIRST}]", (FIRST,), id="each once"),
        pytest.param([], f"By [{SECOND}] and [{FIRST}].", (SECOND, FIRST), id="mentioned in the reasoning"),
        pytest.param([], f"By {SECOND}.", (), id="without brackets it is only a word"),
        pytest.param(["example-aaaaaaaaaa"], "[example-aaaaaaaaaa]", (), id="never shown"),
        pytest.param([FIRST[:-1], FIRST.upper(), "1", "first"], "", (), id="nearly an id"),
    ],
)
def test_only_ids_that_were_shown_are_cited(named: Sequence[str], reasoning: str, cited: tuple[str, ...]) -> None:
    assert cited_ids(named, reasoning, CONTEXT.ids) == cited


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def turn(thought: str, tool: str, **arguments: Any) -> Reply:
    return reply(next_thought=thought, next_tool_name=tool, next_tool_args=arguments)


def react(replies: list[Reply], **options: Any) -> tuple[Any, ScriptedLLM]:
    with ScriptedLLM(replies) as llm:
        generator = ReActGenerator(tools=[add], **parts(llm), **options)
        return generator.generate(TASK, CONTEXT, episode_id="e"), llm


def test_an_agent_uses_its_tools_and_its_steps_are_kept() -> None:
    found, llm = react(
        [
            turn(f"add, as [{FIRST}] does", "add", a=2, b=2),
            turn("done", "finish"),
            reply(reasoning="the tool said 4", answer="4", cited=[SECOND]),
        ]
    )
    assert (found.answer, found.reasoning) == ("4", "the tool said 4")
    assert found.cited == (SECOND, FIRST), "listed first, then mentioned in a thought"
    assert found.steps == (
        Step(
            thought=f"add, as [{FIRST}] does",
            tool="add",
            arguments='{"a": 2, "b": 2}',
            observation="4",
        ),
        Step(thought="done", tool="finish", arguments="{}", observation="Completed."),
    )
    assert found.usage.calls == len(llm.requests) == 3
    assert "Observation 0: 4" in llm.requests[1].prompt


def test_a_turn_that_is_tried_again_does_not_repeat_the_tool() -> None:
    used: list[str] = []

    def spend(amount: str) -> str:
        """Spend money."""
        used.append(amount)
        return "spent"

    replies = [turn("pay", "spend", amount="5"), status(503), turn("ok", "finish"), reply(reasoning="", answer="4")]
    with ScriptedLLM(replies) as llm:
        found = ReActGenerator(tools=[spend], **parts(llm)).generate(TASK, EMPTY, episode_id="e")
    assert (found.answer, used, len(llm.requests)) == ("4", ["5"], 4)


def test_a_tool_that_fails_is_something_to_read() -> None:
    found, _ = react(
        [
            turn("try", "add", a="x", b=None),
            turn("stop", "finish"),
            reply(reasoning="", answer="4", cited=[]),
        ]
    )
    assert found.answer == "4"
    assert "Execution error in add" in found.steps[0].observation


def test_an_unreadable_turn_ends_the_search_and_the_answer_is_drawn_from_what_is_known() -> None:
    found, llm = react([turn("add", "add", a=2, b=2), say("hmm"), reply(reasoning="it was 4", answer="4", cited=[])])
    assert (found.answer, len(found.steps), len(llm.requests)) == ("4", 1, 3)


def test_a_history_that_grew_too_long_is_shortened() -> None:
    too_long = {"message": "too long", "code": "context_length_exceeded", "type": "invalid_request_error"}
    found, llm = react(
        [
            turn("one", "add", a=1, b=1),
            turn("two", "add", a=2, b=2),
            status(400, error=too_long),
            turn("three", "finish"),
            reply(reasoning="", answer="4", cited=[]),
        ]
    )
    assert found.answer == "4"
    assert [step.thought for step in found.steps] == ["two", "three"], "what was forgotten is not made up"
    assert "Thought 0: one" in llm.requests[2].prompt and "Thought 0: one" not in llm.requests[3].prompt


def test_an_agent_stops_after_its_steps() -> None:
    found, llm = react([turn("add", "add", a=1, b=1)] * 2 + [reply(reasoning="", answer="2", cited=[])], max_steps=2)
    assert (len(found.steps), len(llm.requests), found.answer) == (2, 3, "2")


def test_an_agent_whose_model_fails_at_the_end_leaves_a_trajectory_that_says_so() -> None:
    found, _ = react([turn("x", "finish"), say("hmm")])
    assert found.answer == "" and found.error and "'answer' could be read" in found.error
