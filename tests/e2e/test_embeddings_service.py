"""`ace-embeddings` as a process, asked by ACE's own client, by OpenAI's, and by those who send nonsense."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from ace.errors import InvalidInput
from ace.utils.embeddings import LocalEmbedder
from ace.utils.remote_embeddings import RemoteEmbedder
from ace.workers.embedding_app import MAX_BODY_BYTES
from ace.workers.embedding_request import MAX_INPUTS
from benchmarks.corpus import strategy_bullets

MODEL = LocalEmbedder.name
TEXTS = ["Divide current assets by current liabilities.", "naïve café 東京 🎉 \x00 \u202e", "word " * 1000, " "]
PATIENCE_S = 120


@pytest.fixture(scope="module")
def service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ACE_")}
    command = [sys.executable, "-m", "ace.workers.embedding", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(
        command, env=environment | {"ACE_MODELS_DIR": str(models_dir)}, cwd=tmp_path_factory.mktemp("service")
    )
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE_S
    while not answers(url):
        assert process.poll() is None, "the service ended"
        assert time.monotonic() < end, "the service does not answer"
        time.sleep(0.1)
    yield url
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def local(models_dir: Path) -> LocalEmbedder:
    return LocalEmbedder(models_dir)


def post(service: str, body: bytes | str | dict[str, Any]) -> httpx.Response:
    content = json.dumps(body) if isinstance(body, dict) else body
    return httpx.post(f"{service}/v1/embeddings", content=content, timeout=PATIENCE_S)


def test_aces_own_client_gets_the_vectors_of_this_process(service: str, local: LocalEmbedder) -> None:
    texts = [*TEXTS, *strategy_bullets(150)]
    remote = RemoteEmbedder(f"{service}/v1", MODEL, deadline_s=PATIENCE_S)
    np.testing.assert_allclose(remote.embed(texts), local.embed(texts), rtol=0, atol=1e-7)
    assert remote.dimensions == 384


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_openais_client_gets_them_too(service: str, local: LocalEmbedder, encoding: Any) -> None:
    client = openai.OpenAI(base_url=f"{service}/v1", api_key="none", max_retries=0, timeout=PATIENCE_S)
    format_ = {} if encoding is None else {"encoding_format": encoding}
    answer = client.embeddings.create(model=MODEL, input=TEXTS, dimensions=384, user="u", **format_)
    found = [item.embedding for item in answer.data]
    if encoding == "base64":
        found = [np.frombuffer(base64.b64decode(text), "<f4") for text in found]  # type: ignore[call-overload]
    np.testing.assert_array_equal(np.array(found, dtype=np.float32), local.embed(TEXTS))
    assert [item.index for item in answer.data] == [0, 1, 2, 3]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == local.count_tokens(TEXTS)
    assert answer.model == MODEL
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(f"sentence-transformers/{MODEL}").id.endswith(MODEL)


def test_one_string_gives_one_vector_and_its_tokens(service: str, local: LocalEmbedder) -> None:
    answer = post(service, {"input": "hello world", "model": MODEL}).json()
    assert len(answer["data"]) == 1
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}, "two words and their two marks"
    np.testing.assert_array_equal(np.array(answer["data"][0]["embedding"], np.float32), local.embed(["hello world"])[0])


def test_many_callers_at_once_get_each_their_own(service: str, local: LocalEmbedder) -> None:
    texts = strategy_bullets(24)
    expected = local.embed(texts)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: RemoteEmbedder(f"{service}/v1", MODEL).embed([text])[0], texts))
    np.testing.assert_allclose(np.array(found), expected, rtol=0, atol=1e-7)


def ok(**fields: Any) -> dict[str, Any]:
    return {"input": "text", "model": MODEL} | fields


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        pytest.param("", 400, None, id="nothing"),
        pytest.param("{", 400, None, id="half-json"),
        pytest.param(b"\xff\xfe", 400, None, id="not-utf-8"),
        pytest.param("[]", 400, None, id="an-array"),
        pytest.param("[" * 100_000, 400, None, id="nested"),
        pytest.param('{"input": NaN, "model": "m"}', 400, None, id="nan"),
        pytest.param('{"input": 1e400, "model": "m"}', 400, None, id="infinite"),
        pytest.param('{"input": ' + "9" * 5000 + "}", 400, None, id="huge-integer"),
        pytest.param('{"input": "a", "input": "b"}', 400, None, id="duplicate-key"),
        pytest.param('{"\\ud800": 1, "\\ud800": 2}', 400, None, id="duplicate-half-key"),
        pytest.param(ok(input="\ud800"), 400, "input", id="lone-surrogate"),
        pytest.param(ok(input=["a", "\udfff b"]), 400, "input[1]", id="lone-surrogate-in-list"),
        pytest.param(ok(input=""), 400, "input", id="empty-string"),
        pytest.param(ok(input=["a", ""]), 400, "input[1]", id="empty-string-in-list"),
        pytest.param(ok(input=[]), 400, "input", id="no-texts"),
        pytest.param(ok(input=["a"] * (MAX_INPUTS + 1)), 400, "input", id="too-many"),
        pytest.param(ok(input=None), 400, "input", id="null"),
        pytest.param(ok(input={"a": 1}), 400, "input", id="an-object"),
        pytest.param(ok(input=[None]), 400, "input[0]", id="null-in-list"),
        pytest.param(ok(input=[True]), 400, "input[0]", id="true-in-list"),
        pytest.param(ok(input=[1, 2]), 400, "input[0]", id="token-ids"),
        pytest.param(ok(input=[[1, 2]]), 400, "input[0]", id="lists-of-token-ids"),
        pytest.param(ok(encoding_format="int8"), 400, "encoding_format", id="encoding"),
        pytest.param(ok(encoding_format=["float"]), 400, "encoding_format", id="encoding-list"),
        pytest.param(ok(dimensions=256), 400, "dimensions", id="dimensions"),
        pytest.param(ok(dimensions=True), 400, "dimensions", id="dimensions-true"),
        pytest.param(ok(more=1), 400, "more", id="unknown-field"),
        pytest.param(json.dumps(ok()).replace("model", "\\ud800"), 400, "?", id="unknown-half-field"),
        pytest.param(ok(model="text-embedding-3-small"), 404, "model", id="another-model"),
        pytest.param(ok(model="\ud800"), 404, "model", id="half-a-model"),
        pytest.param(ok(model=[MODEL]), 404, "model", id="a-list-of-models"),
        pytest.param({"input": "text"}, 400, "model", id="no-model"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_openais_form(
    service: str, body: Any, status: int, param: str | None
) -> None:
    answer = post(service, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["message"]


def test_openais_client_raises_its_own_errors(service: str) -> None:
    client = openai.OpenAI(base_url=f"{service}/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.NotFoundError, match="no model 'text-embedding-3-small'") as caught:
        client.embeddings.create(model="text-embedding-3-small", input="text")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="token ids"):
        client.embeddings.create(model=MODEL, input=[1, 2, 3])


def test_aces_client_names_the_setting_that_is_wrong(service: str) -> None:
    with pytest.raises(InvalidInput, match="ACE_EMBEDDINGS_MODEL"):
        RemoteEmbedder(f"{service}/v1", "another-model").embed(["text"])


def test_a_body_that_is_too_large_is_refused_unread_or_as_soon_as_it_is(service: str) -> None:
    connection = http.client.HTTPConnection(service.removeprefix("http://"), timeout=PATIENCE_S)
    connection.putrequest("POST", "/v1/embeddings")
    connection.putheader("Content-Length", str(MAX_BODY_BYTES + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413, "announced, and not one byte was sent"
    connection.close()
    chunks = (b" " * 2**20 for _ in range(MAX_BODY_BYTES // 2**20 + 1))
    assert httpx.post(f"{service}/v1/embeddings", content=chunks, timeout=PATIENCE_S).status_code == 413


def test_other_paths_and_methods_answer_in_the_same_form(service: str) -> None:
    assert httpx.get(f"{service}/v1/embeddings").json()["error"]["message"]
    assert httpx.get(f"{service}/v1/embeddings").status_code == 405
    assert httpx.get(f"{service}/nowhere").status_code == 404
    assert httpx.get(f"{service}/v1/models/other").json()["error"]["code"] == "model_not_found"
    assert httpx.get(f"{service}/livez").json() == {"status": "alive"}
    assert httpx.get(f"{service}/health").json()["dimensions"] == 384


def test_without_model_files_it_says_what_to_run(tmp_path: Path) -> None:
    environment = os.environ | {"ACE_MODELS_DIR": str(tmp_path / "none")}
    command = [sys.executable, "-m", "ace.workers.embedding", "--port", "1"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 2
    assert "ace models pull" in ended.stderr
    assert "Traceback" not in ended.stderr
