"""Fields are read out of whatever a model writes, and nothing is made up."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from ace.utils.llm_parsing import read_fields
from ace.utils.llm_schema import is_closed, response_format, schema_of

FIELDS: dict[str, Any] = {"reasoning": str, "answer": str, "cited": list[str]}
A, B = "strategy-abcdefghij", "example-bcdefghijk"


class Lesson(BaseModel):
    section: Literal["strategy", "mistake"] = "strategy"
    content: str = Field(description="the advice")
    confidence: float = 0.8


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"reasoning": "sum", "answer": "4", "cited": ["a"]}', id="JSON"),
        pytest.param('```json\n{"reasoning": "sum", "answer": "4", "cited": ["a"]}\n```', id="in a fence"),
        pytest.param('Sure! {"reasoning": "sum", "answer": "4", "cited": ["a"]} Hope it helps.', id="talk around it"),
        pytest.param("{'reasoning': 'sum', 'answer': '4', 'cited': ['a']}", id="single quotes"),
        pytest.param('{"reasoning": "sum", "answer": "4", "cited": ["a"', id="cut off"),
        pytest.param('{"reasoning": "sum", "answer": "4", "cited": ["a"],}', id="a comma too many"),
        pytest.param('{"Reasoning": "sum", "Answer": 4, "Cited": "a"}', id="other case, other types"),
        pytest.param('[{"reasoning": "sum", "answer": "4", "cited": ["a"]}]', id="in a list"),
        pytest.param('<think>{"answer": "5"}</think>{"reasoning": "sum", "answer": "4", "cited": ["a"]}', id="thought"),
        pytest.param("Reasoning: sum\nAnswer: 4\nCited: a", id="labels"),
        pytest.param("**Reasoning:** sum\n\n**Final Answer:** 4\n\n**Cited:** a", id="dressed labels"),
        pytest.param("- reasoning: sum\n- answer: 4\n- cited: a", id="a list of labels"),
    ],
)
def test_all_fields_are_read(text: str) -> None:
    assert read_fields(text, FIELDS) == {"reasoning": "sum", "answer": "4", "cited": ["a"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('{"answer": "4"}', {"answer": "4"}, id="some are missing"),
        pytest.param("The answer is 4.", {}, id="a sentence names no field"),
        pytest.param("", {}, id="nothing"),
        pytest.param("\x00\x01 <html>", {}, id="garbage"),
        pytest.param('{"verdict": "4"}', {}, id="other fields"),
        pytest.param("{{{{", {}, id="braces"),
    ],
)
def test_what_is_not_there_is_left_out(text: str, found: dict[str, Any]) -> None:
    assert read_fields(text, FIELDS) == found


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("4", "4", id="bare"),
        pytest.param('"4"', "4", id="a JSON string"),
        pytest.param('"a\\"b"', 'a"b', id="an escaped JSON string"),
        pytest.param("  Answer: 4 ", "4", id="labelled"),
        pytest.param("**4**", "**4**", id="marked up"),
        pytest.param('{"answer": "4"}', "4", id="JSON though nobody asked"),
        pytest.param("a {brace} in it", "a {brace} in it", id="braces that are text"),
    ],
)
def test_a_single_field_may_be_plain_text(text: str, answer: str) -> None:
    assert read_fields(text, {"answer": str}) == {"answer": answer}


TAGS = ("Revenues", "RevenuesNet", "InterestExpense")


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("Revenues", "Revenues"),
        ("revenues.", "Revenues"),
        ("The tag is InterestExpense.", "InterestExpense"),
        ("RevenuesNet", "RevenuesNet"),
        ("the best tag: `RevenuesNet`", "RevenuesNet"),
        ("Revenues or InterestExpense", None),
        ("Sales", None),
        ("", None),
    ],
)
def test_an_option_is_found_by_name_or_not_at_all(text: str, chosen: str | None) -> None:
    assert read_fields(text, {"answer": Literal[TAGS]}).get("answer") == chosen  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param([A, B], [A, B], id="both"),
        pytest.param([A, "strategy-zzzzzzzzzz"], [A], id="an id nobody showed"),
        pytest.param(f"[{A}]", [A], id="in brackets"),
        pytest.param(f"{A}, {B}", [A, B], id="one text"),
        pytest.param([], [], id="none"),
        pytest.param(None, [], id="null"),
    ],
)
def test_a_list_of_options_keeps_the_options(value: Any, kept: list[str]) -> None:
    import json

    text = json.dumps({"answer": "4", "cited": value})
    assert read_fields(text, {"answer": str, "cited": list[Literal[A, B]]})["cited"] == kept  # type: ignore[valid-type]


def test_models_keep_what_can_be_used_of_them() -> None:
    text = (
        '{"lessons": [{"content": "Check units."}, {"section": "poem", "content": "x", "confidence": "0.5"}, '
        '{"section": "mistake"}, "Round last."], "tags": {"' + A + '": "Helpful", "other": "harmful"}}'
    )
    tags = dict[Literal[A], Literal["helpful", "harmful", "neutral"]]  # type: ignore[valid-type]
    found = read_fields(text, {"lessons": list[Lesson], "tags": tags})
    assert found["lessons"] == [
        Lesson(content="Check units."),
        Lesson(content="x", confidence=0.5),
    ], "a lesson without content is no lesson, and a section nobody knows is the usual one"
    assert found["tags"] == {A: "helpful"}


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    found = read_fields(text, FIELDS)
    assert set(found) <= set(FIELDS)
    assert all(isinstance(value, list if name == "cited" else str) for name, value in found.items())


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (float, {"type": "number"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (
            list[Literal["a", "b"]],
            {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "maxItems": 2},
        ),
        (dict[str, Any], {"type": "object"}),
        (
            dict[Literal["a"], Literal["x", "y"]],
            {
                "type": "object",
                "properties": {"a": {"type": "string", "enum": ["x", "y"]}},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_annotations_as_schemas(annotation: Any, schema: dict[str, Any]) -> None:
    assert schema_of(annotation) == schema


def test_a_model_is_a_closed_object_and_an_open_one_is_never_called_strict() -> None:
    lesson = schema_of(Lesson)
    assert list(lesson["properties"]) == lesson["required"] == ["section", "content", "confidence"]
    assert response_format(lesson)["json_schema"]["strict"] is True
    assert not is_closed(schema_of(dict[str, Any]))
    assert response_format(schema_of(dict[str, Any]))["json_schema"]["strict"] is False
