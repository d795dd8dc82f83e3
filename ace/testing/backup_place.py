"""Backups kept in memory: `ace.core.backup_ports.BackupPlace`."""

from __future__ import annotations

from pathlib import Path

from ace.errors import NotFound
from ace.models.backup import Stored


class MemoryPlace:
    """What was put is kept as it is; `kept` may be looked at, and damaged."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, name: str, file: Path) -> None:
        self.kept[name] = file.read_bytes()

    def fetch(self, name: str, scratch: Path) -> Path:
        if name not in self.kept:
            raise NotFound(f"There is no backup {self.url(name)}. Kept are: {', '.join(sorted(self.kept)) or 'none'}.")
        (scratch / name).write_bytes(self.kept[name])
        return scratch / name

    def listed(self) -> list[Stored]:
        return [Stored(name=name, size=len(self.kept[name]), modified="2026-01-01T12:00:00+00:00")
                for name in self.kept]  # fmt: skip

    def delete(self, name: str) -> None:
        self.kept.pop(name, None)

    def url(self, name: str) -> str:
        return f"memory:{name}"
