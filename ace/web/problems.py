"""Every error as a problem document (RFC 9457): what is wrong, which field, what to do.

error                 status      error                 status
InvalidInput          422         MissingModelFiles …   503   ours to mend, not the caller's
BatchTooLarge         413         ModelError            502
Unauthenticated       401         DeadlineExceeded      504
Forbidden             403         Outage                503
NotFound              404
Conflict              409
TooManyRequests       429
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.responses import Response

from ace import errors
from ace.errors import AceError, CircuitOpen, InvalidInput, TooManyRequests

MEDIA_TYPE = "application/problem+json"

STATUSES: tuple[tuple[type[AceError], int, str], ...] = (
    (errors.Unauthenticated, 401, "No valid API key"),
    (errors.Forbidden, 403, "Not allowed"),
    (errors.NotFound, 404, "Not found"),
    (errors.Conflict, 409, "Conflict"),
    (errors.BatchTooLarge, 413, "Too many items"),
    (errors.TooManyRequests, 429, "Too many requests"),
    (errors.InvalidInput, 422, "Invalid input"),
    (errors.BudgetExhausted, 429, "Budget exhausted"),
    (errors.UserError, 503, "The server is not set up for this"),
    (errors.ModelError, 502, "The language model failed"),
    (errors.DeadlineExceeded, 504, "Deadline exceeded"),
    (errors.Outage, 503, "Temporarily unavailable"),
)


class Problem(Response):
    """A problem document. `fields` are further members: `field`, `remedy`, `errors`."""

    media_type = MEDIA_TYPE

    def __init__(
        self, status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> None:
        self.title, self.detail = title, detail
        slug = title.lower().replace(" ", "-")
        body = {"type": f"urn:ace:problem:{slug}", "title": title, "status": status, "detail": detail, **fields}
        super().__init__(json.dumps(body), status_code=status, headers=dict(headers or {}))


def problem_of(error: AceError) -> Problem:
    """The document for one of our errors."""
    status, title = next((code, title) for family, code, title in STATUSES if isinstance(error, family))
    fields: dict[str, Any] = {}
    if isinstance(error, InvalidInput):
        fields = {"field": error.field, "remedy": error.remedy}
    return Problem(status, title, str(error), headers=_headers(error), **fields)


def invalid(found: Sequence[Mapping[str, Any]]) -> Problem:
    """The document for what a request's schema refuses: the first field in front, all of them in `errors`."""
    listed = [{"field": _field(one["loc"]), "problem": str(one["msg"])} for one in found]
    first = listed[0]
    remedy = "See /docs for what this request takes"
    detail = f"{first['field']}: {first['problem']}."
    return Problem(422, "Invalid input", detail, field=first["field"], remedy=remedy, errors=listed)


def _field(location: Sequence[Any]) -> str:
    """`("body", "insights", 0, "content")` as `insights[0].content`."""
    parts = [part for part in location if part not in ("body", "query", "path", "header")]
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "body"


def _headers(error: AceError) -> dict[str, str]:
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="ace"'}
    if isinstance(error, CircuitOpen | TooManyRequests):
        return {"Retry-After": str(max(1, round(error.retry_after)))}
    return {}
