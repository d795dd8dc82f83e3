"""The MCP server before a door of its own: what the model is told of each kind of error, and whose domain is meant."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent

from ace.errors import AceError, Conflict, InvalidInput, NotFound, StoreUnavailable
from ace.integrations import mcp_tools as tools
from ace.integrations.mcp import PlaybookServer
from ace.integrations.mcp_desk import Desk
from ace.models.access import Role

GIVEN: dict[str, dict[str, Any]] = {
    "get_context": {"task": "t"},
    "record_outcome": {"task": "t", "answer": "a"},
    "search_bullets": {"query": "q"},
    "get_bullet": {"bullet_id": "b"},
    "add_insight": {"content": "c"},
    "list_reviews": {},
    "approve_review": {"review_id": "r"},
    "reject_review": {"review_id": "r", "reason": "why"},
}


class Raising:
    """A door that raises whatever is called."""

    def __init__(self, error: Exception) -> None:
        self.error, self.closed = error, False

    async def send(self, call: Any) -> Any:
        raise self.error

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[Client]:
    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[Desk]:
        yield desk

    async with Client(PlaybookServer(lifespan)) as client:
        yield client


def refusals(desk: Desk, *names: str) -> dict[str, str]:
    """The texts with which these tools refuse."""

    async def ask() -> dict[str, CallToolResult]:
        async with connected(desk) as client:
            return {name: await client.call_tool(name, GIVEN[name]) for name in names}

    found = anyio.run(ask)
    assert all(result.is_error for result in found.values())
    return {name: "".join(_text(one) for one in result.content) for name, result in found.items()}


def _text(content: Any) -> str:
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InvalidInput("k", "is 101", "Ask for less"), id="yours"),
        pytest.param(Conflict("The key was used for something else."), id="conflict"),
        pytest.param(StoreUnavailable("The database is away. Try again later."), id="outage"),
    ],
)
def test_an_error_of_ours_is_told_in_its_own_words(error: AceError) -> None:
    assert refusals(Desk(door=Raising(error), domain="shop"), *GIVEN) == dict.fromkeys(GIVEN, str(error))


def test_of_any_other_error_nothing_is_shown_and_its_traceback_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(door=Raising(RuntimeError("the secret reason")), domain="shop")
    with caplog.at_level(logging.ERROR):
        assert refusals(desk, "get_context") == {"get_context": "Error executing tool get_context"}
    assert "RuntimeError: the secret reason" in caplog.text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(NotFound("There is no domain shop."), -32602, id="not-there"),
        pytest.param(StoreUnavailable("The database is away."), -32603, id="outage"),
    ],
)
def test_a_resource_says_the_same_as_a_protocol_error(error: AceError, code: int) -> None:
    async def read() -> MCPError | None:
        async with connected(Desk(door=Raising(error), domain="shop")) as client:
            try:
                await client.read_resource("ace://shop/playbook")
            except MCPError as refused:
                return refused
        return None

    refused = anyio.run(read)
    assert refused is not None and (refused.code, refused.message) == (code, str(error))


@pytest.mark.parametrize("role", Role)
def test_above_the_role_it_was_started_for_a_tool_says_which_it_needs(role: Role) -> None:
    needed = {offer.name: offer.role for offer in tools.OFFERS}
    for tool, text in refusals(Desk(door=Raising(Conflict("passed")), domain="shop", role=role), *GIVEN).items():
        allowed = role.includes(needed[tool])
        assert text.endswith("passed" if allowed else f"Start them with: ace mcp --role {needed[tool]}.")


@pytest.mark.parametrize(
    ("only", "known", "named", "meant"),
    [
        pytest.param("shop", (), "", "shop", id="left-out"),
        pytest.param("shop", (), "shop", "shop", id="named-anyway"),
        pytest.param("shop", (), "other", "There is no domain other.", id="another"),
        pytest.param(None, (), "other", "other", id="any"),
        pytest.param(None, (), "", "domain: is missing. Name the domain whose playbook it is.", id="any-left-out"),
        pytest.param(None, ("a", "b"), "", "domain: is missing. Name one of a, b.", id="some-left-out"),
        pytest.param("shop", (), "../other", "is not a domain id", id="no-id"),
    ],
)
def test_whose_domain_is_meant(only: str | None, known: tuple[str, ...], named: str, meant: str) -> None:
    desk = Desk(door=Raising(NotFound("-")), domain=only, known=known)
    try:
        assert desk.of(named) == meant
    except (InvalidInput, NotFound) as error:
        assert meant in str(error)


def test_every_tool_stands_in_the_table() -> None:
    rows = [line.split()[:2] for line in str(tools.__doc__).splitlines() if "_" in line.split(" ")[0]]
    assert rows == [[offer.name, str(offer.role)] for offer in tools.OFFERS]
    assert GIVEN.keys() == {offer.name for offer in tools.OFFERS}
