"""LiteLLM with a playbook: its own calls to a provider over HTTP, before and behind our callback."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # read when it is imported: no look at the network
import litellm
from litellm.proxy.types_utils.utils import get_instance_fn

from ace import Playbook
from ace.integrations.litellm import PlaybookHandler, advised, given
from ace.testing.providers import FakeProvider
from tests.agents.shop import LESSON, RIGHT, TASK, WRONG, Place
from tests.e2e.servers import wait_until

MARK = {"type": "ephemeral"}
LONG = {"type": "text", "text": "Be brief.", "cache_control": MARK}
SYSTEM = {"role": "system", "content": [LONG]}
ASKED = {"role": "user", "content": TASK}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop: LiteLLM keeps its connections."""
    with asyncio.Runner() as made:
        yield made
        made.run(litellm.close_litellm_async_clients())


@pytest.fixture
def client(provider: FakeProvider, runner: asyncio.Runner) -> Iterator[Any]:
    """`client(litellm.acompletion, …)`: the answer, by a handler that is given as `by`."""

    def ask(call: Any, by: PlaybookHandler | None, **request: Any) -> Any:
        litellm.callbacks = [by] if by else []
        root = provider.url.removesuffix("/v1") if request["model"].startswith("anthropic/") else provider.url
        return runner.run(call(api_base=root, api_key="sk-local", **request))

    yield ask
    litellm.logging_callback_manager._reset_all_callbacks()


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "openai/fake", "messages": [SYSTEM, ASKED], **more}


def handled(place: Place, **options: Any) -> PlaybookHandler:
    return PlaybookHandler(place.playbook(), patience_s=30, **options)


def test_a_bullet_changes_the_answer_and_its_report_is_an_episode(
    place: Place, client: Any, provider: FakeProvider
) -> None:
    lesson = place.taught()
    plain, handler = client(litellm.acompletion, None, **chat()), handled(place)
    answer = client(litellm.acompletion, handler, **chat())
    assert [one.choices[0].message.content for one in (plain, answer)] == [WRONG, f"{RIGHT} [{lesson}]"]
    before, after = (seen.json["messages"] for seen in provider.requests)
    assert before == [SYSTEM, ASKED] and after[1] == ASKED
    first, second = after[0]["content"]
    assert first == LONG and second["text"].startswith("<playbook>") and LESSON in second["text"]
    found = given(answer)
    assert found is not None and (found.task, found.bullets) == (TASK, (lesson,)) and given(plain) is None
    told = handler.report(answer, correct=True, verifier="test")
    stored = place.episode(told.episode_id)
    assert (stored.task.question, stored.trajectory.answer) == (TASK, f"{RIGHT} [{lesson}]")
    assert (stored.trajectory.cited, stored.receipt and stored.receipt.shown) == ((lesson,), (lesson,))


def test_a_stream_has_its_receipt_too(there: Place, client: Any, runner: asyncio.Runner) -> None:
    lesson = there.taught()
    stream = client(litellm.acompletion, handled(there), **chat(stream=True))

    async def read() -> str:
        return "".join([part.choices[0].delta.content or "" async for part in stream])

    assert runner.run(read()) == f"{RIGHT} [{lesson}]"
    found = given(stream)
    assert found is not None and found.bullets == (lesson,)


def test_responses_and_anthropics_messages_get_them_where_those_have_instructions(
    there: Place, client: Any, provider: FakeProvider
) -> None:
    lesson, handler = there.taught(), handled(there)
    request = {"model": "openai/fake", "input": TASK, "instructions": "Be brief."}
    answer = client(litellm.aresponses, handler, **request)
    assert answer.output_text == f"{RIGHT} [{lesson}]" and given(answer) is not None
    assert provider.requests[0].json["instructions"].startswith("Be brief.\n\n<playbook>")
    request = {"model": "anthropic/fake", "messages": [ASKED], "system": [LONG], "max_tokens": 99}
    message = client(litellm.anthropic_messages, handler, **request)
    assert message["content"][0]["text"] == f"{RIGHT} [{lesson}]"
    asked = provider.requests[1].json
    assert asked["system"][0] == LONG and LESSON in asked["system"][1]["text"] and asked["messages"] == [ASKED]
    assert given(message) is None  # it is plain JSON: behind LiteLLM's proxy the receipt is a header


def test_where_litellm_sets_the_cache_markers_the_bullets_stand_behind_all_of_them(
    there: Place, client: Any, provider: FakeProvider
) -> None:
    there.taught()
    points = [{"location": "message", "role": "system"}]
    request = chat(messages=[{"role": "system", "content": "Be brief."}, ASKED], cache_control_injection_points=points)
    client(litellm.acompletion, None, **request)
    client(litellm.acompletion, handled(there), **request)
    before, after = (seen.json["messages"] for seen in provider.requests)
    assert before[0] == after[0] and "cache_control" in str(after[0])
    assert LESSON in after[1]["content"][0]["text"] and after[1]["content"][1] == {"type": "text", "text": TASK}


def test_a_request_that_has_bullets_is_left_as_it_is(there: Place, client: Any, provider: FakeProvider) -> None:
    there.taught()
    with there.playbook() as playbook, playbook.task(TASK) as episode:
        client(litellm.acompletion, handled(there), **chat(messages=advised([ASKED], episode)))
    assert provider.requests[0].body.count(b"</playbook>") == 1


def test_a_call_that_waits_takes_them_by_hand(there: Place, provider: FakeProvider) -> None:
    lesson = there.taught()
    with there.playbook() as playbook, playbook.task(TASK) as episode:
        messages = advised([SYSTEM, ASKED], episode)
        answer = litellm.completion("openai/fake", messages=messages, api_base=provider.url, api_key="sk-local")
        episode.answer(answer.choices[0].message.content)
    assert there.episode(episode.context.receipt_id).trajectory.answer == f"{RIGHT} [{lesson}]"


def test_with_a_check_every_answer_is_reported(there: Place, client: Any, runner: asyncio.Runner) -> None:
    there.taught()
    handler = handled(there, check=lambda task, answer: answer.startswith(RIGHT), verifier="exact_match")
    found = given(client(litellm.acompletion, handler, **chat()))
    assert found is not None
    own = found.receipt_id
    wait_until(lambda: runner.run(asyncio.sleep(0.05)) or there.stored(there.domain, own), 30)  # logged afterwards
    assert there.episode(own).feedback.correct is True


@pytest.mark.parametrize("patience_s", [30, 0.0001])
def test_while_the_playbook_is_away_or_slow_requests_pass_as_they_came(
    there: Place, client: Any, provider: FakeProvider, caplog: pytest.LogCaptureFixture, patience_s: float
) -> None:
    where = {"url": "http://127.0.0.1:9"} if patience_s == 30 else there.options
    handler = PlaybookHandler(Playbook("a", attempts=1, **where), patience_s=patience_s)
    with caplog.at_level(logging.WARNING, "ace.integrations"):
        answer = client(litellm.acompletion, handler, **chat())
    assert (answer.choices[0].message.content, given(answer)) == (WRONG, None)
    assert provider.requests[0].json["messages"] == [SYSTEM, ASKED]
    assert [one.message for one in caplog.records if one.name == "ace.integrations"] == ["playbook_away"]


def test_the_proxy_finds_the_handler_by_its_name(there: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACE_SERVER_URL", there.options["url"])
    monkeypatch.setenv("ACE_SERVER_DOMAIN", there.domain)
    found = get_instance_fn("ace.integrations.litellm.handler", "/etc/litellm/config.yaml")
    assert isinstance(found, PlaybookHandler) and found.playbook.domain == there.domain
    del found.playbook
