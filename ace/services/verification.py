"""Make sure that a playbook is what its journal says."""

from __future__ import annotations

from dataclasses import dataclass

from ace.core.journal import first_broken
from ace.core.ports import PlaybookStore
from ace.core.replay import replay


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """How many entries were checked, and the first thing found wrong, if any."""

    entries: int
    fault: str = ""


def verify(domain_id: str, store: PlaybookStore) -> Verification:
    """Follow the hash chain, then replay the journal and compare every bullet and link with the stored ones."""
    entries = store.entries(domain_id)
    broken = first_broken(entries)
    if broken:
        return Verification(entries=len(entries), fault=f"entry {broken.seq} ({broken.kind}) does not follow the chain")
    state, stored = replay(entries), {bullet.id: bullet for bullet in store.get_all(domain_id)}
    strange = sorted(key for key in state.bullets.keys() | stored.keys() if state.bullets.get(key) != stored.get(key))
    if strange:
        return Verification(entries=len(entries), fault=f"bullet {strange[0]} is not what the journal says")
    if state.links != store.links(domain_id):
        return Verification(entries=len(entries), fault="the contradictions are not those of the journal")
    return Verification(entries=len(entries))
