"""What mem0's `get_all()` gives: `{"results": [{"id", "memory", "hash", "metadata", "user_id", …}]}`, or the bare list.

A memory is a bullet if it is advice; whether it is, mem0 does not say, so look with --dry-run first. `metadata.section`
and `categories` name the section. What has run out (`expiration_date`) is for mem0 to leave out, and it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ace.core.carrying.carried import Carried, details, taken, told
from ace.errors import InvalidInput
from ace.models.foreign import Foreign

TOLD = ("hash", "user_id", "agent_id", "run_id", "app_id", "actor_id", "role", "created_at", "updated_at", "metadata",
        "categories")  # fmt: skip


def from_mem0(data: Any) -> list[Carried]:
    """Its memories. Raises InvalidInput naming the first field that cannot be used."""
    listed = data.get("results") if isinstance(data, Mapping) else data
    if not isinstance(listed, list):
        raise InvalidInput(
            "results", "are missing: this is not what mem0's get_all() gives", "Write its answer as JSON"
        )
    if isinstance(data, Mapping) and data.get("next"):
        raise InvalidInput("next", "names a page that is not here", "Ask for every page, and join their results")
    return [_memory(f"results[{number}]", one) for number, one in enumerate(listed)]


def _memory(where: str, one: Any) -> Carried:
    if not isinstance(one, Mapping) or not isinstance(one.get("memory"), str):
        raise InvalidInput(f"{where}.memory", "should be a string", "Give the objects of get_all() as they are")
    metadata, categories = one.get("metadata"), one.get("categories")
    named = metadata.get("section") if isinstance(metadata, Mapping) else None
    first = categories[0] if isinstance(categories, list) and categories else None
    place = Foreign(format="mem0", id=told(one.get("id")), section=told(named) or told(first),
                    details=details({name: one[name] for name in TOLD if name in one}))  # fmt: skip
    return taken(f"{where}.memory", one["memory"], place)
