"""Where bodies of many megabytes are taken, not a byte is read for whoever has no key that may send them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from ace.bootstrap import App
from ace.config import settings_alone
from ace.errors import StoreUnavailable
from ace.models.access import Principal, Role
from ace.services.keys import Keys
from ace.testing.keys import InMemoryKeys
from ace.utils.clock import SystemClock
from ace.web.app import create
from ace.web.border import Asgi, Message

CHAT, MODELS = "/proxy/customer-a/v1/chat/completions", "/proxy/customer-a/v1/models"
SPANS, EVENTS = "/otlp/customer-a/v1/traces", "/otlp/customer-a/v1/logs"
NOWHERE = ("/otlp/customer-a/v1/metrics", "/otlp/", "/otlp//v1/traces", f"{SPANS}\n", f"{SPANS}/")
DOORS = (CHAT, MODELS, SPANS, EVENTS, *NOWHERE)


class World:
    """The application of one server, and how much of a body it read."""

    def __init__(self) -> None:
        self.store = InMemoryKeys()
        self.app = App(settings_alone(upstream_openai_url="http://127.0.0.1:9/v1", request_deadline_s=2))
        self.app.keys = Keys(self.store, SystemClock(), lambda size: bytes(range(size)))  # type: ignore[misc]
        self.server: Asgi = create(self.app)
        self.reads = 0

    def key(self, role: Role, *domains: str) -> str:
        own = bytes([len(self.store.all()) + 1])
        keys = Keys(self.store, SystemClock(), lambda size: own * size)
        return str(keys.create(Principal(), role=role, domains=domains or None)[1])

    def post(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and answer of a request whose body is there to be read, in two parts."""
        sent: list[Message] = []
        self.reads = 0

        async def receive() -> Message:
            self.reads += 1
            if self.reads > 2:
                await asyncio.Event().wait()  # stays connected
            return {"type": "http.request", "body": b"{}", "more_body": self.reads < 2}

        async def send(message: Message) -> None:
            sent.append(message)

        given = {"content-type": "application/json", "content-length": "4", "host": "127.0.0.1", **headers}
        scope = {
            "type": "http", "method": "POST", "path": path, "query_string": b"", "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "http_version": "1.1",
        }  # fmt: skip
        asyncio.run(self.server(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.fixture
def world() -> World:
    return World()


def shown(path: str, token: str) -> dict[str, str]:
    return {"x-ace-key": token} if path.startswith("/proxy/") else {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("caller", ["nobody", "a wrong key", "a revoked key"])
def test_for_whoever_has_no_valid_key_nothing_is_read(world: World, path: str, caller: str) -> None:
    token = world.key(Role.ADMIN)
    if caller == "a revoked key":
        world.store.revoke(token.split("_")[1], 1.0)
    tokens = {"nobody": {}, "a wrong key": shown(path, token[:-4] + "aaaa"), "a revoked key": shown(path, token)}
    status, _ = world.post(path, tokens[caller])
    assert (status, world.reads) == (401, 0)


@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        pytest.param(SPANS, Role.READ, 403, id="a reader sends spans"),
        pytest.param(NOWHERE[0], Role.READ, 403, id="a reader sends what is not taken"),
        pytest.param("/otlp/customer-b/v1/logs", Role.ADMIN, 404, id="spans to another's domain"),
        pytest.param("/proxy/customer-b/v1/models", Role.ADMIN, 404, id="a call from another's domain"),
    ],
)
def test_for_a_key_that_may_not_nothing_is_read(world: World, path: str, role: Role, status: int) -> None:
    found, _ = world.post(path, shown(path, world.key(role, "customer-a")))
    assert (found, world.reads) == (status, 0)


@pytest.mark.parametrize("path", NOWHERE)
def test_for_a_place_that_is_not_here_nothing_is_read(world: World, path: str) -> None:
    status, answer = world.post(path, shown(path, world.key(Role.WRITE)))
    assert (status, world.reads, "Not Found" in answer["message"]) == (404, 0, True)


@pytest.mark.parametrize("path", [CHAT, SPANS])
def test_while_keys_cannot_be_looked_up_nothing_is_read(world: World, path: str) -> None:
    token = world.key(Role.ADMIN)
    world.store.outage = StoreUnavailable("away")
    status, _ = world.post(path, shown(path, token))
    assert (status, world.reads) == (503, 0)


@pytest.mark.parametrize(("path", "status"), [(CHAT, 502), (SPANS, 400)])
def test_for_a_key_that_may_all_of_it_is_read(world: World, path: str, status: int) -> None:
    """Neither the provider nor the spans are there: only the body was to be read."""
    found, answer = world.post(path, shown(path, world.key(Role.WRITE)))
    assert (found, world.reads >= 2) == (status, True), answer
