"""What is kept is for its owner alone, whatever the umask: files 0600, folders 0700.

The database holds the secret that signs sessions; runs, indexes and backups hold what agents were asked and answered.
So every file of a data folder is made with these modes, and what an earlier release left readable is restricted when a
process starts. Model files are no secret and may be shared between users: their modes are the umask's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FILE, FOLDER = 0o600, 0o700
BY_UMASK = 0o666  # for files that a user asked to have written somewhere
OTHERS = 0o077
DATABASE = "ace.db"
FILES = frozenset({"anchor.key", "anchors.jsonl", "reflector.alive"})
FOLDERS = frozenset({"backups", "indices", "metrics", "runs"})
SHARED = frozenset({"models", "lost+found"})


def make_folder(folder: Path) -> None:
    """Make the folder, and what is missing above it; one that is there stays as it is. Raises OSError."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.is_dir()]):
        missing.mkdir(FOLDER, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """For `open(…, opener=opener)`: a file that is made by it is for its owner alone."""
    return os.open(path, flags, FILE)


def is_exposed(path: Path) -> bool:
    """Whether other users may do something with this file or folder of this user; never true of a link."""
    try:
        found = path.lstat()
    except OSError:
        return False
    own = hasattr(os, "geteuid") and found.st_uid == os.geteuid()
    return own and not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & OTHERS)


def restrict(path: Path) -> None:
    """Take from other users what they may do with it; where that cannot be done, it stays as it is."""
    if is_exposed(path):
        with suppress(OSError):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~OTHERS)


def restrict_database(file: Path) -> None:
    """An SQLite file, after what stands beside it while it is used."""
    if is_exposed(file):
        for suffix in ("-wal", "-shm", "-journal", ""):
            restrict(file.with_name(file.name + suffix))


def restrict_data(folder: Path, *, everything: bool = False) -> None:
    """What is ours in a data folder, and the folder itself unless it holds other things too.

    What lies deeper is looked at where its folder was exposed, or with `everything`.
    """
    try:
        found = [each for each in folder.iterdir() if not each.name.startswith(".")]
    except OSError:
        return
    if all(_is_ours(each) or each.name in SHARED for each in found):
        restrict(folder)
        ours = [each for each in found if _is_ours(each)]
    else:
        ours = list(_certainly_ours(folder, found))
    for each in ours:
        if not each.is_symlink() and (everything or is_exposed(each)):
            restrict(each)
            for place, folders, files in os.walk(each):
                for name in (*folders, *files):
                    restrict(Path(place, name))


def _is_ours(path: Path) -> bool:
    """By its name, which is enough in a folder with no others."""
    return path.name in FILES | FOLDERS or path.name.startswith(DATABASE)


def _certainly_ours(folder: Path, found: list[Path]) -> Iterator[Path]:
    """In a folder with other things: `runs`, `metrics` and `backups` may be somebody else's there."""
    yield from (each for each in found if _is_ours(each) and each.name not in FOLDERS - {"indices"})
    yield from (file.parent for file in folder.glob("runs/*/run.json"))
