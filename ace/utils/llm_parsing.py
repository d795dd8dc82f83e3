"""Reading fields out of what a model wrote, however it wrote them. Found first wins:

    1. JSON                           {"answer": "4", "cited": []}
    2. JSON with faults               ```json {'answer': '4', … ``` without the end, with talk around it
    3. labels                         Answer: 4
                                      Cited: strategy-a
    4. the text itself                when only one field is asked for

Values are then turned into what the field is for. What cannot be read is left out, never made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import json_repair
from pydantic import BaseModel, TypeAdapter, ValidationError

_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"```\w*\n?")
_BETWEEN = re.compile(r"[\s,;]+")
_ABSENT = object()


def read_fields(text: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields (name -> annotation) that could be read from `text`, with their values."""
    bare = _FENCE.sub("", _THOUGHT.sub("", text)).strip()
    found = _from_json(bare, fields) or _from_labels(bare, list(fields))
    if not found and len(fields) == 1 and bare:
        found = {next(iter(fields)): _unquoted(bare)}
    values = {name: convert(found[name], fields[name]) for name in fields if name in found}
    return {name: value for name, value in values.items() if value is not _ABSENT}


def convert(value: Any, annotation: Any) -> Any:
    """The value as the annotation wants it; a private mark when it cannot be had."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is str:
        return _text(value)
    if origin is Literal:
        return _choice(_text(value), arguments)
    if origin is list:
        items = _BETWEEN.split(value.strip("[] ")) if isinstance(value, str) and arguments[0] is not str else value
        converted = [convert(item, arguments[0]) for item in _as_list(items)]
        return [item for item in converted if item is not _ABSENT]
    if origin is dict and get_origin(arguments[0]) is Literal:
        pairs = ((key, convert(inner, arguments[1])) for key, inner in value.items()) if isinstance(value, dict) else ()
        return {key: inner for key, inner in pairs if key in get_args(arguments[0]) and inner is not _ABSENT}
    return _validated(value, annotation)


def _from_json(text: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The first object in the text that has one of the fields."""
    if "{" not in text:
        return {}
    for candidate in (text[text.index("{") :], text[text.rindex("{") :]):
        loaded = json_repair.loads(candidate)
        for item in _as_list(loaded):
            if isinstance(item, dict) and (found := _named(item, fields)):
                return found
    return {}


def _named(item: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    by_name = {_name(key): value for key, value in item.items()}
    return {name: by_name[_name(name)] for name in fields if _name(name) in by_name}


def _from_labels(text: str, names: Sequence[str]) -> dict[str, Any]:
    """`Name: value` paragraphs; a name may be dressed up ("**Final answer:**"), the last of a name counts."""
    spelled = "|".join(re.escape(name).replace("_", "[ _]") for name in names)
    label = re.compile(rf"^\W*(?:final |the )?({spelled})\W*?(?: is)?[:=]\W*?(?=[\w$(\[.+-]|$)", re.I | re.M)
    parts = list(label.finditer(text))
    ends = [part.start() for part in parts[1:]] + [len(text)]
    found = {_name(part[1]): text[part.end() : end].strip() for part, end in zip(parts, ends, strict=False)}
    return {name: found[_name(name)] for name in names if found.get(_name(name))}


def _name(name: str) -> str:
    return re.sub(r"[\W_]+", "", str(name)).casefold()


def _text(value: Any) -> str:
    """The value as text that can be stored and sent: no NUL, and no half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\0", " ").encode("utf-8", "replace").decode().strip()
    if isinstance(value, list) and len(value) == 1:
        return _text(value[0])
    return json.dumps(value, ensure_ascii=False)


def _unquoted(text: str) -> str:
    """The text without one pair of quotation marks around all of it; a JSON string is decoded."""
    try:
        loaded = json.loads(text) if text.startswith('"') else None
    except ValueError:
        loaded = None
    if isinstance(loaded, str):
        return loaded
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`" else text


def _choice(text: str, options: Sequence[str]) -> Any:
    """The option the text is, or the only one it names as a whole word."""
    if text in options:
        return text
    same = [option for option in options if option.casefold() == text.strip(" .'\"`*[]").casefold()]
    if len(same) == 1:
        return same[0]
    named = [option for option in options if re.search(rf"(?<!\w){re.escape(option)}(?!\w)", text, re.IGNORECASE)]
    longest = [option for option in named if not any(option != other and option in other for other in named)]
    return longest[0] if len(longest) == 1 else _ABSENT


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value in (None, "") else [value]


def _validated(value: Any, annotation: Any) -> Any:
    if isinstance(value, str) and annotation not in (int, float, bool):
        value = json_repair.loads(value)
    if isinstance(value, dict) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(value, annotation)
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return _ABSENT


def _model(value: Mapping[str, Any], model: type[BaseModel]) -> Any:
    """The model from those of its fields that can be read; the others take their defaults."""
    fields = {name: field.annotation for name, field in model.model_fields.items()}
    read = {name: convert(found, fields[name]) for name, found in _named(value, fields).items()}
    try:
        return model(**{name: found for name, found in read.items() if found is not _ABSENT})
    except ValidationError:
        return _ABSENT
