"""OpenAI's `POST /v1/embeddings` over the MiniLM of this machine.

What cannot be answered gets OpenAI's error object, `{"error": {"message", "type", "param", "code"}}`. As many texts are
embedded at once as there are cores; the others wait in line.
"""

from __future__ import annotations

import base64
import os
from asyncio import get_running_loop
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ace import __version__
from ace.config import get_settings
from ace.core.ports import Vectors
from ace.errors import AceError
from ace.utils.embeddings import LocalEmbedder
from ace.workers.embedding_request import MODELS, EmbeddingRequest, Refused, read_request

MAX_BODY_BYTES = 16 * 2**20  # 2,048 texts of 8,000 characters


def create_app() -> FastAPI:
    """What granian serves; the model is loaded before the first request is taken."""
    embedder = LocalEmbedder(get_settings().models_path)
    cores = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="embed")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        embedder.embed(["ready"])
        yield
        cores.shutdown(cancel_futures=True)

    app = FastAPI(title="ace-embeddings", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> JSONResponse:
        asked = read_request(await _body(request))
        return JSONResponse(await get_running_loop().run_in_executor(cores, _answer, embedder, asked))

    _add_facts(app, embedder)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(AceError, _ours)
    return app


def _add_facts(app: FastAPI, embedder: LocalEmbedder) -> None:
    """Which models there are, and how the service is."""

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model(MODELS[0])]}

    @app.get("/v1/models/{name:path}")
    def model(name: str) -> dict[str, Any]:
        if name not in MODELS:
            raise Refused(f"This server has {MODELS[0]} only.", param="model", code="model_not_found", status=404)
        return _model(name)

    @app.get("/health")
    def health() -> dict[str, Any]:
        embedder.embed(["ready"])
        facts = {"model": embedder.name, "dimensions": embedder.dimensions}
        return {"status": "healthy", "version": f"v{__version__}", **facts}

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}


async def _body(request: Request) -> bytes:
    """The whole body, as long as it is within the limit. Raises Refused as soon as it is not."""
    announced = request.headers.get("content-length", "0")
    size, parts = int(announced) if announced.isdigit() else 0, []
    if size <= MAX_BODY_BYTES:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY_BYTES:
                break
            parts.append(part)
    if size > MAX_BODY_BYTES:
        raise Refused(f"The body is larger than {MAX_BODY_BYTES:,} bytes. Send fewer texts at a time.", status=413)
    return b"".join(parts)


def _answer(embedder: LocalEmbedder, asked: EmbeddingRequest) -> dict[str, Any]:
    vectors, tokens = embedder.embed(asked.texts), embedder.count_tokens(asked.texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": number, "embedding": _written(row, asked.base64)}
            for number, row in enumerate(vectors)
        ],
        "model": asked.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _written(row: Vectors, as_base64: bool) -> str | list[float]:
    if as_base64:
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    return [float(number) for number in np.asarray(row)]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "sentence-transformers"}


async def _refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refused):
        raise error
    return _error(error.status, error.message, "invalid_request_error", error.param, error.code)


async def _http(request: Request, error: Exception) -> JSONResponse:
    """A path or a method there is not."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(status, f"{request.method} is not possible here ({status}).", "invalid_request_error")


async def _ours(_: Request, error: Exception) -> JSONResponse:
    """The model cannot be used: whoever runs this server must act, not the caller."""
    return _error(503, str(error), "server_error")


def _error(status: int, message: str, kind: str, param: str | None = None, code: str | None = None) -> JSONResponse:
    headers = {"Connection": "close"} if status == 413 else None
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status_code=status, headers=headers)
