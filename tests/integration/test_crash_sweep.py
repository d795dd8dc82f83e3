"""The process is gone at the n-th line of a merge, for every n: nothing of it is there, or all of it.

The merge and the saving of the index run in a fork, over real files, and end by `os._exit` at the line in question.
Whoever opens them again must find them sound, and doing the merge again must end as if nothing had happened: every
row, the journal's hashes and all, and the index. By default a sample of the lines; with --full every one.

The index does some of its housekeeping by the clock, so the n-th line may be another one next time, by about ten.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import ace
from ace.errors import LeaseLost
from ace.models.episode import Claim, EpisodeState
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.playbook_transaction import PlaybookTransaction
from ace.testing import checks
from ace.utils import faiss_files
from ace.utils.faiss_index import FaissManager
from tests.merging import REPORT, Workshop
from tests.playbooks import DOMAIN

HOUSE = Path(ace.__file__).parent
SWEPT = tuple(
    str(HOUSE / room)
    for room in ("curator/", "core/", "repositories/", "utils/faiss", "utils/checked_files", "utils/files")
)
POINTS, AROUND = 50, 12  # lines in the sample, and beside the commit
GAP = -1  # instead of a line's number: the first line of our code after a planted fault has opened its gap
gap_opened = False  # in the fork that ran into the fault
DONE, KILLED = 0, 9
Opener = Callable[[Path], Workshop]


def opened(folder: Path) -> Workshop:
    return Workshop(Database(f"sqlite:///{folder / 'ace.db'}"), folder / "index")


@dataclass
class Sweep:
    """A merge to be killed: the files before it, and what they hold before it and after it undisturbed."""

    folder: Path
    open: Opener
    claim: Claim
    before: checks.Held
    after: checks.Held
    lines: int
    ends: Counter[str] = field(default_factory=Counter)

    def at(self, line: int) -> None:
        """Kill it there, recover, check, do it again, check again."""
        place = self.copy(f"killed-{line}")
        assert killed(lambda: self.open(place).merge(self.claim), line) in (KILLED, DONE)
        end = self._recovered(place, line)
        self.ends[end] += 1
        shutil.rmtree(place)

    def commit(self) -> int:
        """About the first line at which something is left behind: found by halves, for what is done stays done."""
        nothing, something = 0, self.lines
        while something - nothing > 1:
            line = (nothing + something) // 2
            if self._left(line) == self.before:
                nothing = line
            else:
                something = line
        return something

    def _left(self, line: int) -> checks.Held:
        place = self.copy(f"left-{line}")
        killed(lambda: self.open(place).merge(self.claim), line)
        shop = opened(place)
        found = checks.read(shop.database)
        shop.close()
        return found

    def copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.folder, self.folder.parent / name))

    def _recovered(self, place: Path, line: int) -> str:
        shop = opened(place)
        assert shop.complaints() == [], line
        found = checks.read(shop.database)
        end = "nothing" if found == self.before else "all"
        assert found in (self.before, self.after), line
        again(shop, self.claim, end)
        assert checks.read(shop.database) == self.after, line
        shop.close()
        shop = opened(place)
        assert shop.complaints() == [], line
        shop.close()
        return end


def again(shop: Workshop, claim: Claim, end: str) -> None:
    """The same worker tries once more; it is told when its report is done."""
    if end == "nothing":
        shop.merge(claim)
        return
    status = shop.episodes.status(DOMAIN, REPORT)
    assert status is not None
    assert status.state == EpisodeState.DONE
    shop.merge(claim)  # answered from its idempotency key
    with pytest.raises(LeaseLost):
        shop.merge(claim, key=None)


def killed(work: Callable[[], Any], line: int, told: Path | None = None) -> int:
    """Do the work in a fork that ends at the n-th line it runs of our code, or in the GAP; its exit code.

    `told`: the file in which the lines that were run are counted.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = 0

    def each_line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(SWEPT):
            return None
        if event == "line":
            count += 1
            if count == line or (line == GAP and gap_opened):
                os._exit(KILLED)
        return each_line

    code = 1
    try:
        sys.settrace(each_line)
        work()
        sys.settrace(None)
        if told:
            told.write_text(str(count))
        code = DONE
    finally:
        os._exit(code)


def prepared(folder: Path, opener: Opener = opened) -> Sweep:
    """The files before the merge, and what becomes of a copy that is left in peace."""
    base = folder / "before"
    shop = opened(base)
    claim = shop.open()
    before = checks.read(shop.database)
    shop.close()
    sweep = Sweep(base, opener, claim, before, before, 0)
    place, told = sweep.copy("undisturbed"), folder / "lines"
    assert killed(lambda: opener(place).merge(claim), 0, told) == DONE
    shop = opened(place)
    sweep.after, sweep.lines = checks.read(shop.database), int(told.read_text())
    assert shop.complaints() == []
    shop.close()
    return sweep


def test_killed_at_any_line_of_a_merge_it_is_there_or_it_is_not(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    sweep = prepared(tmp_path)
    assert sweep.after != sweep.before
    points = range(1, sweep.lines + 1) if pytestconfig.getoption("--full") else sample(sweep)
    for line in points:
        sweep.at(line)
    print(f"{len(points)} of {sweep.lines} lines: {dict(sweep.ends)}")
    assert sweep.ends.keys() == {"nothing", "all"}
    assert sum(sweep.ends.values()) == len(points)


def sample(sweep: Sweep) -> Sequence[int]:
    """Lines that lie evenly, and those around the commit."""
    commit = sweep.commit()
    even = range(1, sweep.lines + 1, max(1, sweep.lines // POINTS))
    return sorted({*even, *range(commit - AROUND, commit + AROUND)})


def open_gap() -> None:
    global gap_opened
    gap_opened = True


class FinishesApart(PlaybookTransaction):
    """A planted fault: the merge is committed, and then the report is marked DONE."""

    def finish_episode(self, claim: Claim, result: Mapping[str, Any]) -> None:
        self._session.say("COMMIT")
        open_gap()
        self._session.say("BEGIN IMMEDIATE")
        super().finish_episode(claim, result)


class CommitsInTwo(PlaybookRepository):
    @contextmanager
    def transaction(self, domain_id: str) -> Iterator[PlaybookTransaction]:
        with self._database.transaction() as session:
            yield FinishesApart(session, domain_id)


def in_two(folder: Path) -> Workshop:
    return Workshop(Database(f"sqlite:///{folder / 'ace.db'}"), folder / "index", CommitsInTwo)


class WritesInPlace(FaissManager):
    """A planted fault: the manifest says that the index holds what has not been put there yet."""

    def close(self) -> None:
        position = self._store.head(DOMAIN)
        view = faiss_files.load(self._directory, DOMAIN, "hash")
        view.position = position
        faiss_files.save(view, self._directory, DOMAIN, "hash")
        open_gap()
        super().close()


def in_place(folder: Path) -> Workshop:
    shop = opened(folder)
    shop.index = WritesInPlace(shop.store, folder / "index", model="hash")
    return shop


@pytest.mark.parametrize(
    ("opener", "says"),
    [
        pytest.param(in_two, "and yet the journal has", id="report"),
        pytest.param(in_place, "the index lacks", id="index"),
    ],
)
def test_the_sweep_notices_what_is_not_done_in_one_piece(tmp_path: Path, opener: Opener, says: str) -> None:
    sweep = prepared(tmp_path, opener)
    with pytest.raises(AssertionError, match=says):
        sweep.at(GAP)
