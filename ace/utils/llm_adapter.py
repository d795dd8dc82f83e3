"""A DSPy adapter with few words, for models that read slowly and follow weakly; strong ones lose nothing by it.

    system   the instructions, then how to answer        the same for every task: a server's prefix cache keeps it
    user     the inputs in the signature's order,        bullets first, then the task
             each under its name, empty ones left out

One output field is answered in plain words, several as one JSON object. A server that takes `response_format` is
sent the schema, with an enum wherever a field has options; one that refuses it is not asked again, and the options
are listed in the prompt instead.
"""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin

import dspy
from dspy.utils.exceptions import ContextWindowExceededError, LMInvalidRequestError, LMUnsupportedFeatureError
from pydantic import BaseModel

from ace.errors import UnusableAnswer
from ace.utils.llm_errors import shorten
from ace.utils.llm_parsing import read_fields
from ace.utils.llm_schema import closed, response_format, schema_of

Structured = Literal["auto", "never"]
FEW = 6  # options that fit into the description of a field


class CompactAdapter(dspy.Adapter):  # type: ignore[misc]  # DSPy ships no types
    """`structured="never"` sends no schema; `list_options` shows options in the prompt although the schema has them."""

    def __init__(self, *, structured: Structured = "auto", list_options: bool = True) -> None:
        super().__init__()
        self._list_options = list_options or structured == "never"
        self._unconstrained = None if structured == "never" else CompactAdapter(structured="never")
        self._refused: set[str] = set()  # models whose server takes no schema

    def __call__(
        self, lm: Any, lm_kwargs: dict[str, Any], signature: Any, demos: list[Any], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The answer's fields, one dict per answer. Raises UnusableAnswer and what the model raises."""
        rest = (signature, demos, inputs)
        schema = _reply_schema(signature)
        if self._unconstrained is None or schema is None:
            return list(super().__call__(lm, lm_kwargs, *rest))
        if lm.model in self._refused:
            return self._unconstrained(lm, lm_kwargs, *rest)
        try:
            return list(super().__call__(lm, {**lm_kwargs, "response_format": response_format(schema)}, *rest))
        except ContextWindowExceededError:
            raise
        except (LMInvalidRequestError, LMUnsupportedFeatureError):
            answers = self._unconstrained(lm, lm_kwargs, *rest)
            self._refused.add(lm.model)  # only now is it known that the schema was what it refused
            return answers

    def format(self, signature: Any, demos: list[Any], inputs: dict[str, Any]) -> list[dict[str, str]]:
        """The messages: system, demonstrations as turns, the user's."""
        system = "\n".join(filter(None, (signature.instructions, self._contract(signature))))
        user = self.format_user_message_content(signature, inputs, main_request=True)
        return [{"role": "system", "content": system}, *self.format_demos(signature, demos),
                {"role": "user", "content": user}]  # fmt: skip

    def format_user_message_content(
        self, signature: Any, inputs: dict[str, Any], prefix: str = "", suffix: str = "", main_request: bool = False
    ) -> str:
        """The inputs that are not empty, each under its name; a plain answer's name stands at the end as the cue."""
        given = [(name, _written(inputs.get(name))) for name in signature.input_fields]
        blocks = [prefix, *(_block(name, text) for name, text in given if text), suffix]
        if main_request and _is_plain(signature):
            blocks.append(f"{_title(next(iter(signature.output_fields)))}:")
        return "\n\n".join(filter(None, blocks))

    def format_assistant_message_content(
        self, signature: Any, outputs: dict[str, Any], missing_field_message: str | None = None
    ) -> str:
        """A demonstration's answer, in the form that is asked for."""
        values = {name: outputs.get(name, missing_field_message) for name in signature.output_fields}
        return _written(next(iter(values.values()))) if _is_plain(signature) else _written(values)

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        """The output fields. Raises UnusableAnswer, with the text, when one that must be there cannot be read."""
        fields = signature.output_fields
        read = read_fields(completion, {name: field.annotation for name, field in fields.items()})
        missing = [name for name, field in fields.items() if name not in read and field.is_required()]
        if missing:
            text = shorten(" ".join(completion.split()))
            raise UnusableAnswer(f"No '{missing[0]}' could be read from the model's answer: {text!r}.")
        return {name: read[name] if name in read else field.get_default(call_default_factory=True)
                for name, field in fields.items()}  # fmt: skip

    def _contract(self, signature: Any) -> str:
        """How to answer, in one line, and the options of the fields that have many."""
        fields = signature.output_fields
        shapes = {name: _shape(field.annotation, _description(name, field)) for name, field in fields.items()}
        form = "" if _is_plain(signature) else f"Answer with one JSON object: {_written(shapes)}"
        many = [(name, get_args(field.annotation)) for name, field in fields.items()
                if get_origin(field.annotation) is Literal and self._list_options
                and (len(get_args(field.annotation)) > FEW or not form)]  # fmt: skip
        return "\n".join(filter(None, (form, *(f"{_title(name)} is one of: {'; '.join(o)}" for name, o in many))))


def _is_plain(signature: Any) -> bool:
    """Whether the answer is one text or one of some options, and so needs no JSON around it."""
    annotations = [field.annotation for field in signature.output_fields.values()]
    return len(annotations) == 1 and (annotations[0] is str or get_origin(annotations[0]) is Literal)


def _reply_schema(signature: Any) -> dict[str, Any] | None:
    """What the whole reply has to follow; None for free text."""
    schemas = {name: schema_of(field.annotation) for name, field in signature.output_fields.items()}
    if not _is_plain(signature):
        return closed(schemas)
    only = next(iter(schemas.values()))
    return only if "enum" in only else None


def _shape(annotation: Any, description: str) -> Any:
    """The annotation as a JSON value that shows what belongs where."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal and len(arguments) <= FEW:
        return "|".join(arguments)
    if origin is list:
        simple = get_origin(arguments[0]) is Literal  # options that differ by call would spoil the prefix cache
        return [f"<{description}>" if simple else _shape(arguments[0], description)]
    if origin is dict and get_origin(arguments[0]) is Literal:
        return {key: _shape(arguments[1], description) for key in get_args(arguments[0])}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {name: _shape(field.annotation, field.description or name)
                for name, field in annotation.model_fields.items()}  # fmt: skip
    return f"<{description}>"


def _description(name: str, field: Any) -> str:
    described = str((field.json_schema_extra or {}).get("desc") or name)
    return name if described.startswith("${") else described


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _block(name: str, text: str) -> str:
    """`Name: text`, or the name on a line of its own above a text of several lines."""
    return f"{_title(name)}:{chr(10) if chr(10) in text else ' '}{text}"


def _written(value: Any) -> str:
    """The value as text that can be sent: half a surrogate pair, which no server takes, becomes a question mark."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode()
