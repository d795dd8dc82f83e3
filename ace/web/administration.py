"""Keys and circuit breakers: what an operator turns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from ace.bootstrap import App
from ace.errors import Forbidden, NotFound
from ace.models.access import ApiKey, Principal, Role
from ace.utils.llm_circuit_breaker import get_llm_breaker_metrics, get_or_create_llm_breaker
from ace.web.access import needs
from ace.web.context import IdempotencyKey
from ace.web.described import CONFLICT
from ace.web.schemas import BreakerOut, KeyOut, KeyRequest, NewKey

router = APIRouter(tags=["administration"])


@router.get("/v1/breakers", response_model=list[BreakerOut])
@needs(Role.READ)
def breakers() -> list[dict[str, Any]]:
    """Every circuit breaker, as all processes see it."""
    return get_llm_breaker_metrics()


@router.post("/v1/breakers/{name}/reset", response_model=BreakerOut)
@needs(Role.ADMIN)
def reset_breaker(name: str, caller: Principal) -> dict[str, Any]:
    """Close a breaker, for every process. Needs a key for all domains, as breakers serve them all."""
    if caller.domains is not None:
        raise Forbidden("Breakers serve every domain: resetting one needs a key for all of them.")
    if name not in {row["name"] for row in get_llm_breaker_metrics()}:
        raise NotFound(f"There is no circuit breaker {name[:80]}.")
    get_or_create_llm_breaker(name).reset()
    return next(row for row in get_llm_breaker_metrics() if row["name"] == name)


@router.get("/v1/keys", response_model=list[KeyOut])
@needs(Role.ADMIN)
def list_keys(caller: Principal, app: App) -> list[dict[str, Any]]:
    """The keys this key could have made, without their secrets."""
    return [_key(key) for key in app.keys.list(caller)]


@router.post("/v1/keys", response_model=NewKey, status_code=201, responses=CONFLICT)
@needs(Role.ADMIN)
def create_key(body: KeyRequest, caller: Principal, app: App, idempotency_key: IdempotencyKey = None) -> dict[str, Any]:
    """Make a key. Its token is in this answer and nowhere else: the same Idempotency-Key again answers without it."""
    key, token = app.keys.create(
        caller,
        role=body.role,
        domains=body.domains,
        label=body.label,
        expires_in_s=body.expires_in_s,
        once=idempotency_key,
    )
    return {**_key(key), "token": token}


@router.delete("/v1/keys/{key_id}", status_code=204)
@needs(Role.ADMIN)
def revoke_key(key_id: str, caller: Principal, app: App) -> None:
    """End a key, for every process within a second; doing it again changes nothing."""
    if "\0" in key_id:
        raise NotFound("There is no such key.")
    app.keys.revoke(caller, key_id)


def _key(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "role": key.role,
        "domains": None if key.domains is None else list(key.domains),
        "label": key.label,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
