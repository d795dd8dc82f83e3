"""Conversations by the Model Context Protocol with the library's own client: over a pipe to `ace mcp`, or over HTTP."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent, TextResourceContents


class Answer:
    """What a tool answered: whether it is an error, its text, and its data."""

    def __init__(self, result: CallToolResult) -> None:
        self.refused = result.is_error
        self.text = "".join(one.text for one in result.content if isinstance(one, TextContent))
        self.data: dict[str, Any] = result.structured_content or {}


class Talk:
    """A connection that is held open."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal, self.client = portal, client

    def wait(self, function: Callable[..., Any], *words: Any) -> Any:
        return self._portal.call(function, *words)

    def ask(self, tool: str, **arguments: Any) -> Answer:
        return Answer(self.wait(self.client.call_tool, tool, arguments))

    def told(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The data of an answer that is no error."""
        answer = self.ask(tool, **arguments)
        assert not answer.refused, answer.text
        return answer.data

    def refusal(self, tool: str, **arguments: Any) -> str:
        answer = self.ask(tool, **arguments)
        assert answer.refused and not answer.data
        return answer.text

    def read(self, uri: str) -> str:
        (content,) = self.wait(self.client.read_resource, uri).contents
        assert isinstance(content, TextResourceContents)
        return content.text

    def prompt(self, name: str, **arguments: str) -> str:
        (message,) = self.wait(self.client.get_prompt, name, arguments).messages
        return str(message.content.text)


@contextmanager
def _talk(opened: AbstractAsyncContextManager[Client]) -> Iterator[Talk]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened) as client:
        yield Talk(portal, client)


@asynccontextmanager
async def _http(url: str, headers: Mapping[str, str], mode: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def _stdio(words: list[str], environment: Mapping[str, str], log: Path) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=sys.executable, args=["-m", "ace", "mcp", *words], env=dict(environment))
    with log.open("w") as out:
        async with Client(stdio_client(server, errlog=out)) as client:
            yield client


def over_http(url: str, key: str | None = None, *, mode: str = "auto", **headers: str) -> AbstractContextManager[Talk]:
    """With the key; `mode` legacy is the protocol before 2026."""
    given = {"Authorization": f"Bearer {key}"} if key else {}
    return _talk(_http(url, {**headers, **given}, mode))


def over_stdio(*words: str, environment: Mapping[str, str], log: Path) -> AbstractContextManager[Talk]:
    """With an `ace mcp WORDS` of its own, whose stderr goes to `log`."""
    return _talk(_stdio(list(words), environment, log))
