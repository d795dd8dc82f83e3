"""The compact adapter: few words, a schema where the server takes one, a clear failure where nothing is read."""

from __future__ import annotations

from typing import Any, Literal

import dspy
import pytest

from ace.config import Settings
from ace.errors import UnusableAnswer
from ace.testing.llm import ScriptedLLM, fill, status
from ace.utils.llm_adapter import CompactAdapter
from ace.utils.llm_client import language_model
from ace.utils.llm_errors import fault_of


class Judge(dspy.Signature):
    """Judge the text."""

    text: str = dspy.InputField()
    rules: str = dspy.InputField(default="")
    why: str = dspy.OutputField(desc="in a few words", default="")
    verdict: Literal["good", "bad"] = dspy.OutputField()


class Tag(dspy.Signature):
    """Name the tag."""

    text: str = dspy.InputField()
    tag: Literal["a1", "b2", "c3", "d4", "e5", "f6", "g7"] = dspy.OutputField()


def ask(llm: ScriptedLLM, signature: Any, adapter: CompactAdapter | None = None, **inputs: Any) -> Any:
    lm = language_model(Settings(), base_url=llm.url)
    with dspy.context(lm=lm, adapter=adapter or CompactAdapter()):
        return dspy.Predict(signature)(**inputs)


def test_the_prompt_is_the_instruction_the_form_and_the_inputs() -> None:
    with ScriptedLLM(['{"why": "short", "verdict": "good"}']) as llm:
        found = ask(llm, Judge, text="Hello", rules="Be kind.\nBe short.")
        system, user = (message["content"] for message in llm.requests[0].messages)
    assert (found.why, found.verdict) == ("short", "good")
    assert system == 'Judge the text.\nAnswer with one JSON object: {"why": "<in a few words>", "verdict": "good|bad"}'
    assert user == "Text: Hello\n\nRules:\nBe kind.\nBe short."


def test_one_output_is_asked_for_in_plain_words_with_a_cue() -> None:
    with ScriptedLLM(["4"]) as llm:
        assert ask(llm, "question -> answer", question="2+2?").answer == "4"
        (request,) = llm.requests
    assert request.messages[-1]["content"] == "Question: 2+2?\n\nAnswer:"
    assert "response_format" not in request.body


def test_the_schema_holds_the_options_and_the_server_is_asked_for_it() -> None:
    with ScriptedLLM([fill()]) as llm:
        assert ask(llm, Judge, text="x").verdict == "good"
        assert ask(llm, Tag, text="x").tag == "a1"
        judge, tag = (request.schema for request in llm.requests)
    assert judge is not None and judge["properties"]["verdict"]["enum"] == ["good", "bad"]
    assert tag == {"type": "string", "enum": ["a1", "b2", "c3", "d4", "e5", "f6", "g7"]}


@pytest.mark.parametrize(("list_options", "listed"), [(True, True), (False, False)])
def test_options_need_not_be_listed_where_the_schema_holds_them(list_options: bool, listed: bool) -> None:
    with ScriptedLLM([fill()]) as llm:
        ask(llm, Tag, CompactAdapter(list_options=list_options), text="x")
        assert ("Tag is one of: a1; b2" in llm.requests[0].prompt) is listed


def test_a_server_without_schemas_is_found_out_once_and_shown_the_options_instead() -> None:
    adapter = CompactAdapter(list_options=False)
    with ScriptedLLM(["The tag is c3."], json_schema=False) as llm:
        assert [ask(llm, Tag, adapter, text="x").tag for _ in range(3)] == ["c3"] * 3
        asked = ["response_format" in request.body for request in llm.requests]
        assert asked == [True, False, False, False]
        assert ["Tag is one of" in request.prompt for request in llm.requests] == [False, True, True, True]


def test_a_refusal_that_had_another_reason_is_not_blamed_on_the_schema() -> None:
    adapter = CompactAdapter()
    with ScriptedLLM([status(400), status(400), fill()]) as llm:
        with pytest.raises(dspy.utils.exceptions.LMInvalidRequestError):
            ask(llm, Judge, adapter, text="x")
        assert ask(llm, Judge, adapter, text="x").verdict == "good"
        assert "response_format" in llm.requests[-1].body


def test_a_prompt_that_is_too_long_is_not_sent_again_without_the_schema() -> None:
    too_long = {"message": "too long", "code": "context_length_exceeded", "type": "invalid_request_error"}
    with ScriptedLLM([status(400, error=too_long)]) as llm:
        with pytest.raises(dspy.utils.exceptions.ContextWindowExceededError) as caught:
            ask(llm, Judge, text="x")
        assert len(llm.requests) == 1
    fault = fault_of(caught.value)
    assert fault is not None and isinstance(fault.error, UnusableAnswer) and "ACE_K" in str(fault.error)


def test_structured_never_sends_no_schema() -> None:
    with ScriptedLLM(["Verdict: bad"]) as llm:
        assert ask(llm, Judge, CompactAdapter(structured="never"), text="x").verdict == "bad"
        assert "response_format" not in llm.requests[0].body


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("I cannot say.", id="prose"),
        pytest.param('{"why": "it is', id="cut off before the field"),
        pytest.param('{"why": "x", "verdict": "ugly"}', id="no option"),
        pytest.param("{}", id="an empty object"),
    ],
)
def test_an_answer_without_the_field_that_matters_is_unusable_and_shown(text: str) -> None:
    with ScriptedLLM([text]) as llm, pytest.raises(UnusableAnswer, match="No 'verdict' could be read") as caught:
        ask(llm, Judge, text="x")
    assert text[:8] in str(caught.value)


def test_a_long_useless_answer_is_shown_in_short() -> None:
    with ScriptedLLM(["blah " * 5000]) as llm, pytest.raises(UnusableAnswer) as caught:
        ask(llm, Judge, text="x")
    assert len(str(caught.value)) < 500


def test_an_empty_answer_is_the_models_fault() -> None:
    with ScriptedLLM([""]) as llm, pytest.raises(dspy.utils.exceptions.AdapterParseError) as caught:
        ask(llm, Judge, text="x")
    fault = fault_of(caught.value)
    assert fault is not None and isinstance(fault.error, UnusableAnswer)


def test_a_field_with_a_default_may_be_missing() -> None:
    with ScriptedLLM(['{"verdict": "bad"}']) as llm:
        found = ask(llm, Judge, text="x")
    assert (found.why, found.verdict) == ("", "bad")


def test_demonstrations_are_turns_in_the_form_asked_for() -> None:
    with ScriptedLLM(["4"]) as llm:
        lm = language_model(Settings(), base_url=llm.url)
        predictor = dspy.Predict("question -> answer")
        predictor.demos = [dspy.Example(question="1+1?", answer="2")]
        with dspy.context(lm=lm, adapter=CompactAdapter()):
            predictor(question="2+2?")
        roles = [(message["role"], message["content"]) for message in llm.requests[0].messages[1:]]
    assert roles == [
        ("user", "Question: 1+1?"),
        ("assistant", "2"),
        ("user", "Question: 2+2?\n\nAnswer:"),
    ]


def test_text_that_no_server_takes_is_mended_on_the_way_out_and_on_the_way_in() -> None:
    with ScriptedLLM(['{"why": "a\\ud800b\\u0000c", "verdict": "good"}']) as llm:
        assert ask(llm, Judge, text="x\udfffy").why == "a?b c"
        assert "Text: x?y" in llm.requests[0].prompt


def test_dspys_own_adapters_work_over_the_same_model() -> None:
    with ScriptedLLM(["[[ ## answer ## ]]\n4\n\n[[ ## completed ## ]]"]) as llm:
        lm = language_model(Settings(), base_url=llm.url)
        with dspy.context(lm=lm, adapter=dspy.ChatAdapter()):
            assert dspy.Predict("question -> answer")(question="2+2?").answer == "4"
