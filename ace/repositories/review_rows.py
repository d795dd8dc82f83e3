"""Rows of `review_items` and the values they stand for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ace.core.journal import canonical
from ace.core.ports import Vectors
from ace.errors import InvalidInput
from ace.models.review import ReviewItem
from ace.repositories import rules
from ace.repositories.rows import Row
from ace.repositories.vectors import pack

_DECIDED = ("state", "decided_at", "decided_by", "decision", "bullet_id")
_COLUMNS = ("id", "state", "created_at", "decided_at", "decided_by", "decision", "bullet_id")


def review_to_rows(domain_id: str, items: Sequence[ReviewItem], vectors: Mapping[str, Vectors]) -> list[dict[str, Any]]:
    """The rows of items to be held. Raises InvalidInput for what cannot be stored."""
    if missing := [item.id for item in items if item.id not in vectors]:
        raise InvalidInput("vectors", f"none given for {missing[0]}", "Give one for every insight held")
    packed = pack([vectors[item.id] for item in items])
    return [_row(domain_id, item, vector) for item, vector in zip(items, packed, strict=True)]


def review_from_row(domain_id: str, row: Row) -> ReviewItem:
    """A row of `statements.REVIEW` and its siblings."""
    own, state, body, *times = row
    values = dict(zip(_COLUMNS, (own, state, *times), strict=True))
    return ReviewItem.from_json({**json.loads(body), **values, "domain_id": domain_id})


def decision_to_row(item: ReviewItem) -> dict[str, Any]:
    """What a decision changes."""
    values = item.to_json()
    return {"domain_id": item.domain_id, "id": item.id, **{name: values[name] for name in _DECIDED}}


def _row(domain_id: str, item: ReviewItem, vector: bytes) -> dict[str, Any]:
    rules.check_name("review item", item.id)
    values = item.to_json()
    columns = {name: values.pop(name) for name in _COLUMNS}
    del values["domain_id"]
    return {**columns, "domain_id": domain_id, "vector": vector, "body": canonical(values).decode()}
