"""The border: what every request passes before and after it is understood. Plain ASGI, no framework.

in     whom `let_in` turns away        401 403 404    before a byte of the body is read
       a body over the limit                   413      without reading it
       a body that is not strict JSON          400/415  (a page's form passes; `check` may ask for something else)
out    not done when the deadline passes       504      the work goes on, its answer is dropped
       an error nobody foresaw                 500      logged with its traceback, nothing of it shown
both   X-Request-Id, security headers, one observation of (method, route, status, seconds)
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anyio import to_thread

from ace.errors import AceError, InvalidInput
from ace.web.problems import Problem, problem_of
from ace.web.strict_json import parse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Observe = Callable[[str, str, int, float], None]
"""Is told method, route template, status and seconds of each request."""

Dress = Callable[[Scope, Problem], Asgi]
"""Makes a problem what its reader can read."""

LetIn = Callable[[Scope], None]
"""Looks at whose request it is, in a thread. Raises the AceError that turns it away."""

Check = Callable[[Scope, bytes], Problem | None]
"""Says what is wrong with a body, before anything else is made of it."""

SECURITY = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-store")]  # fmt: skip
FORM = b"application/x-www-form-urlencoded"
log = logging.getLogger("ace.server")


class Border:
    """At most `max_body` bytes in, at most `deadline_s` seconds until the answer begins and ends."""

    def __init__(
        self,
        app: Asgi,
        *,
        max_body: int,
        deadline_s: float,
        observe: Observe,
        dress: Dress = lambda _, problem: problem,
        let_in: LetIn | None = None,
        check: Check | None = None,
    ) -> None:
        self._app, self._max_body, self._deadline_s, self._observe = app, max_body, deadline_s, observe
        self._dress, self._let_in, self._check = dress, let_in, check or check_json
        self._left_behind: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, reply = time.perf_counter(), Reply(send)
        scope["ace.request_id"] = reply.id
        refusal = await self._answer(scope, receive, reply)
        if refusal is not None and not reply.status:
            await self._dress(scope, refusal)(scope, receive, reply)
        reply.closed = True
        route = getattr(scope.get("route"), "path", "unknown")
        self._observe(scope["method"], route, reply.status or 500, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, reply: Reply) -> Problem | None:
        """Let the application answer, once it is known who asks and what; a problem where it did not."""
        left = self._deadline_s
        if self._let_in is not None:
            began = time.monotonic()
            refusal = await self._within(left, to_thread.run_sync(self._let_in, scope), scope, reply)
            if refusal is not None:
                return refusal
            left -= time.monotonic() - began
        refusal, body = await self._enter(scope, receive)
        return refusal or await self._within(left, self._app(scope, replay(body, receive), reply), scope, reply)

    async def _enter(self, scope: Scope, receive: Receive) -> tuple[Problem | None, bytes]:
        headers = dict(scope["headers"])
        if scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS"):
            return None, b""
        body = await read(receive, headers.get(b"content-length", b""), self._max_body)
        if body is None:
            detail = f"The body is larger than {self._max_body:,} bytes. Send less at a time."
            return Problem(413, "Body too large", detail, field="body", headers={"Connection": "close"}), b""
        return self._check(scope, body), body

    async def _within(self, seconds: float, work: Awaitable[None], scope: Scope, reply: Reply) -> Problem | None:
        """Have the work done; a problem when it failed, or was not done in time."""
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            self._left_behind.add(task)
            task.add_done_callback(self._forget)
            detail = f"The request took longer than {self._deadline_s:g} s. Try again, or ask for less."
            return Problem(504, "Deadline exceeded", detail)
        try:
            task.result()
        except AceError as error:
            return problem_of(error)
        except Exception:
            log.exception("request_failed", extra={"method": scope["method"], "request_id": reply.id})
            return broken(reply.id)
        return None

    def _forget(self, task: asyncio.Future[None]) -> None:
        self._left_behind.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, AceError):
            log.error("late_request_failed", exc_info=error)


def broken(request_id: str) -> Problem:
    """What is said of an error nobody foresaw."""
    return Problem(500, "Internal error", f"Something went wrong here. Quote request {request_id} in a report.")


class Reply:
    """Passes an answer on, with our headers; once `closed`, drops what comes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.id, self.status, self.closed = uuid.uuid4().hex, 0, False

    async def __call__(self, message: Message) -> None:
        if self.closed:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(name, value) for name, value in SECURITY if not any(name == key for key, _ in message["headers"])]
            message = {**message, "headers": [*message["headers"], *own, (b"x-request-id", self.id.encode())]}
        await self._send(message)


def check_json(scope: Scope, body: bytes) -> Problem | None:
    """A problem unless the body is a page's form, or strict JSON."""
    content_type = dict(scope["headers"]).get(b"content-type", b"")
    return None if is_form(scope["path"], content_type) else check_body(content_type, body)


def is_form(path: str, content_type: bytes) -> bool:
    """Is it a page's form? The interface takes none."""
    return not path.startswith("/v1") and content_type.split(b";")[0].strip().lower() == FORM


def check_body(content_type: bytes, body: bytes) -> Problem | None:
    """A problem unless the body is empty or strict JSON that says it is JSON."""
    if not body:
        return None
    if content_type.split(b";")[0].strip().lower() != b"application/json":
        return Problem(415, "Not JSON", "Send the body as Content-Type: application/json.", field="Content-Type")
    try:
        parse(body)
    except InvalidInput as error:
        return Problem(400, "Malformed JSON", str(error), field=error.field, remedy=error.remedy)
    return None


async def read(receive: Receive, announced: bytes, limit: int) -> bytes | None:
    """The whole body; None as soon as it is known to be larger than `limit`."""
    if announced.isdigit() and int(announced) > limit:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body already read, then whatever comes after it."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
