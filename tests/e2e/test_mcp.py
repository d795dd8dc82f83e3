"""The playbook over the Model Context Protocol, by the library's own client: the same wherever it is asked, and no more
than the HTTP interface gives the same key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.e2e.servers import SHOWN_TO_ALL, Server, serving
from tests.e2e.talks import Talk, over_http, over_stdio

MINE, THEIRS = "customer-a", "customer-b"
RANKS = ["read", "write", "review", "admin"]
UNITS = "Convert pounds to kilograms before adding weights."
TASK = "How many kilograms do two pounds and one pound weigh together?"
TOOLS: dict[str, tuple[str, dict[str, Any], dict[str, bool]]] = {
    "get_context": ("read", {"task": TASK}, {"read_only": True}),
    "record_outcome": ("write", {"task": TASK, "answer": "1.36 kg"}, {}),
    "search_bullets": ("read", {"query": "weights"}, {"read_only": True}),
    "get_bullet": ("read", {"bullet_id": "{bullet}"}, {"read_only": True}),
    "add_insight": ("write", {"content": "Read the question twice."}, {"idempotent": False}),
    "list_reviews": ("review", {}, {"read_only": True}),
    "approve_review": ("review", {"review_id": "none"}, {}),
    "reject_review": ("review", {"review_id": "none", "reason": "r"}, {"destructive": True}),
}
HINTS = {"read_only": False, "destructive": False, "idempotent": True, "open_world": False}

pytestmark = pytest.mark.xdist_group("mcp")


class World:
    """A server of two processes with two tenants, a bullet each, and a key of every kind; a connection for each."""

    def __init__(self, server: Server, talks: ExitStack) -> None:
        self.server, self._talks = server, talks
        self.first = json.loads(server.ace("keys", "create", "--role", "admin", "--json"))["token"]
        time.sleep(0.6)  # until no process thinks any more that there are no keys
        self.keys = {role: self.key(role, MINE) for role in RANKS}
        self.keys |= {"all": self.first, "both": self.key("write", MINE, THEIRS), "revoked": self.key("read", MINE)}
        self.keys["unknown"] = self.keys["read"][:-4] + "aaaa"
        self.bullets = {domain: self.teach(domain) for domain in (MINE, THEIRS)}
        self.as_ = {name: talks.enter_context(self.talk(self.keys[name])) for name in (*RANKS, "all", "both")}

    def key(self, role: str, *domains: str) -> str:
        body = {"role": role, **({"domains": domains} if domains else {})}
        return str(self.server.post("/v1/keys", body, key=self.first).json()["token"])

    def talk(self, key: str | None, query: str = "", mode: str = "auto") -> AbstractContextManager[Talk]:
        return over_http(f"{self.server.url}/mcp{query}", key, mode=mode)

    def teach(self, domain: str) -> str:
        body = {"insights": [{"content": f"Check the units, {domain}."}]}
        answer = self.server.post(f"/v1/domains/{domain}/insights", body, key=self.keys["all"])
        return str(answer.json()["outcomes"][0]["bullet_id"])

    def arguments(self, tool: str) -> dict[str, Any]:
        given = TOOLS[tool][1]
        return {name: self.bullets[MINE] if value == "{bullet}" else value for name, value in given.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[World]:
    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_WRONG_KEY_RATE_LIMIT": "10000/minute", "ACE_DEDUPE": "cosine"}
    with serving(tmp_path_factory.mktemp("mcp"), "--workers", "2", **settings) as server, ExitStack() as talks:
        yield World(server, talks)


@pytest.fixture(scope="module", params=["stdio", "stdio to a server", "HTTP", "HTTP before 2026"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Talk]:
    """A connection that may decide, to an empty domain."""
    own = tmp_path_factory.mktemp("place")
    if request.param == "stdio":
        home = {"ACE_DATA_DIR": str(own / "data"), "ACE_MODELS_DIR": str(models_dir), "ACE_ENV": "shadow"}
        environment = {**os.environ, **home, **SHOWN_TO_ALL, "ACE_DEDUPE": "cosine"}
        with over_stdio("-d", "own", "--role", "review", environment=environment, log=own / "log") as talk:
            yield talk
        assert (own / "log").read_text().count("Traceback") == 0
        return
    world: World = request.getfixturevalue("world")
    domain = request.param.replace(" ", "-").lower()
    key = world.key("review", domain)
    if request.param == "stdio to a server":
        environment = {**os.environ, "ACE_API_KEY": key, "ACE_DATA_DIR": str(own)}
        words = ("-d", domain, "--role", "review", "--url", world.server.url)
        with over_stdio(*words, environment=environment, log=own / "log") as talk:
            yield talk
        return
    with world.talk(key, mode="legacy" if "before" in request.param else "auto") as talk:
        yield talk


def test_a_task_from_its_context_to_its_report(place: Talk) -> None:
    added = place.told("add_insight", content=UNITS, section="formula")
    assert added["outcome"] == "added" and not added["reasons"]
    answer = place.ask("get_context", task=TASK, k=1)
    context = answer.data
    assert ([one["content"] for one in context["bullets"]], context["held_out"]) == ([UNITS], False)
    assert answer.text == f"{context['text']}\n\nreceipt: {context['receipt']}" and UNITS in context["text"]
    said = {"receipt": context["receipt"], "task": TASK, "answer": "1.36 kg", "correct": True, "verifier": "test",
            "cited": [added["bullet_id"]], "trace": [{"tool": "calculator", "arguments": "3 * 0.4536"}]}  # fmt: skip
    first, again = place.told("record_outcome", **said), place.told("record_outcome", **said)
    assert (first["episode_id"], first["new"], again["new"]) == (context["receipt_id"], True, False)
    assert "another" in place.refusal("record_outcome", **{**said, "answer": "2 kg"})


def test_a_report_without_a_receipt_is_one_by_its_words(place: Talk) -> None:
    first, again, other = (place.told("record_outcome", task=TASK, answer=one)["new"] for one in ("3", "3", "4"))
    assert (first, again, other) == (True, False, True)


def test_a_bullet_is_found_and_told_of(place: Talk) -> None:
    own = place.told("add_insight", content="Write dates as year, month, day.", episode_id="e-1")["bullet_id"]
    assert place.told("add_insight", content="Write dates as year, month, day.", episode_id="e-1") == {
        "outcome": "repeated", "bullet_id": own, "similarity": 1.0, "contradicts": [], "reasons": []}  # fmt: skip
    found = place.ask("search_bullets", query="which format has a date", limit=1)
    assert [one["bullet"]["id"] for one in found.data["bullets"]] == [own]
    assert found.text.startswith(f"[{own}] Write dates as year, month, day. (shadow, +0 -0, cosine 0.")
    told = place.told("get_bullet", bullet_id=own)
    assert (told["bullet"]["content"], told["evidence"]["verdict"]) == ("Write dates as year, month, day.", "stay")
    assert [entry["kind"] for entry in told["history"]] == ["add"] and told["entries"] == 1


def test_what_waits_is_listed_and_decided(place: Talk) -> None:
    for content in ("Perhaps round down.", "Ask for the invoice.", "Never trust a cached price list."):
        assert place.told("add_insight", content=content, confidence=0.2)["outcome"] == "held"
    page = place.told("list_reviews", limit=2)
    rest = place.told("list_reviews", limit=2, cursor=page["next"], domain=None)
    first, second, third = (one["id"] for one in [*page["reviews"], *rest["reviews"]])
    assert rest["next"] is None and page["reviews"][0]["reasons"] == ["confidence: 0.20 is below 0.60"]
    approved = place.told("approve_review", review_id=first)["review"]
    edited = place.told("approve_review", review_id=second, content="Round half up, always.")["review"]
    rejected = place.told("reject_review", review_id=third, reason="wrong for taxes")["review"]
    assert (approved["state"], approved["bullet_id"], edited["decision"]) == ("approved", first, "edited")
    assert (rejected["state"], rejected["decision"]) == ("rejected", "wrong for taxes")
    assert "not waiting" in place.refusal("approve_review", review_id=first)
    assert place.told("list_reviews")["reviews"] == []


def test_a_playbook_and_a_bullet_can_be_read_and_a_task_begun(place: Talk) -> None:
    context = place.told("get_context", task="Add the weights of the parcels.", k=1)
    (shown,) = context["bullets"]
    domain = context["domain"]
    playbook = place.read(f"ace://{domain}/playbook")
    assert playbook.startswith(f"# Playbook of {domain}\n\n## ") and f"[{shown['id']}] helpful=" in playbook
    assert json.loads(place.read(f"ace://{domain}/bullets/{shown['id']}"))["bullet"]["id"] == shown["id"]
    prompt = place.prompt("begin_task", task="Add the weights of the parcels.")
    assert prompt.startswith("Add the weights of the parcels.\n\n") and shown["content"] in prompt


def test_every_tool_says_what_it_takes_gives_and_does(place: Talk) -> None:
    tools = {one.name: one for one in place.wait(place.client.list_tools).tools}
    assert tools.keys() == TOOLS.keys()
    for name, (role, _, hints) in TOOLS.items():
        tool, wanted = tools[name], {**HINTS, **hints}
        assert f"Needs the role `{role}`." in str(tool.description) and len(str(tool.description)) > 100
        assert {hint: getattr(tool.annotations, f"{hint}_hint") for hint in wanted} == wanted
        assert tool.input_schema["additionalProperties"] is False
        assert all(one.get("description") for one in tool.input_schema["properties"].values())
        assert tool.output_schema is not None and tool.output_schema["description"]


@pytest.mark.parametrize("role", RANKS)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_role_may_do_what_it_includes_and_is_told_which_it_needs(world: World, tool: str, role: str) -> None:
    needed = TOOLS[tool][0]
    answer = world.as_[role].ask(tool, **world.arguments(tool))
    forbidden = f"This key's role is '{role}', the operation needs '{needed}'. Ask an admin for a key."
    assert (answer.text == forbidden) == (RANKS.index(role) < RANKS.index(needed))


@pytest.mark.parametrize("tool", TOOLS)
def test_another_tenants_domain_is_answered_like_one_that_does_not_exist(world: World, tool: str) -> None:
    given = {**world.arguments(tool), **({"bullet_id": world.bullets[THEIRS]} if tool == "get_bullet" else {})}
    for key in ("admin", "read"):
        texts = [world.as_[key].refusal(tool, **given, domain=domain) for domain in (THEIRS, "nobody")]
        assert texts == [f"There is no domain {THEIRS}.", "There is no domain nobody."]


def test_another_tenants_bullet_is_answered_like_one_that_does_not_exist(world: World) -> None:
    theirs, nobodys = world.bullets[THEIRS], "strategy-aaaaaaaaaa"
    talk = world.as_["admin"]
    texts = [talk.refusal("get_bullet", bullet_id=own).replace(own, "ID") for own in (theirs, nobodys)]
    assert texts == ["There is no bullet ID in this domain."] * 2
    for uri in (f"ace://{MINE}/bullets/{theirs}", f"ace://{THEIRS}/bullets/{theirs}", f"ace://{THEIRS}/playbook"):
        with pytest.raises(MCPError, match=r"There is no (bullet|domain)"):
            talk.read(uri)
    with pytest.raises(MCPError, match=f"There is no domain {THEIRS}"):
        talk.prompt("begin_task", task=TASK, domain=THEIRS)


def test_a_receipt_is_good_in_its_own_domain_alone(world: World) -> None:
    both = world.as_["both"]
    receipt = both.told("get_context", task=TASK, domain=THEIRS)["receipt"]
    said = {"task": TASK, "answer": "a", "receipt": receipt}
    assert both.refusal("record_outcome", **said, domain=MINE).startswith("receipt: ")
    assert both.refusal("record_outcome", **{**said, "receipt": receipt[:-3] + "abc"}, domain=THEIRS).startswith(
        "receipt: was not given out by this server."
    )
    assert both.told("record_outcome", **said, domain=THEIRS)["new"]


def test_the_domain_is_named_unless_there_is_only_one(world: World) -> None:
    assert world.as_["read"].told("get_context", task=TASK)["domain"] == MINE
    assert world.as_["both"].refusal("get_context", task=TASK) == f"domain: is missing. Name one of {MINE}, {THEIRS}."
    assert world.as_["all"].refusal("get_context", task=TASK).startswith("domain: is missing. Name the domain")
    assert world.as_["both"].told("get_context", task=TASK, domain=THEIRS)["domain"] == THEIRS
    with world.talk(world.keys["both"], f"?domain={THEIRS}") as talk:
        assert talk.told("get_context", task=TASK)["domain"] == THEIRS
        assert talk.refusal("get_context", task=TASK, domain=MINE) == f"There is no domain {MINE}."


@pytest.mark.parametrize(
    ("key", "query", "status", "told"),
    [
        pytest.param(None, "", 401, "No API key was given", id="no key"),
        pytest.param("unknown", "", 401, "The API key is not valid", id="unknown key"),
        pytest.param("read", f"?domain={THEIRS}", 404, f"There is no domain {THEIRS}.", id="another's domain"),
        pytest.param("read", "?domain=nobody", 404, "There is no domain nobody.", id="no such domain"),
        pytest.param("read", "?domain=../b", 422, "is not a domain id", id="no domain id"),
        pytest.param("read", "?domain=a&domain=b", 422, "domain: is given twice", id="two domains"),
        pytest.param("read", "?key=x", 422, "key: is not a parameter", id="unknown parameter"),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_who_is_not_let_in_is_told_why(
    world: World, key: str | None, query: str, status: int, told: str, mode: str
) -> None:
    token = world.keys[key] if key else None
    with pytest.raises((MCPError, BaseExceptionGroup)) as refused, world.talk(token, query, mode):
        pass
    assert told in _words(refused.value)
    sent = world.server.post(f"/mcp{query}", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, key=token)
    assert sent.status_code == status and ("www-authenticate" in sent.headers) == (status == 401)


def _words(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return " ".join(_words(one) for one in error.exceptions)
    return str(error)


def test_a_revoked_key_is_refused_by_every_process_within_a_second(world: World) -> None:
    with world.talk(world.keys["revoked"]) as talk:
        assert [talk.ask("get_context", task=TASK).refused for _ in range(6)] == [False] * 6
        world.server.ask("DELETE", f"/v1/keys/{world.keys['revoked'].split('_')[1]}", key=world.first)
        time.sleep(1.0)
        for _ in range(6):
            with pytest.raises(MCPError, match="The API key is not valid"):
                talk.ask("get_context", task=TASK)


def test_figures_know_the_door_and_what_was_called_behind_it(world: World) -> None:
    counted = world.server.ask("GET", "/metrics").text
    for route in ("/mcp", "/v1/domains/{domain}/context"):
        assert f'http_requests_total{{method="POST",route="{route}",status="200"}}' in counted


def test_tenants_at_once_see_each_their_own(world: World) -> None:
    theirs = world.key("read", THEIRS)
    with world.talk(theirs) as talk, ThreadPoolExecutor(8) as threads:
        asked = [(one, domain) for _ in range(8) for one, domain in ((world.as_["read"], MINE), (talk, THEIRS))]
        told = list(threads.map(lambda one: one[0].told("get_context", task="units", k=100), asked))
    for answer, (_, domain) in zip(told, asked, strict=True):
        contents = " ".join(one["content"] for one in answer["bullets"])
        assert answer["domain"] == domain and {MINE: THEIRS, THEIRS: MINE}[domain] not in contents


HOSTILE: list[Any] = [
    pytest.param("get_context", {"task": ""}, "task: ", id="nothing"),
    pytest.param("get_context", {"task": " \n"}, "task: is empty", id="blank"),
    pytest.param("get_context", {"task": "x" * 100_001}, "task: ", id="too-long"),
    pytest.param("get_context", {"task": 5}, "task: ", id="a-number"),
    pytest.param("get_context", {}, "task: ", id="left-out"),
    pytest.param("get_context", {"task": "t", "k": "3"}, "k: ", id="a-number-as-text"),
    pytest.param("get_context", {"task": "t", "k": True}, "k: ", id="a-truth-as-number"),
    pytest.param("get_context", {"task": "t", "k": 101}, "k: ", id="too-many"),
    pytest.param("get_context", {"task": "t", "principal": "me"}, "principal: is not known", id="unknown-argument"),
    pytest.param("get_context", {"task": "t", "domain": "../customer-b"}, "domain: ", id="a-path"),
    pytest.param("get_context", {"task": "t", "domain": "Customer-A"}, "domain: ", id="no-domain-id"),
    pytest.param("record_outcome", {"task": "t", "answer": "a", "correct": "yes"}, "correct: ", id="truth-as-text"),
    pytest.param("record_outcome", {"task": "t", "answer": "a", "correct": True}, "verifier: is", id="who-says"),
    pytest.param("record_outcome", {"task": "t", "answer": "a", "receipt": "x.y"}, "receipt: ", id="no-receipt"),
    pytest.param("record_outcome", {"task": "t", "answer": "a", "trace": [{"tool": 1}]}, "trace[0].tool: ", id="deep"),
    pytest.param("record_outcome", {"task": "t", "answer": "a", "trace": [{"x": ""}]}, "trace[0].x: is", id="extra"),
    pytest.param("search_bullets", {"query": "q", "limit": 0}, "limit: ", id="none"),
    pytest.param("search_bullets", {"query": "q", "stage": "gold"}, "stage: ", id="no-stage"),
    pytest.param("get_bullet", {"bullet_id": ".."}, "bullet_id: ", id="up"),
    pytest.param("get_bullet", {"bullet_id": "../../customer-b/bullets/x"}, "bullet_id: ", id="up-and-down"),
    pytest.param("get_bullet", {"bullet_id": "%2e%2e"}, "There is no bullet", id="up-encoded"),
    pytest.param("get_bullet", {"bullet_id": "x?domain=customer-b#"}, "There is no bullet", id="a-query"),
    pytest.param("get_bullet", {"bullet_id": "x\r\nX-Y: z"}, "There is no bullet", id="a-header"),
    pytest.param("add_insight", {"content": "x", "confidence": 2}, "confidence: ", id="too-sure"),
    pytest.param("add_insight", {"content": "x", "section": "rules"}, "section: ", id="no-section"),
    pytest.param("approve_review", {"review_id": "..", "content": "x"}, "review_id: ", id="up-to-approve"),
    pytest.param("reject_review", {"review_id": "none", "reason": ""}, "reason: ", id="no-reason"),
    pytest.param("drop_tables", {}, "Unknown tool", id="no-tool"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments", "told"), HOSTILE)
def test_what_cannot_be_used_is_refused_by_name(world: World, tool: str, arguments: dict[str, Any], told: str) -> None:
    text = world.as_["admin"].refusal(tool, **arguments)
    assert text.startswith(told) and "Traceback" not in text and "pydantic" not in text


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        pytest.param('{"task": "a\\u0000b"}', 400, "task: holds a NUL", id="nul"),
        pytest.param('{"task": "\\ud800"}', 400, "task: holds a NUL or half a character", id="lone-surrogate"),
        pytest.param('{"task": "t", "task": "u"}', 400, "task: is given twice", id="twice"),
        pytest.param('{"task": "t", "k": NaN}', 400, "NaN", id="nan"),
        pytest.param('{"task": "t", "k": 1e999}', 400, "too large", id="infinite"),
        pytest.param('{"task": ' + "[" * 2000 + "]" * 2000 + "}", 400, "nested too deeply", id="deep"),
        pytest.param('{"task": "' + "x" * 1_000_001 + '"}', 413, "larger than 1,000,000 bytes", id="huge"),
    ],
)
def test_the_border_is_that_of_the_interface(world: World, body: str, status: int, told: str) -> None:
    message = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {{"name": "get_context", "arguments": {body}}}}}'  # noqa: E501
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    sent = world.server.ask("POST", "/mcp", key=world.keys["read"], content=message, headers=headers)
    assert (sent.status_code, sent.json()["error"]["data"]["status"]) == (status, status)
    assert told in sent.json()["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_nothing_is_kept_to_listen_to_or_to_end(world: World, method: str) -> None:
    sent = world.server.ask(method, "/mcp", key=world.keys["read"])
    assert (sent.status_code, sent.headers["allow"]) == (405, "POST")
    assert "mcp-session-id" not in sent.headers


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """The environment of an installation without the extra: every library is there but this one."""
    view = tmp_path / "site"
    view.mkdir()
    for found in (Path(one) for place in sys.path if place.endswith("site-packages") for one in Path(place).iterdir()):
        if not found.name.startswith(("mcp", "__editable__", "_editable")) and found.suffix != ".pth":
            (view / found.name).symlink_to(found)
    root = str(Path(__file__).parents[2])
    return {"PYTHONPATH": os.pathsep.join([root, str(view)])}


def test_without_the_library_a_server_serves_all_the_rest(
    tmp_path: Path, without: dict[str, str], models_dir: Path
) -> None:
    remedy = "mcp is not installed. Run: pip install 'ace-playbook-server[mcp]'."
    command = [sys.executable, "-S", "-m", "ace", "mcp"]
    done = subprocess.run(command, env={**os.environ, **without}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"ace: {remedy}\n")
    with serving(tmp_path, python="-S", ACE_MODELS_DIR=str(models_dir), **without) as server:
        assert "no /mcp: pip install 'ace-playbook-server[mcp]'" in server.log.read_text()
        assert server.ask("GET", "/v1/domains").status_code == 200
        for _ in range(2):
            sent = server.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
            assert (sent.status_code, sent.json()["error"]["message"]) == (503, remedy)
