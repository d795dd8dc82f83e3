"""The drop-in proxy under the providers' own clients: prompts with bullets in, answers out as they are, streams too."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from ace.core.prompting import BEGIN, END, Dialect
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.testing.dialects import ToolCall
from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, hang, say
from ace.testing.providers import FakeProvider
from ace.utils.local_model import LocalModel
from tests.e2e.servers import Server, free_port, serving, wait_until
from tests.e2e.test_http_outages import frozen, own_postgres

MINE, LESSON, TASK = "customer-a", "Convert pounds to kilograms before adding weights.", "Add 2 pounds and 1 kilogram."
SECRET = "sk-very-secret-4711"
USER = {"role": "user", "content": TASK}
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.fixture(scope="module")
def running_provider() -> Iterator[FakeProvider]:
    with FakeProvider() as made:
        yield made


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, running_provider: FakeProvider
) -> Iterator[Server]:
    with proxying(tmp_path_factory.mktemp("proxy"), running_provider.url, models_dir) as running:
        teach(running)
        yield running


def proxying(home: Path, url: str, models_dir: Path, *options: str, **settings: str) -> Any:
    upstream = {"ACE_UPSTREAM_OPENAI_URL": url, "ACE_UPSTREAM_ANTHROPIC_URL": url, "ACE_PROXY_PATIENCE_S": "5"}
    return serving(home, *options, **{**upstream, "ACE_MODELS_DIR": str(models_dir), **settings})


def teach(server: Server, key: str | None = None) -> None:
    taught = server.post(f"/v1/domains/{MINE}/insights", {"insights": [{"content": LESSON}]}, key=key)
    assert taught.status_code == 200, taught.text


@pytest.fixture
def provider(running_provider: FakeProvider) -> FakeProvider:
    """The server's provider, with nothing left of the tests before."""
    own = running_provider
    own.refuses, own.breaks_after, own.before_event = None, None, lambda _: None
    own.requests.clear(), own.answers.clear(), own.left.clear()
    return own


@pytest.fixture
def chat(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/proxy/{MINE}/v1", api_key=SECRET, max_retries=0) as client:
        yield client


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"{server.url}/proxy/{MINE}", api_key=SECRET, max_retries=0) as client:
        yield client


def has_the_lesson(text: str) -> bool:
    return LESSON in text and text.index(BEGIN) < text.index(LESSON) < text.index(END)


def ask(server: Server, path: str, body: Any, **headers: str) -> httpx.Response:
    return server.post(f"/proxy/{MINE}/v1/{path}", body, Authorization=f"Bearer {SECRET}", **headers)


def test_chat_of_openais_client_is_given_the_bullets(chat: openai.OpenAI, provider: FakeProvider) -> None:
    raw = chat.chat.completions.with_raw_response.create(model="m", messages=[SYSTEM, USER], temperature=0.1)
    assert raw.parse().choices[0].message.content == provider.text
    assert raw.headers["ACE-Bullets"] == "1" and raw.headers["ACE-Receipt"]
    (seen,) = provider.requests
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    system, user = seen.json["messages"]
    assert system["content"].startswith("Be brief.") and has_the_lesson(system["content"]) and user == USER


def test_a_stream_of_openais_client_arrives_word_by_word(chat: openai.OpenAI, provider: FakeProvider) -> None:
    arrived = threading.Semaphore(0)
    provider.before_event = lambda number: number == 0 or arrived.acquire(timeout=20)  # type: ignore[assignment]
    words = []
    for chunk in chat.chat.completions.create(model="m", messages=[USER], stream=True):
        words.append(chunk.choices[0].delta.content or "")
        arrived.release()  # only now is the next one sent: nothing is held back on the way
    assert "".join(words) == provider.text and len(words) > 3
    assert has_the_lesson(provider.requests[0].json["messages"][0]["content"])


def test_responses_of_openais_client_are_given_the_bullets(chat: openai.OpenAI, provider: FakeProvider) -> None:
    answer = chat.responses.create(model="m", input=TASK, instructions="Be brief.")
    assert answer.output_text == provider.text
    assert has_the_lesson(provider.requests[0].json["instructions"])
    events = chat.responses.create(model="m", input=TASK, stream=True)
    assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == provider.text
    assert has_the_lesson(provider.requests[1].json["instructions"])


def test_messages_of_anthropics_client_are_given_the_bullets(
    claude: anthropic.Anthropic, provider: FakeProvider
) -> None:
    cached = {"type": "text", "text": "Long rules.", "cache_control": {"type": "ephemeral"}}
    answer = claude.messages.create(model="m", max_tokens=9, system=[cached], messages=[USER])  # type: ignore[list-item]
    assert answer.content[0].text == provider.text  # type: ignore[union-attr]
    (seen,) = provider.requests
    first, ours = seen.json["system"]
    assert first == cached and has_the_lesson(ours["text"]) and "cache_control" not in ours
    assert any(SECRET in value for value in seen.headers.values())


def test_a_stream_of_anthropics_client_passes(claude: anthropic.Anthropic, provider: FakeProvider) -> None:
    with claude.messages.stream(model="m", max_tokens=9, messages=[USER]) as stream:  # type: ignore[list-item]
        assert "".join(stream.text_stream) == provider.text
    assert has_the_lesson(provider.requests[0].json["system"][0]["text"])


BODIES: dict[str, tuple[str, bytes]] = {
    "chat": (
        "chat/completions",
        b'{ "temperature":1.0e0, "x-unknown": {"a":[1,2.50]},\n'
        b'"messages":[{"role":"user","content":"Add pounds \\u00e9\\/"}]\t}',
    ),
    "responses": ("responses", b'{"input":"Add pounds.",  "n":0.10,"reasoning":{"effort":"low"}}'),
    "messages": ("messages", b'{"max_tokens":9,"system":"Be \\u0062rief.",'
                 b'"messages":[{"role":"user","content":"Add pounds"}]}'),
}  # fmt: skip


@pytest.mark.parametrize("dialect", BODIES)
@pytest.mark.parametrize("stream", [False, True])
def test_the_provider_gets_every_byte_and_the_caller_too(
    server: Server, provider: FakeProvider, dialect: str, stream: bool
) -> None:
    path, body = BODIES[dialect]
    sent = body.replace(b"{", b'{"stream":true,', 1) if stream else body
    headers = {"Content-Type": "application/json", "X-Own": "kept", "User-Agent": "mine/1", "ACE-Session": "s"}
    answer = server.ask("POST", f"/proxy/{MINE}/v1/{path}?beta=true", content=sent, headers=headers)
    (seen,) = provider.requests
    assert answer.content == provider.answers[0]
    assert (answer.headers["ACE-Bullets"], answer.status_code) == ("1", 200)
    at = next(place for place in range(len(sent)) if seen.body[place] != sent[place])
    added = len(seen.body) - len(sent)
    ends = [end for end in range(at, len(sent) + 1) if seen.body[end + added :] == sent[end:]]
    inserted = seen.body[at : ends[0] + added] if dialect != "messages" else seen.body
    assert ends and LESSON.encode() in inserted
    assert b"Be \\u0062rief." in seen.body or dialect != "messages"
    assert seen.path == f"/v1/{path}?beta=true"
    assert (seen.headers["x-own"], seen.headers["user-agent"]) == ("kept", "mine/1")
    assert not {"ace-session", "x-ace-key"} & seen.headers.keys()
    assert seen.headers["host"] in provider.url


def test_what_is_no_completion_passes_as_it_is(server: Server, provider: FakeProvider) -> None:
    assert ask(server, "embeddings", {"input": "Add pounds"}).json() == {"path": "/v1/embeddings"}
    listed = server.ask("GET", f"/proxy/{MINE}/v1/models?limit=3", headers={"anthropic-version": "2023-06-01"})
    assert listed.json()["path"] == "/v1/models?limit=3" and "ACE-Bullets" not in listed.headers
    assert ask(server, "messages/count_tokens", {"messages": [USER]}).json()["path"] == "/v1/messages/count_tokens"
    assert provider.requests[0].body == b'{"input":"Add pounds"}'


def test_refusals_of_the_provider_pass_as_they_are(
    server: Server, provider: FakeProvider, chat: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    provider.refuses = 429
    answer = ask(server, "chat/completions", {"messages": [USER]})
    assert (answer.status_code, answer.content) == (429, provider.answers[0])
    assert answer.headers["x-request-id"] == "req-1"
    with pytest.raises(openai.RateLimitError, match="no, by the script"):
        chat.chat.completions.create(model="m", messages=[USER])  # type: ignore[list-item]
    with pytest.raises(anthropic.RateLimitError, match="no, by the script"):
        claude.messages.create(model="m", max_tokens=1, messages=[USER])  # type: ignore[list-item]


UNTOUCHED: dict[str, tuple[bytes, str]] = {
    "not json": (b'{"messages": [', "unreadable"),
    "not utf-8": (b'{"messages": "\xff"}', "unreadable"),
    "nested without end": (b"[" * 100_000, "unreadable"),
    "no user": (b'{"messages": [], "stream": false}', "no-task"),
    "a lone surrogate": (b'{"messages":[{"role":"user","content":"\\ud800"}]}', "outage"),
}


@pytest.mark.parametrize("case", UNTOUCHED)
def test_what_we_cannot_read_is_the_providers_to_judge(server: Server, provider: FakeProvider, case: str) -> None:
    body, why = UNTOUCHED[case]
    provider.refuses = 400
    answer = server.ask("POST", f"/proxy/{MINE}/v1/chat/completions", content=body)
    assert (answer.status_code, answer.headers["ACE-Skipped"]) == (400, why)
    assert provider.requests[0].body == body


def test_a_receipt_of_the_proxy_can_be_reported_with(server: Server, provider: FakeProvider) -> None:
    before = kept(server)
    receipt = ask(server, "chat/completions", {"messages": [USER]}).headers["ACE-Receipt"]
    wait_until(lambda: kept(server) - before, 20)
    body = {"receipt": receipt, "task": TASK, "answer": "1.9 kg", "outcome": {"correct": True, "verifier": "test"}}
    assert server.post(f"/v1/domains/{MINE}/episodes", body).json()["new"] is True, "it replaces what was heard"
    assert server.post(f"/v1/domains/{MINE}/episodes", body).json()["new"] is False
    assert len(kept(server) - before) == 1


def heard(server: Server, receipt_id: str) -> dict[str, Any]:
    """How far the episode of a receipt has come, once there is one."""
    path = f"/v1/domains/{MINE}/episodes/{receipt_id}"
    wait_until(lambda: server.ask("GET", path).is_success, 20)
    return dict(server.ask("GET", path).json())


def kept(server: Server) -> set[str]:
    found = server.ask("GET", f"/v1/domains/{MINE}/episodes", params={"limit": 500}).json()["episodes"]
    return {one["episode_id"] for one in found}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", Dialect)
def test_what_passes_becomes_an_episode_by_itself(
    server: Server, provider: FakeProvider, path: Dialect, stream: bool
) -> None:
    """A stock script whose base URL is ours has said nothing but its task, and that is enough."""
    before, asked = kept(server), {"input": TASK} if path == Dialect.RESPONSES else {"messages": [USER]}
    assert ask(server, path, {**asked, "stream": stream}).is_success
    wait_until(lambda: kept(server) - before, 20)
    (own,) = kept(server) - before
    assert heard(server, own)["state"] == "queued"


def use_a_scale(client: openai.OpenAI, provider: FakeProvider) -> None:
    """A stock agent's loop: it asks, does what it is told, asks again with what came of it."""
    script = provider.says
    provider.says = lambda seen: "3 kg" if len(seen.json["messages"]) > 2 else ToolCall(tool="scale")
    messages: list[Any] = [USER]
    for _ in range(2):
        said = client.chat.completions.create(model="m", messages=messages).choices[0].message
        result = {"role": "tool", "tool_call_id": "call_1", "content": "error: no battery"}
        messages = [*messages, said.model_dump(exclude_none=True), result]
    provider.says = script


def test_an_agent_with_tools_is_heard_once_with_all_its_steps(
    server: Server, provider: FakeProvider, chat: openai.OpenAI
) -> None:
    before = kept(server)
    use_a_scale(chat, provider)
    wait_until(lambda: kept(server) - before, 20)
    (own,) = kept(server) - before
    database = Database(f"sqlite:///{server.environment['ACE_DATA_DIR']}/ace.db")
    episode = EpisodeRepository(database).get(MINE, own)
    database.close()
    assert episode is not None
    assert (episode.task.question, episode.trajectory.answer) == (TASK, "3 kg")
    assert [(step.tool, step.observation) for step in episode.trajectory.steps] == [("scale", "error: no battery")]
    assert len(episode.trajectory.shown) == 1, "the bullets of its receipt may be voted on"


def taught_by(request: ChatRequest) -> Reply:
    """A model that reflects; whatever it is asked, it has one lesson."""
    assert TASK in str(request.messages) and "no battery" in str(request.messages)
    lesson = {"section": "strategy", "content": "Look at the battery of a scale first.", "confidence": 0.9}
    return say(json.dumps({"tags": {}, "lessons": [lesson]}))


def test_a_stock_script_learns_by_its_base_url_alone(
    tmp_path: Path, models_dir: Path, running_provider: FakeProvider, provider: FakeProvider
) -> None:
    """It works as it always did, nobody reports anything, a reflector comes by: there is a lesson."""
    with ScriptedLLM(taught_by) as reflector:
        own = {"ACE_PROXY_SETTLE_S": "0", "ACE_MODEL": "openai/clerk", "ACE_MODEL_BASE_URL": reflector.url}
        own["ACE_REVIEW"] = "screens"  # else a lesson nobody has judged waits for a person
        with proxying(tmp_path, running_provider.url, models_dir, **own) as server:
            with openai.OpenAI(base_url=f"{server.url}/proxy/{MINE}/v1", api_key=SECRET, max_retries=0) as client:
                use_a_scale(client, provider)
            wait_until(lambda: kept(server), 20)
            assert json.loads(server.ace("worker", "--once", "--json"))["done"] == 1
            learned = server.ask("GET", f"/v1/domains/{MINE}/bullets").json()["bullets"]
            assert [(one["content"], one["stage"]) for one in learned] == [
                ("Look at the battery of a scale first.", "shadow")
            ]


def test_who_does_not_want_it_is_not_heard(server: Server, provider: FakeProvider) -> None:
    before = kept(server)
    ask(server, "chat/completions", {"messages": [USER]}, **{"ACE-Learn": "no"})
    provider.breaks_after = 2
    with pytest.raises(httpx.RemoteProtocolError):
        ask(server, "chat/completions", {"messages": [USER], "stream": True})
    provider.breaks_after = None
    ask(server, "chat/completions", {"messages": [USER]})
    wait_until(lambda: kept(server) - before, 20)
    assert len(kept(server) - before) == 1
    assert not any("ace-learn" in seen.headers for seen in provider.requests)


def test_whoever_leaves_ends_the_providers_work_too(server: Server, provider: FakeProvider) -> None:
    begun = threading.Event()
    provider.text = "word " * 200
    provider.before_event = lambda number: begun.wait(0.05) and None  # a slow talker
    url = f"{server.url}/proxy/{MINE}/v1/chat/completions"
    with httpx.stream("POST", url, json={"messages": [USER], "stream": True}, timeout=30) as answer:
        next(answer.iter_raw())
    assert provider.left.wait(20)
    provider.text = "It is a test."


def broken(server: Server) -> float:
    found = re.search(r'ace_proxy_requests_total{outcome="broken"} (\S+)', server.ask("GET", "/metrics").text)
    return float(found[1]) if found else 0.0


def test_an_answer_that_breaks_off_is_not_made_to_look_whole(server: Server, provider: FakeProvider) -> None:
    provider.breaks_after, before = 2, broken(server)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(server, "chat/completions", {"messages": [USER], "stream": True})
    assert broken(server) == before + 1


WRONG_ADDRESSES = ("/proxy/customer-a", "/proxy/customer-a/v2/x", "/proxy/a/b/v1/x", "/proxy/customer-a/v1/")


@pytest.mark.parametrize("path", WRONG_ADDRESSES)
def test_an_address_that_is_none_is_not_found(server: Server, path: str) -> None:
    assert server.ask("POST", path, json={}).status_code == 404


def test_a_domain_that_is_none_is_refused(server: Server, provider: FakeProvider) -> None:
    assert server.ask("POST", "/proxy/Customer%20A/v1/chat/completions", json={}).status_code == 422
    assert provider.requests == []


def test_pages_of_other_sites_may_not_use_it(server: Server, provider: FakeProvider) -> None:
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 200)):
        assert ask(server, "chat/completions", {"messages": [USER]}, Origin=origin).status_code == status
    for host in ("evil.example", "evil.example:8000"):
        assert ask(server, "chat/completions", {"messages": [USER]}, Host=host).status_code == 403
    assert len(provider.requests) == 1


def test_figures_tell_the_proxy_from_the_interface(server: Server, provider: FakeProvider) -> None:
    provider.refuses = 500
    ask(server, "chat/completions", {"messages": [USER]})
    ask(server, "models", {})
    told = server.ask("GET", "/metrics").text
    assert (
        'ace_proxy_requests_total{outcome="bullets"}' in told and 'ace_proxy_requests_total{outcome="passed"}' in told
    )
    assert "ace_proxy_delay_seconds_count" in told
    assert "/proxy/" not in told, "a provider's errors and its slowness are not this server's"


def test_no_key_and_no_prompt_is_logged(server: Server, provider: FakeProvider) -> None:
    ask(server, "chat/completions", {"messages": [USER]})
    assert SECRET not in server.log.read_text() and TASK not in server.log.read_text()


ROLES = {"none": 401, "unknown": 401, "read": 200, "write": 200, "admin": 200, "of another": 404}


def test_with_keys_the_proxy_asks_for_ours_beside_the_providers(
    tmp_path: Path, models_dir: Path, running_provider: FakeProvider, provider: FakeProvider
) -> None:
    with proxying(tmp_path, running_provider.url, models_dir, ACE_PROXY_MAX_BODY_BYTES="5000") as server:

        def made(role: str, domain: str) -> str:
            words = ("keys", "create", "--role", role, "--domain", domain, "--json")
            return str(json.loads(server.ace(*words))["token"])

        keys = {role: made(role, MINE) for role in ("read", "write", "admin")} | {"of another": made("admin", "b")}
        keys["unknown"] = keys["read"][:-4] + "aaaa"
        teach(server, keys["write"])
        for caller, status in ROLES.items():
            for path in ("chat/completions", "models"):
                given = {"X-ACE-Key": keys[caller]} if caller in keys else {}
                answer = ask(server, path, {"messages": [USER]}, **given)
                assert answer.status_code == status, (caller, path, answer.text)
        assert not any("x-ace-key" in seen.headers for seen in provider.requests)
        assert len(provider.requests) == 6, "the provider hears of nobody who was refused"
        with openai.OpenAI(base_url=f"{server.url}/proxy/{MINE}/v1", api_key=SECRET, max_retries=0,
                           default_headers={"X-ACE-Key": keys["read"]}) as client:  # fmt: skip
            client.chat.completions.create(model="m", messages=[USER])  # type: ignore[list-item]
        assert has_the_lesson(provider.requests[-1].json["messages"][0]["content"])
        large = ask(server, "chat/completions", {"messages": [USER], "x": "y" * 5000}, **{"X-ACE-Key": keys["read"]})
        assert large.status_code == 413
        log = server.log.read_text()
        assert SECRET not in log and not any(key in log for key in keys.values())


def test_while_postgres_stands_still_requests_pass_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, provider: FakeProvider
) -> None:
    home = Path(os.path.realpath(tmp_path_factory.mktemp("frozen")))
    settings = {"ACE_PROXY_PATIENCE_S": "0.25"}
    with own_postgres(home) as (url, pid), proxying(
        home, provider.url, models_dir, ACE_DATABASE_URL=url, **settings
    ) as server:  # fmt: skip
        teach(server)
        wait_until(lambda: "ACE-Receipt" in ask(server, "chat/completions", {"messages": [USER]}).headers, 20)
        with frozen(pid):
            skipped = [ask(server, "chat/completions", {"messages": [USER]}) for _ in range(40)]
        assert {answer.status_code for answer in skipped} == {200}
        assert {answer.headers["ACE-Skipped"] for answer in skipped} <= {"slow", "busy"}
        assert all(seen.json == {"messages": [USER]} for seen in provider.requests[-40:])
        wait_until(lambda: "ACE-Receipt" in ask(server, "chat/completions", {"messages": [USER]}).headers, 30)
        assert server.log.read_text().count("proxy_without_bullets") <= 4


def test_while_postgres_stands_still_a_key_known_before_passes_and_nobody_else(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, provider: FakeProvider
) -> None:
    home = Path(os.path.realpath(tmp_path_factory.mktemp("closed")))
    settings = {"ACE_PROXY_PATIENCE_S": "0.25", "ACE_REQUEST_DEADLINE_S": "1"}
    with own_postgres(home) as (url, pid), proxying(
        home, provider.url, models_dir, ACE_DATABASE_URL=url, **settings
    ) as server:  # fmt: skip
        known, second, third = (json.loads(server.ace("keys", "create", "--json"))["token"] for _ in range(3))

        def asked(key: str) -> tuple[int, str]:
            headers = {"X-ACE-Key": key} if key else {}
            answer = ask(server, "chat/completions", {"messages": [USER]}, **headers)
            return answer.status_code, answer.headers.get("ACE-Skipped", "")

        with frozen(pid):
            assert {asked(key)[0] for key in ("", known, second, known[:-4] + "aaaa")} <= {401, 503}
        assert provider.requests == []
        wait_until(lambda: asked(known) == (200, ""), 30)
        passed = len(provider.requests)
        with frozen(pid):
            assert asked(known) in {(200, "slow"), (200, "busy")}
            assert {asked(key)[0] for key in ("", third, known[:-4] + "aaaa")} <= {401, 503}
        assert len(provider.requests) == passed + 1


EMBEDDERS: dict[str, Callable[[str], str]] = {"slow": lambda url: url, "outage": lambda _: "http://127.0.0.1:9/v1"}


@pytest.mark.parametrize("why", EMBEDDERS)
def test_without_an_embedder_requests_pass_as_they_are(
    tmp_path: Path, models_dir: Path, provider: FakeProvider, why: str
) -> None:
    with ScriptedLLM([hang()]) as silent:
        patience = "0.25" if why == "slow" else "5"
        settings = {"ACE_EMBEDDINGS_URL": EMBEDDERS[why](silent.url), "ACE_PROXY_PATIENCE_S": patience}
        with proxying(tmp_path, provider.url, models_dir, **settings) as server:
            answer = ask(server, "chat/completions", {"messages": [USER]})
            assert (answer.headers["ACE-Skipped"], answer.headers["ACE-Bullets"]) == (why, "0")
            assert provider.requests[0].json == {"messages": [USER]}


def test_a_provider_that_is_away_or_not_named_is_said_to_be(tmp_path: Path, models_dir: Path) -> None:
    settings = {
        "ACE_MODELS_DIR": str(models_dir),
        "ACE_UPSTREAM_OPENAI_URL": f"http://127.0.0.1:{free_port()}/v1",
    }
    with serving(tmp_path, **settings) as server:
        answer = ask(server, "chat/completions", {"messages": [USER]})
        assert (answer.status_code, answer.json()["error"]["type"]) == (502, "upstream_unreachable")
        assert "ACE_UPSTREAM_ANTHROPIC_URL" in ask(server, "messages", {"messages": [USER]}).json()["detail"]


def test_a_real_model_behind_it_answers(tmp_path: Path, models_dir: Path) -> None:
    with LocalModel(models_dir) as model, proxying(tmp_path, model.base_url, models_dir) as server:
        teach(server)
        with openai.OpenAI(base_url=f"{server.url}/proxy/{MINE}/v1", api_key="none", timeout=120) as client:
            asked = client.chat.completions.with_raw_response
            raw = asked.create(model="local", messages=[USER], max_tokens=8, temperature=0)  # type: ignore[list-item]
        assert raw.headers["ACE-Bullets"] == "1"
        usage = raw.parse().usage
        assert usage is not None and usage.prompt_tokens > 50, "the bullets are in the prompt it counted"
