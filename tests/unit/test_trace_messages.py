"""A message says the same, whoever wrote it down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.models.trace import Message, ToolCall, ToolResult
from ace.utils.traces.messages import messages, unflattened

ASKED = Message(role="user", text="How many kilograms are 12 lb?")
CALLED = Message(role="assistant", text="Let me see.", calls=(ToolCall(id="c1", name="mul", arguments='{"a": 12}'),))
RESULT = Message(role="tool", results=(ToolResult(id="c1", text="5.44"),))
SAID = Message(role="assistant", text="5.44 kg")
WHOLE = (ASKED, CALLED, RESULT, SAID)
AS_USER = Message(role="user", results=RESULT.results)

FORMS: dict[str, tuple[Any, tuple[Message, ...]]] = {
    "OpenAI chat": ([
        {"role": "user", "content": ASKED.text},
        {"role": "assistant", "content": CALLED.text, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "mul", "arguments": '{"a": 12}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "5.44"},
        {"role": "assistant", "content": [{"type": "text", "text": SAID.text}], "refusal": None},
    ], WHOLE),
    "OpenAI Responses": ([
        {"role": "user", "content": [{"type": "input_text", "text": ASKED.text}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": CALLED.text}]},
        {"type": "function_call", "call_id": "c1", "id": "fc_1", "name": "mul", "arguments": '{"a": 12}'},
        {"type": "function_call_output", "call_id": "c1", "output": "5.44"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": SAID.text}]},
    ], (ASKED, Message(role="assistant", text=CALLED.text), Message(role="assistant", calls=CALLED.calls),
        RESULT, SAID)),
    "Anthropic": ([
        {"role": "user", "content": ASKED.text},
        {"role": "assistant", "content": [{"type": "text", "text": CALLED.text},
                                          {"type": "tool_use", "id": "c1", "name": "mul", "input": {"a": 12}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [
            {"type": "text", "text": "5.44"}]}]},
        {"role": "assistant", "content": [{"type": "text", "text": SAID.text}]},
    ], (ASKED, CALLED, AS_USER, SAID)),
    "OpenTelemetry GenAI": (json.dumps([
        {"role": "user", "parts": [{"type": "text", "content": ASKED.text}]},
        {"role": "assistant", "parts": [{"type": "text", "content": CALLED.text},
                                        {"type": "tool_call", "id": "c1", "name": "mul", "arguments": {"a": 12}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "5.44"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": SAID.text}], "finish_reason": "stop"},
    ]), WHOLE),
    "Gemini": ([
        {"role": "user", "parts": [{"text": ASKED.text}]},
        {"role": "model", "parts": [{"text": CALLED.text},
                                    {"functionCall": {"id": "c1", "name": "mul", "args": {"a": 12}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "mul", "response": "5.44"}}]},
        {"role": "model", "parts": [{"text": SAID.text}]},
    ], (ASKED, CALLED, AS_USER, SAID)),
    "OpenInference, as one table has it": ([
        {"message.role": "user", "message.content": ASKED.text},
        {"message.role": "assistant", "message.content": CALLED.text, "message.tool_calls": [
            {"tool_call.id": "c1", "tool_call.function.name": "mul", "tool_call.function.arguments": '{"a": 12}'}]},
        {"message.role": "tool", "message.tool_call_id": "c1", "message.content": "5.44"},
        {"message.role": "assistant", "message.contents": [
            {"message_content.type": "text", "message_content.text": SAID.text}]},
    ], WHOLE),
    "LangChain": ({"messages": [
        {"type": "human", "content": ASKED.text, "id": "1"},
        {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"], "kwargs": {
            "type": "ai", "content": CALLED.text, "tool_calls": [{"id": "c1", "name": "mul", "args": {"a": 12}}]}},
        {"type": "tool", "content": "5.44", "tool_call_id": "c1", "name": "mul"},
        {"type": "ai", "content": SAID.text},
    ]}, WHOLE),
    "ShareGPT": ([
        {"from": "human", "value": ASKED.text},
        {"from": "gpt", "value": SAID.text},
    ], (ASKED, SAID)),
    "chat completion": ({"choices": [{"index": 0, "message": {"role": "assistant", "content": SAID.text}}]}, (SAID,)),
    "words": (ASKED.text, (ASKED,)),
    "an object of their own": ({"question": "7?"}, (Message(role="user", text='{"question": "7?"}'),)),
    "nothing": (None, ()),
    "the agent's own instructions": ([{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "x"},
                                      {"from": "system", "value": "x"}, {"type": "system", "content": "x"}], ()),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_alike(form: str) -> None:
    written, read = FORMS[form]
    assert messages(written, "user") == read


def test_flattened_attributes_are_a_list_again() -> None:
    flat = {
        "llm.input_messages.1.message.role": "assistant",
        "llm.input_messages.1.message.content": CALLED.text,
        "llm.input_messages.1.message.tool_calls.0.tool_call.id": "c1",
        "llm.input_messages.1.message.tool_calls.0.tool_call.function.name": "mul",
        "llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments": '{"a": 12}',
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.contents.0.message_content.type": "text",
        "llm.input_messages.0.message.contents.0.message_content.text": ASKED.text,
        "llm.input_messages.x.message.role": "user",
        "llm.model_name": "m",
    }
    assert messages(unflattened(flat, "llm.input_messages"), "user") == (ASKED, CALLED)


def test_what_no_database_stores_is_taken_out() -> None:
    (read,) = messages({"role": "user", "content": "a\0b\ud800c"}, "user")
    assert read.text == "ab?c"


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["role", "content", "parts", "type", "tool_calls", "function", "text", "id", "kwargs", "x",
                         "messages", "name", "arguments", "functionCall", "message_content", "from", "value"]),
        inner | st.sampled_from(["user", "tool", "text", "function_call", "tool_use", "tool_result", "message"]),
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(Json)
def test_nothing_that_is_json_is_too_strange_to_read(value: Any) -> None:
    assert all(isinstance(one, Message) for one in messages(value, "user"))
