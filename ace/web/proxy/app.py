"""`/proxy/{domain}/v1/…`: an address that agents use in the place of their provider's.

    a key we do not know, a limit reached       is refused, as everywhere, before its body is read
    a key we cannot look up now                 is refused, unless this process knew it within the last minute
    asks for completions, with a key we know    passes with bullets; ACE-Receipt, ACE-Bullets tell of them
    anything else, with a key we know           passes as it is
    the same, with a key that may write         and its answer becomes an episode (`ace.web.proxy.hearing`)
    our side fails, or is slower than patience  passes as it is; ACE-Skipped says why

So bullets fail open and keys fail closed: a request does not wait for bullets, and none is sent on without a key.

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
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from ace.models.access import Principal, Role
from ace.web.access import Gate
from ace.web.border import Receive, Scope, Send, read
from ace.web.problems import Problem, problem_of
from ace.web.proxy.hearing import Heard, Hearing
from ace.web.proxy.patience import Late, Patience
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
class Taken:
    """A request that was let in; `trouble`, where our side could not be asked whose it is and its key was known."""

    wish: Wish
    caller: Principal
    body: bytes
    trouble: BaseException | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Advised:
    """The body to send on, and the headers that tell what was done."""

    outcome: str
    body: bytes
    headers: Headers = ()
    heard: Heard | None = None


class Proxy:
    """The proxy of one server process."""

    def __init__(self, app: App, gate: Gate) -> None:
        given = app.settings
        self._app, self._gate = app, gate
        self._providers = {"openai": given.upstream_openai_url, "anthropic": given.upstream_anthropic_url}
        self._max_body = given.proxy_max_body_bytes
        self._patience, self._upstream = Patience(given.proxy_patience_s), Upstream(given.proxy_timeout_s)
        self._lookups, self._repeated_lookups = Patience(given.request_deadline_s), Patience(given.proxy_patience_s)
        self._told: dict[str, float] = {}
        self._hearing = Hearing(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        taken = await self._take(scope, receive)
        if isinstance(taken, Problem):
            self._app.observe_proxied("refused", time.perf_counter() - started)
            await taken(scope, receive, send)
            return
        advised = await self._advised(taken, Request(scope))
        delay, outcome = time.perf_counter() - started, "broken"
        outgoing = Outgoing(method=scope["method"], url=taken.wish.url, headers=scope["headers"], body=advised.body,
                            added=advised.headers, listener=advised.heard)  # fmt: skip
        try:
            problem = await self._upstream.pass_on(outgoing, receive, send)
            outcome = "unanswered" if problem else advised.outcome
            self._hearing.of(advised.heard)
        finally:
            self._app.observe_proxied(outcome, delay)
        if problem is not None:
            await problem(scope, receive, send)

    async def close(self) -> None:
        """End the connections that are kept, and finish what was heard."""
        await self._upstream.close()
        await self._hearing.close()

    async def _take(self, scope: Scope, receive: Receive) -> Taken | Problem:
        """Where it shall go, then whose it is, and only then its body."""
        wish = self._wish(scope)
        scope["route"] = SimpleNamespace(path=wish.route if isinstance(wish, Wish) else "unknown")
        if isinstance(wish, Problem):
            return wish
        try:
            caller, trouble = await self._admit(wish, Request(scope))
        except AceError as refusal:
            return problem_of(refusal)
        body = await read(receive, _header(scope["headers"], b"content-length"), self._max_body)
        if body is None:
            detail = f"The body is larger than {self._max_body:,} bytes. Raise ACE_PROXY_MAX_BODY_BYTES, or send less."
            return Problem(413, "Body too large", detail, field="body", headers={"Connection": "close"})
        return Taken(wish=wish, caller=caller, body=body, trouble=trouble)

    async def _admit(self, wish: Wish, request: Request) -> tuple[Principal, BaseException | None]:
        """Who asks; and what kept the database from saying so, where this process knew the key within the last minute.

        Such a key is not kept waiting, others are. Raises what refuses it; StoreUnavailable when nobody can say.
        """
        token = request.headers.get("x-ace-key")
        try:
            known = self._gate.recall(request, token, Role.READ, wish.domain)
        except AceError:
            known = None  # the database may say otherwise
        lookups = self._lookups if known is None else self._repeated_lookups
        looked_up = await lookups.of(lambda: self._gate.visit(request, token, Role.READ, wish.domain))
        if looked_up.value is not None:
            return looked_up.value, None
        if isinstance(looked_up.error, REFUSALS):
            raise looked_up.error
        if known is not None:
            return known, looked_up.error
        if self._is_news("key"):
            log.warning("proxy_key_not_checked", exc_info=bug(looked_up.error),
                        extra={"domain": wish.domain[:64], "error": str(looked_up.error)})  # fmt: skip
        raise StoreUnavailable("The API key cannot be checked now. Try again later.")

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

    async def _advised(self, taken: Taken, request: Request) -> Advised:
        """The bullets that fit, if our side gives them in time; without them, where something of ours went wrong."""
        trouble = taken.trouble
        if trouble is None:
            outcome = await self._patience.of(lambda: self._advise(taken.wish, taken.caller, request, taken.body))
            if outcome.value is not None:
                return outcome.value
            trouble = outcome.error
        why = trouble.why if isinstance(trouble, Late) else "outage"
        if self._is_news(why):
            log.warning("proxy_without_bullets", exc_info=bug(trouble),
                        extra={"domain": taken.wish.domain[:64], "reason": why, "error": str(trouble)})  # fmt: skip
        return skipped(taken.body, why) if taken.wish.dialect else Advised(outcome=why, body=taken.body)

    def _advise(self, wish: Wish, caller: Principal, request: Request, body: bytes) -> Advised:
        """In a thread: which bullets fit?"""
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

    def _is_news(self, trouble: str) -> bool:
        """Whether this was not told in the last seconds."""
        now = time.monotonic()
        news = now - self._told.get(trouble, float("-inf")) > TOLD_EVERY_S
        if news:
            self._told[trouble] = now
        return news


def bug(trouble: BaseException | None) -> BaseException | None:
    """The error, where nobody foresaw it."""
    return None if isinstance(trouble, AceError | Late) else trouble


def skipped(body: bytes, why: str) -> Advised:
    """As it came, and why."""
    return Advised(outcome=why, body=body, headers=[(b"ace-bullets", b"0"), (b"ace-skipped", why.encode())])


def _header(headers: Headers, name: bytes) -> bytes:
    return next((value for own, value in headers if own.lower() == name), b"")


def _speaks_anthropic(headers: Headers) -> bool:
    return any(name.lower() == b"anthropic-version" for name, _ in headers)
