"""Releases in memory: `ace.core.ports.ReleaseStore` for one process."""

from __future__ import annotations

from ace.models.release import Release


class InMemoryReleases:
    """Names that are forgotten with the process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Release] = {}

    def add(self, release: Release) -> Release:
        return self._kept.setdefault((release.domain_id, release.name), release)

    def get(self, domain_id: str, name: str) -> Release | None:
        return self._kept.get((domain_id, name))

    def all(self, domain_id: str) -> list[Release]:
        own = [release for release in self._kept.values() if release.domain_id == domain_id]
        return sorted(own, key=lambda release: (release.created_at, release.name))
