"""A model provider that answers in three dialects and keeps the bytes: a real HTTP server on the loopback interface.

    with FakeProvider() as provider:
        ...                     # provider.url is its /v1; provider.requests what came, provider.answers what it sent

    POST /v1/chat/completions   OpenAI's chat          the answer is `text`, whole or, with "stream": true,
    POST /v1/responses          OpenAI's responses     as server-sent events, word by word
    POST /v1/messages           Anthropic's messages
    anything else               {"path": …}

A `script` says instead, request by request, what the model says: a text, or a `ToolCall`.
`refuses` is a status to answer with instead. `before_event(n)` is called before the n-th event of a stream: a test
that waits there knows whether the events before have arrived. `breaks_after` events a stream breaks off.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from ace.testing.dialects import DIALECTS, Said


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One request as it came over the wire; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeProvider:
    """The server. `text` is what its model says."""

    def __init__(self, text: str = "It is a test.", *, script: Callable[[Seen], Said] | None = None) -> None:
        self.text = text
        self.says = script or (lambda _: self.text)
        self.refuses: int | None = None
        self.breaks_after: int | None = None
        self.before_event: Callable[[int], None] = lambda _: None
        self.requests: list[Seen] = []
        self.answers: list[bytes] = []
        self.left = threading.Event()  # somebody went away in the middle of a stream

    @property
    def url(self) -> str:
        """The base URL, which ends in /v1."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    provider: FakeProvider
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        """Tests read `requests`, not a log."""

    def do_GET(self) -> None:
        self._take()
        self._whole(200, {"path": self.path, "object": "list", "data": []})

    def do_POST(self) -> None:
        seen, own = self._take(), self.provider
        if own.refuses is not None:
            self._whole(own.refuses, {"type": "error", "error": {"type": "refused", "message": "no, by the script"}})
            return
        whole, events = DIALECTS.get(self.path.split("?")[0].removeprefix("/v1/"), (None, None))
        if whole is None or events is None:
            self._whole(200, {"path": self.path})
        elif seen.json.get("stream"):
            self._stream(events(own.says(seen)))
        else:
            self._whole(200, whole(own.says(seen)))

    def _take(self) -> Seen:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(method=self.command, path=self.path, headers=headers, body=body)
        self.provider.requests.append(seen)
        return seen

    def _whole(self, code: int, answer: Any) -> None:
        body = json.dumps(answer, indent=1).encode()
        self.provider.answers.append(body)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("x-request-id", f"req-{len(self.provider.answers)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events: Iterator[tuple[str, Any]]) -> None:
        own, sent = self.provider, b""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for number, (name, data) in enumerate(events):
                own.before_event(number)
                if number == own.breaks_after:
                    self.close_connection = True
                    return
                line = data if isinstance(data, str) else json.dumps(data)
                event = (f"event: {name}\n" if name else "").encode() + f"data: {line}\n\n".encode()
                sent += event
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            own.answers.append(sent)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            own.left.set()
            self.close_connection = True
