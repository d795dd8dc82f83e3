"""`/proxy/{domain}/v1/…`: an address that agents use in the place of their provider's.

    asks for completions, with a key we know    passes with bullets; ACE-Receipt, ACE-Bullets tell of them
    anything else, with a key we know           passes as it is
    the same, with a key that may write         and its answer becomes an episode (`ace.web.proxy.hearing`)
    our side fails, or is slower than patience  passes as it is; ACE-Skipped says why
    a key we do not know, a limit reached       is refused, as everywhere

    ACE-Skipped    slow, busy: our side took too long · outage: it failed · no-task, unreadable: nothing to go by

The caller's headers go on to the provider, keys too, and are neither kept nor logged. Ours are X-ACE-Key and ACE-Learn,
which says `no` where nothing of a request is to be kept. Tasks with the same ACE-Session are drawn for alike, so that a
long conversation keeps its prompt.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from types import SimpleNamespace
from urllib.parse import quote

from fastapi import Request

from ace.bootstrap import App
from ace.core.prompting import Dialect, framed, understand
from ace.core.splicing import apply
from ace.errors import (
    AceError,
    Forbidden,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from ace.models.access import Principal, Role
from ace.web.access import Gate
from ace.web.border import Receive, Scope, Send, read
from ace.web.problems import Problem, problem_of
from ace.web.proxy.hearing import Heard, Hearing
from ace.web.proxy.patience import Late, Outcome, Patience
from ace.web.proxy.upstream import Headers, Outgoing, Upstream

PREFIX = "/proxy/"
REFUSALS = (Unauthenticated, Forbidden, NotFound, TooManyRequests, InvalidInput)
TOLD_EVERY_S = 10.0
NO = ("no", "off", "false", "0")
log = logging.getLogger("ace.proxy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is asked of whom: the `path` after /v1/, to be sent to `url`."""

    domain: str
    path: str
    url: str
    dialect: Dialect | None

    @property
    def route(self) -> str:
        """The template of its address, as figures know it."""
        return f"{PREFIX}{{domain}}/v1/{self.dialect or '{path}'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Advised:
    """The body to send on, and the headers that tell what was done; or why it was refused."""

    outcome: str
    body: bytes
    headers: Headers = ()
    refused: AceError | None = None
    heard: Heard | None = None


class Proxy:
    """The proxy of one server process."""

    def __init__(self, app: App, gate: Gate) -> None:
        given = app.settings
        self._app, self._gate = app, gate
        self._providers = {"openai": given.upstream_openai_url, "anthropic": given.upstream_anthropic_url}
        self._max_body = given.proxy_max_body_bytes
        self._patience, self._upstream = Patience(given.proxy_patience_s), Upstream(given.proxy_timeout_s)
        self._told: dict[str, float] = {}
        self._hearing = Hearing(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        taken = await self._take(scope, receive)
        if isinstance(taken, Problem):
            self._app.observe_proxied("refused", time.perf_counter() - started)
            await taken(scope, receive, send)
            return
        wish, body = taken
        advised = self._settled(await self._patience.of(lambda: self._advise(wish, Request(scope), body)), wish, body)
        delay, outcome = time.perf_counter() - started, "broken"
        try:
            problem = await self._pass_on(advised, wish, scope, receive, send)
            outcome = advised.outcome if problem is None or advised.refused else "unanswered"
            self._hearing.of(advised.heard)
        finally:
            self._app.observe_proxied(outcome, delay)
        if problem is not None:
            await problem(scope, receive, send)

    async def close(self) -> None:
        """End the connections that are kept, and finish what was heard."""
        await self._upstream.close()
        await self._hearing.close()

    async def _take(self, scope: Scope, receive: Receive) -> tuple[Wish, bytes] | Problem:
        wish = self._wish(scope)
        scope["route"] = SimpleNamespace(path=wish.route if isinstance(wish, Wish) else "unknown")
        if isinstance(wish, Problem):
            return wish
        body = await read(receive, _header(scope["headers"], b"content-length"), self._max_body)
        if body is None:
            detail = f"The body is larger than {self._max_body:,} bytes. Raise ACE_PROXY_MAX_BODY_BYTES, or send less."
            return Problem(413, "Body too large", detail, field="body", headers={"Connection": "close"})
        return wish, body

    async def _pass_on(
        self, advised: Advised, wish: Wish, scope: Scope, receive: Receive, send: Send
    ) -> Problem | None:
        if advised.refused is not None:
            return problem_of(advised.refused)
        outgoing = Outgoing(method=scope["method"], url=wish.url, headers=scope["headers"], body=advised.body,
                            added=advised.headers, listener=advised.heard)  # fmt: skip
        return await self._upstream.pass_on(outgoing, receive, send)

    def _wish(self, scope: Scope) -> Wish | Problem:
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        domain, _, rest = raw.decode("latin-1").split("?")[0].removeprefix(PREFIX).partition("/v1/")
        if not rest or "/" in domain or ".." in rest.split("/"):
            return Problem(404, "Not found", f"Nothing is at this address. It reads {PREFIX}<domain>/v1/…")
        name = "anthropic" if rest.split("/")[0] == "messages" or _speaks_anthropic(scope["headers"]) else "openai"
        url = self._providers[name]
        if url is None:
            detail = f"No {name} provider is set. Set ACE_UPSTREAM_{name.upper()}_URL, and start the server again."
            return Problem(503, "The server is not set up for this", detail)
        query = scope["query_string"].decode("latin-1")
        asks = scope["method"] == "POST" and rest in list(Dialect)
        return Wish(domain=domain, path=rest, url=f"{url.rstrip('/')}/{rest}{'?' if query else ''}{query}",
                    dialect=Dialect(rest) if asks else None)  # fmt: skip

    def _advise(self, wish: Wish, request: Request, body: bytes) -> Advised:
        """In a thread: may they, and which bullets fit?"""
        try:
            caller = self._gate.visit(request, request.headers.get("x-ace-key"), Role.READ, wish.domain)
        except REFUSALS as refusal:
            return Advised(outcome="refused", body=body, refused=refusal)
        if wish.dialect is None:
            return Advised(outcome="passed", body=body)
        try:
            text = body.decode()
            prompt = understand(wish.dialect, text)
        except (ValueError, RecursionError):
            return skipped(body, "unreadable")
        if prompt is None:
            return skipped(body, "no-task")
        session = request.headers.get("ace-session")
        advice = self._app.advising.give(wish.domain, prompt.task, session=session, principal=caller.key_id)
        shown = [scored.bullet for scored in advice.context.bullets]
        told = [(b"ace-receipt", advice.receipt.encode()), (b"ace-bullets", str(len(shown)).encode())]
        given = Advised(outcome="bullets" if shown else "none", body=body, headers=told,
                        heard=self._heard(wish, text, advice.receipt, caller, request))  # fmt: skip
        return replace(given, body=apply(text, [prompt.place(framed(shown))]).encode()) if shown else given

    def _heard(self, wish: Wish, text: str, receipt: str, caller: Principal, request: Request) -> Heard | None:
        """Whom the answer is to be told to, where it may be learned from."""
        learns = self._app.settings.proxy_learn and request.headers.get("ace-learn", "").lower() not in NO
        if not learns or not caller.role.includes(Role.WRITE) or wish.dialect is None:
            return None
        return Heard(domain=wish.domain, dialect=wish.dialect, asked=text, receipt=receipt, principal=caller.key_id)

    def _settled(self, outcome: Outcome[Advised], wish: Wish, body: bytes) -> Advised:
        """What is to be done; without us, where something of ours went wrong."""
        if outcome.value is not None:
            return outcome.value
        why = outcome.error.why if isinstance(outcome.error, Late) else "outage"
        if time.monotonic() - self._told.get(why, float("-inf")) > TOLD_EVERY_S:
            self._told[why] = time.monotonic()
            bug = outcome.error if not isinstance(outcome.error, AceError | Late) else None
            log.warning("proxy_without_bullets", exc_info=bug,
                        extra={"domain": wish.domain[:64], "reason": why, "error": str(outcome.error)})  # fmt: skip
        return skipped(body, why) if wish.dialect else Advised(outcome=why, body=body)


def skipped(body: bytes, why: str) -> Advised:
    """As it came, and why."""
    return Advised(outcome=why, body=body, headers=[(b"ace-bullets", b"0"), (b"ace-skipped", why.encode())])


def _header(headers: Headers, name: bytes) -> bytes:
    return next((value for own, value in headers if own.lower() == name), b"")


def _speaks_anthropic(headers: Headers) -> bool:
    return any(name.lower() == b"anthropic-version" for name, _ in headers)
