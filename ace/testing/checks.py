"""Is this store consistent? Each checker holds one promise against what is there, and says in words what breaks it.

    checker    the promise
    chain      the journal is unbroken up to its head, and what is read is what it adds up to
    tables     every column of every table the journal makes is what the journal adds up to
    counters   a bullet's counters are its votes in the journal, one vote a bullet and episode
    effects    a report that is DONE is in the journal as often as its result says; one that is not, not at all
    reports    every report that was acknowledged is kept, and DONE
    indexed    the vector index holds the database's bullets, each where its stage is searched, and nothing else

Nothing said: the promise holds. `chain` and `indexed` read more than once, so ask while nobody writes:

    complaints = checks.everything(Database(url), get_faiss_manager())
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ace.core import replay
from ace.core.ports import PlaybookStore
from ace.errors import InvalidInput
from ace.models.integrity import Anchored
from ace.models.journal import Entry, Position
from ace.repositories.database import Database
from ace.repositories.dump import KNOWN, Dump
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.rows import entry_from_row
from ace.repositories.standing import standing_rows
from ace.services.verification import verify
from ace.testing.index_check import Index, indexed

Row = Mapping[str, Any]
Report = tuple[str, str]
"""Domain and episode id."""

__all__ = ["Held", "chain", "counters", "effects", "everything", "indexed", "read", "reports", "tables"]

EFFECTS = ("add", "increment", "observe")  # the kinds of entries that an episode makes
UNREADABLE = (InvalidInput, ValueError, LookupError, TypeError)


@dataclass(frozen=True, slots=True)
class Held:
    """Every row of a database as of one moment: the domains, and the rows of each table in each."""

    domains: dict[str, Position]
    rows: dict[tuple[str, str], list[Row]]

    def of(self, table: str, domain: str) -> list[Row]:
        return self.rows.get((table, domain), [])

    def entries(self, domain: str) -> list[Entry]:
        """The journal. Raises one of UNREADABLE unless it counts from 1 without a gap."""
        columns = ("seq", "at", "kind", "body", "previous", "hash")
        found = [
            entry_from_row(domain, tuple(row[name] for name in columns)) for row in self.of("playbook_journal", domain)
        ]
        gap = next((number for number, entry in enumerate(found, start=1) if entry.seq != number), None)
        if gap is not None:
            raise InvalidInput("journal", f"entry {gap} is missing")
        return found


def read(database: Database) -> Held:
    """Every row, in one snapshot; writers may go on."""
    rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
    with Dump(database).reading(secrets=False) as tables:
        for page in tables.pages():
            for values in page.rows:
                row = dict(zip(page.columns, values, strict=True))
                rows[page.table, row.get("domain_id", "")].append(row)
    found = [row for (table, _), held in rows.items() if table == "domains" for row in held]
    return Held({row["domain_id"]: Position(seq=row["seq"], hash=row["head_hash"]) for row in found}, dict(rows))


def everything(
    database: Database,
    index: Index | None = None,
    *,
    acknowledged: Collection[Report] = (),
    direct: Collection[Report] = (),
) -> list[str]:
    """What every checker says, one after the other. For `acknowledged` see `reports`, for `direct` see `effects`."""
    held, store = read(database), PlaybookRepository(database)
    said = [*chain(store), *tables(held), *counters(held), *effects(held, direct=direct), *reports(held, acknowledged)]
    return said if index is None else [*said, *indexed(store, index)]


def chain(store: PlaybookStore, anchored: Anchored | None = None) -> list[str]:
    """The first fault of each journal, as `ace verify` finds it; with `anchored`, anchored heads must be there, too."""
    found = ((domain, verify(domain, store, anchored).fault) for domain in store.domains())
    return [f"{domain}: {fault}" for domain, fault in found if fault]


def tables(held: Held) -> list[str]:
    """Each row that is not what the journal adds up to, with its first column that differs; bullets without vector."""
    return [f"{domain}: {said}" for domain in held.domains for said in _strange_rows(held, domain)]


def counters(held: Held) -> list[str]:
    """Each bullet whose counters are not its votes in the journal, and each episode that voted on one twice."""
    return [f"{domain}: {said}" for domain in held.domains for said in _miscounted(held, domain)]


def effects(held: Held, *, direct: Collection[Report] = ()) -> list[str]:
    """Each report whose bullets and votes in the journal are not those its result tells of.

    What a person has approved since is left out. Whoever also sends insights under a report's id makes it look done
    twice: name such ids in `direct`, and they are passed over.
    """
    passed = set(direct)
    return [
        f"{domain}: episode {row['id']} {said}"
        for domain in held.domains
        for row, said in _misdone(held, domain)
        if (domain, row["id"]) not in passed
    ]


def reports(held: Held, acknowledged: Collection[Report]) -> list[str]:
    """Each of these reports that is not there, or not DONE."""
    states = {(domain, row["id"]): row for domain in held.domains for row in held.of("episodes", domain)}
    said = []
    for domain, own in sorted(acknowledged):
        row = states.get((domain, own))
        if row is None:
            said.append(f"{domain}: episode {own} was acknowledged and is lost")
        elif row["state"] != "done":
            said.append(
                f"{domain}: episode {own} was acknowledged and is {row['state']} ({row['error'] or 'no error'})"
            )
    return said


def _strange_rows(held: Held, domain: str) -> Iterator[str]:
    try:
        expected = standing_rows(domain, held.entries(domain), held.domains[domain].seq)
    except UNREADABLE as error:
        yield f"the journal cannot be replayed: {error}"
        return
    for table, rows in expected.items():
        yield from _differing(table, _by_key(table, rows), _by_key(table, held.of(table, domain)))
    packed = {row["bullet_id"] for row in held.of("bullet_vectors", domain)}
    for row in held.of("playbook_bullets", domain):
        if row["id"] not in packed:
            yield f"bullet {row['id']} has no vector"


def _by_key(table: str, rows: Collection[Row]) -> dict[str, Row]:
    names = [column.name for column in KNOWN[table].primary_key if column.name != "domain_id"]
    return {" ".join(str(row[name]) for name in names): row for row in rows}


def _differing(table: str, expected: Mapping[str, Row], found: Mapping[str, Row]) -> Iterator[str]:
    for key in sorted(expected.keys() | found.keys()):
        if key not in found:
            yield f"{table} lacks {key}, which the journal has"
        elif key not in expected:
            yield f"{table} has {key}, which the journal has not"
        else:
            yield from _first_column(f"{table} {key}", expected[key], found[key])


def _first_column(where: str, expected: Row, found: Row) -> Iterator[str]:
    for name, value in expected.items():
        if found[name] != value:
            yield f"{where}: {name} is {found[name]!r}, the journal says {value!r}"
            return


def _miscounted(held: Held, domain: str) -> Iterator[str]:
    try:
        standing = replay.standing(held.entries(domain), held.domains[domain].seq)
    except UNREADABLE as error:
        yield f"the journal cannot be counted: {error}"
        return
    votes = [entry.body for entry in standing if entry.kind == "increment"]
    for (own, episode), times in Counter((vote["bullet_id"], vote["episode_id"]) for vote in votes).items():
        if times > 1:
            yield f"episode {episode} voted {times} times on bullet {own}"
    helpful, harmful = (_added_up(votes, tag) for tag in ("helpful", "harmful"))
    for row in held.of("playbook_bullets", domain):
        own, found = row["id"], (row["helpful_count"], row["harmful_count"])
        if found != (expected := (helpful[own], harmful[own])):
            yield f"bullet {own} counts {found[0]} helpful and {found[1]} harmful, its votes are {expected}"


def _added_up(votes: Collection[Mapping[str, Any]], tag: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for vote in votes:
        counted[vote["bullet_id"]] += vote[tag]
    return counted


def _misdone(held: Held, domain: str) -> Iterator[tuple[Row, str]]:
    """Each report whose effect is not its result, and how."""
    done = _done_by_episodes(held, domain)
    for row in held.of("episodes", domain):
        adds, votes, seen = (done[kind, row["id"]] for kind in EFFECTS)
        result = json.loads(row["result"]) if row["state"] == "done" and row["result"] else None
        if result is None and (adds or votes or seen):
            yield row, f"is {row['state']}, and yet the journal has {adds} bullets and {votes} votes of it"
        elif result is not None and (adds, votes) != (told := _told(result)):
            yield row, f"brought {told[0]} bullets and {told[1]} votes, the journal has {adds} and {votes}"
        if seen > 1:
            yield row, f"was observed {seen} times"


def _told(result: Mapping[str, Any]) -> tuple[int, int]:
    """How many bullets and votes a result tells of."""
    return result["added"], result["merged"] + result["votes"]


def _done_by_episodes(held: Held, domain: str) -> Counter[tuple[str, str]]:
    """How many entries of each kind each episode has made, rolled back since or not."""
    approved, made = _approved(held, domain), Counter[tuple[str, str]]()
    for row in held.of("playbook_journal", domain):
        if row["kind"] in EFFECTS:
            own, episode = _about(row["kind"], json.loads(row["body"]))
            if (own, episode) not in approved:
                made[row["kind"], episode] += 1
    return made


def _about(kind: str, body: Mapping[str, Any]) -> tuple[str, str]:
    """The bullet and the episode an entry is about; no bullet where it is an observation."""
    if kind == "add":
        return body["id"], body["origin"]["episode_id"]
    return body.get("bullet_id", ""), body["episode_id"]


def _approved(held: Held, domain: str) -> set[tuple[str, str]]:
    """The (bullet, episode) pairs that come of a person's approval."""
    items = [row for row in held.of("review_items", domain) if row["bullet_id"]]
    return {(row["bullet_id"], json.loads(row["body"])["episode_id"]) for row in items}
