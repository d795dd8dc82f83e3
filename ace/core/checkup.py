"""What the figures of an installation mean: from a number to ok, warning or fault, with the remedy.

figure                           warning                     fault
clock against the database's     more than SKEW_S            more than a lease (LEASE_S)
free disk space                  less than DISK_LOW          less than DISK_FULL
newest backup                    none, or older than two days
API keys                         one expires in two weeks    none, and the server listens to others
"""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.schedule import LEASE_S
from ace.models.access import ApiKey
from ace.models.checkup import Finding, State

SKEW_S = 2.0
DISK_LOW, DISK_FULL = 2 * 10**9, 2 * 10**8  # bytes
BACKUP_S = 2 * 86_400.0
EXPIRY_S = 14 * 86_400.0


def clock(ours: float, database: float) -> Finding:
    """`database` was read within moments of `ours`."""
    skew = ours - database
    state = State.FAULT if abs(skew) > LEASE_S else State.WARNING if abs(skew) > SKEW_S else State.OK
    return _finding("clock", state, f"{skew:+.1f} s against the database", "Let both set their clocks by NTP")


def disk(free: int, place: str) -> Finding:
    state = State.FAULT if free < DISK_FULL else State.WARNING if free < DISK_LOW else State.OK
    return _finding("disk", state, f"{free / 1e9:.1f} GB free in {place}", "Free some space, or move ACE_DATA_DIR")


def backups(ages_s: Sequence[float], place: str) -> Finding:
    """`ages_s`: how old each backup is."""
    remedy = "Take one: ace db backup. Let cron do it every day"
    if not ages_s:
        return _finding("backups", State.WARNING, f"none in {place}", remedy)
    newest = min(ages_s)
    state = State.WARNING if newest > BACKUP_S else State.OK
    return _finding("backups", state, f"{len(ages_s)} in {place}, the newest {_ago(newest)} old", remedy)


def keys(found: Sequence[ApiKey], now: float, *, host: str, is_loopback: bool) -> Finding:
    """Who may use the server: without a key ever made, whoever reaches it."""
    if not found:
        remedy = "Make one: ace keys create --role admin"
        if not is_loopback:
            return _finding("keys", State.FAULT, f"none, and ACE_HOST is {host}, open to others", remedy)
        return _finding("keys", State.OK, "none: whoever is on this machine may do everything", remedy)
    live = [key for key in found if key.is_live(now)]
    if not live:
        return _finding("keys", State.WARNING, "all are expired or revoked", "Make one: ace keys create")
    ending = [key for key in live if key.expires_at is not None and key.expires_at - now < EXPIRY_S]
    if ending:
        told = ", ".join(f"{key.id} ({key.label})" if key.label else key.id for key in ending[:5])
        return _finding(
            "keys", State.WARNING, f"soon to expire: {told}", "Make new ones: ace keys create --expires 90d"
        )
    return _finding("keys", State.OK, f"{len(live)} of {len(found)} valid", "")


def dimensions(embedder: int, stored: Sequence[int]) -> Finding:
    """Vectors of another length cannot be compared with those there are; `embedder` is 0 when it made none yet."""
    other = sorted({one for one in stored if one != embedder and embedder})
    if other:
        found = f"new ones have {embedder} numbers, the database holds some of {', '.join(map(str, other))}"
        return _finding("vectors", State.FAULT, found, "Go back to the embedding model they were made with")
    return _finding("vectors", State.OK, "new ones are as long as those there are" if stored else "none yet", "")


def _finding(name: str, state: State, found: str, remedy: str) -> Finding:
    return Finding(name=name, state=state, found=found, remedy="" if state == State.OK else remedy)


def _ago(seconds: float) -> str:
    return f"{seconds / 86_400:.1f} days" if seconds >= 86_400 else f"{seconds / 3600:.1f} hours"
