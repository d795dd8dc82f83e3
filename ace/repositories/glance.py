"""One quick read for shell completion: names, without SQLAlchemy, within PATIENCE_S or not at all.

Whatever goes wrong, nothing is found: somebody is typing, and the command itself will say what is wrong.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from ace import quick_settings

PATIENCE_S = 1

_BY_NAME = "WHERE domain_id = {0} AND {1} LIKE {0} ORDER BY 1 LIMIT 100"
_DOMAINS = "SELECT domain_id FROM domains WHERE domain_id LIKE {0} ORDER BY 1 LIMIT 100"
_BULLETS = f"SELECT id, content FROM playbook_bullets {_BY_NAME}".replace("{1}", "id")
_RELEASES = f"SELECT name, note FROM releases {_BY_NAME}".replace("{1}", "name")
_WAITING = f"SELECT id, body FROM review_items {_BY_NAME}".replace("{1}", "id").replace(
    "ORDER", "AND state = 'waiting' ORDER"
)


def domains(start: str) -> list[str]:
    """The domains whose names begin so."""
    return [name for (name,) in _rows(_DOMAINS, _like(start)) if name.startswith(start)]


def bullets(domain: str, start: str) -> list[tuple[str, str]]:
    """The bullets whose ids begin so, with their texts."""
    return [(own, text) for own, text in _rows(_BULLETS, domain, _like(start)) if own.startswith(start)]


def releases(domain: str, start: str) -> list[tuple[str, str]]:
    """The releases whose names begin so, with their notes."""
    return [(name, note) for name, note in _rows(_RELEASES, domain, _like(start)) if name.startswith(start)]


def waiting(domain: str, start: str) -> list[tuple[str, str]]:
    """The items that wait for a person and whose ids begin so, with their texts."""
    found = (row for row in _rows(_WAITING, domain, _like(start)) if row[0].startswith(start))
    return [(own, str(json.loads(body)["insight"]["content"])) for own, body in found]


def _like(start: str) -> str:
    return f"{start}%"


def _rows(query: str, *values: str) -> list[tuple[Any, ...]]:
    url = quick_settings.database_url()
    if url.startswith("sqlite:///"):
        return _sqlite(Path(url.removeprefix("sqlite:///")), query.format("?"), values)
    return _postgres(url.replace("+psycopg", "", 1), query.format("%s"), values)


def _sqlite(file: Path, query: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)
    except sqlite3.Error:
        return []
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return []
    finally:
        connection.close()


def _postgres(url: str, query: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=PATIENCE_S) as connection:
            return connection.execute(query.encode(), values).fetchall()
    except psycopg.Error:
        return []
