"""Every statement the store runs, as SQL text with `:name` parameters; each is about one domain, or one breaker.

Text rather than expressions built per call: building one in Python costs more than SQLite takes to answer it.
What differs by database is written once here:

    {listed}  the members of the JSON list :listed, as a column `value`
    {like}    contains, whatever the case
    {lock}    keep other writers away from this row (SQLite: the whole file is held already); rows that only
              refer to it may be inserted meanwhile: a report does not wait for a merge
    {skip}    the same, passing over rows that another holds
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Table

from ace.repositories import tables

_SQLITE = {"listed": "json_each(:listed)", "like": "LIKE", "lock": "", "skip": ""}
_POSTGRESQL = {
    "listed": "jsonb_array_elements_text(CAST(:listed AS jsonb))",
    "like": "ILIKE",
    "lock": "FOR NO KEY UPDATE",
    "skip": "FOR NO KEY UPDATE SKIP LOCKED",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as each driver takes it: `:name` for sqlite3, `%(name)s` for psycopg."""

    sqlite: str
    postgresql: str


def statement(text: str) -> Statement:
    """The statement written with the notations above, in both dialects."""
    return Statement(
        sqlite=text.format(**_SQLITE).strip(),
        postgresql=re.sub(r":([a-z_]+)", r"%(\1)s", text.format(**_POSTGRESQL).strip()),
    )


def insert(table: Table, conflict: str = "") -> Statement:
    """Insert a row given by column names; `conflict` says what to do about one that is there already."""
    names = [column.name for column in table.columns]
    values = ", ".join(f":{name}" for name in names)
    return statement(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values}) {conflict}")


# the domain
DOMAINS = statement("SELECT domain_id FROM domains WHERE seq > 0")
HEAD = statement("SELECT seq, head_hash, dimensions FROM domains WHERE domain_id = :domain_id")
LOCK = statement("SELECT seq, head_hash, dimensions FROM domains WHERE domain_id = :domain_id {lock}")
FOUND_DOMAIN = insert(tables.domains, "ON CONFLICT DO NOTHING")
MOVE_HEAD = statement(
    "UPDATE domains SET seq = :seq, head_hash = :head_hash, dimensions = :dimensions,"
    " created_at = coalesce(created_at, :created_at) WHERE domain_id = :domain_id"
)

# the journal
ENTRIES = statement(
    "SELECT seq, at, kind, body, previous, hash FROM playbook_journal"
    " WHERE domain_id = :domain_id AND seq > :after ORDER BY seq LIMIT :limit"
)
HISTORY = statement(
    "SELECT seq, at, kind, body, previous, hash FROM playbook_journal WHERE domain_id = :domain_id"
    " AND (kind = 'rollback' OR body LIKE :pattern ESCAPE '\\') ORDER BY seq"
)
JOURNAL = insert(tables.journal)

# bullets
_BULLET = "SELECT id, content, section, stage, helpful_count, harmful_count, origin FROM playbook_bullets"
GET = statement(f"{_BULLET} WHERE domain_id = :domain_id AND id = :id")
GET_MANY = statement(f"{_BULLET} WHERE domain_id = :domain_id AND id IN (SELECT value FROM {{listed}})")
GET_ALL = statement(f"{_BULLET} WHERE domain_id = :domain_id ORDER BY born_seq")
GET_STAGE = statement(f"{_BULLET} WHERE domain_id = :domain_id AND stage = :stage ORDER BY born_seq")
RIPE = statement(
    f"{_BULLET} WHERE domain_id = :domain_id AND stage = :stage AND (helpful_count > 0 OR harmful_count > 0) AND"
    " (harmful_count >= CASE WHEN helpful_count > 1 THEN helpful_count ELSE 1 END OR (helpful_count >= :helpful_min AND"
    " CAST(helpful_count AS DOUBLE PRECISION) / CASE WHEN harmful_count > 1 THEN harmful_count ELSE 1 END"
    " >= :ratio_min)) ORDER BY born_seq"
)
COUNT_BY_STAGE = statement("SELECT stage, count(*) FROM playbook_bullets WHERE domain_id = :domain_id GROUP BY stage")
COUNT_ALL = statement("SELECT domain_id, stage, count(*) FROM playbook_bullets GROUP BY domain_id, stage")
PAGE = statement(
    "SELECT id, content, section, stage, helpful_count, harmful_count, origin, born_seq, created_at"
    " FROM playbook_bullets WHERE domain_id = :domain_id AND born_seq < :before"
    " AND (CAST(:stage AS text) IS NULL OR stage = :stage) AND (CAST(:section AS text) IS NULL OR section = :section)"
    " AND (CAST(:pattern AS text) IS NULL OR content {like} :pattern ESCAPE '\\') ORDER BY born_seq DESC LIMIT :limit"
)
ADD = insert(tables.bullets)
SET_STAGE = statement("UPDATE playbook_bullets SET stage = :stage WHERE domain_id = :domain_id AND id = :id")
COUNT_VOTE = statement(
    "UPDATE playbook_bullets SET helpful_count = helpful_count + :helpful, harmful_count = harmful_count + :harmful"
    " WHERE domain_id = :domain_id AND id = :id"
)

# votes and contradictions
VOTED = statement(
    "SELECT bullet_id, episode_id FROM bullet_votes"
    " WHERE domain_id = :domain_id AND episode_id IN (SELECT value FROM {listed})"
)
VOTE = insert(tables.votes)
LINKS = statement("SELECT left_id, right_id FROM bullet_links WHERE domain_id = :domain_id")
LINK = insert(tables.links, "ON CONFLICT DO NOTHING")

# vectors
VECTORS = statement(
    "SELECT bullet_id, vector FROM bullet_vectors"
    " WHERE domain_id = :domain_id AND bullet_id IN (SELECT value FROM {listed})"
)
VECTOR_PAGE = statement(
    "SELECT bullet.id, bullet.stage, vector.vector FROM playbook_bullets AS bullet JOIN bullet_vectors AS vector"
    " ON vector.domain_id = bullet.domain_id AND vector.bullet_id = bullet.id"
    " WHERE bullet.domain_id = :domain_id AND bullet.id > :after ORDER BY bullet.id LIMIT :limit"
)
VECTOR = insert(tables.vectors, "ON CONFLICT (domain_id, bullet_id) DO UPDATE SET vector = excluded.vector")

# rollback: what the journal says again is written again
CLEAR = tuple(
    statement(f"DELETE FROM {table.name} WHERE domain_id = :domain_id")
    for table in (tables.votes, tables.links, tables.bullets)
)
STANDING = {"playbook_bullets": ADD, "bullet_votes": VOTE, "bullet_links": LINK}

# idempotency
RECALL = statement("SELECT request_hash, answer FROM idempotency_keys WHERE domain_id = :domain_id AND key = :key")
REMEMBER = insert(tables.idempotency_keys)
REMEMBER_FIRST = insert(tables.idempotency_keys, "ON CONFLICT DO NOTHING")

# breakers
_BREAKER = f"SELECT {', '.join(column.name for column in tables.breakers.columns)} FROM circuit_breakers"
BREAKERS = statement(_BREAKER)
BREAKER = statement(f"{_BREAKER} WHERE name = :name")
LOCK_BREAKER = statement(f"{_BREAKER} WHERE name = :name {{lock}}")
FOUND_BREAKER = insert(tables.breakers, "ON CONFLICT DO NOTHING")
SET_BREAKER = statement(
    "UPDATE circuit_breakers SET "
    + ", ".join(f"{column.name} = :{column.name}" for column in tables.breakers.columns if column.name != "name")
    + " WHERE name = :name"
)

# keys and secrets
_KEY = f"SELECT {', '.join(column.name for column in tables.api_keys.columns)} FROM api_keys"
ADD_KEY = insert(tables.api_keys, "ON CONFLICT DO NOTHING RETURNING id")
KEY = statement(f"{_KEY} WHERE id = :id")
KEYS = statement(f"{_KEY} ORDER BY created_at, id")
ANY_KEY = statement("SELECT 1 FROM api_keys LIMIT 1")
REVOKE_KEY = statement("UPDATE api_keys SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id")
SECRET = statement("SELECT value FROM server_secrets WHERE name = :name")
ADD_SECRET = insert(tables.server_secrets, "ON CONFLICT DO NOTHING")

# what workers take, finish or give back
_LEASED = "SELECT id, domain_id, state, attempts, error, result, reported_at, due_at, owner"
_OF_DOMAIN = "(CAST(:domain_id AS TEXT) IS NULL OR domain_id = :domain_id)"
_DUE = f"state = :state AND due_at <= :now AND {_OF_DOMAIN}"


@dataclass(frozen=True, slots=True)
class LeaseQueue:
    """The statements on one table of what workers take: its due rows, one row held, one row changed."""

    noun: str
    any_due: Statement
    take_due: Statement
    lock: Statement
    ended: Statement
    change: Statement


def _lease_queue(noun: str, table: Table) -> LeaseQueue:
    one = f"{_LEASED} FROM {table.name} WHERE domain_id = :domain_id AND id = :id"
    return LeaseQueue(
        noun=noun,
        any_due=statement(f"SELECT 1 FROM {table.name} WHERE {_DUE} LIMIT 1"),
        take_due=statement(f"{_LEASED} FROM {table.name} WHERE {_DUE} ORDER BY due_at, domain_id, id LIMIT 1 {{skip}}"),
        lock=statement(f"{one} {{lock}}"),
        ended=statement(
            f"{_LEASED} FROM {table.name} WHERE domain_id = :domain_id AND state IN ('done', 'dead')"
            " AND id IN (SELECT value FROM {listed})"
        ),
        change=statement(
            f"UPDATE {table.name} SET state = :state, attempts = :attempts, due_at = :due_at, owner = :owner,"
            " error = :error, result = :result WHERE domain_id = :domain_id AND id = :id"
        ),
    )


EPISODE_QUEUE = _lease_queue("episode", tables.episodes)
ASSIGNMENT_QUEUE = _lease_queue("assignment", tables.assignments)

# episodes
_STATUS = f"{_LEASED} FROM episodes"
REPORT = insert(tables.episodes, "ON CONFLICT DO NOTHING RETURNING id")
REPORTED = statement("SELECT request_hash, body FROM episodes WHERE domain_id = :domain_id AND id = :id")
EPISODE = statement(f"{_STATUS} WHERE domain_id = :domain_id AND id = :id")
TAKE_EPISODE = statement(f"{_STATUS} WHERE domain_id = :domain_id AND id = :id {{skip}}")
GROW = statement(
    "UPDATE episodes SET body = :body, request_hash = :request_hash, due_at = :due_at"
    " WHERE domain_id = :domain_id AND id = :id"
)
EPISODES = statement(
    f"{_STATUS} WHERE domain_id = :domain_id AND id > :after"
    " AND (CAST(:state AS TEXT) IS NULL OR state = :state) ORDER BY id LIMIT :limit"
)
EPISODES_NAMING = statement(
    "SELECT id, body FROM episodes WHERE domain_id = :domain_id AND body LIKE :pattern ESCAPE '!' ORDER BY id"
)
EPISODE_BODIES = statement(
    "SELECT id, state, body FROM episodes WHERE domain_id = :domain_id AND id > :after ORDER BY id LIMIT :limit"
)
COUNT_EPISODES = statement(f"SELECT state, count(*) FROM episodes WHERE {_OF_DOMAIN} GROUP BY state")

# assignments
ASSIGN = insert(tables.assignments, "ON CONFLICT DO NOTHING RETURNING id")
ASSIGNED = statement("SELECT body FROM assignments WHERE domain_id = :domain_id AND id = :id")
ASSIGN_AGAIN = statement(
    "UPDATE assignments SET state = 'queued', attempts = 0, due_at = reported_at"
    " WHERE domain_id = :domain_id AND run_id = :run_id AND state = 'dead'"
)
COUNT_ASSIGNED = statement(
    "SELECT state, count(*) FROM assignments WHERE domain_id = :domain_id AND run_id = :run_id GROUP BY state"
)

# what waits for a person
_REVIEW = "SELECT id, state, body, created_at, decided_at, decided_by, decision, bullet_id FROM review_items"
REVIEW = statement(f"{_REVIEW} WHERE domain_id = :domain_id AND id = :id")
REVIEWS_OF = statement(f"{_REVIEW} WHERE domain_id = :domain_id AND id IN (SELECT value FROM {{listed}})")
REVIEWS = statement(
    f"{_REVIEW} WHERE domain_id = :domain_id AND (CAST(:state AS TEXT) IS NULL OR state = :state)"
    " AND (CAST(:after AS TEXT) = '' OR (created_at, id) >"
    " (SELECT created_at, id FROM review_items WHERE domain_id = :domain_id AND id = :after))"
    " ORDER BY created_at, id LIMIT :limit"
)
REVIEW_VECTORS = statement("SELECT id, vector FROM review_items WHERE domain_id = :domain_id")
HOLD = insert(
    tables.review_items,
    "ON CONFLICT (domain_id, id) DO UPDATE SET "
    + ", ".join(
        f"{column.name} = excluded.{column.name}" for column in tables.review_items.columns if not column.primary_key
    ),
)
DECIDE = statement(
    "UPDATE review_items SET state = :state, decided_at = :decided_at, decided_by = :decided_by,"
    " decision = :decision, bullet_id = :bullet_id WHERE domain_id = :domain_id AND id = :id"
)
COUNT_REVIEWS = statement(f"SELECT state, count(*) FROM review_items WHERE {_OF_DOMAIN} GROUP BY state")
VOTES_BY = statement(
    "SELECT vote.bullet_id, count(*) FROM bullet_votes AS vote JOIN playbook_journal AS entry"
    " ON entry.domain_id = vote.domain_id AND entry.seq = vote.seq WHERE vote.domain_id = :domain_id"
    " AND vote.bullet_id IN (SELECT value FROM {listed}) AND entry.body LIKE :pattern ESCAPE '!'"
    " GROUP BY vote.bullet_id"
)

# figures over all domains
STAGE_FIGURES = statement("SELECT stage, count(*) FROM playbook_bullets GROUP BY stage")
EPISODE_FIGURES = statement("SELECT state, count(*) FROM episodes GROUP BY state")
ASSIGNMENT_FIGURES = statement("SELECT state, count(*) FROM assignments GROUP BY state")
WAITING_SINCE = statement("SELECT min(reported_at) FROM episodes WHERE state IN ('queued', 'leased')")

# releases
_RELEASE = f"SELECT {', '.join(column.name for column in tables.releases.columns)} FROM releases"
ADD_RELEASE = insert(tables.releases, "ON CONFLICT DO NOTHING")
RELEASE_NAMED = statement(f"{_RELEASE} WHERE domain_id = :domain_id AND name = :name")
RELEASES = statement(f"{_RELEASE} WHERE domain_id = :domain_id ORDER BY created_at, name")

# what domains spend
SPEND = insert(
    tables.domain_usage,
    "ON CONFLICT (domain_id, day) DO UPDATE SET calls = domain_usage.calls + excluded.calls,"
    " tokens = domain_usage.tokens + excluded.tokens, cost_usd = domain_usage.cost_usd + excluded.cost_usd",
)
SPENT = statement("SELECT calls, tokens, cost_usd FROM domain_usage WHERE domain_id = :domain_id AND day = :day")
SPENT_DAYS = statement(
    f"SELECT domain_id, day, calls, tokens, cost_usd FROM domain_usage WHERE {_OF_DOMAIN}"
    " ORDER BY day DESC, domain_id LIMIT :limit"
)

# leases
ACQUIRE = insert(
    tables.leases,
    "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until"
    " WHERE leases.holder = excluded.holder OR leases.until <= :now RETURNING holder",
)
RELEASE = statement("DELETE FROM leases WHERE name = :name AND holder = :holder")
HOLDER = statement("SELECT holder FROM leases WHERE name = :name AND until > :now")
