"""What a provider answers is one message, whole or in pieces, in each dialect."""

from __future__ import annotations

import gzip
import json

import pytest

from ace.core.prompting import Dialect
from ace.models.trace import Message
from ace.testing.dialects import DIALECTS, Said, ToolCall
from ace.utils.completions import answered, asked

WORDS, CALL = "Round up, then add.", ToolCall(tool="scale", arguments={"unit": "kg"})
JSON, STREAM = [(b"content-type", b"application/json")], [(b"content-type", b"text/event-stream; charset=utf-8")]


def streamed(dialect: Dialect, said: Said) -> bytes:
    lines = []
    for name, data in DIALECTS[dialect][1](said):
        told = data if isinstance(data, str) else json.dumps(data)
        lines.append((f"event: {name}\n" if name else "") + f"data: {told}\n\n")
    return "".join(lines).encode()


def whole(dialect: Dialect, said: Said) -> bytes:
    return json.dumps(DIALECTS[dialect][0](said)).encode()


@pytest.mark.parametrize("dialect", Dialect)
def test_words_are_the_same_whole_in_pieces_and_compressed(dialect: Dialect) -> None:
    expected = Message(role="assistant", text=WORDS)
    assert answered(dialect, JSON, whole(dialect, WORDS)) == expected
    assert answered(dialect, STREAM, streamed(dialect, WORDS)) == expected
    packed = gzip.compress(whole(dialect, WORDS))
    assert answered(dialect, [*JSON, (b"content-encoding", b"gzip")], packed) == expected


@pytest.mark.parametrize("dialect", Dialect)
def test_a_call_of_a_tool_is_known_as_one(dialect: Dialect) -> None:
    for headers, body in ((JSON, whole(dialect, CALL)), (STREAM, streamed(dialect, CALL))):
        found = answered(dialect, headers, body)
        assert found is not None
        assert [(call.name, json.loads(call.arguments)) for call in found.calls] == [("scale", {"unit": "kg"})]
        assert found.text == ""


@pytest.mark.parametrize("dialect", Dialect)
def test_half_an_answer_is_none(dialect: Dialect) -> None:
    pieces = streamed(dialect, WORDS).split(b"\n\n")
    assert answered(dialect, STREAM, b"\n\n".join(pieces[: len(pieces) // 2])) is None
    assert answered(dialect, STREAM, pieces[0][:-3]) is None
    assert answered(dialect, JSON, whole(dialect, WORDS)[:-5]) is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'"words"', b'{"choices": [], "output": 3, "content": null}', b"\xff"]
)
def test_what_is_no_answer_is_none(body: bytes) -> None:
    for dialect in Dialect:
        assert answered(dialect, JSON, body) is None


def test_what_was_asked_is_the_conversation_without_the_instructions() -> None:
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Add."}]
    expected = (Message(role="user", text="Add."),)
    assert asked(Dialect.CHAT, {"messages": talk}) == expected
    assert asked(Dialect.MESSAGES, {"system": "Be brief.", "messages": talk[1:]}) == expected
    assert asked(Dialect.RESPONSES, {"instructions": "Be brief.", "input": "Add."}) == expected
    assert asked(Dialect.RESPONSES, {"input": talk}) == expected
