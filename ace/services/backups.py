"""Take a backup, make sure of one, put one back. Nothing is believed before it has been read back.

take        one snapshot -> a file -> its place -> read back from there, examined -> older ones pruned
examine     the seal; every domain's chain, up to the head recorded; the bullets, votes and links its replay gives
restore     examined -> one transaction: emptied, filled, read back and compared -> committed
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ace.core.backup_ports import BackupFiles, BackupPlace, Replayer, Tables
from ace.core.fingerprints import Fingerprints, difference, fingerprints
from ace.core.journal import timestamp
from ace.core.ports import Clock
from ace.errors import InvalidInput, StoreUnavailable
from ace.models.backup import Examined, Header, Page, Restored, Summary, Taken, Values
from ace.models.journal import Position

Step = Callable[[str, int, int], None]
"""What is being done, rows so far, rows in all (0: not known)."""

ANOTHER = "Use another backup: ace db backups"
REPLAYED = ("playbook_bullets", "bullet_votes", "bullet_links")


def silent(doing: str, rows: int, total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, kw_only=True)
class Backups:
    """The use cases; `release` is written into what is taken."""

    files: BackupFiles
    replayer: Replayer
    clock: Clock
    release: str

    def take(
        self,
        tables: Tables,
        place: BackupPlace,
        scratch: Path,
        *,
        secrets: bool = True,
        keep: int | None = None,
        step: Step = silent,
    ) -> Taken:
        """Put a backup of these tables in its place; `keep`: how many remain there, this one included.

        Raises InvalidInput when the database itself is not sound, StoreUnavailable when the place gives back something
        else than was put there. Then nothing is kept and nothing pruned.
        """
        start = self.clock.monotonic()
        name = self._unused_name(place)
        sha256 = self._write(scratch / name, tables, secrets=secrets, step=step)
        place.put(name, scratch / name)
        try:
            examined = self._read_back(place, name, scratch, sha256, step)
        except BaseException:
            place.delete(name)
            raise
        pruned = prune(place, keep) if keep else ()
        seconds = self.clock.monotonic() - start
        return Taken(url=place.url(name), examined=examined, seconds=seconds, pruned=pruned)

    def examine(self, file: Path, step: Step = silent) -> Examined:
        """Read a backup whole. Raises InvalidInput for the first thing found wrong, SchemaMismatch, NotFound."""
        with self.files.reading(file) as reading:
            self.replayer.check(reading.header)
            found, journals = Fingerprints(), _Journals(self.replayer, reading.header, file)
            for page in _stepped("examining", reading.pages(), step):
                found.take(page)
                journals.take(page)
            assert reading.summary is not None  # the pages were read to the end
            journals.finish()
            whole = found.all()
            problem = journals.strange_head(reading.summary) or difference(
                journals.expected.all(), {part: own for part, own in whole.items() if part[0] in REPLAYED}
            )
        if problem:
            raise InvalidInput(str(file), f"is not what its journal says: {problem}", ANOTHER)
        return Examined(header=reading.header, sha256=reading.sha256, size=reading.size, summary=reading.summary,
                        fingerprints=whole)  # fmt: skip

    def restore(self, file: Path, tables: Tables, *, replace: bool = False, step: Step = silent) -> Restored:
        """Put a backup into a database: all of it, or none.

        Raises what `examine` raises, before anything is touched; InvalidInput for a database that holds data, unless
        `replace`; SchemaMismatch; StoreUnavailable.
        """
        start = self.clock.monotonic()
        examined = self.examine(file, step)
        tables.prepare(examined.header, replace=replace)
        total = sum(examined.summary.rows.values())
        with self.files.reading(file) as reading, tables.refilling(examined.header) as refilling:
            for page in _stepped("restoring", reading.pages(), step, total):
                refilling.write(page)
            found = fingerprints(_stepped("reading back", refilling.pages(), step, total))
            if problem := difference(examined.fingerprints, found):
                raise StoreUnavailable(f"{tables.place} does not give back what was written ({problem}). "
                                       "Nothing was changed. Check its disk and its triggers.")  # fmt: skip
        revision = tables.finish()
        seconds = self.clock.monotonic() - start
        return Restored(place=tables.place, revision=revision, examined=examined, seconds=seconds)

    def _write(self, file: Path, tables: Tables, *, secrets: bool, step: Step) -> str:
        with tables.reading(secrets=secrets) as moment:
            header = Header(revision=moment.revision, release=self.release, created_at=timestamp(self.clock.now()),
                            tables=moment.tables, secrets=secrets)  # fmt: skip
            return self.files.write(file, header, _stepped("saving", moment.pages(), step, moment.rows))

    def _read_back(self, place: BackupPlace, name: str, scratch: Path, sha256: str, step: Step) -> Examined:
        folder = scratch / "read-back"
        folder.mkdir(exist_ok=True)
        file = place.fetch(name, folder)
        try:
            with self.files.reading(file) as reading:
                same = reading.sha256 == sha256
        except InvalidInput:
            same = False
        if not same:
            raise StoreUnavailable(f"{place.url(name)} was not read back as it was written, so it was removed. "
                                   "Check that disk or server, or name another place with --to.")  # fmt: skip
        try:
            return self.examine(file, step)
        except InvalidInput as error:
            raise InvalidInput(
                "database",
                f"is not sound, so no backup of it was kept ({error.problem})",
                "Run `ace playbook verify`, and restore the last good backup",
            ) from error

    def _unused_name(self, place: BackupPlace) -> str:
        stem, taken = f"ace-{self.clock.now():%Y%m%d-%H%M%S}", {stored.name for stored in place.listed()}
        names = (f"{stem}{ending}.jsonl.gz" for ending in ("", *(f"-{number}" for number in range(2, 10_000))))
        return next(name for name in names if name not in taken)


def prune(place: BackupPlace, keep: int) -> tuple[str, ...]:
    """Delete all but the newest `keep` backups; which those were."""
    old = tuple(stored.name for stored in place.listed()[:-keep])
    for name in old:
        place.delete(name)
    return old


class _Journals:
    """The journals of a backup, replayed one domain at a time as their rows go by."""

    def __init__(self, replayer: Replayer, header: Header, file: Path) -> None:
        self._replayer, self._header, self._file = replayer, header, file
        self._domain, self._rows = "", list[Values]()
        self._heads: dict[str, Position] = {}
        self.expected = Fingerprints()

    def take(self, page: Page) -> None:
        if page.table != "playbook_journal":
            return
        for domain, rows in groupby(page.rows, key=lambda row: str(row[page.columns.index("domain_id")])):
            if domain != self._domain:
                self.finish()
                self._domain = domain
            self._rows.extend(rows)

    def finish(self) -> None:
        """Replay the domain whose rows have all gone by."""
        if not self._rows:
            return
        try:
            replayed = self._replayer.replay(self._header, self._domain, self._rows)
        except InvalidInput as error:
            raise InvalidInput(str(self._file), f"domain {self._domain}: {error.problem}", ANOTHER) from error
        self._heads[self._domain] = replayed.head
        for page in replayed.pages:
            self.expected.take(page)
        self._rows = []

    def strange_head(self, summary: Summary) -> str:
        """The first domain whose chain does not end where the backup says; empty when all do."""
        recorded = {domain: head for domain, head in summary.heads.items() if head.seq}
        strange = sorted(
            domain for domain in recorded.keys() | self._heads.keys() if recorded.get(domain) != self._heads.get(domain)
        )
        return f"the journal of domain {strange[0]} does not end at its recorded head" if strange else ""


def _stepped(doing: str, pages: Iterable[Page], step: Step, total: int = 0) -> Iterator[Page]:
    """The same pages, telling of each."""
    rows = 0
    for page in pages:
        yield page
        rows += len(page.rows)
        step(doing, rows, total)
