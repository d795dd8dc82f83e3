"""`GET /metrics` for a process that serves nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ace.errors import StoreUnavailable
from ace.utils import metrics


class _Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = metrics.exposition()
        self.send_response(200)
        self.send_header("Content-Type", metrics.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002  the base class's name
        """A scrape is not worth a line."""


@contextmanager
def answering(host: str, port: int | None) -> Iterator[None]:
    """Answer scrapes at `host:port` while the context is open; without a port do nothing. Raises StoreUnavailable."""
    if port is None:
        yield
        return
    try:
        server = ThreadingHTTPServer((host, port), _Metrics)
    except OSError as error:
        raise StoreUnavailable(f"Port {port} for metrics cannot be had: {error.strerror}. Choose another.") from error
    threading.Thread(target=server.serve_forever, name="ace-metrics-http", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
