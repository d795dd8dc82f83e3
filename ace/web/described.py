"""What /openapi.json says: each operation under /v1 with exactly the refusals it can give, all of them problems.

    400 413 415               it is a POST
    401 403 422 429 503 504   always: the key, the query and the limits are looked at everywhere
    404                       its path names something
    409                       it is declared so: the same key or id may have been used for something else

405 is an answer of a path, not of an operation: it goes to every method that is not described here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from ace.web.problems import MEDIA_TYPE
from ace.web.schemas import ProblemOut

CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "the key or id was used for something else"}}
"""For the declaration of an operation."""

ALWAYS = (401, 403, 422, 429, 503, 504)
WITH_A_BODY = (400, 413, 415)
WORDS = {
    400: "the body is not strict JSON",
    401: "no valid API key",
    403: "the key does not allow this",
    404: "not there, or not for this key",
    409: CONFLICT[409]["description"],
    413: "the body is too large",
    415: "the body is not called JSON",
    422: "a value cannot be used; `field` says which",
    429: "too many requests",
    503: "something this leans on is away",
    504: "it took too long",
}
HEADERS = {401: ("WWW-Authenticate", "string"), 429: ("Retry-After", "integer")}


class DescribedApi(FastAPI):
    """An API whose description is true."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = described(super().openapi())
        return self.openapi_schema

    def methods(self, template: str) -> list[str]:
        """What may be asked of a path of this template."""
        return sorted(method.upper() for method in self.openapi()["paths"].get(template, {}))


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The description as FastAPI makes it, with the refusals put right."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            answers.pop("422", None)
            answers |= {str(code): _problem(code) for code in refusals(path, method, answers)}
    schemas = schema["components"]["schemas"]
    schemas.pop("HTTPValidationError", None), schemas.pop("ValidationError", None)
    schemas["ProblemOut"] = ProblemOut.model_json_schema()
    return schema


def refusals(path: str, method: str, declared: Mapping[str, Any]) -> list[int]:
    """The statuses of this operation's problems, by the table above."""
    if not path.startswith("/v1/"):
        return [code for code in (503, 504) if str(code) not in declared and path != "/livez"]
    found = [*ALWAYS, *(WITH_A_BODY if method == "post" else ()), *([404] if "{" in path else [])]
    return sorted([*found, *([409] if "409" in declared else [])])


def _problem(code: int) -> dict[str, Any]:
    shown = {
        "description": WORDS[code],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
    }
    if code in HEADERS:
        name, kind = HEADERS[code]
        shown["headers"] = {name: {"schema": {"type": kind}}}
    return shown
