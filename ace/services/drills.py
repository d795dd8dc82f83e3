"""Prove that a backup can be restored: put it into a scratch database, and compare everything that comes out.

restore     as in an emergency, with all its checks
compare     every row of every table, read again after the commit, with the rows in the file
search      the index built from the restored database, with the neighbours computed from the vectors in the file
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ace.core.backup_ports import BackupFiles, Replayer, Tables
from ace.core.fingerprints import difference, fingerprints
from ace.core.ports import Clock, Vectors
from ace.errors import AceError
from ace.models.backup import Drilled, Examined
from ace.services.backups import Backups, Step, silent

DOMAINS, PROBES, K = 3, 3, 10  # how many domains, how many searches in each, for how many bullets
TOLERANCE = 0.002  # of a cosine: vectors are kept as float16
RECALL = 0.8  # of the K: an index of many vectors may miss one now and then

Search = Callable[[str, Vectors, int], list[tuple[str, float]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A bullet's vector to search for, and the cosines of its true neighbours, best first."""

    domain_id: str
    bullet_id: str
    vector: Vectors
    cosines: tuple[float, ...]


def drill(
    file: Path, source: str, *, backups: Backups, scratch: Tables, search: Search, step: Step = silent
) -> Drilled:
    """Restore `file` into `scratch`, which is empty, and compare. What goes wrong is in `fault`, and is not raised."""
    times, rows, searches = _Times(backups.clock), dict[str, int](), 0
    try:
        restored = backups.restore(file, scratch, step=step)
        examined, rows = restored.examined, restored.examined.summary.rows
        times.mark("restore")
        upgraded = restored.revision != examined.header.revision  # then rows may differ, and were compared before it
        fault = "" if upgraded else _compare(examined, scratch)
        times.mark("compare")
        found = probes(file, examined, files=backups.files, replayer=backups.replayer)
        searches = len(found)
        fault = fault or next(filter(None, (_missed(probe, search) for probe in found)), "")
        times.mark("search")
    except AceError as error:
        fault = str(error)
    return Drilled(source=source, seconds=times.taken, rows=rows, searches=searches, fault=fault)


def probes(file: Path, examined: Examined, *, files: BackupFiles, replayer: Replayer) -> list[Probe]:
    """A few searches in each of a few domains, with the answers computed from the file alone."""
    chosen = sorted(domain for domain, head in examined.summary.heads.items() if head.seq)[:DOMAINS]
    living: set[tuple[str, str]] = set()
    vectors: dict[str, list[tuple[str, Vectors]]] = {domain: [] for domain in chosen}
    with files.reading(file) as reading:
        for page in reading.pages():
            if page.table == "playbook_bullets":
                at = [page.columns.index(name) for name in ("domain_id", "id")]
                living |= {(row[at[0]], row[at[1]]) for row in page.rows if row[at[0]] in vectors}
            elif page.table == "bullet_vectors":
                for domain, own, vector in replayer.vectors(page):
                    if (domain, own) in living:
                        vectors[domain].append((own, vector))
    return [probe for domain, found in vectors.items() for probe in _probes_of(domain, found)]


def _probes_of(domain: str, found: list[tuple[str, Vectors]]) -> list[Probe]:
    if not found:
        return []
    rows = np.stack([vector for _, vector in found])
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    picked = sorted({round(place) for place in np.linspace(0, len(found) - 1, PROBES)})
    best = (np.sort(rows @ rows[pick])[::-1][:K] for pick in picked)
    return [
        Probe(domain_id=domain, bullet_id=found[pick][0], vector=rows[pick], cosines=tuple(cosines.tolist()))
        for pick, cosines in zip(picked, best, strict=True)
    ]


def _missed(probe: Probe, search: Search) -> str:
    """What is wrong with the index's answer, if anything."""
    found = [cosine for _, cosine in search(probe.domain_id, probe.vector, K)]
    near = sum(cosine >= probe.cosines[-1] - TOLERANCE for cosine in found)
    itself = bool(found) and found[0] >= probe.cosines[0] - TOLERANCE
    if itself and len(found) == len(probe.cosines) and near >= RECALL * len(probe.cosines):
        return ""
    return f"searching for bullet {probe.bullet_id} of domain {probe.domain_id} gives other neighbours than it should"


def _compare(examined: Examined, scratch: Tables) -> str:
    with scratch.reading() as moment:
        found = fingerprints(page for page in moment.pages() if page.table in examined.header.tables)
    return difference(examined.fingerprints, found)


class _Times:
    """Seconds between marks, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._last = clock, clock.monotonic()
        self.taken: dict[str, float] = {}

    def mark(self, name: str) -> None:
        now = self._clock.monotonic()
        self.taken[name], self._last = round(now - self._last, 3), now
