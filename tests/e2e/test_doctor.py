"""`ace doctor`: each thing that can be wrong is made wrong, found, and named with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ace.repositories.database import Database
from tests.e2e.conftest import Ace, ace, llm  # noqa: F401  fixtures
from tests.e2e.servers import free_port
from tests.e2e.terminal import typed


def nothing(ace: Ace) -> None:  # noqa: F811
    """All is well."""


def learned(ace: Ace) -> None:  # noqa: F811
    ace("learn", ace.tasks("tasks.jsonl", ["amber", "birch"]))


def with_older_schema(ace: Ace) -> None:  # noqa: F811
    ace("db", "upgrade", "0001")


def with_damaged_index(ace: Ace) -> None:  # noqa: F811
    learned(ace)
    file = next((ace.home / "data" / "indices").glob("*.faiss"))
    file.write_bytes(b"x" + file.read_bytes()[1:])


def with_other_vectors(ace: Ace) -> None:  # noqa: F811
    learned(ace)
    with Database(f"sqlite:///{ace.home / 'data' / 'ace.db'}").transaction() as session:
        session.say("UPDATE domains SET dimensions = 1024")


def with_open_anchor_key(ace: Ace) -> None:  # noqa: F811
    learned(ace)
    ace("journal", "anchor")
    (ace.home / "data" / "anchor.key").chmod(0o644)


def without_anchor_key(ace: Ace) -> None:  # noqa: F811
    with_open_anchor_key(ace)
    (ace.home / "data" / "anchor.key").unlink()


def with_ending_key(ace: Ace) -> None:  # noqa: F811
    ace("keys", "create", "--expires", "3d", "--label", "their agent")


def with_broken_settings(ace: Ace) -> None:  # noqa: F811
    (ace.home / "ace.toml").write_text("model = [")


@dataclass(frozen=True, kw_only=True)
class Case:
    """`given` happens, and then this check is in this state, whose words are these."""

    name: str
    state: str
    code: int
    says: str
    given: Callable[[Ace], None] = nothing
    settings: dict[str, str] = field(default_factory=dict)


AWAY = f"http://127.0.0.1:{free_port()}/v1"
NO_POSTGRES = f"postgresql://ace:secret@127.0.0.1:{free_port()}/ace"
CASES = {
    "fine": Case(name="model", state="ok", code=0, says="answers"),
    "a-hosted-model-without-its-key": Case(
        name="model", state="warning", code=0, says="ANTHROPIC_API_KEY",
        settings={"ACE_MODEL": "anthropic/claude", "ACE_MODEL_BASE_URL": "", "ANTHROPIC_API_KEY": ""}),
    "the-model-is-away": Case(
        name="model", state="outage", code=4, says="does not answer", settings={"ACE_MODEL_BASE_URL": AWAY}),
    "the-model-has-no-address": Case(
        name="model", state="fault", code=2, says="ACE_MODEL_BASE_URL", settings={"ACE_MODEL_BASE_URL": "nowhere"}),
    "the-database-is-away": Case(
        name="database", state="outage", code=4, says="127.0.0.1", settings={"ACE_DATABASE_URL": NO_POSTGRES}),
    "an-older-schema": Case(name="schema", state="fault", code=2, says="ace db upgrade", given=with_older_schema),
    "no-model-files": Case(
        name="embeddings", state="fault", code=2, says="ace models pull", settings={"ACE_MODELS_DIR": "/nowhere"}),
    "the-embeddings-server-is-away": Case(
        name="embeddings", state="outage", code=4, says="", settings={"ACE_EMBEDDINGS_URL": AWAY}),
    "a-damaged-index": Case(name="index", state="warning", code=0, says="damaged", given=with_damaged_index),
    "vectors-of-another-model": Case(name="vectors", state="fault", code=2, says="1024", given=with_other_vectors),
    "open-to-others-without-keys": Case(
        name="keys", state="fault", code=2, says="ace keys create", settings={"ACE_HOST": "0.0.0.0"}),
    "a-key-that-ends-soon": Case(name="keys", state="warning", code=0, says="their agent", given=with_ending_key),
    "an-anchor-key-for-all-to-read": Case(
        name="anchor key", state="warning", code=0, says="chmod 600", given=with_open_anchor_key),
    "an-anchor-key-that-is-gone": Case(
        name="anchor key", state="fault", code=2, says="Bring the key back", given=without_anchor_key),
    "no-backup": Case(name="backups", state="warning", code=0, says="ace db backup"),
    "settings-nobody-can-read": Case(
        name="settings", state="fault", code=2, says="ace.toml", given=with_broken_settings),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_wrong_is_found(ace: Ace, case: Case) -> None:  # noqa: F811
    case.given(ace)
    told = json.loads(ace("doctor", "--json", code=case.code, **case.settings).stdout)
    found: dict[str, Any] = {one["name"]: one for one in told["checks"]}
    assert found[case.name]["state"] == case.state, told
    assert case.says in found[case.name]["found"] + found[case.name]["remedy"]
    assert "secret" not in json.dumps(told)


def test_without_a_database_what_needs_it_is_left_out(ace: Ace) -> None:  # noqa: F811
    done = ace("doctor", "--json", code=4, ACE_DATABASE_URL=NO_POSTGRES)
    names = [one["name"] for one in json.loads(done.stdout)["checks"]]
    assert not {"schema", "clock", "vectors", "keys"} & set(names)
    assert {"model", "embeddings", "disk", "metrics"} <= set(names)


def test_postgres_is_as_well_as_sqlite(ace: Ace, postgres_url: str) -> None:  # noqa: F811
    told = json.loads(ace("doctor", "--json", ACE_DATABASE_URL=postgres_url).stdout)
    assert {one["name"]: one["state"] for one in told["checks"]}["clock"] == "ok"


def test_people_see_a_table_with_the_remedies(ace: Ace, tmp_path: Path) -> None:  # noqa: F811
    plain = ace("doctor")
    assert "\x1b[" not in plain.stdout
    assert "→ Take one: ace db backup" in plain.stdout
    seen = typed(["doctor"], [], env={**ace.environment, "TERM": "xterm-256color"}, cwd=tmp_path)
    assert "\x1b[32mok" in seen
