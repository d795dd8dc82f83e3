"""A language model that says what a test tells it to: a real OpenAI-compatible HTTP server on the loopback interface.

    with ScriptedLLM(["Paris", status(503), hang()]) as llm:
        ...                       # llm.url is the base URL, llm.requests what was asked so far

A script is a list of replies (the last one is repeated) or a function from the request to a reply.

    say(text)            this text                       status(code)       an error, with Retry-After if given
    fill()               the smallest valid JSON for     hang()             silence until the client gives up
                         the schema that was asked for   drip(text, …)      the reply, one byte at a time
    truncated(text)      half a body, then silence       garbage()          a 200 that is not JSON
    reset()              the connection breaks off       script(request)    any of these, chosen by the request
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

CHARS_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRequest:
    """One request as it came over the wire. `number` counts from 0 in the order of arrival."""

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, str]]:
        return list(self.body.get("messages", []))

    @property
    def prompt(self) -> str:
        """All messages, one after the other."""
        return "\n".join(str(message.get("content", "")) for message in self.messages)

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema the reply was asked to follow."""
        asked = self.body.get("response_format") or {}
        found = (asked.get("json_schema") or {}).get("schema", asked.get("schema"))
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What the server does with one request. `text` None means: fill the schema, or say "ok"."""

    text: str | None = None
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    body_share: float = 1.0  # of the body that is sent before the server falls silent
    drip_s: float = 0.0  # seconds before each byte
    delay_s: float = 0.0  # seconds before the first byte
    silent: bool = False
    breaks: bool = False
    usage: dict[str, Any] | None = None


Script = Callable[[ChatRequest], Reply | str] | Sequence[Reply | str]


def say(text: str, *, delay_s: float = 0.0, usage: dict[str, Any] | None = None) -> Reply:
    """This text, after `delay_s` seconds, with this usage block (default: counted by characters)."""
    return Reply(text=text, delay_s=delay_s, usage=usage)


def fill() -> Reply:
    """The smallest valid JSON for the schema that was asked for."""
    return Reply()


def status(
    code: int,
    message: str = "scripted error",
    *,
    retry_after: float | None = None,
    error: dict[str, Any] | None = None,
) -> Reply:
    """An HTTP error in OpenAI's form; `error` is its whole error object."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    body = error or {"message": message, "type": "scripted", "code": None}
    return Reply(code=code, headers=headers, raw=json.dumps({"error": body}).encode())


def hang() -> Reply:
    """Nothing, until the client gives up or the server closes."""
    return Reply(silent=True)


def drip(text: str, *, every_s: float = 0.5) -> Reply:
    """The reply, one byte each `every_s` seconds: no read timeout ever fires."""
    return Reply(text=text, drip_s=every_s)


def truncated(text: str) -> Reply:
    """Half of the body that was promised, then the end of the connection."""
    return Reply(text=text, body_share=0.5)


def garbage() -> Reply:
    """A 200 whose body is not JSON."""
    return Reply(raw=b"<html>\x00 502 upstream \xff</html>")


def reset() -> Reply:
    """The connection is reset before an answer."""
    return Reply(breaks=True)


def smallest(schema: dict[str, Any]) -> Any:
    """The smallest value that follows a JSON schema: first enum member, "x", 0, false, all required properties."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return smallest(schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: smallest(properties[name]) for name in schema.get("required", properties)}
        case "array":
            return [smallest(schema["items"])] * int(schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "null":
            return None
    return "x"


class ScriptedLLM:
    """The server. `json_schema=False` makes it refuse `response_format`, as servers without grammars do."""

    def __init__(self, script: Script = (), *, json_schema: bool = True) -> None:
        self._script = script
        self._json_schema = json_schema
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.requests: list[ChatRequest] = []
        self.abandoned = 0  # requests whose client left before the end

    @property
    def url(self) -> str:
        """The base URL, to be given as `api_base`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"llm": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[ChatRequest, Reply]:
        """Note the request; the reply the script has for it."""
        with self._lock:
            request = ChatRequest(number=len(self.requests), path=path, headers=headers, body=body)
            self.requests.append(request)
        if not self._json_schema and "response_format" in body:
            return request, status(400, "response_format is not supported by this server")
        return request, self._reply(request)

    def left(self) -> None:
        """Note that a client went away before its answer was complete."""
        with self._lock:
            self.abandoned += 1

    def pause(self, seconds: float) -> bool:
        """Wait; True when the server closes meanwhile."""
        return self._closing.wait(seconds)

    def _reply(self, request: ChatRequest) -> Reply:
        if callable(self._script):
            chosen = self._script(request)
        else:
            chosen = self._script[min(request.number, len(self._script) - 1)] if self._script else fill()
        return say(chosen) if isinstance(chosen, str) else chosen


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, and end the connections that clients keep for later."""
        super().server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is part of the script, not an error to print."""


class _Handler(BaseHTTPRequestHandler):
    llm: ScriptedLLM
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args: Any) -> None:
        """Tests read `requests`, not a log."""

    def do_GET(self) -> None:
        self._send(Reply(raw=json.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]}).encode()))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        request, reply = self.llm.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        if reply.breaks:
            self._break_off()
        elif reply.silent:
            self._stay_silent()
        elif not self.llm.pause(reply.delay_s):
            self._send(reply if reply.raw is not None else replace(reply, raw=_completion(request, reply)))

    def _send(self, reply: Reply) -> None:
        raw = reply.raw or b""
        self.send_response(reply.code)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self._write(raw[: int(len(raw) * reply.body_share)], reply.drip_s)
        self.close_connection = self.close_connection or reply.body_share < 1

    def _write(self, raw: bytes, drip_s: float) -> None:
        try:
            if not drip_s:
                self.wfile.write(raw)
                return
            for position in range(len(raw)):
                self.wfile.write(raw[position : position + 1])
                self.wfile.flush()
                if self.llm.pause(drip_s):
                    return
        except OSError:
            self.llm.left()
            raise

    def _stay_silent(self) -> None:
        """Wait until the client closes its end (seen as an empty read) or the server does."""
        self.connection.settimeout(0.02)
        while not self.llm.pause(0):
            try:
                if not self.connection.recv(1):
                    self.llm.left()
                    break
            except TimeoutError:
                continue
        self.close_connection = True

    def _break_off(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _completion(request: ChatRequest, reply: Reply) -> bytes:
    text = reply.text
    if text is None:
        text = json.dumps(smallest(request.schema)) if request.schema else "ok"
    prompt, answer = len(request.prompt) // CHARS_PER_TOKEN, len(text) // CHARS_PER_TOKEN + 1
    counted = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    message = {"role": "assistant", "content": text}
    return json.dumps({
        "id": f"scripted-{request.number}", "object": "chat.completion", "created": int(time.time()),
        "model": request.body.get("model", "scripted"), "usage": counted if reply.usage is None else reply.usage,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }).encode()  # fmt: skip
