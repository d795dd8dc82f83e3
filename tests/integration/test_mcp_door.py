"""/mcp before any key was made: it answers to this machine, to no page of another site, and within the same limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from ace.web.app import create

HERE = "http://localhost:8000/mcp"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx2.ASGITransport]:
    monkeypatch.setenv("ACE_DOMAIN_RATE_LIMIT", "3/minute")
    yield httpx2.ASGITransport(create())


@asynccontextmanager
async def client(server: httpx2.ASGITransport, **headers: str) -> Any:
    async with httpx2.AsyncClient(transport=server, headers=headers) as http:
        yield http


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://evil.example"}, id="another-sites-page"),
        pytest.param({"Origin": "http://[evil"}, id="an-origin-nobody-can-read"),
        pytest.param({"Host": "evil.example"}, id="another-name-for-this-machine"),
    ],
)
def test_pages_and_other_names_are_refused(server: httpx2.ASGITransport, headers: dict[str, str]) -> None:
    async def ask() -> httpx2.Response:
        async with client(server, **headers) as http:
            return await http.post(HERE, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    sent = anyio.run(ask)
    assert sent.status_code == 403 and "Make a key" in sent.json()["error"]["message"]


def test_a_domain_has_the_same_limit(server: httpx2.ASGITransport) -> None:
    async def ask() -> list[str]:
        told = []
        async with (
            client(server, Origin="http://localhost:6274") as http,
            Client(streamable_http_client(f"{HERE}?domain=shop", http_client=http)) as talk,
        ):
            for _ in range(4):
                try:
                    told.append((await talk.read_resource("ace://shop/playbook")).contents[0].text)
                except MCPError as error:
                    told.append(error.message)
        return told

    *served, refused = anyio.run(ask)
    assert served == ["# Playbook of shop\n\nNothing has been learned yet.\n"] * 3
    assert refused.startswith("Too many requests for this domain; try again in ")
