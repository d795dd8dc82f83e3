"""/docs: every operation on one page, made from /openapi.json. No script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
TEMPLATE = Path(__file__).parent / "templates" / "docs.html"

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A parameter, or a member of a body."""

    name: str
    kind: str
    required: bool
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One operation as the page shows it."""

    id: str
    tag: str
    method: str
    path: str
    words: str
    parameters: list[Field]
    body: str
    answers: list[tuple[str, str, str]]
    curl: str


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    page = _page(json.dumps(request.app.openapi()))
    return HTMLResponse(page, headers={"Content-Security-Policy": _policy(page)})


@lru_cache(maxsize=4)
def _page(description: str) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    described = json.loads(description)
    schemas = described["components"]["schemas"]
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    operations = [
        _operation(path, method, operation, schemas)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    models = [(name, schema.get("description", ""), list(fields(schema))) for name, schema in sorted(schemas.items())]
    return environment.get_template(TEMPLATE.name).render(
        info=described["info"], operations=sorted(operations, key=lambda one: one.tag), models=models
    )


def _policy(page: str) -> str:
    """Nothing may be loaded or run; the page's own style alone is known by its hash."""
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]
    own = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{own}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _operation(path: str, method: str, described: Schema, schemas: Schemas) -> Shown:
    content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = content.get("schema")
    return Shown(
        id=described["operationId"],
        tag=described["tags"][0],
        method=method.upper(),
        path=path,
        words=described.get("description", described.get("summary", "")),
        parameters=[
            Field(name=f"{one['name']} ({one['in']})", kind=kind(one["schema"]), required=one.get("required", False),
                  words=one.get("description", ""))
            for one in described.get("parameters", [])
        ],
        body=kind(body) if body else "",
        answers=[(code, _answer(answer), answer["description"]) for code, answer in described["responses"].items()],
        curl=_curl(path, method, example(body, schemas) if body else None, guarded="security" in described),
    )  # fmt: skip


def _answer(answer: Schema) -> str:
    return ", ".join(
        kind(one["schema"]) if one.get("schema") else media for media, one in answer.get("content", {}).items()
    )


def fields(schema: Schema) -> Iterator[Field]:
    """The members of an object; for an enumeration, what it may be."""
    if "enum" in schema:
        yield Field(name="one of", kind=", ".join(map(str, schema["enum"])), required=True, words="")
    for name, member in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        yield Field(name=name, kind=kind(member), required=required, words=member.get("description", ""))


def kind(schema: Schema) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}{_limits(schema)}"
    return f"{schema.get('type', 'anything')}{_limits(schema)}"


def _limits(schema: Schema) -> str:
    names = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "minLength": "length ≥ ",
             "maxLength": "length ≤ ", "minItems": "items ≥ ", "maxItems": "items ≤ ", "pattern": ""}  # fmt: skip
    told = [f"{sign}{schema[name]}" for name, sign in names.items() if name in schema]
    return f" ({', '.join(told)})" if told else ""


def example(schema: Schema, schemas: Schemas) -> Any:
    """The least that fits: the fields that must be there, and lists of one."""
    if "$ref" in schema:
        return example(schemas[kind(schema)], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            members = schema.get("properties", {}).items()
            needed = schema.get("required") or [name for name, member in members if "items" in member][:1]
            return {name: example(member, schemas) for name, member in members if name in needed}
        case "array":
            return [example(schema["items"], schemas)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case _:
            return "…"


def _curl(path: str, method: str, body: Any, *, guarded: bool) -> str:
    parts = ["curl", *(["-X", method.upper()] if method not in ("get",) and body is None else [])]
    parts.append(f'"$ACE{path}"')
    parts += ['-H "Authorization: Bearer $ACE_KEY"'] if guarded else []
    if body is not None:
        parts += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body, ensure_ascii=False)}'"]
    return " ".join(parts)
