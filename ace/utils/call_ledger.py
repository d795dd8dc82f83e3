"""Finished model calls, kept so that a killed run goes on without paying for one twice.

A call's key is a hash of everything that decides its answer: the scope it was made in (which episode, which role),
the model, the messages and the parameters; not the server's address and not the key. The records lie in the run's
own log, a line each, on disk before the answer is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ace.core.ports import RunLog
from ace.models.task import Usage

KIND = "calls"
_CONNECTION = frozenset({"api_key", "api_base", "base_url", "timeout", "headers", "extra_headers"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedCall:
    """An answer as it came, as JSON text, what it cost, and the scope it was asked in: whose, for which task."""

    key: str
    response: str
    usage: Usage = field(default_factory=Usage)
    scope: str = ""


def call_key(scope: str, model: str, messages: Any, parameters: Mapping[str, Any]) -> str:
    """SHA-256 over the call, in hex. What cannot be written as JSON goes in by its text."""
    kept = {name: value for name, value in parameters.items() if name not in _CONNECTION}
    whole = json.dumps([scope, model, messages, kept], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()


class CallLedger:
    """The finished calls of one run. Safe from several threads."""

    def __init__(self, log: RunLog) -> None:
        self._log, self._lock = log, Lock()
        self._calls = {call.key: call for call in log.read(KIND, FinishedCall)}

    @property
    def spent(self) -> Usage:
        """What all finished calls cost together."""
        with self._lock:
            return sum((call.usage for call in self._calls.values()), Usage())

    def get(self, key: str) -> tuple[Any, Usage] | None:
        """The response and the usage of a finished call, or None."""
        with self._lock:
            call = self._calls.get(key)
        return None if call is None else (json.loads(call.response), call.usage)

    def put(self, key: str, response: Any, usage: Usage, scope: str = "") -> None:
        """Keep a finished call; durable when it returns. Raises StoreUnavailable."""
        call = FinishedCall(key=key, response=json.dumps(response), usage=usage, scope=scope)
        self._log.append(KIND, call)
        with self._lock:
            self._calls[key] = call
