"""Who may call what: every operation of the interface against every kind of caller. A new one without a row fails."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.servers import Server, serving

MINE, THEIRS = "customer-a", "customer-b"
BULLET = "{bullet}"
RANKS = ["read", "write", "review", "admin"]

OPERATIONS: dict[str, tuple[str, Any]] = {
    "POST /v1/domains/{domain}/context": ("read", {"task": "units"}),
    "POST /v1/domains/{domain}/insights": ("write", {"insights": [{"content": "Read the question twice."}]}),
    "POST /v1/domains/{domain}/episodes": ("write", {"task": "t", "episode_id": "e"}),
    "GET /v1/domains/{domain}/episodes": ("read", None),
    "GET /v1/domains/{domain}/episodes/{episode_id}": ("read", None),
    "POST /v1/domains/{domain}/episodes/{episode_id}/requeue": ("review", None),
    "GET /v1/domains": ("read", None),
    "GET /v1/domains/{domain}": ("read", None),
    "GET /v1/domains/{domain}/worth": ("read", None),
    "GET /v1/domains/{domain}/bullets/{bullet_id}/evidence": ("read", None),
    "GET /v1/domains/{domain}/usage": ("read", None),
    "GET /v1/domains/{domain}/journal": ("read", None),
    "GET /v1/domains/{domain}/journal/verification": ("read", None),
    "GET /v1/domains/{domain}/playbook": ("read", None),
    "GET /v1/domains/{domain}/diff": ("read", None),
    "GET /v1/domains/{domain}/releases": ("read", None),
    "POST /v1/domains/{domain}/releases": ("review", {"name": "r1"}),
    "GET /v1/domains/{domain}/guardrail": ("read", None),
    "POST /v1/domains/{domain}/rollback": ("review", {"to": "head", "dry_run": True}),
    "POST /v1/domains/{domain}/purge": ("admin", {"episode": "none", "dry_run": True}),
    "GET /v1/domains/{domain}/bullets": ("read", None),
    "GET /v1/domains/{domain}/search": ("read", None),
    "GET /v1/domains/{domain}/bullets/{bullet_id}": ("read", None),
    "GET /v1/domains/{domain}/bullets/{bullet_id}/history": ("read", None),
    "POST /v1/domains/{domain}/bullets/{bullet_id}/promote": ("review", {"reason": "r"}),
    "POST /v1/domains/{domain}/bullets/{bullet_id}/quarantine": ("review", {"reason": "r"}),
    "POST /v1/domains/{domain}/bullets/{bullet_id}/archive": ("review", {"reason": "r"}),
    "POST /v1/domains/{domain}/bullets/{bullet_id}/restore": ("review", {"reason": "r"}),
    "GET /v1/domains/{domain}/reviews": ("review", None),
    "GET /v1/domains/{domain}/reviews/{review_id}": ("review", None),
    "POST /v1/domains/{domain}/reviews/{review_id}/approve": ("review", {}),
    "POST /v1/domains/{domain}/reviews/{review_id}/reject": ("review", {"reason": "r"}),
    "POST /v1/domains/{domain}/reviews/{review_id}/reopen": ("review", {"reason": "r"}),
    "GET /v1/breakers": ("read", None),
    "POST /v1/breakers/{name}/reset": ("admin", None),
    "GET /v1/keys": ("admin", None),
    "POST /v1/keys": ("admin", {"role": "read", "domains": [MINE]}),
    "DELETE /v1/keys/{key_id}": ("admin", None),
}
PUBLIC = {"GET /health", "GET /livez", "GET /readyz", "GET /version", "GET /metrics"}


class World:
    """A server with two tenants, a bullet each, and a key of every kind."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.keys = {role: self.key(role, "-d", MINE) for role in RANKS}
        self.all_powerful = self.key("admin")
        self.keys |= {"expired": self.key("admin", "--expires", "1s"), "revoked": self.key("admin")}
        self.keys["unknown"] = self.keys["read"][:-4] + "aaaa"
        server.ace("keys", "revoke", self.keys["revoked"].split("_")[1])
        self.bullets = {domain: self.teach(domain) for domain in (MINE, THEIRS)}
        time.sleep(1.1)  # the short-lived key expires, the revocation is seen everywhere

    def key(self, role: str, *options: str) -> str:
        made = self.server.ace("keys", "create", "--role", role, "--json", *options)
        return str(json.loads(made)["token"])

    def teach(self, domain: str) -> str:
        body = {"insights": [{"content": f"Check the units, {domain}."}]}
        answer = self.server.post(f"/v1/domains/{domain}/insights", body, key=self.all_powerful).json()
        return str(answer["outcomes"][0]["bullet_id"])

    def call(self, operation: str, key: str | None, domain: str = MINE) -> int:
        method, path = operation.split()
        names = {"domain": domain, "bullet_id": self.bullets[domain], "episode_id": "none", "name": "generator",
                 "key_id": "none", "review_id": "none"}  # fmt: skip
        body = OPERATIONS[operation][1]
        response = self.server.ask(method, path.format(**names), key=key, json=body)
        assert response.status_code < 500, response.text
        return response.status_code


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[World]:
    home = tmp_path_factory.mktemp("access")
    with serving(
        home, "--workers", "2", ACE_MODELS_DIR=str(models_dir), ACE_WRONG_KEY_RATE_LIMIT="10000/minute"
    ) as run:
        yield World(run)


def test_every_operation_has_a_row(world: World) -> None:
    described = world.server.ask("GET", "/openapi.json").json()["paths"]
    found = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert found == OPERATIONS.keys() | PUBLIC
    for operation in OPERATIONS:
        method, path = operation.split()
        assert described[path][method.lower()]["security"], f"{operation} says that it needs a key"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("caller", ["none", "unknown", "expired", "revoked"])
def test_without_a_valid_key_nothing_is_served(world: World, operation: str, caller: str) -> None:
    assert world.call(operation, world.keys.get(caller)) == 401


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("role", RANKS)
def test_a_role_may_do_what_it_includes_and_nothing_more(world: World, operation: str, role: str) -> None:
    status = world.call(operation, world.keys[role])
    included = RANKS.index(role) >= RANKS.index(OPERATIONS[operation][0])
    if operation == "POST /v1/breakers/{name}/reset":
        assert status == 403, "a key for some domains does not reset what serves all"
    else:
        assert (status != 403) == included
        assert status in (200, 201, 202, 204, 404, 409, 422) if included else status == 403


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "{domain}" in one])
def test_another_tenants_domain_is_answered_like_one_that_does_not_exist(world: World, operation: str) -> None:
    method, path = operation.split()
    texts = []
    for domain in (THEIRS, "nobody"):
        names = {"domain": domain, "bullet_id": world.bullets[THEIRS], "episode_id": "none", "review_id": "none"}
        response = world.server.ask(
            method, path.format(**names), key=world.keys["admin"], json=OPERATIONS[operation][1]
        )
        assert response.status_code == 404
        texts.append(response.text.replace(domain, "<domain>"))
    assert texts[0] == texts[1]


def test_another_tenants_bullet_is_not_found_under_ones_own_domain(world: World) -> None:
    path = f"/v1/domains/{MINE}/bullets/{world.bullets[THEIRS]}"
    assert world.server.ask("GET", path, key=world.keys["admin"]).status_code == 404


def test_domains_and_keys_of_others_are_not_listed(world: World) -> None:
    domains = world.server.ask("GET", "/v1/domains", key=world.keys["read"]).json()
    assert [one["domain"] for one in domains] == [MINE]
    keys = world.server.ask("GET", "/v1/keys", key=world.keys["admin"]).json()
    assert {tuple(key["domains"]) for key in keys} == {(MINE,)}
    assert not any("secret" in name or "token" in name for key in keys for name in key)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"role": "admin", "domains": [MINE]}, 201, id="its-own"),
        pytest.param({"role": "read"}, 403, id="all-domains"),
        pytest.param({"role": "read", "domains": [MINE, THEIRS]}, 403, id="another-domain"),
    ],
)
def test_a_key_makes_no_key_that_may_more(world: World, body: dict[str, Any], status: int) -> None:
    assert world.server.post("/v1/keys", body, key=world.keys["admin"]).status_code == status


def test_a_key_made_twice_under_one_idempotency_key_is_made_once(world: World) -> None:
    def make(label: str) -> httpx.Response:
        body = {"role": "read", "domains": [MINE], "label": label}
        return world.server.post("/v1/keys", body, key=world.all_powerful, **{"Idempotency-Key": "make-it"})

    first, again, other = make("idle"), make("idle"), make("other")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert (first.json()["id"], first.json()["token"][:4]) == (again.json()["id"], "ace_")
    assert again.json()["token"] is None, "it is shown once"


def test_a_revoked_key_is_refused_by_every_process_within_a_second(world: World) -> None:
    key = world.key("read", "-d", MINE)
    assert [world.call("GET /v1/domains", key) for _ in range(20)] == [200] * 20  # both processes know it now
    world.server.ace("keys", "revoke", key.split("_")[1])
    time.sleep(1.0)
    assert [world.call("GET /v1/domains", key) for _ in range(20)] == [401] * 20


def test_the_secret_is_nowhere_in_the_data(world: World) -> None:
    secret = world.keys["admin"].split("_")[2].encode()
    data = Path(world.server.environment["ACE_DATA_DIR"])
    searched = [path for path in data.rglob("*") if path.is_file()]
    assert any(path.name.startswith("ace.db") for path in searched)
    assert not [path for path in searched if secret in path.read_bytes()]
    assert secret not in world.server.log.read_bytes()


def test_wrong_keys_and_busy_domains_are_slowed_down(tmp_path: Path, models_dir: Path) -> None:
    limits = {"ACE_WRONG_KEY_RATE_LIMIT": "3/minute", "ACE_DOMAIN_RATE_LIMIT": "5/minute"}
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), **limits) as server:
        key = json.loads(server.ace("keys", "create", "--json", "-d", MINE))["token"]
        time.sleep(1.0)
        wrong = [server.ask("GET", "/v1/domains", key="ace_wrong") for _ in range(5)]
        assert [one.status_code for one in wrong] == [401, 401, 401, 429, 429]
        assert int(wrong[-1].headers["retry-after"]) > 0
        right = [server.ask("GET", f"/v1/domains/{MINE}/bullets", key=key).status_code for _ in range(7)]
        assert right == [200] * 5 + [429] * 2, "the right key still passes, until its domain's limit"


def test_without_keys_no_other_address_than_loopback_is_listened_on(tmp_path: Path, models_dir: Path) -> None:
    open_to_others = serving(tmp_path, "--host", "0.0.0.0", ACE_MODELS_DIR=str(models_dir))
    with pytest.raises(AssertionError, match=r"there are no API keys yet.*ace keys create"), open_to_others:
        pass
