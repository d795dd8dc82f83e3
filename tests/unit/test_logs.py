"""What a log line holds, and what it never holds."""

from __future__ import annotations

import io
import json
import logging
import os
import string
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.config import load_settings
from ace.core import keys
from ace.utils import logs

KEY = str(keys.token(bytes(range(42))))
log = logging.getLogger("ace.services.something")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged while a test runs; the root logger is afterwards as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    written = io.StringIO()
    logs.configure(load_settings(log_format="json", log_level="debug"), "cli", stream=written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def line(stream: io.StringIO) -> dict[str, Any]:
    (only,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(only)
    return found


def test_a_line_is_one_object_with_the_same_keys_always(stream: io.StringIO) -> None:
    log.info("batch_merge_start", extra={"tasks": 3, "domain": "customer-a"})
    found = line(stream)
    assert datetime.fromisoformat(found.pop("timestamp")).utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert found == {"level": "info", "event": "batch_merge_start", "component": "cli", "pid": os.getpid(),
                     "logger": "ace.services.something", "tasks": 3, "domain": "customer-a"}  # fmt: skip


COMPONENTS = [
    ("ace.ops.stage_manager", "stage_manager"),
    ("ace.workers.reflection", "reflector"),
    ("ace.workers.embedding", "embeddings"),
    ("ace.web.app", "server"),
    ("_granian", "server"),
    ("ace.webbing", "cli"),
    ("ace.utils.faiss_index", "cli"),
]


@pytest.mark.parametrize(("logger", "component"), COMPONENTS)
def test_the_component_is_the_modules_own_or_the_doors(stream: io.StringIO, logger: str, component: str) -> None:
    logging.getLogger(logger).warning("something")
    assert line(stream)["component"] == component


def test_a_line_can_name_its_component(stream: io.StringIO) -> None:
    log.info("stages_advanced", extra={"component": "stage_manager"})
    assert line(stream)["component"] == "stage_manager"


def test_an_exception_comes_with_its_traceback_on_the_same_line(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"no such key: {KEY}")
    except ValueError:
        log.exception("request_failed")
    found = line(stream)
    assert found["exception"].startswith("Traceback")
    assert "ValueError: no such key: [hidden]" in found["exception"]


def test_fields_can_be_bound_for_a_while(stream: io.StringIO) -> None:
    with logs.bound(request_id="r1"):
        log.info("inside")
    assert line(stream)["request_id"] == "r1"


def test_what_is_below_the_level_is_not_written() -> None:
    root, written = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    logs.configure(load_settings(log_level="warning"), "cli", stream=written)
    log.info("quiet")
    root.handlers[:] = handlers
    root.setLevel(level)
    assert written.getvalue() == ""


@pytest.mark.parametrize(("given", "shown"), [({}, ""), ({"log_level": "info"}, "something")])
def test_a_command_is_quiet_unless_a_level_is_named(stream: io.StringIO, given: dict[str, str], shown: str) -> None:
    logs.configure(load_settings(log_format="json", **given), "cli", stream=stream, quiet=True)
    log.info("something")
    assert shown in stream.getvalue()
    assert bool(stream.getvalue()) is bool(shown)


def test_in_a_terminal_lines_are_for_people(stream: io.StringIO) -> None:
    stream.isatty = lambda: True  # type: ignore[method-assign]
    logs.configure(load_settings(log_format="auto"), "cli", stream=stream)
    log.info("ready", extra={"port": 8000})
    assert "ready" in stream.getvalue()
    assert "port" in stream.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.getvalue())


def test_a_message_with_line_breaks_stays_one_line(stream: io.StringIO) -> None:
    log.info('a\n{"event": "forged"}', extra={"text": "b\nc\ud800", "odd": object()})
    assert line(stream)["text"].startswith("b\nc")


LEAKS = [
    ("our key", KEY, KEY),
    ("our key in capitals", KEY.upper(), KEY.upper()),
    ("a provider's key", "Incorrect key sk-proj-4f2Kd81xPq", "4f2Kd81xPq"),
    ("a bearer token", "Authorization: Bearer abc.def-123", "abc.def-123"),
    ("a password in a database URL", "postgresql+psycopg://ace:s3cr/et%40x@db:5432/ace", "s3cr"),
    ("a password with an at sign", "postgresql://ace:p@ss@db/ace", "p@ss"),
    ("a redis password without a user", "redis://:hunter22@cache:6379", "hunter22"),
    ("a libpq string", "host=db password=hunter22 user=ace", "hunter22"),
    ("a quoted libpq string", "host=db password='hunter 22' user=ace", "hunter 22"),
    ("a JSON text", '{"api_key": "hunter22"}', "hunter22"),
    ("an environment line", "OPENAI_API_KEY=hunter22", "hunter22"),
    ("an AWS variable", "AWS_SECRET_ACCESS_KEY=hunter22", "hunter22"),
]


@pytest.mark.parametrize(("text", "secret"), [pytest.param(t, s, id=name) for name, t, s in LEAKS])
def test_what_looks_like_a_secret_is_cut_out_wherever_it_stands(stream: io.StringIO, text: str, secret: str) -> None:
    class Named:
        def __repr__(self) -> str:
            return text

    log.warning("told: %s", text, extra={"plain": text, "nested": [{"deep": (text,)}], "thing": Named(), text: 1})
    assert secret not in stream.getvalue()
    assert "[hidden]" in stream.getvalue()


HARMLESS = [
    "check the units", "12 tokens: 3 read", "task-123", "risk-averse-agents", "http://localhost:8000/v1?k=5",
    "ace_bullets_quarantined_total", "postgresql://ace@db:5432/ace", "mailto:someone@example.org", "a: b",
    "the basic idea", "https://host:8000/a@b",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert logs.hide(text) == text


NAMES = st.sampled_from(["password", "db_password", "api_key", "apiKey", "API-KEY", "x-api-key", "token", "secret",
                         "client_secret", "Authorization", "cookie", "credentials", "private_key"])  # fmt: skip
PRINTED = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40)


@given(name=NAMES, secret=PRINTED, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_field_named_like_a_secret_never_shows_its_value(name: str, secret: str, before: str, after: str) -> None:
    found = json.dumps(logs.safe({"a": [{name: before + secret + after}], "b": {"c": {name: {"d": secret}}}}))
    assert secret not in found


@given(
    random=st.binary(min_size=42, max_size=42), around=st.tuples(*[st.text(" \n\t\"',:;=()[]{}<>/", max_size=5)] * 2)
)
def test_no_key_of_ours_survives_in_any_text(random: bytes, around: tuple[str, str]) -> None:
    made = keys.token(random)
    assert made.secret not in logs.hide(f"{around[0]}{made}{around[1]}")


PASSWORDS = st.text(string.ascii_letters + string.digits + "!$%&*+-._~^", min_size=4, max_size=30)


@given(password=PASSWORDS, scheme=st.sampled_from(["postgresql", "postgresql+psycopg", "redis", "https"]))
def test_no_password_survives_in_a_url(password: str, scheme: str) -> None:
    assert f":{password}@" not in logs.hide(
        f"cannot reach {scheme}://ace:{password}@db.internal:5432/ace?sslmode=require"
    )


COUNTS = ["tokens", "prompt_tokens", "token_budget", "max_tokens", "key", "idempotency_key", "keys_seen", "passed"]


@pytest.mark.parametrize("name", COUNTS)
def test_a_field_that_only_sounds_like_one_is_shown(name: str) -> None:
    assert logs.safe({name: 12}) == {name: 12}
