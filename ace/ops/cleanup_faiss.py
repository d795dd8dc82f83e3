"""`scripts/cleanup_faiss.py`: index files hold what the database holds, and nothing else.

Of a domain that has a playbook, the index is made anew from the database, so that no slot is wasted, saved, and
given up by every process; a running server loads it again at its next search and answers the same. Of a domain that
has none any more, the files are removed.

With pgvector there is nothing that the database no longer has. What is lacking is put in, and the graph of a large
domain is made anew, which packs it; files that FAISS has left are removed all the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ace.core.validation import check_domain
from ace.errors import InvalidInput, NotFound
from ace.ops.command import All, Domains, Json, megabytes, show
from ace.utils import commands

if TYPE_CHECKING:
    from ace.repositories.pgvector_index import PgVectorIndex
    from ace.utils.faiss_index import FaissManager


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """One domain's index: bytes of its files before and after, vectors it has, vectors the database has no more."""

    domain: str
    bytes_before: int
    bytes_after: int
    vectors: int
    dropped: int


def cleanup_faiss(domain: Domains = None, every: All = False, as_json: Json = False) -> None:
    """Drop from the index files what the database no longer has, compact them, and unload them from memory.

    Example: python scripts/cleanup_faiss.py --domain customer-a
    """
    from ace.bootstrap import App
    from ace.utils import faiss_files

    app, folder = App(), App().settings.path("indices")
    known = app.store.domains()
    named = _named(domain or [], every)
    strangers = {name: faiss_files.files_of(folder, name) for name in named if name not in known}
    if unknown := [name for name, files in strangers.items() if not files]:
        raise NotFound(f"domain '{unknown[0]}' has no playbook and no files. Known: {', '.join(known) or 'none'}.")
    cleaned = [_clean(app.plain_index, folder, name) for name in named or known if name in known]
    if every:
        leftovers = faiss_files.strangers(folder, known, now=time.time())
    else:
        leftovers = [file for files in strangers.values() for file in files]
    _show(cleaned, leftovers, _remove(folder, leftovers), as_json=as_json)


def _named(domains: Sequence[str], every: bool) -> list[str]:
    if bool(domains) == every:
        raise InvalidInput("--domain", "name some domains, or all with --all, not both")
    return [check_domain(name) for name in dict.fromkeys(domains)]


def _clean(index: FaissManager | PgVectorIndex, folder: Path, domain_id: str) -> Cleaned:
    from ace.utils.faiss_index import FaissManager

    return _compact(index, folder, domain_id) if isinstance(index, FaissManager) else _rebuild(index, domain_id)


def _rebuild(index: PgVectorIndex, domain_id: str) -> Cleaned:
    before = index.nbytes(domain_id)
    vectors = index.rebuild(domain_id)
    return Cleaned(domain=domain_id, bytes_before=before, bytes_after=index.nbytes(domain_id), vectors=vectors,
                   dropped=0)  # fmt: skip


def _compact(manager: FaissManager, folder: Path, domain_id: str) -> Cleaned:
    from ace.utils import faiss_files

    before = faiss_files.size(folder, domain_id)
    dropped = manager.compact(domain_id)
    manager.save(domain_id)  # `compact` goes on when the disk refuses; here that is an error
    manager.unload_everywhere(domain_id)
    return Cleaned(
        domain=domain_id,
        bytes_before=before,
        bytes_after=faiss_files.size(folder, domain_id),
        vectors=manager.get_index_size(domain_id),
        dropped=dropped,
    )


def _remove(folder: Path, files: Sequence[Path]) -> int:
    """Remove the files, manifests first, so that a kill half-way leaves none that counts; the bytes given back."""
    from ace.utils import faiss_files
    from ace.utils.files import disk_faults

    size = faiss_files.total(files)
    with disk_faults(folder):
        for file in sorted(files, key=lambda file: file.suffix != ".json"):
            file.unlink(missing_ok=True)
    return size


def _show(cleaned: Sequence[Cleaned], removed: Sequence[Path], freed: int, *, as_json: bool) -> None:
    lines = [
        f"{one.domain}: {megabytes(one.bytes_before)} -> {megabytes(one.bytes_after)}, {one.vectors:,} vectors, "
        f"{one.dropped:,} dropped; unloaded in every process"
        for one in cleaned
    ]
    lines += [f"removed: {len(removed)} files of domains without a playbook, {megabytes(freed)}"]
    facts = {"domains": [asdict(one) for one in cleaned], "files_removed": len(removed), "bytes_removed": freed}
    show(facts, as_json=as_json, lines=lines)


def main() -> None:
    commands.run(cleanup_faiss)


if __name__ == "__main__":
    main()
