"""DSPy programs with a playbook: real ones, a real playbook, a model over HTTP that knows what bullets tell it."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dspy
import pytest

from ace import Playbook
from ace.bootstrap import App
from ace.errors import InvalidInput
from ace.integrations.dspy import ACE, WithPlaybook
from ace.models.insight import Insight
from ace.repositories.database import rest
from ace.sdk.embedded import shared
from ace.sdk.learner import Learner
from ace.testing.llm import ScriptedLLM
from ace.utils.faiss_index import get_faiss_manager
from tests.shelves import SHELVES, UNKNOWN, clerk, rule

QUIET: dict[str, Any] = {"display_progress": False, "num_threads": 2}


@pytest.fixture(scope="module")
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(clerk) as server:
        yield server


@pytest.fixture
def playbook(models_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, llm: ScriptedLLM) -> Iterator[Playbook]:
    """An empty one in this process, and the model as DSPy's."""
    monkeypatch.setenv("ACE_MODELS_DIR", str(models_dir))
    monkeypatch.setenv("ACE_ENV", "shadow")
    monkeypatch.setenv("ACE_DEDUPE", "cosine")  # the second look's model takes seconds to load
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    get_faiss_manager.cache_clear()
    llm.requests.clear()
    with dspy.context(lm=dspy.LM("openai/clerk", api_base=llm.url, api_key="none", cache=False)):
        yield Playbook("shelves", app=App())
    for one in (shared, get_faiss_manager):  # a program loaded whole opens its playbook with the former
        one.cache_clear()
    rest()


def right(example: Any, prediction: Any, trace: Any = None) -> bool:
    return bool(example.answer == prediction.answer)


def told(gold: Any, pred: Any, trace: Any, pred_name: Any, pred_trace: Any) -> Any:
    """A metric as GEPA wants them."""
    return dspy.Prediction(score=float(gold.answer == pred.answer), feedback=f"It is on {gold.answer}.")


def examples(numbers: range, kinds: Any = SHELVES) -> list[Any]:
    return [
        dspy.Example(question=f"Where is {kind} {number}?", answer=SHELVES[kind]).with_inputs("question")
        for number in numbers
        for kind in kinds
    ]


class Desk(dspy.Module):
    """Two predictors, one of them in a module of its own, in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [dspy.ChainOfThought("question -> search_for"), dspy.Predict("question, search_for -> answer")]

    def forward(self, question: str) -> Any:
        found = self.steps[0](question=question).search_for
        return self.steps[1](question=question, search_for=found)


def look_at(shelf: str) -> str:
    """Says what is on a shelf."""
    if shelf not in SHELVES.values():
        raise LookupError(f"there is no shelf {shelf}")
    return "it is here"


PROGRAMS: dict[str, Any] = {
    "one predictor": lambda: dspy.Predict("question -> answer"),
    "reasoning": lambda: dspy.ChainOfThought("question -> answer"),
    "several, nested": Desk,
    "an agent with tools": lambda: dspy.ReAct("question -> answer", tools=[look_at]),
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_stock_program_that_knows_nothing_is_right_once_compiled(kind: str, playbook: Playbook) -> None:
    student = PROGRAMS[kind]()
    before = student.dump_state()
    compiled = ACE(metric=right, playbook=playbook, **QUIET).compile(
        student, trainset=examples(range(2)), valset=examples(range(50, 51))
    )
    done = compiled.detailed_results
    assert [one.score for one in done.validations] == [0.0, 100.0]
    assert {one.content for one in playbook.bullets()} == {rule(kind) for kind in SHELVES}
    assert done.learned["added"] == 3 and done.learned["merged"] + done.learned["votes"] == 3
    assert compiled(question="Where is soap 99?").answer == "S2"
    assert student(question="Where is soap 99?").answer == UNKNOWN and student.dump_state() == before


def test_the_reflector_reads_what_the_predictors_were_asked_and_the_tools_said(
    playbook: Playbook, llm: ScriptedLLM
) -> None:
    for kind, thing in (("several, nested", "rope"), ("an agent with tools", "lamp")):
        ACE(metric=told, playbook=playbook, **QUIET).compile(PROGRAMS[kind](), trainset=examples(range(1), [thing]))
    desk, agent = (one.prompt for one in llm.requests if one.schema and "lessons" in one.schema["properties"])
    assert "steps[0].predict(Where is rope 0?) -> unknown" in desk and "It is on R9." in desk
    assert "look_at" in agent and "there is no shelf unknown" in agent


def test_the_caller_sees_what_was_cited_and_records_the_outcome_later(playbook: Playbook) -> None:
    playbook.learn([rule("lamp"), "Sweep the floor at the shelf of every lamp."])
    program = WithPlaybook(dspy.Predict("question -> answer"), playbook)
    prediction = program(question="Where is lamp 3?")
    assert prediction.toDict() == {"answer": "L4"}
    episode = program.episode(prediction)
    (used,) = playbook.bullets(contains="Every lamp stands")
    assert episode.cited == (used.id,) and len(episode.context.bullets) == 2
    reported = program.record(prediction, correct=True, verifier="human")
    assert reported and reported.new and not program.record(prediction, correct=True, verifier="human").new
    with Learner(playbook, lm=dspy.settings.lm) as learner:
        learner.learn(reported.episode_id)
    assert playbook.app and playbook.app.budgets.today("shelves").spent.tokens > 100
    assert [(one.helpful_count, one.harmful_count) for one in playbook.bullets(contains="Every lamp stands")] == [
        (1, 0)
    ]
    assert [(one.helpful_count, one.harmful_count) for one in playbook.bullets(contains="Sweep")] == [(0, 0)]


def test_a_prediction_from_elsewhere_is_named(playbook: Playbook) -> None:
    program = WithPlaybook(dspy.Predict("question -> answer"), playbook)
    with pytest.raises(InvalidInput, match="prediction"):
        program.record(dspy.Prediction(answer="L4"), correct=True, verifier="test")


def test_bullets_stand_at_the_end_of_the_system_prompt_and_leave_the_program_as_it_is(
    playbook: Playbook, llm: ScriptedLLM
) -> None:
    playbook.learn([rule("lamp"), rule("rope")])
    plain = dspy.Predict("question -> answer")
    plain.demos = [dspy.Example(question="Where is rope 1?", answer="R9")]
    program = WithPlaybook(plain, playbook, cite=False, k=1)
    with dspy.context(trace=[]):
        program(question="Where is lamp 3?")
        ((predictor, inputs, _),) = dspy.settings.trace
    plain(question="Where is lamp 3?")
    shown, bare = (request.messages for request in llm.requests)
    assert shown[0]["content"].startswith(bare[0]["content"]) and shown[1:] == bare[1:]
    assert rule("lamp") in shown[0]["content"] and rule("rope") not in shown[0]["content"]
    assert predictor is plain and inputs == {"question": "Where is lamp 3?"}


@pytest.mark.parametrize("adapter", [dspy.JSONAdapter, dspy.ChatAdapter])
def test_every_adapter_shows_the_bullets(adapter: Any, playbook: Playbook) -> None:
    playbook.learn([rule("lamp")])
    program = WithPlaybook(dspy.Predict("question -> answer"), playbook)
    with dspy.context(adapter=adapter()):
        prediction = program(question="Where is lamp 3?")
    assert prediction.answer == "L4" and len(program.episode(prediction).cited) == 1


def test_threads_and_coroutines_see_their_own_bullets(playbook: Playbook) -> None:
    playbook.learn([Insight(content=rule(kind)) for kind in SHELVES])
    program = WithPlaybook(dspy.ChainOfThought("question -> answer"), playbook, k=1)
    evaluate = dspy.Evaluate(devset=examples(range(4)), metric=right, num_threads=4, display_progress=False)
    assert evaluate(program).score == 100.0

    async def at_once() -> list[Any]:
        return await asyncio.gather(*(program.acall(question=f"Where is {kind} 8?") for kind in SHELVES))

    predictions = asyncio.run(at_once())
    assert [one.answer for one in predictions] == list(SHELVES.values())
    assert len({program.episode(one).cited for one in predictions}) == 3


def test_it_works_inside_other_programs_and_under_other_optimizers(playbook: Playbook) -> None:
    playbook.learn([rule(kind) for kind in SHELVES])
    program = WithPlaybook(dspy.ChainOfThought("question -> answer"), playbook)
    few = dspy.BootstrapFewShot(metric=right, max_bootstrapped_demos=1, max_labeled_demos=1)
    compiled = few.compile(program, trainset=examples(range(1)))
    assert compiled.playbook is playbook and len(compiled.predictors()[0].demos) == 1
    best = dspy.Refine(compiled, N=2, reward_fn=lambda given, found: float(found.answer == "L4"), threshold=1.0)
    assert best(question="Where is lamp 9?").answer == "L4"


def test_a_compiled_program_is_saved_and_loaded_as_dspy_does(playbook: Playbook, tmp_path: Path) -> None:
    student = dspy.ChainOfThought("question -> answer")
    student.predictors()[0].signature = student.predictors()[0].signature.with_instructions("Find the shelf.")
    compiled = ACE(metric=right, playbook=playbook, **QUIET).compile(student, trainset=examples(range(1)))
    compiled.save(tmp_path / "state.json")
    again = WithPlaybook(dspy.ChainOfThought("question -> answer"), playbook)
    again.load(tmp_path / "state.json")
    assert again.dump_state() == compiled.dump_state()
    assert again.predictors()[0].signature.instructions == "Find the shelf."
    assert again(question="Where is rope 4?").answer == "R9"
    compiled.save(tmp_path / "whole", save_program=True)
    whole = dspy.load(tmp_path / "whole", allow_pickle=True)
    assert whole.playbook.domain == "shelves" and whole(question="Where is rope 4?").answer == "R9"


def test_a_frozen_program_carries_its_bullets_and_needs_no_playbook(playbook: Playbook, tmp_path: Path) -> None:
    playbook.learn([rule(kind) for kind in SHELVES])
    WithPlaybook(Desk(), playbook).frozen().save(tmp_path / "frozen.json")
    alone = Desk()
    alone.load(tmp_path / "frozen.json")
    assert [alone(question=f"Where is {kind} 5?").answer for kind in SHELVES] == list(SHELVES.values())


def test_a_limit_ends_it_politely_and_the_same_run_goes_on(playbook: Playbook, llm: ScriptedLLM) -> None:
    def work(most: int) -> Any:
        optimizer = ACE(metric=right, playbook=playbook, run="shelves-1", batch_size=1, max_metric_calls=most, **QUIET)
        return optimizer.compile(dspy.Predict("question -> answer"), trainset=examples(range(2))).detailed_results

    cut_off = work(2)
    assert (cut_off.metric_calls, "metric calls" in cut_off.stopped) == (2, True)
    went_on = work(10)
    assert (went_on.metric_calls, went_on.stopped, went_on.learned["added"]) == (4, "", 3)
    asked = len(llm.requests)
    assert (work(10).metric_calls, len(llm.requests)) == (0, asked)


def test_the_same_seed_gives_the_same_playbook(playbook: Playbook) -> None:
    def order(domain: str, seed: int) -> list[str]:
        own = Playbook(domain, app=playbook.app)
        optimizer = ACE(metric=right, playbook=own, seed=seed, batch_size=1, num_threads=1, display_progress=False)
        optimizer.compile(dspy.Predict("question -> answer"), trainset=examples(range(1)))
        return [one.content for one in own.bullets()]

    first = order("a", 1)
    assert order("b", 1) == first and any(order(f"c{seed}", seed) != first for seed in (2, 3, 4))


def test_a_playbook_that_did_harm_on_the_validation_set_goes_back(playbook: Playbook) -> None:
    innocent = [one.copy(answer=UNKNOWN).with_inputs("question") for one in examples(range(50, 51))]
    compiled = ACE(metric=right, playbook=playbook, **QUIET).compile(
        dspy.Predict("question -> answer"), trainset=examples(range(1)), valset=innocent
    )
    done = compiled.detailed_results
    assert [one.score for one in done.validations] == [100.0, 0.0]
    assert done.kept == done.validations[0] and playbook.bullets() == []
    assert playbook.journal().entries[-1]["kind"] == "rollback"


def test_a_program_that_fails_on_an_example_goes_on_with_the_others(
    playbook: Playbook, caplog: pytest.LogCaptureFixture
) -> None:
    def picky(example: Any, prediction: Any) -> bool:
        if "rope" in example.question:
            raise ValueError("no ropes, please")
        return right(example, prediction)

    with caplog.at_level(logging.ERROR, logger="dspy"):
        compiled = ACE(metric=picky, playbook=playbook, **QUIET).compile(
            dspy.Predict("question -> answer"), trainset=examples(range(1))
        )
    assert compiled.detailed_results.learned["added"] == 2


def test_without_the_playbook_a_program_works_as_before(playbook: Playbook, caplog: pytest.LogCaptureFixture) -> None:
    with Playbook("shelves", url="http://127.0.0.1:9", attempts=1) as away:
        program = WithPlaybook(dspy.Predict("question -> answer"), away)
        prediction = program(question="Where is lamp 3?")
        assert prediction.answer == UNKNOWN and program.episode(prediction).outage
        assert program.record(prediction, correct=False, verifier="test") is None
    assert [record.message for record in caplog.records].count("playbook_away") == 2


def test_inputs_that_cannot_be_stored_do_not_stop_a_program(playbook: Playbook) -> None:
    program = WithPlaybook(dspy.Predict("question -> answer"), playbook)
    for question in ("\0 Where is lamp 3?", "Where is lamp 3? " * 2000):
        prediction = program(question=question)
        assert program.record(prediction, correct=None).new and program.episode(prediction).outage is None


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no playbook": ({"metric": right, "playbook": None}, {}, "domain"),
    "a metric of nothing": ({"metric": lambda: True}, {}, "metric"),
    "a name that fits no address": ({"metric": right, "run": "a/b"}, {}, "run"),
    "no examples": ({"metric": right}, {"trainset": []}, "trainset"),
    "a teacher": ({"metric": right}, {"teacher": dspy.Predict("a -> b")}, "teacher"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_named(case: str, playbook: Playbook) -> None:
    making, compiling, field = WRONG[case]
    with pytest.raises(InvalidInput) as caught:
        ACE(**{"playbook": playbook, **making}).compile(
            dspy.Predict("question -> answer"), **{"trainset": examples(range(1)), **compiling}
        )
    assert caught.value.field == field


def test_without_dspy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ace.integrations.dspy", "ace.integrations.dspy_program"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dspy", None)
    with pytest.raises(ImportError, match=r"ace-playbook-server\[dspy\]"):
        import ace.integrations.dspy  # noqa: F401
