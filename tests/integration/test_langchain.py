"""LangChain agents and LangGraph graphs with a playbook: real ones, a real playbook, a model over HTTP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolErrorMiddleware
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from ace import Playbook
from ace.bootstrap import App
from ace.errors import InvalidInput
from ace.integrations.langchain import PlaybookMiddleware, PlaybookNodes, PlaybookState
from ace.repositories.database import rest
from ace.sdk.learner import Learner
from ace.testing.llm import ScriptedLLM
from ace.utils.faiss_index import get_faiss_manager
from tests.shelves import SHELVES, UNKNOWN, clerk, rule


@pytest.fixture(scope="module")
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM(clerk) as server:
        yield server


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def model(llm: ScriptedLLM, runner: asyncio.Runner) -> Iterator[ChatOpenAI]:
    with httpx.Client() as waits:
        goes_on = httpx.AsyncClient()
        yield ChatOpenAI(model="clerk", base_url=llm.url, api_key="x", http_client=waits, http_async_client=goes_on)
        runner.run(goes_on.aclose())


@pytest.fixture(params=["waits", "goes on"])
def ask(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Callable[[Any, str], Any]:
    """Ask an agent or a graph, in each of its colours."""
    if request.param == "waits":
        return lambda agent, question: agent.invoke(asked(question))
    return lambda agent, question: runner.run(agent.ainvoke(asked(question)))


@pytest.fixture
def playbook(models_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, llm: ScriptedLLM) -> Iterator[Playbook]:
    settings = {"MODELS_DIR": str(models_dir), "ENV": "shadow", "DEDUPE": "cosine", "MODEL": "openai/clerk",
                "MODEL_BASE_URL": llm.url}  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"ACE_{name}", value)
    get_faiss_manager.cache_clear()
    llm.requests.clear()
    yield Playbook("shelves", app=App())
    get_faiss_manager.cache_clear()
    rest()


@tool
def look_at(shelf: str) -> str:
    """Says what is on a shelf."""
    if shelf not in SHELVES.values():
        raise LookupError(f"there is no shelf {shelf}")
    return "it is here"


def judge(state: Any) -> dict[str, Any]:
    """Knows where things are."""
    kind = state["playbook"]["task"].split()[2]
    return {"correct": state["messages"][-1].text == SHELVES[kind], "expected": SHELVES[kind],
            "verifier": "exact_match"}  # fmt: skip


def asked(question: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(question)]}


def learned(playbook: Playbook) -> int:
    """Have everything that was reported learned from; how much it was."""
    assert playbook.app is not None
    with playbook.app.reflecting(lambda _: None) as reflection:
        claims = iter(lambda: reflection.claim("test", playbook.domain), None)
        return len([reflection.reflect(claim) for claim in claims])


def test_a_stock_agent_that_knows_nothing_is_right_once_it_was_told_what_came_of_it(
    ask: Any, model: ChatOpenAI, playbook: Playbook
) -> None:
    agent = create_agent(model, middleware=[PlaybookMiddleware(playbook, judge=judge)])
    first = ask(agent, "Where is lamp 1?")
    assert first["messages"][-1].text == UNKNOWN
    learned(playbook)
    second = ask(agent, "Where is lamp 2?")
    assert second["messages"][-1].text == "L4"
    (bullet,) = playbook.bullets()
    assert bullet.content == rule("lamp") and second["playbook"]["shown"] == [bullet.id]
    learned(playbook)
    assert [one.helpful_count for one in playbook.bullets()] == [1]


def test_the_bullets_stand_at_the_end_of_the_system_prompt_the_same_in_every_turn(
    model: ChatOpenAI, playbook: Playbook, llm: ScriptedLLM
) -> None:
    playbook.learn([rule("lamp"), rule("rope")])
    agent = create_agent(model, [look_at], system_prompt="You are a clerk.", middleware=[PlaybookMiddleware(playbook)])
    final = agent.invoke(asked("Where is lamp 3?"))
    first, second = (request.messages[0] for request in llm.requests)
    assert first == second and first["role"] == "system"
    assert str(first["content"]).startswith("You are a clerk.\n\n<playbook>")
    assert final["messages"][-1].text == "L4"
    assert final["messages"][-1].response_metadata["playbook_cited"] == [
        one.id for one in playbook.bullets(contains="lamp")
    ]


def test_the_turns_are_reported_with_the_errors_of_tools(
    model: ChatOpenAI, playbook: Playbook, llm: ScriptedLLM
) -> None:
    tell = ToolErrorMiddleware(lambda error, request: str(error))
    agent = create_agent(model, [look_at], middleware=[tell, PlaybookMiddleware(playbook, judge=judge)])
    agent.invoke(asked("Where is soap 4?"))
    learned(playbook)
    reflection = llm.requests[-1].prompt
    assert 'look_at({"shelf": "unknown"}) -> error: there is no shelf unknown' in reflection
    assert "The right answer is: S2" in reflection


def test_the_outcome_may_be_recorded_later_from_what_a_checkpointer_kept(model: ChatOpenAI, playbook: Playbook) -> None:
    playbook.learn([rule("lamp")])
    middleware = PlaybookMiddleware(playbook)
    agent = create_agent(model, middleware=[middleware], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for number in (5, 6):
        agent.invoke(asked(f"Where is lamp {number}?"), config)
    kept = agent.get_state(config).values
    reported = middleware.record(kept, correct=True, verifier="human")
    assert reported and reported.new and kept["playbook"]["task"] == "Where is lamp 6?"
    with Learner(playbook) as learner:
        assert learner.learn(reported.episode_id).result["votes"] == 1


def test_a_graph_of_ones_own_has_the_same_as_nodes(ask: Any, model: ChatOpenAI, playbook: Playbook) -> None:
    nodes = PlaybookNodes(playbook, judge=judge)

    def answer(state: PlaybookState) -> dict[str, Any]:
        return {"messages": [nodes.heard(state, model.invoke(nodes.messages(state)))]}

    building = StateGraph(PlaybookState)
    for name, node in (("ask", nodes.ask), ("answer", answer), ("tell", nodes.tell)):
        building.add_node(name, node)
    for start, end in ((START, "ask"), ("ask", "answer"), ("answer", "tell"), ("tell", END)):
        building.add_edge(start, end)
    graph = building.compile()
    answers = []
    for number in range(2):
        answers.append(ask(graph, f"Where is rope {number}?")["messages"][-1].text)
        learned(playbook)
    assert answers == [UNKNOWN, "R9"] and [one.helpful_count for one in playbook.bullets()] == [1]


SYSTEMS: dict[str, tuple[list[Any], str]] = {
    "none": ([], "<playbook>"),
    "a text": ([SystemMessage("Be brief.")], "Be brief.\n\n<playbook>"),
    "blocks": ([SystemMessage([{"type": "text", "text": "Be brief."}])], "Be brief.<playbook>"),
}


@pytest.mark.parametrize("case", SYSTEMS)
def test_whatever_the_system_prompt_the_bullets_come_last(case: str, playbook: Playbook) -> None:
    playbook.learn([rule("lamp")])
    given, begins = SYSTEMS[case]
    nodes = PlaybookNodes(playbook, cite=False)
    state = {"messages": [*given, HumanMessage("Where is lamp 3?")]}
    told, human = nodes.messages({**state, **nodes.ask(state)})
    assert told.text.startswith(begins) and told.text.endswith(f"{rule('lamp')}\n</playbook>")
    assert human.text == "Where is lamp 3?"
    assert nodes.messages(state) == state["messages"]


SAID: dict[str, tuple[Any, Any, list[str] | None]] = {
    "a line of citations": ("L4\n\nUsed: [ID], [strategy-aaaaaaaaaa]", "L4", ["ID"]),
    "in a block": ([{"type": "text", "text": "L4\nUsed: ID."}], [{"type": "text", "text": "L4"}], ["ID"]),
    "none used": ("L4\nUsed:", "L4", []),
    "no such line": ("Used: lamps are on L4", "Used: lamps are on L4", None),
}


@pytest.mark.parametrize("case", SAID)
def test_the_line_of_citations_is_taken_out_of_the_answer(case: str) -> None:
    said, left, cited = SAID[case]
    own = "strategy-k3j5x7q2ab"
    content = (
        [{**said[0], "text": said[0]["text"].replace("ID", own)}] if isinstance(said, list) else said.replace("ID", own)
    )
    with Playbook("shelves", url="http://127.0.0.1:9") as playbook:
        heard = PlaybookNodes(playbook).heard({"playbook": {"shown": [own]}}, AIMessage(content))
    assert heard.content == left
    assert heard.response_metadata.get("playbook_cited") == (None if cited is None else [own] * len(cited))


def test_while_the_playbook_is_away_the_agent_works_without(
    ask: Any, model: ChatOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    with Playbook("shelves", url="http://127.0.0.1:9", attempts=1) as away:
        middleware = PlaybookMiddleware(away, judge=judge)
        final = ask(create_agent(model, middleware=[middleware]), "Where is lamp 1?")
        assert (
            final["messages"][-1].text == UNKNOWN and middleware.record(final, correct=False, verifier="test") is None
        )
    assert [record.message for record in caplog.records].count("playbook_away") == 3


def test_a_state_that_no_playbook_was_asked_for_is_named(playbook: Playbook) -> None:
    with pytest.raises(InvalidInput, match="state"):
        PlaybookMiddleware(playbook).record(asked("Where is lamp 1?"), correct=True, verifier="test")


def test_words_that_cannot_be_stored_do_not_stop_an_agent(playbook: Playbook) -> None:
    nodes = PlaybookNodes(playbook, judge=lambda state: None)
    for words in ("\0 Where?", "", "Where? " * 9000):
        state = asked(words)
        state |= nodes.ask(state)
        assert state["playbook"]["receipt"]
        nodes.tell(state)
    assert learned(playbook) == 3


def test_without_langchain_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ace.integrations.langchain")
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware.types", None)
    with pytest.raises(ImportError, match=r"ace-playbook-server\[langchain\]"):
        import ace.integrations.langchain  # noqa: F401
