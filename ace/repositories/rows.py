"""Rows of the tables and the values they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ace.core.breaker import Breaker, BreakerState
from ace.core.journal import canonical, timestamp
from ace.core.ports import Listed
from ace.models.access import ApiKey, Role
from ace.models.foreign import Foreign
from ace.models.journal import Entry
from ace.models.playbook import Bullet, Origin, PlaybookStage, Section, SourceClass

Row = tuple[Any, ...]

_BREAKER_FIELDS = [field.name for field in fields(Breaker)]
_SECTIONS: Mapping[str | None, Section] = {section.value: section for section in Section} | {None: Section.OTHER}
_SOURCES: Mapping[str, SourceClass] = {source.value: source for source in SourceClass}
_decoded = json.JSONDecoder().raw_decode  # json.loads without its checks, for text that is our own
STAGES: Mapping[str, PlaybookStage] = {stage.value: stage for stage in PlaybookStage}


def bullet_from_row(domain_id: str, row: Row) -> Bullet:
    """A row of `statements.GET` and its siblings."""
    own, content, section, stage, helpful, harmful, origin = row
    return Bullet(id=own, domain_id=domain_id, content=content, section=_SECTIONS[section], stage=STAGES[stage],
                  helpful_count=helpful, harmful_count=harmful, origin=_origin(origin))  # fmt: skip


def listed_from_row(domain_id: str, row: Row) -> Listed:
    """A row of `statements.PAGE`."""
    *bullet, born_seq, created_at = row
    at = datetime.fromisoformat(created_at) if isinstance(created_at, str) else created_at
    return Listed(bullet=bullet_from_row(domain_id, tuple(bullet)), born_seq=born_seq, created_at=at.astimezone(UTC))


def contains(text: str) -> str:
    """The pattern of a LIKE that finds this text anywhere, `%` and `_` in it as they are."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def bullet_to_row(bullet: Bullet, born: Entry) -> dict[str, Any]:
    """A row of `playbook_bullets`."""
    return {
        "domain_id": bullet.domain_id,
        "id": bullet.id,
        "content": bullet.content,
        "section": bullet.section.value,
        "stage": bullet.stage.value,
        "helpful_count": bullet.helpful_count,
        "harmful_count": bullet.harmful_count,
        "origin": canonical(bullet.origin.to_json()).decode(),
        "born_seq": born.seq,
        "created_at": _text_of(born.at),
    }


def entry_from_row(domain_id: str, row: Row) -> Entry:
    """A row of `statements.ENTRIES`."""
    seq, at, kind, body, previous, own = row
    return Entry(domain_id=domain_id, seq=seq, at=datetime.fromisoformat(at), kind=kind, body=_decoded(body)[0],
                 previous=previous, hash=own)  # fmt: skip


def entry_to_row(entry: Entry) -> dict[str, Any]:
    """A row of `playbook_journal`: time and body as the very text the hash covers."""
    return {
        "domain_id": entry.domain_id,
        "seq": entry.seq,
        "at": _text_of(entry.at),
        "kind": entry.kind,
        "body": canonical(entry.body).decode(),
        "previous": entry.previous,
        "hash": entry.hash,
    }


def breaker_from_row(row: Row) -> Breaker:
    """A row of `circuit_breakers`, whose columns are the fields of Breaker in order."""
    values = dict(zip(_BREAKER_FIELDS, row, strict=True))
    return Breaker(**values | {"state": BreakerState(values["state"])})


def breaker_to_row(breaker: Breaker) -> dict[str, Any]:
    return asdict(breaker) | {"state": breaker.state.value}


def listed(values: Iterable[str]) -> str:
    """A JSON list, for the statements that take `{listed}`."""
    return json.dumps(list(values))


@lru_cache(maxsize=16)
def _text_of(at: datetime) -> str:
    return timestamp(at)


@lru_cache(maxsize=4096)
def _origin_of(text: str) -> Origin:
    return _origin_from(_decoded(text)[0])


def _origin_from(data: Mapping[str, Any]) -> Origin:
    """`Origin.from_json`, in a third of its time: every bullet read passes here."""
    return Origin(source=_SOURCES[data["source"]], episode_id=data["episode_id"], task_id=data["task_id"],
                  model=data["model"], confidence=data["confidence"], principal=data.get("principal"),
                  shown=tuple(data.get("shown", ())), prompt_hash=data.get("prompt_hash"),
                  foreign=tuple(map(Foreign.from_json, data.get("foreign", ()))))  # fmt: skip


def _origin(stored: str | dict[str, Any]) -> Origin:
    """SQLite gives the JSON text, psycopg the object."""
    return _origin_of(stored) if isinstance(stored, str) else _origin_from(stored)


_KEY_FIELDS = [field.name for field in fields(ApiKey)]


def key_from_row(row: Row) -> ApiKey:
    """A row of `api_keys`, whose columns are the fields of ApiKey in order."""
    values = dict(zip(_KEY_FIELDS, row, strict=True))
    domains = values["domains"]
    return ApiKey(**values | {"role": Role(values["role"]), "domains": tuple(json.loads(domains)) if domains else None})


def key_to_row(key: ApiKey) -> dict[str, Any]:
    return asdict(key) | {"role": key.role.value, "domains": None if key.domains is None else listed(key.domains)}
