"""Vectors from any OpenAI-compatible server: `POST <url>/embeddings {"model": …, "input": [texts]}`.

    the server is away, slow, answers 429 or 5xx            Outage: worth trying again
    it answers 4xx, another count, NaN, another dimension   InvalidInput naming ACE_EMBEDDINGS_URL or …_MODEL

`deadline_s` is for the whole call, however many batches it takes: the request is cancelled then, even one whose answer
drips in byte by byte.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from ace.core.ports import Vectors
from ace.errors import DeadlineExceeded, InvalidInput, Outage
from ace.utils.llm_loop import run_coroutine

BATCH = 128  # texts in one request; OpenAI allows 2048, small servers fewer
_URL, _MODEL = "ACE_EMBEDDINGS_URL", "ACE_EMBEDDINGS_MODEL"


class RemoteEmbedder:
    """The model `model` of the server at `url` (its /v1). `dimensions` is 0 until the first answer."""

    def __init__(self, url: str, model: str, *, api_key: str | None = None, deadline_s: float = 30.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidInput(_URL, f"'{url}' is no http address", "Write it like http://localhost:8080/v1")
        self.name, self.dimensions = model, 0
        self._url, self._deadline_s = url.rstrip("/") + "/embeddings", deadline_s
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._verify: ssl.SSLContext | bool = ssl.create_default_context() if url.startswith("https") else False

    def embed(self, texts: Sequence[str]) -> Vectors:
        """`float32[len(texts), d]`, each row of length 1. Raises Outage, DeadlineExceeded, InvalidInput."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        try:
            batches = run_coroutine(self._ask(texts), self._deadline_s)
        except DeadlineExceeded:
            raise DeadlineExceeded(
                f"The embedding server at {self._url} did not answer within {self._deadline_s:g} s. "
                f"Look at the server, or at {_URL}."
            ) from None
        return self._checked(np.concatenate(batches))

    async def _ask(self, texts: Sequence[str]) -> list[Vectors]:
        async with httpx.AsyncClient(headers=self._headers, verify=self._verify, timeout=None) as client:
            starts = range(0, len(texts), BATCH)
            return [await self._ask_batch(client, list(texts[start : start + BATCH])) for start in starts]

    async def _ask_batch(self, client: httpx.AsyncClient, texts: list[str]) -> Vectors:
        try:
            request = {"model": self.name, "input": texts, "encoding_format": "float"}
            answer = await client.post(self._url, json=request)
        except UnicodeEncodeError:
            raise InvalidInput("text", "holds half a character (a lone surrogate)", "Send valid Unicode") from None
        except httpx.InvalidURL as error:
            raise InvalidInput(_URL, f"cannot be read as an address: {error}") from error
        except httpx.HTTPError as error:
            raise Outage(
                f"The embedding server at {self._url} cannot be reached ({error or type(error).__name__}). "
                f"Start it, or mend {_URL}; without it ACE embeds with its own model."
            ) from error
        self._check_status(answer)
        return self._rows(answer, len(texts))

    def _check_status(self, answer: httpx.Response) -> None:
        code, words = answer.status_code, answer.text[:200].strip()
        if code == 429 or code >= 500:
            raise Outage(f"The embedding server at {self._url} answered {code}: {words}. Try again later.")
        if code in (401, 403):
            raise InvalidInput(_URL, f"the server at {self._url} refused the key ({code})", "Give it a valid key")
        if code != 200:
            raise InvalidInput(_URL, f"{self._url} answered {code}: {words}",
                               f"Check the address (it ends in /v1) and {_MODEL}")  # fmt: skip

    def _rows(self, answer: httpx.Response, count: int) -> Vectors:
        try:
            items: list[dict[str, Any]] = sorted(answer.json()["data"], key=lambda item: int(item["index"]))
            with np.errstate(over="ignore"):  # too large a number becomes infinite, and is refused below
                rows = np.array([item["embedding"] for item in items], dtype=np.float32)
        except (ValueError, LookupError, TypeError) as error:
            raise InvalidInput(_URL, f"the answer of {self._url} is not a list of vectors of one length",
                               "Name an OpenAI-compatible /v1 that serves embeddings") from error  # fmt: skip
        if rows.ndim != 2 or len(rows) != count or rows.shape[1] == 0:
            raise InvalidInput(_URL, f"{self._url} gave {len(rows)} vectors for {count} texts")
        return rows

    def _checked(self, rows: Vectors) -> Vectors:
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise InvalidInput(_MODEL, f"'{self.name}' gave a vector that is zero or not finite")
        if self.dimensions not in (0, rows.shape[1]):
            raise InvalidInput(
                _MODEL, f"'{self.name}' gave {rows.shape[1]} numbers a text, and {self.dimensions} before"
            )
        self.dimensions = rows.shape[1]
        rows /= lengths
        return rows
