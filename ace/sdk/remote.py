"""The calls sent to a server, by two clients of one kind: what is tried again, for how long, and what an error means.

    no connection, a broken one, 502 503 504      again, until `attempts` or `timeout` is used up
    429 with Retry-After                          again, after that, if there is time for it
    anything else                                 the error of `ace.errors` that the server meant

Every call may be sent twice: reports are known by their episode, lessons by their Idempotency-Key.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
import stamina

from ace import errors
from ace.errors import AceError, DeadlineExceeded, InvalidInput, Outage, TooManyRequests
from ace.sdk.calls import Call

T = TypeVar("T")
PAUSES: Mapping[str, Any] = {"wait_initial": 0.1, "wait_max": 2.0, "wait_jitter": 0.1}
SHORTEST_S = 0.05  # an attempt is given at least this
BY_STATUS: Mapping[int, type[AceError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.BatchTooLarge,
    502: errors.ModelError,
    504: errors.DeadlineExceeded,
}


class Address:
    """Where calls go, and how they are written there."""

    def __init__(self, url: str, key: str | None, timeout: float, attempts: int) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidInput("url", f"{url[:80]!r} is no http address", "Write it like http://localhost:8000")
        self.options: Mapping[str, Any] = {
            "base_url": url.rstrip("/"),
            "headers": {"Authorization": f"Bearer {key}"} if key else {},
            "verify": True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        }  # without TLS no authorities are read, which takes a quarter of a second; this context trusts nobody
        self.timeout = timeout
        self.tries: Mapping[str, Any] = {"on": self.again, "attempts": attempts, "timeout": timeout, **PAUSES}

    def again(self, error: Exception) -> bool | float:
        """Whether to try once more; of a limit, after how many seconds."""
        if isinstance(error, TooManyRequests):
            return error.retry_after if error.retry_after < self.timeout else False
        return isinstance(error, Outage | errors.ModelError)

    def left(self, since: float) -> float:
        """Seconds that a call begun at `since` may still take."""
        return max(self.timeout - (time.monotonic() - since), SHORTEST_S)


class Remote:
    """Sends calls, and waits."""

    def __init__(self, address: Address) -> None:
        self._address, self._client = address, httpx.Client(**address.options)

    def send(self, call: Call[T]) -> T:
        """The answer. Raises what the server meant; Outage when it cannot be reached."""
        begun = time.monotonic()
        for attempt in stamina.retry_context(**self._address.tries):
            with attempt:
                try:
                    response = self._client.request(**request(call), timeout=self._address.left(begun))
                except httpx.TransportError as error:
                    raise unreachable(error, self._client.base_url) from error
                return call.read(answer(response))
        raise AssertionError("there is always a last attempt")

    def close(self) -> None:
        """Close the connections that are kept for later calls."""
        self._client.close()


class AsyncRemote:
    """The same, for those who do other things meanwhile."""

    def __init__(self, address: Address) -> None:
        self._address, self._client = address, httpx.AsyncClient(**address.options)

    async def send(self, call: Call[T]) -> T:
        """The answer, as above."""
        begun = time.monotonic()
        async for attempt in stamina.retry_context(**self._address.tries):
            with attempt:
                try:
                    async with asyncio.timeout(self._address.left(begun)):
                        response = await self._client.request(**request(call), timeout=None)
                except (httpx.TransportError, TimeoutError) as error:
                    raise unreachable(error, self._client.base_url) from error
                return call.read(answer(response))
        raise AssertionError("there is always a last attempt")

    async def close(self) -> None:
        """Close the connections that are kept for later calls."""
        await self._client.aclose()


def request(call: Call[Any]) -> dict[str, Any]:
    """The request that makes the call."""
    url = f"/v1/domains/{call.domain}/{call.path}"
    if not call.posts:
        return {"method": "GET", "url": url, "params": dict(call.given)}
    headers = {"Idempotency-Key": call.once} if call.once else {}
    return {"method": "POST", "url": url, "json": dict(call.given), "headers": headers}


def answer(response: httpx.Response) -> Any:
    """The JSON of an answer. Raises the error it tells of."""
    if response.is_success:
        return response.json()
    if "problem+json" not in response.headers.get("content-type", ""):
        raise Outage(
            f"{response.url.host} answered {response.status_code}, and not as ACE does. Check the server's address."
        )
    raise told(response.status_code, response.json(), response.headers.get("retry-after", ""))


def told(status: int, problem: Mapping[str, Any], retry_after: str) -> AceError:
    """The error a problem document tells of."""
    detail, title = str(problem.get("detail", "")), problem.get("title")
    if status == 429 and title != "Budget exhausted":
        what = detail.removeprefix("Too many ").split(";")[0] or "requests"
        return TooManyRequests(what, float(retry_after) if retry_after.isdigit() else 1.0)
    if status in (400, 415, 422) or (status == 413 and problem.get("field")):
        return _invalid(problem, detail)
    if status in BY_STATUS:
        return BY_STATUS[status](detail)
    if status == 429:
        return errors.BudgetExhausted(detail)
    return errors.UserError(detail) if str(title).startswith("The server is not set up") else Outage(detail)


def unreachable(error: Exception, url: httpx.URL) -> Outage:
    """What is said of a server that does not answer."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return DeadlineExceeded(f"The ACE server at {url} did not answer in time. Look at it, or allow more time.")
    return Outage(f"The ACE server at {url} cannot be reached ({error or type(error).__name__}). Start it: ace serve.")


def _invalid(problem: Mapping[str, Any], detail: str) -> InvalidInput:
    """The field, what is wrong with it and what to do, taken out of the sentence that holds all three."""
    own, remedy = str(problem.get("field") or "request"), str(problem.get("remedy") or "")
    words = detail.removeprefix(f"{own}: ").removesuffix(f" {remedy}.").removesuffix(".")
    return InvalidInput(own, words, remedy)
