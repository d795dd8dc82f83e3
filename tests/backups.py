"""Databases with something in every table, and what can be done to a backup's file, for tests about backups."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ace.models.backup import Values
from ace.models.plan import Add, Promote, Relate, Rollback
from ace.models.playbook import Link, PlaybookStage
from ace.repositories import tables
from ace.repositories.database import Database
from ace.repositories.dump import Dump
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.replayed import JournalReplayer
from ace.repositories.statements import insert
from ace.services.backups import Backups
from ace.testing.clock import FrozenClock
from ace.utils.backup_files import JsonLinesBackups, seal
from tests.playbooks import add, bullet, helpful, write

DOMAINS = ("customer-a", "customer-b")
SERVICE_ROWS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (tables.breakers, {"name": "generator", "state": "open", "failures": 5, "opened_at": 1772357400.25, "probe_at": 0.0,
                       "generation": 3, "total_failures": 2**40, "total_successes": 0, "open_count": 1}),
    (tables.episodes, {"domain_id": "customer-a", "id": "e-1", "state": "queued", "body": '{"Größe": "先に\\n\\u0001"}',
                       "request_hash": "f" * 64, "attempts": 0, "due_at": 0.1 + 0.2, "owner": None, "reported_at": 1e-9,
                       "result": None, "error": "'\"; --"}),
    (tables.assignments, {"domain_id": "customer-a", "id": "a-1", "run_id": "run", "state": "done", "body": "{}",
                          "attempts": 1, "due_at": 0.1, "owner": "host:2", "reported_at": 1.5, "result": "{}",
                          "error": None}),
    (tables.api_keys, {"id": "k1", "secret_hash": "a" * 64, "role": "admin", "domains": None, "label": "",
                       "created_at": 1.5, "expires_at": None, "revoked_at": 2.5}),
    (tables.server_secrets, {"name": "receipts", "value": "s3cret"}),
    (tables.review_items, {"domain_id": "customer-a", "id": "r1", "state": "waiting", "body": "{}",
                           "vector": b"\x00\x3c",
                           "created_at": 1.5, "decided_at": None, "decided_by": None, "decision": None,
                           "bullet_id": None}),
    (tables.releases, {"domain_id": "customer-a", "name": "first", "position": 1, "hash": "0" * 64, "note": "",
                       "created_at": 1.5}),
    (tables.domain_usage, {"domain_id": "customer-a", "day": "2026-11-25", "calls": 3, "tokens": 2**40,
                           "cost_usd": 0.1}),
    (tables.leases, {"name": "stage_manager", "holder": "host:1", "until": 1772357400.0}),
)  # fmt: skip


def backups() -> Backups:
    return Backups(files=JsonLinesBackups(), replayer=JournalReplayer(), clock=FrozenClock(), release="1.2.3")


def fill(database: Database) -> Database:
    """Something in every table, of two domains; a rollback too, so that a vector outlives its bullet."""
    store = PlaybookRepository(database)
    for domain in DOMAINS:
        first, second, _ = add(store, "check the units", "never check the units", "Größe — 先に", domain=domain)
        write(store, helpful(first, "e1"), helpful(second, "e1"), Relate(link=Link.between(first, second)),
              Promote(bullet_id=first, to=PlaybookStage.STAGING, reason="proven"), domain=domain)  # fmt: skip
        gone = bullet("soon gone", domain=domain)
        write(store, Add(bullet=gone), helpful(gone.id, "e2"), Rollback(to=7, reason="mistake"), domain=domain)
        write(store, helpful(first, "e3"), domain=domain)
        with store.transaction(domain) as transaction:
            transaction.remember("key-1", "hash", {"answer": [1, 2.5, None]})
    with database.transaction() as session:
        for table, row in SERVICE_ROWS:
            session.run(insert(table), **row)
    return database


def everything(database: Database) -> dict[str, list[Values]]:
    """Every row of every table, in an order that is the same for both databases."""
    with Dump(database).reading() as moment:
        found: dict[str, list[Values]] = {name: [] for name in moment.tables}
        for page in moment.pages():
            found[page.table].extend(page.rows)
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def lines_of(file: Path) -> list[Any]:
    """The lines of a backup, the seal left out."""
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()][:-1]


def sealed(file: Path, lines: list[Any]) -> Path:
    """A file whose seal is right, whatever its lines say: what a clever hand, not an accident, would make."""
    body = gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines), mtime=0)
    file.write_bytes(body + seal(hashlib.sha256(body).hexdigest()))
    return file


def row_of(lines: list[Any], table: str, fits: Callable[[list[Any]], bool] = bool) -> list[Any]:
    """A row of a table, to be changed in place."""
    start = lines.index({"table": table}) + 1
    return next(line for line in lines[start:] if fits(line))
