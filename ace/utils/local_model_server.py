"""The local model behind OpenAI's HTTP interface, for one parent process on the loopback interface.

    GET  /health                 {"status": "ok"} once the model is loaded; until then connections wait
    GET  /v1/models              the one model
    POST /v1/chat/completions    see local_model_request for what may be asked

Requests are answered one after another in the order they came, each with all threads: on a few cores that serves
every client sooner than sharing them. An answer nobody waits for any more is given up. The process ends when its
parent is gone. Run by LocalModel as `python -m ace.utils.local_model_server`.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from concurrent.futures import Future, ThreadPoolExecutor, wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

from ace.errors import AceError, InvalidInput
from ace.utils import logs
from ace.utils.local_model_files import NAME, prepare
from ace.utils.local_model_request import read_request
from ace.utils.local_model_writer import Wish, Writer, Writing

LARGEST_BODY = 4 << 20
"""Bytes; a prompt that fills the model is 20 KB."""

log = logging.getLogger("local-model")
Reply = tuple[int, dict[str, Any]]


class Desk:
    """Takes wishes from many threads and has them written one by one, first come, first served."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._line = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")

    def ask(self, wish: Wish, client: socket.socket) -> Writing | None:
        """The answer, or None when the client hung up before it was there."""
        gone = threading.Event()
        answer: Future[Writing] = self._line.submit(self._writer.write, wish, lambda: not gone.is_set())
        while not wait([answer], timeout=0.1).done:
            if _hung_up(client):
                gone.set()
                answer.cancel()
                return None
        return answer.result()


def _hung_up(client: socket.socket) -> bool:
    readable, _, _ = select.select([client], [], [], 0)
    return bool(readable) and client.recv(1, socket.MSG_PEEK) == b""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "ace-local-model"
    timeout = 600.0  # seconds a connection may idle
    server: Server

    def do_GET(self) -> None:
        pages = {"/health": {"status": "ok"}, "/v1/models": self.server.models()}
        if self.path in pages:
            self._send(200, pages[self.path])
        else:
            self._send(*_error(404, f"there is no {self.path} here", "path"))

    def do_POST(self) -> None:
        if self.path != "/v1/chat/completions":
            return self._send(*_error(404, f"there is no {self.path} here", "path"))
        body = self._body()
        return None if body is None else self._chat(body)

    def _chat(self, body: bytes) -> None:
        try:
            writing = self.server.desk.ask(read_request(body), self.connection)
        except InvalidInput as fault:
            return self._send(*_error(400, str(fault), fault.field))
        if writing is None:
            self.close_connection = True
            return None
        return self._send(200, self.server.completion(writing))

    def _body(self) -> bytes | None:
        """The request's body, or None when it was refused or broke off."""
        told = self.headers.get("Content-Length", "")
        if not told.isdecimal() or int(told) > LARGEST_BODY:
            self.close_connection = True
            self._send(*_error(413, f"Content-Length must be a number up to {LARGEST_BODY}", "Content-Length"))
            return None
        body = self.rfile.read(int(told))
        return body if len(body) == int(told) else None

    def _send(self, status: int, page: dict[str, Any]) -> None:
        payload = json.dumps(page).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *request: object) -> None:
        log.debug("local_model_asked", extra={"request": str(request)})


def _error(status: int, message: str, field: str) -> Reply:
    """An error in OpenAI's shape."""
    return status, {"error": {"message": message, "type": "invalid_request_error", "param": field, "code": None}}


class Server(ThreadingHTTPServer):
    """Serves on a socket that the parent bound."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, desk: Desk) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.desk = desk
        self._numbers = count(1)

    def models(self) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": NAME, "object": "model", "created": 0, "owned_by": "local"}]}

    def completion(self, writing: Writing) -> dict[str, Any]:
        """The reply to a chat request, token counts included."""
        message = {"role": "assistant", "content": writing.text, "refusal": None}
        return {
            "id": f"chatcmpl-{os.getpid()}-{next(self._numbers)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": NAME,
            "choices": [{"index": 0, "message": message, "finish_reason": writing.finish, "logprobs": None}],
            "usage": {
                "prompt_tokens": writing.prompt_tokens,
                "completion_tokens": writing.completion_tokens,
                "total_tokens": writing.prompt_tokens + writing.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": writing.cached_tokens},
                "passes": writing.steps,
            },
        }

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news; anything else goes to the log with its traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            log.exception("local_model_failed")


def tell(word: str, text: str = "") -> None:
    """One line to the parent: `say` what is being done, `ready`, or the `fault` that ends this process."""
    print(word, text.replace("\n", " "), flush=True)


def end_with(parent: int) -> None:
    """End this process when its parent is gone, even by kill -9: an orphan is given another parent."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


def main(arguments: list[str] | None = None) -> int:
    """Load, tell the parent, serve until the parent ends this process or itself."""
    told = _arguments(arguments)
    threading.Thread(target=end_with, args=(told.parent,), daemon=True).start()
    logs.install("info", pretty=False, component="local_model")
    try:
        folder = prepare(told.models, lambda text: tell("say", text))
        writer = Writer(folder, threads=told.threads)
        writer.write(Wish(messages=(("user", "."),), max_tokens=1))
    except AceError as fault:
        tell("fault", str(fault))
        return 1
    with Server(socket.socket(fileno=told.socket), Desk(writer)) as server:
        log.info("local_model_ready", extra={"model": NAME, "port": server.server_address[1], "threads": told.threads})
        tell("ready")
        server.serve_forever()
    return 0


def _arguments(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="ace.utils.local_model_server", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="descriptor of a listening socket")
    parser.add_argument("--models", type=Path, required=True, help="folder of the model files")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
