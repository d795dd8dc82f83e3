"""API keys and secrets in memory: `ace.core.ports.KeyStore` and `Secrets` for one process."""

from __future__ import annotations

from dataclasses import replace

from ace.models.access import ApiKey


class InMemoryKeys:
    """Keys that are forgotten with the process. `outage`, when set, is raised by `get` and `any`."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self.outage: Exception | None = None

    def add(self, key: ApiKey) -> bool:
        return self._keys.setdefault(key.id, key) is key

    def get(self, key_id: str) -> ApiKey | None:
        self._reach()
        return self._keys.get(key_id)

    def all(self) -> list[ApiKey]:
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    def revoke(self, key_id: str, at: float) -> bool:
        key = self._keys.get(key_id)
        if key is not None and key.revoked_at is None:
            self._keys[key_id] = replace(key, revoked_at=at)
        return key is not None

    def any(self) -> bool:
        self._reach()
        return bool(self._keys)

    def _reach(self) -> None:
        if self.outage is not None:
            raise self.outage


class InMemorySecrets:
    """Secrets that are forgotten with the process."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, name: str, new: str) -> str:
        return self._values.setdefault(name, new)
