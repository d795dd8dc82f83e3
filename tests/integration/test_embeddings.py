"""Text becomes unit vectors: by the model on this machine, by a server, by the fake; each keeps the same promises."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ace.config import get_settings
from ace.core.ports import Embedder, Vectors
from ace.errors import DeadlineExceeded, InvalidInput, MissingModelFiles, Outage, StoreUnavailable
from ace.testing.embedder import HashEmbedder
from ace.utils import minilm
from ace.utils.embeddings import PARCEL, CachedEmbedder, LocalEmbedder, equal_batches, get_embedder
from ace.utils.remote_embeddings import BATCH, RemoteEmbedder
from benchmarks.corpus import strategy_bullets

TEXTS = [
    "Divide current assets by current liabilities.",
    "Current ratio = current assets / current liabilities.",
    "Always wait for the element, never for a fixed time.",
    "",
    "naïve café 東京 🎉 \x00 \u202e",
    "word " * 1000,
]


@pytest.fixture(scope="session")
def local(models_dir: Path) -> LocalEmbedder:
    return LocalEmbedder(models_dir)


# a server

Answer = Callable[[dict[str, Any]], Any]


@dataclass
class EmbeddingServer:
    """What was asked of it, and where it is."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def served(answer: Answer, *, status: int = 200, seconds_per_byte: float = 0.0) -> Iterator[EmbeddingServer]:
    """A real HTTP server on the loopback interface that answers every request with the JSON of `answer(request)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(body | {"path": self.path})
            server.keys.append(self.headers["Authorization"])
            reply = answer(body)
            content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self._send(content)

        def _send(self, content: bytes) -> None:
            if not seconds_per_byte:
                self.wfile.write(content)
                return
            for byte in content:
                time.sleep(seconds_per_byte)
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = EmbeddingServer(f"http://127.0.0.1:{http.server_port}/v1")
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def hashed(request: dict[str, Any]) -> Any:
    """What a server would say: the fake's vectors, longer than 1, and not in order."""
    vectors = HashEmbedder().embed(request["input"]) * 3
    items = [{"index": index, "embedding": row.tolist()} for index, row in enumerate(vectors)]
    return {"data": items[::-1]}


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddingServer]:
    with served(hashed) as running:
        yield running


# what every embedder promises


@pytest.fixture(params=["local", "remote", "cached", "hash"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    made: dict[str, Callable[[], Embedder]] = {
        "local": lambda: request.getfixturevalue("local"),
        "remote": lambda: RemoteEmbedder(request.getfixturevalue("server").url, "hash"),
        "cached": lambda: CachedEmbedder(HashEmbedder(), size=3),
        "hash": HashEmbedder,
    }
    return made[request.param]()


def test_every_row_is_a_unit_vector_of_the_embedder_s_dimension(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)

    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    embedder.embed(["one, so that the dimension is known"])

    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_the_same_text_gives_the_same_bits_in_any_company_and_order(embedder: Embedder) -> None:
    texts = TEXTS + strategy_bullets(60)
    alone = np.concatenate([embedder.embed([text]) for text in texts])

    assert np.array_equal(embedder.embed(texts), alone)
    assert np.array_equal(embedder.embed(texts[::-1])[::-1], alone)


def test_nearer_in_meaning_is_nearer_in_cosine(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS[:3])

    assert vectors[0] @ vectors[1] > 0.6 > vectors[0] @ vectors[2]


# the local model


def test_the_local_model_agrees_with_the_published_weights_in_float32(local: LocalEmbedder, models_dir: Path) -> None:
    weights = minilm.read_safetensors(models_dir / PARCEL / "model.safetensors")
    texts = strategy_bullets(6, seed=3)
    expected = np.stack([reference(weights, ids) for ids in token_ids(models_dir, texts)])

    cosines = (local.embed(texts) * expected).sum(axis=1)

    assert cosines.min() > 0.9993
    assert cosines.mean() > 0.9996


def test_the_graph_is_exact_where_it_is_drawn_exactly(models_dir: Path) -> None:
    import onnxruntime

    weights = minilm.read_safetensors(models_dir / PARCEL / "model.safetensors")
    ids = token_ids(models_dir, ["Round only at the end, and name the unit of every figure."])
    hidden = onnxruntime.InferenceSession(minilm.draw(weights, exact=True)).run(None, {"ids": np.array(ids)})[0]

    mean = hidden[0].mean(axis=0)

    assert np.allclose(mean / np.linalg.norm(mean), reference(weights, ids[0]), atol=2e-6)


def test_two_threads_give_the_bits_of_one(local: LocalEmbedder, models_dir: Path) -> None:
    texts = strategy_bullets(40, seed=5)

    assert np.array_equal(LocalEmbedder(models_dir, threads=2).embed(texts), local.embed(texts))


def test_texts_are_cut_at_256_word_pieces(local: LocalEmbedder) -> None:
    kept, cut = "word " * 254, "word " * 254 + "never seen"

    assert np.array_equal(local.embed([kept]), local.embed([cut]))
    assert not np.array_equal(local.embed([kept]), local.embed(["word " * 253]))


def test_a_text_of_a_hundred_megabytes_is_no_slower_than_its_beginning(local: LocalEmbedder) -> None:
    started = time.monotonic()

    assert np.array_equal(local.embed(["word " * 20_000_000]), local.embed(["word " * 300]))
    assert time.monotonic() - started < 10


def test_many_threads_may_embed_at_once(local: LocalEmbedder) -> None:
    texts = strategy_bullets(40, seed=6)
    expected = local.embed(texts)

    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: local.embed([text])[0], texts))

    assert np.array_equal(np.stack(rows), expected)


def test_half_a_character_is_refused_by_name(local: LocalEmbedder) -> None:
    with pytest.raises(InvalidInput, match="surrogate"):
        local.embed(["\ud800"])


def test_missing_weights_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(MissingModelFiles, match=f"ace models pull {PARCEL}"):
        LocalEmbedder(tmp_path).embed(["anything"])


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("suffix", ["onnx", "words", "json"])
@pytest.mark.parametrize("harm", [damage, Path.unlink])
def test_a_damaged_or_missing_graph_is_drawn_again(
    local: LocalEmbedder, models_dir: Path, tmp_path: Path, suffix: str, harm: Callable[[Path], None]
) -> None:
    expected = local.embed(TEXTS[:2])
    drawn = models_dir / f"{PARCEL}-onnx"
    shutil.copytree(drawn, tmp_path / drawn.name)
    (tmp_path / PARCEL).symlink_to((models_dir / PARCEL).absolute())
    harm(tmp_path / drawn.name / f"encoder.{suffix}")

    assert np.array_equal(LocalEmbedder(tmp_path).embed(TEXTS[:2]), expected)
    assert (tmp_path / drawn.name / "encoder.onnx").read_bytes() == (drawn / "encoder.onnx").read_bytes()


def test_once_drawn_the_graph_needs_no_weights(local: LocalEmbedder, models_dir: Path, tmp_path: Path) -> None:
    expected = local.embed(TEXTS[:2])
    shutil.copytree(models_dir / f"{PARCEL}-onnx", tmp_path / f"{PARCEL}-onnx")

    assert np.array_equal(LocalEmbedder(tmp_path).embed(TEXTS[:2]), expected)


def test_a_folder_that_cannot_be_written_is_an_outage_of_the_disk(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / PARCEL).symlink_to((models_dir / PARCEL).absolute())
    (tmp_path / f"{PARCEL}-onnx").write_text("a file where the folder should be")

    with pytest.raises(StoreUnavailable, match=f"{PARCEL}-onnx"):
        LocalEmbedder(tmp_path).embed(["anything"])


def test_importing_the_embedder_does_not_load_the_engine() -> None:
    heavy = ("onnxruntime", "onnx", "tokenizers", "httpx")
    code = f"import ace.utils.embeddings, sys; print([name for name in {heavy} if name in sys.modules])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def token_ids(models_dir: Path, texts: list[str]) -> list[list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(models_dir / PARCEL / "tokenizer.json"))
    tokenizer.no_padding()
    return [tokenizer.encode(text).ids for text in texts]


def reference(weights: minilm.Tensors, ids: list[int]) -> npt.NDArray[np.float32]:
    """MiniLM written out in numpy, one text at a time, from the papers."""

    def dense(x: Any, name: str) -> Any:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x: Any) -> Any:
        return x.reshape(len(ids), 12, 32).transpose(1, 0, 2)

    erf = np.vectorize(math.erf, otypes=[np.float32])
    prefix = "embeddings"
    x = weights[f"{prefix}.word_embeddings.weight"][ids] + weights[f"{prefix}.position_embeddings.weight"][: len(ids)]
    x = norm(x + weights[f"{prefix}.token_type_embeddings.weight"][0], f"{prefix}.LayerNorm")
    for number in range(6):
        own = f"encoder.layer.{number}"
        q, k, v = (heads(dense(x, f"{own}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(32)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = ((shares / shares.sum(-1, keepdims=True)) @ v).transpose(1, 0, 2).reshape(len(ids), 384)
        x = norm(x + dense(mixed, f"{own}.attention.output.dense"), f"{own}.attention.output.LayerNorm")
        up = dense(x, f"{own}.intermediate.dense")
        gelu = up * 0.5 * (1 + erf(up / np.sqrt(2)))
        x = norm(x + dense(gelu, f"{own}.output.dense"), f"{own}.output.LayerNorm")
    mean = x.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


# batches and cache


def test_a_batch_holds_one_length_and_no_more_tokens_than_allowed() -> None:
    lengths = [3, 5, 3, 900, 3, 5, 3]

    batches = list(equal_batches(lengths, 9))

    assert sorted(row for rows in batches for row in rows) == list(range(7))
    assert all(len({lengths[row] for row in rows}) == 1 for rows in batches)
    assert all(sum(lengths[row] for row in rows) <= 9 or len(rows) == 1 for rows in batches)


class Counting(HashEmbedder):
    """Counts how often each text is embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Any) -> Vectors:
        self.asked += texts
        return super().embed(texts)


def test_the_cache_asks_once_for_each_text_it_remembers_and_forgets_the_oldest() -> None:
    inner = Counting()
    cached = CachedEmbedder(inner, size=2)

    first = cached.embed(["a", "b", "a"])
    cached.embed(["a"])  # now "b" is the oldest
    cached.embed(["c", "a"])
    cached.embed(["b"])

    assert inner.asked == ["a", "b", "c", "b"]
    assert np.array_equal(first, HashEmbedder().embed(["a", "b", "a"]))


def test_a_caller_who_writes_into_its_rows_does_not_change_the_cache() -> None:
    cached = CachedEmbedder(HashEmbedder())
    cached.embed(["a"])[:] = 0

    assert np.array_equal(cached.embed(["a"]), HashEmbedder().embed(["a"]))


def test_the_cache_is_right_under_many_threads_when_it_is_too_small() -> None:
    cached = CachedEmbedder(HashEmbedder(), size=5)
    batches = [[f"text {(start + step) % 17}" for step in range(9)] for start in range(200)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(cached.embed, batches))

    for batch, answer in zip(batches, answers, strict=True):
        assert np.array_equal(answer, HashEmbedder().embed(batch))


# the server


def test_a_server_is_asked_in_batches_with_the_model_and_the_key() -> None:
    with served(hashed) as server:
        vectors = RemoteEmbedder(server.url + "/", "some-model", api_key="secret").embed(strategy_bullets(BATCH + 1))

    assert [len(request["input"]) for request in server.requests] == [BATCH, 1]
    assert {(request["path"], request["model"]) for request in server.requests} == {("/v1/embeddings", "some-model")}
    assert set(server.keys) == {"Bearer secret"}
    assert np.allclose(vectors, HashEmbedder().embed(strategy_bullets(BATCH + 1)), atol=1e-6)


@dataclass(frozen=True, kw_only=True)
class Bad:
    name: str
    answer: Answer
    error: type[Exception]
    says: str
    status: int = 200


def of(vector: Any) -> Answer:
    return lambda request: {"data": [{"index": i, "embedding": vector} for i, _ in enumerate(request["input"])]}


BAD = (
    Bad(name="a busy server", answer=hashed, status=429, error=Outage, says="429"),
    Bad(name="a broken server", answer=hashed, status=500, error=Outage, says="500"),
    Bad(name="a wrong path", answer=hashed, status=404, error=InvalidInput, says="ACE_EMBEDDINGS_URL"),
    Bad(name="a refused key", answer=hashed, status=401, error=InvalidInput, says="key"),
    Bad(name="no JSON", answer=lambda _: b"<html>", error=InvalidInput, says="ACE_EMBEDDINGS_URL"),
    Bad(name="no data", answer=lambda _: {"ok": True}, error=InvalidInput, says="ACE_EMBEDDINGS_URL"),
    Bad(name="too few", answer=lambda _: {"data": []}, error=InvalidInput, says="0 vectors for 2 texts"),
    Bad(name="words for numbers", answer=of(["x"]), error=InvalidInput, says="ACE_EMBEDDINGS_URL"),
    Bad(name="empty vectors", answer=of([]), error=InvalidInput, says="ACE_EMBEDDINGS_URL"),
    Bad(name="all zero", answer=of([0.0, 0.0]), error=InvalidInput, says="zero or not finite"),
    Bad(name="not a number", answer=of([1.0, math.nan]), error=InvalidInput, says="zero or not finite"),
    Bad(name="infinite", answer=of([1.0, 1e300]), error=InvalidInput, says="zero or not finite"),
)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_server_that_misbehaves_is_named_with_what_to_do(bad: Bad) -> None:
    with served(bad.answer, status=bad.status) as server, pytest.raises(bad.error, match=bad.says):
        RemoteEmbedder(server.url, "some-model").embed(["one", "two"])


def test_vectors_of_another_dimension_than_before_are_refused() -> None:
    sizes = iter([3, 4])
    with served(lambda request: of([1.0] * next(sizes))(request)) as server:
        remote = RemoteEmbedder(server.url, "some-model")
        remote.embed(["one"])

        with pytest.raises(InvalidInput, match="4 numbers a text, and 3 before"):
            remote.embed(["two"])


def test_a_server_that_is_not_there_is_an_outage_naming_the_variable() -> None:
    with pytest.raises(Outage, match="ACE_EMBEDDINGS_URL"):
        RemoteEmbedder("http://127.0.0.1:9/v1", "some-model").embed(["one"])


def test_a_server_that_drips_its_answer_ends_at_the_total_deadline() -> None:
    with served(hashed, seconds_per_byte=0.05) as server:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="ACE_EMBEDDINGS_URL"):
            RemoteEmbedder(server.url, "some-model", deadline_s=0.4).embed(["one"])

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host/v1", ""])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidInput, match="ACE_EMBEDDINGS_URL"):
        RemoteEmbedder(url, "some-model")


def test_the_settings_choose_the_embedder(monkeypatch: pytest.MonkeyPatch, server: EmbeddingServer) -> None:
    monkeypatch.setenv("ACE_EMBEDDINGS_URL", server.url)
    monkeypatch.setenv("ACE_EMBEDDINGS_MODEL", "hash")
    for cached in (get_settings, get_embedder):
        cached.cache_clear()
    try:
        assert np.allclose(get_embedder().embed(["one"]), HashEmbedder().embed(["one"]), atol=1e-6)
        assert get_embedder() is get_embedder()
    finally:
        for cached in (get_settings, get_embedder):
            cached.cache_clear()
