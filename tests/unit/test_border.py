"""The border around small applications: what it does when the one inside is slow, broken, or asked for too much."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from ace.web.border import Asgi, Border, Message, Receive, Scope, Send


async def polite(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.2)
    await polite(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the secret reason")


def request(app: Asgi, *parts: bytes, headers: dict[str, str] | None = None, after_s: float = 0.0) -> list[Message]:
    """What comes back for a POST with this body; `after_s` the server lives on after the answer."""
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": "/x",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
    }  # fmt: skip
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting[-1:] = [{**waiting[-1], "more_body": False}] if waiting else [{"type": "http.request"}]
    sent: list[Message] = []
    border = Border(app, max_body=100, deadline_s=0.05, observe=lambda *_: None)

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def whole() -> None:
        await border(scope, receive, send)
        await asyncio.sleep(after_s)

    asyncio.run(whole())
    return sent


JSON = {"Content-Type": "application/json"}


def problem(sent: list[Message]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sent[1]["body"])
    assert sent[0]["status"] == found["status"]
    return found


def test_a_body_passes_whole_and_the_answer_carries_an_id() -> None:
    sent = request(polite, b'{"a"', b": 1}", headers=JSON)
    assert (sent[0]["status"], sent[1]["body"]) == (200, b'{"a": 1}')
    assert {name for name, _ in sent[0]["headers"]} >= {b"x-request-id", b"x-content-type-options"}


def test_past_the_deadline_the_caller_is_told_once_and_the_late_answer_is_dropped() -> None:
    sent = request(slow, b"{}", headers=JSON, after_s=0.3)
    assert problem(sent)["status"] == 504
    assert len(sent) == 2


def test_an_unforeseen_error_is_logged_with_its_traceback_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "ace.server"):
        sent = request(broken, b"{}", headers=JSON)
    found = problem(sent)
    assert found["status"] == 500
    assert "secret reason" not in json.dumps(found)
    assert "secret reason" in str(caplog.records[0].exc_info)
    assert caplog.records[0].__dict__["request_id"] in found["detail"]


@pytest.mark.parametrize(
    ("parts", "headers", "status"),
    [
        pytest.param([b"{}"], {**JSON, "Content-Length": "101"}, 413, id="announced-too-large"),
        pytest.param([b" " * 60, b" " * 60], JSON, 413, id="grown-too-large"),
        pytest.param([b"{}"], {"Content-Type": "text/html"}, 415, id="not-json"),
        pytest.param([b"{}"], {}, 415, id="no-type"),
        pytest.param([b"{"], JSON, 400, id="malformed"),
        pytest.param([b""], {}, 200, id="no-body-at-all"),
        pytest.param([b"{}"], {"Content-Type": "Application/JSON; charset=utf-8"}, 200, id="type-with-charset"),
    ],
)
def test_bodies(parts: list[bytes], headers: dict[str, str], status: int) -> None:
    assert request(polite, *parts, headers=headers)[0]["status"] == status
