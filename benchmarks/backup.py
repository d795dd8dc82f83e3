"""How long a backup, a check of it, a restore and a drill take, and how large it is. `python -m benchmarks.backup`

Taking includes reading the file back and replaying its journal; restoring includes the check before and the
comparison after.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ace import __version__
from ace.core.ports import Vectors
from ace.repositories.database import Database
from ace.repositories.dump import Dump
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.replayed import JournalReplayer
from ace.services.backups import Backups
from ace.services.drills import drill
from ace.utils.backup_files import JsonLinesBackups
from ace.utils.clock import SystemClock
from ace.utils.faiss_index import FaissManager
from ace.utils.object_store import FolderPlace
from benchmarks.world import HOME, playbook


def measure(n: int) -> dict[str, float]:
    """Seconds and megabytes for a playbook of `n` bullets in SQLite."""
    playbook(n)
    backups = Backups(files=JsonLinesBackups(), replayer=JournalReplayer(), clock=SystemClock(), release=__version__)
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = Dump(Database(f"sqlite:///{HOME / f'playbook-{n}.db'}"))
        taken = backups.take(source, FolderPlace(folder / "backups"), folder)
        start = time.perf_counter()
        backups.examine(Path(taken.url))
        verified = time.perf_counter() - start
        restored = backups.restore(Path(taken.url), Dump(Database(f"sqlite:///{folder / 'restored.db'}")))
        drilled = _drill(Path(taken.url), folder, backups)
    return {"bullets": n, "rows": sum(taken.examined.summary.rows.values()), "mb": taken.examined.size / 1e6,
            "backup_s": taken.seconds, "verify_s": verified, "restore_s": restored.seconds,
            "drill_s": drilled}  # fmt: skip


def _drill(file: Path, folder: Path, backups: Backups) -> float:
    database = Database(f"sqlite:///{folder / 'scratch.db'}")

    def search(domain_id: str, vector: Vectors, k: int) -> list[tuple[str, float]]:
        return FaissManager(PlaybookRepository(database), folder / "index").search(domain_id, vector, k)

    report = drill(file, str(file), backups=backups, scratch=Dump(database), search=search)
    assert not report.fault, report.fault
    return sum(report.seconds.values())


if __name__ == "__main__":
    for size in map(int, sys.argv[1:] or ("1000", "10000")):
        print(json.dumps({key: round(value, 2) for key, value in measure(size).items()}), flush=True)
