"""The commit of the checkout this code lies in, read from git's files; images are told by ACE_COMMIT instead."""

from __future__ import annotations

from pathlib import Path


def commit(root: Path | None = None) -> str | None:
    """40 hexadecimal digits; None where there is no checkout."""
    folder = (root or Path(__file__).parents[2]) / ".git"
    try:
        if folder.is_file():  # a worktree: "gitdir: <path>"
            folder = Path(folder.read_text().split(":", 1)[1].strip())
        head = (folder / "HEAD").read_text().strip()
        return _resolved(folder, head.removeprefix("ref: ")) if head.startswith("ref: ") else head
    except OSError:
        return None


def _resolved(folder: Path, name: str) -> str | None:
    common = folder / "commondir"
    shared = (folder / common.read_text().strip()) if common.exists() else folder
    loose = shared / name
    if loose.exists():
        return loose.read_text().strip()
    packed = (shared / "packed-refs").read_text().splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
