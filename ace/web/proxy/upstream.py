"""The provider behind the proxy: what came is sent on, what is answered comes back, chunk by chunk, as it is.

Left out on either side are the headers of one connection alone (RFC 9110, 7.6.1), and towards the provider ours.
No redirect is followed, nothing is tried twice, no cookie is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from ace.web.border import Receive, Send
from ace.web.problems import Problem

Headers = Sequence[tuple[bytes, bytes]]
ONE_CONNECTION = frozenset({b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
                            b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"})  # fmt: skip
NOT_SENT_ON = ONE_CONNECTION | {b"host", b"content-length", b"expect", b"x-ace-key", b"ace-session", b"ace-learn"}
CONNECT_S, MOST_CONNECTIONS, KEPT_CONNECTIONS = 10.0, 1000, 100
log = logging.getLogger("ace.proxy")


class Listener(Protocol):
    """Is told what the provider answers, as it comes."""

    def begin(self, status: int, headers: Headers) -> None: ...

    def take(self, chunk: bytes) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A request for the provider, and the headers that our side adds to its answer."""

    method: str
    url: str
    headers: Headers
    body: bytes
    added: Headers = ()
    listener: Listener | None = None


class Upstream:
    """The connections to the providers, of one event loop; `timeout_s` is for a silence, not for a whole answer."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def pass_on(self, outgoing: Outgoing, receive: Receive, send: Send) -> Problem | None:
        """Send it on, and the answer back; a problem when there is none. Ends with whoever asked."""
        answering = asyncio.ensure_future(self._answer(outgoing, send))
        leaving = asyncio.ensure_future(_left(receive))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not answering.done():
            answering.cancel()
            await asyncio.wait({answering})
        return None if answering.cancelled() else answering.result()

    async def close(self) -> None:
        """End the connections that are kept."""
        if self._client is not None:
            await self._client.aclose()

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(self._timeout_s, connect=CONNECT_S, pool=CONNECT_S),
                limits=httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS),
            )
        return self._client

    async def _answer(self, outgoing: Outgoing, send: Send) -> Problem | None:
        client = self._connected()
        headers = [one for one in outgoing.headers if one[0].lower() not in NOT_SENT_ON]
        request = httpx.Request(outgoing.method, outgoing.url, headers=headers, content=outgoing.body or None,
                                extensions={"timeout": client.timeout.as_dict()})  # fmt: skip
        try:
            response = await client.send(request, stream=True)
        except httpx.TransportError as error:
            return unreachable(error)
        try:
            kept = [(name.lower(), value) for name, value in response.headers.raw if name.lower() not in ONE_CONNECTION]
            start = {"type": "http.response.start", "status": response.status_code}
            await send({**start, "headers": [*kept, *outgoing.added]})
            if outgoing.listener:
                outgoing.listener.begin(response.status_code, response.headers.raw)
            async for chunk in response.aiter_raw():
                if outgoing.listener:
                    outgoing.listener.take(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if outgoing.listener:
                outgoing.listener.end()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await response.aclose()
            client.cookies.clear()
        return None


def unreachable(error: httpx.TransportError) -> Problem:
    """What is said in the provider's place, in words that its clients show."""
    late = isinstance(error, httpx.TimeoutException)
    words = "did not answer in time" if late else "cannot be reached"
    detail = f"The model provider behind this proxy {words} ({type(error).__name__})."
    return Problem(504 if late else 502, "Model provider unreachable", detail,
                   error={"type": "upstream_unreachable", "message": detail})  # fmt: skip


async def _left(receive: Receive) -> None:
    """Returns when whoever asked has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
