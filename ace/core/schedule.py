"""When a job that one process does for all is due, and how the schedule reads as a line of a crontab.

leads   last run                   then
no      any                        look again in LOOK_S: the leader may have died
yes     none of this process's     run now: nobody knows how long ago the last leader ran, and a run too many is cheap
yes     less than interval ago     wait for the rest of the interval, but renew the lease meanwhile
yes     interval ago or longer     run now
an interval of 0 means never
"""

from __future__ import annotations

from math import ceil

LEASE_S = 15.0  # a dead leader is replaced after this at the latest
LOOK_S = LEASE_S / 3  # a lease is renewed, or asked for, this often

_HOUR, _DAY = 60, 24  # minutes, hours


def is_due(now: float, *, leads: bool, last: float | None, interval_s: float) -> bool:
    """Whether this process runs the job now."""
    return leads and interval_s > 0 and (last is None or now - last >= interval_s)


def pause(now: float, *, leads: bool, last: float | None, interval_s: float, look_s: float = LOOK_S) -> float:
    """Seconds until this process looks again."""
    rest = interval_s - (now - last) if leads and last is not None else look_s
    return min(max(rest, 0.0), look_s)


def cron_fields(interval_s: float) -> str:
    """The five fields that come nearest to every `interval_s` seconds, never more often; cron knows no seconds."""
    minutes = _part(max(1, ceil(interval_s / 60)), _HOUR)
    if minutes < _HOUR:
        return f"{_every(minutes)} * * * *"
    hours = _part(ceil(interval_s / 3600), _DAY)
    return f"0 {_every(hours)} * * *" if hours < _DAY else "0 0 * * *"


def _every(step: int) -> str:
    return f"*/{step}" if step > 1 else "*"


def _part(wanted: int, whole: int) -> int:
    """The least divisor of `whole` that is at least `wanted`: cron's steps start anew with every hour and day."""
    return next((step for step in range(wanted, whole) if whole % step == 0), whole)
