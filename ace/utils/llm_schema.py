"""Type annotations as JSON schemas that grammars and strict servers accept: closed objects, nothing referenced.

str, int, float, bool            the JSON type of the same meaning
Literal["a", "b"]                enum
list[X]                          array of X; of Literals: each at most once, so at most as many as there are
dict[Literal["a", "b"], X]       object with exactly these properties
dict[str, X]                     any object (the one open schema)
a pydantic model                 object with exactly its fields
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

Schema = dict[str, Any]
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema_of(annotation: Any) -> Schema:
    """The schema of one annotation; what the table does not name becomes a string."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        limit = {"maxItems": len(get_args(arguments[0]))} if get_origin(arguments[0]) is Literal else {}
        return {"type": "array", "items": schema_of(arguments[0]), **limit}
    if origin is dict:
        return _mapping(arguments[0], arguments[1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return closed({name: schema_of(field.annotation) for name, field in annotation.model_fields.items()})
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {"type": "string", "enum": [member.value for member in annotation]}
    return {"type": _PLAIN.get(annotation, "string")}


def closed(properties: dict[str, Schema]) -> Schema:
    """An object that has these properties, all of them and no other."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def is_closed(schema: Schema) -> bool:
    """Whether a strict server takes it: no object in it is open."""
    if schema.get("type") == "object":
        return "properties" in schema and all(is_closed(inner) for inner in schema["properties"].values())
    return schema.get("type") != "array" or is_closed(schema["items"])


def response_format(schema: Schema) -> Schema:
    """The `response_format` of an OpenAI-compatible request that asks for this schema."""
    strict = schema.get("type") == "object" and is_closed(schema)
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": strict}}


def _mapping(keys: Any, values: Any) -> Schema:
    if get_origin(keys) is Literal:
        return closed({key: schema_of(values) for key in get_args(keys)})
    return {"type": "object"}
