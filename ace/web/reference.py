"""The HTTP interface as a page: docs/reference/http.md, made from the same description as /docs.

operations     one table of all; then each with its parameters, its body, its answer and its refusals
types          the members of each object, and the words an enumeration may be
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from fastapi import FastAPI
from fastapi.routing import APIRoute

from ace.web.app import GUARDED
from ace.web.described import WORDS
from ace.web.documentation import Field, Schema, Schemas, fields, kind

FIRST = ("agents", "episodes")
HEAD = """# HTTP

Generated from the code by `python docs/reference/generate.py`. A server tells the same at `/openapi.json`, and in
a browser at `/docs`; [the guide](../guides/http.md) shows the calls in use.

Bodies are strict JSON: no unknown field, no guessing of types. `/v1` needs `Authorization: Bearer ace_…` from the first
key on; a role includes those before it: read, write, review, admin. Every refusal is a [`ProblemOut`](#problemout),
sent as `application/problem+json`.

"""


def markdown(api: FastAPI) -> str:
    """The page."""
    described = api.openapi()
    schemas = described["components"]["schemas"]
    roles = dict(_roles())
    operations = sorted(
        ((one["tags"][0], f"{method.upper()} {path}", one) for path, methods in described["paths"].items()
         for method, one in methods.items()),
        key=lambda found: (found[0] not in FIRST, found[0]),
    )  # fmt: skip
    rows = [f"[`{name}`](#{_place(name)}) | {roles.get(name, '')} | {_first(one)}" for _, name, one in operations]
    parts = [HEAD + "## Operations\n", _table("operation | role | does", rows)]
    for tag, members in groupby(operations, key=lambda found: found[0]):
        parts += [f"## {tag.capitalize()}\n", *(_operation(name, one, roles, schemas) for _, name, one in members)]
    parts += ["## Types\n", *(_type(name, schema) for name, schema in sorted(schemas.items()))]
    codes = [f"{code} | {words}" for code, words in WORDS.items()]
    return "\n".join([*parts, "## Refusals\n", _table("status | means", codes)])


def _roles() -> Iterator[tuple[str, str]]:
    """The role each guarded operation needs."""
    for module in GUARDED:
        for route in (one for one in module.router.routes if isinstance(one, APIRoute)):
            for method in route.methods or ():
                yield f"{method} {route.path}", str(route.endpoint.needs)  # type: ignore[attr-defined]


def _operation(name: str, described: Schema, roles: Mapping[str, str], schemas: Schemas) -> str:
    parts = [f"### {name}\n", f"{_cell(described.get('description', described.get('summary', '')))}\n"]
    if name in roles:
        parts.append(f"Role: `{roles[name]}`.\n")
    if parameters := described.get("parameters"):
        rows = [_row(f"`{one['name']}` ({one['in']})", kind(one["schema"]), one.get("required", False),
                     one.get("description", "")) for one in parameters]  # fmt: skip
        parts.append(_table("parameter | is | required | means", rows))
    if body := described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema"):
        parts += [f"Body: {_linked(kind(body), schemas)}\n", _members(fields(schemas[kind(body)]))]
    refused = [code for code in described["responses"] if int(code) >= 400]
    parts += [f"{_answers(described, schemas)}\n"]
    parts += [f"Refuses with {', '.join(refused)}.\n"] if refused else []
    return "\n".join(parts)


def _answers(described: Schema, schemas: Schemas) -> str:
    found = ((code, answer.get("content", {})) for code, answer in described["responses"].items() if int(code) < 400)
    told = [f"{code}: {', '.join(_answer(media, one, schemas) for media, one in content.items()) or 'no body'}"
            for code, content in found]  # fmt: skip
    return f"Answers {'; '.join(told)}."


def _answer(media: str, content: Schema, schemas: Schemas) -> str:
    return _linked(kind(content["schema"]), schemas) if content.get("schema") else f"`{media}`"


def _type(name: str, schema: Schema) -> str:
    words = _cell(schema.get("description", ""))
    if "enum" in schema:
        return f"### {name}\n\n{words}\n\nOne of {', '.join(f'`{one}`' for one in schema['enum'])}.\n"
    return f"### {name}\n\n{words}\n\n{_members(fields(schema))}"


def _members(members: Iterable[Field]) -> str:
    rows = [_row(f"`{one.name}`", one.kind, one.required, one.words) for one in members]
    return _table("field | is | required | means", rows) if rows else ""


def _row(name: str, what: str, required: bool, words: str) -> str:
    return f"{name} | {_cell(what)} | {'yes' if required else ''} | {_cell(words)}"


def _linked(what: str, schemas: Schemas) -> str:
    own = what.removeprefix("list of ")
    return what.replace(own, f"[`{own}`](#{_place(own)})") if own in schemas else what


def _table(head: str, rows: Iterable[str]) -> str:
    lines = [f"| {head} |", "| " + " | ".join("---" for _ in head.split(" | ")) + " |", *(f"| {row} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _first(described: Schema) -> str:
    text = str(described.get("description") or described.get("summary", ""))
    return _cell(text.split("\n")[0].split(". ")[0].split("; ")[0]).rstrip(".")


def _place(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return "".join(one for one in heading.lower().replace(" ", "-") if one.isalnum() or one in "-_")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
