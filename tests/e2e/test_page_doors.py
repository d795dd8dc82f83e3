"""The pages without a browser: who is let in, what a form must carry, what is sent along, how large a page is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ace.models.plan import Add, Increment, Quarantine, Relate
from ace.models.playbook import Bullet, Link, Section, bullet_id
from ace.models.task import Step
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.repositories.playbook_repository import PlaybookRepository
from tests.e2e.page_world import ATTACKS, DESK, FOE, World, peopled
from tests.e2e.servers import Server, serving
from tests.episodes import episode
from tests.playbooks import NOW

ROLES = ("read", "write", "review", "admin")
HTML = {"Accept": "text/html"}
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
VIEWS = ("/domains/{d}", "/domains/{d}?means=charge", "/domains/{d}/bullets/{b}", "/domains/{d}/bullets/{b}/similar",
         "/domains/{d}/bullets/{b}/standing", "/domains/{d}/worth",
         "/domains/{d}/episodes", "/domains/{d}/history", "/domains/{d}/history?at=3&beside=1", "/domains/{d}/map",
         "/domains/{d}/map.json", "/domains/{d}/figures")  # fmt: skip
REVIEWING = ("/domains/{d}/review", "/domains/{d}/rollback?to=2")
MAX_PAGE = 100_000


class Browser:
    """A browser that sends what browsers send, and keeps its cookies."""

    def __init__(self, world: World, key: str | None = None) -> None:
        self.world = world
        self.client = httpx.Client(base_url=world.url, headers=HTML, timeout=30)
        if key:
            answer = self.send("/sign-in", {"key": key}, token=False)
            assert answer.status_code == 303, answer.text

    def open(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def send(self, path: str, form: dict[str, str], *, token: bool = True, **headers: str) -> httpx.Response:
        carried = {"form_token": self.token()} if token else {}
        return self.client.post(path, data=carried | form, headers={"Origin": self.world.url, **headers})

    def token(self) -> str:
        page = self.open(f"/domains/{DESK}/bullets/{self.world.bullet('Look for')}").text
        found = FORM_TOKEN.search(page)
        return found[1] if found else "0" * 64


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[World]:
    home = tmp_path_factory.mktemp("doors")
    with serving(home, ACE_MODELS_DIR=str(models_dir), ACE_WRONG_KEY_RATE_LIMIT="10000/minute") as server:
        yield peopled(server, roles=ROLES)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[World]:
    """A server without keys, for this machine."""
    with serving(tmp_path_factory.mktemp("alone"), ACE_MODELS_DIR=str(models_dir)) as server:
        yield World(server)


def at(view: str, world: World, domain: str = DESK) -> str:
    own = world.bullet("Look for") if domain == DESK else next(iter(world.foes.values()))
    return view.format(d=domain, b=own)


@pytest.mark.parametrize("view", ["/", *VIEWS, *REVIEWING, "/runs"])
def test_who_is_not_signed_in_is_sent_to_do_so(world: World, view: str) -> None:
    answer = Browser(world).open(at(view, world))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=/")


@pytest.mark.parametrize("view", [*VIEWS, *REVIEWING])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_what_it_may(world: World, view: str, role: str) -> None:
    needs_review = view in REVIEWING
    status = Browser(world, world.keys[role]).open(at(view, world)).status_code
    assert status == (403 if needs_review and role in ("read", "write") else 200)


@pytest.mark.parametrize("view", [*VIEWS, *REVIEWING])
def test_another_tenants_domain_is_answered_like_none(world: World, view: str) -> None:
    browser = Browser(world, world.keys["review"])
    texts = [browser.open(at(view, world, FOE).replace(FOE, name)) for name in (FOE, "nobody")]
    assert [one.status_code for one in texts] == [404, 404]
    assert texts[0].text.replace(FOE, "nobody") == texts[1].text


def test_the_overview_tells_only_of_ones_own_domains(world: World) -> None:
    assert FOE not in Browser(world, world.keys["review"]).open("/").text
    assert FOE in Browser(world, world.keys["admin"]).open("/").text


def test_a_reader_is_shown_no_buttons_and_no_traces(world: World) -> None:
    browser = Browser(world, world.keys["read"])
    assert "Quarantine</button>" not in browser.open(at("/domains/{d}/bullets/{b}", world)).text
    episode = browser.open(f"/domains/{DESK}/episode?id=ticket-4711").text
    assert "Charged twice for order" not in episode
    assert "role review" in episode


def test_the_cookie_is_for_this_site_and_no_script(world: World) -> None:
    answer = Browser(world).send("/sign-in", {"key": world.keys["read"], "next": "/runs"}, token=False)
    told = answer.headers["set-cookie"].lower()
    assert all(word in told for word in ("httponly", "samesite=strict", "path=/", "max-age=43200"))
    assert "secure" not in told, "the server is spoken to in the clear"
    assert answer.headers["location"] == "/runs"
    behind = Browser(world).send("/sign-in", {"key": world.keys["read"]}, token=False, **{"X-Forwarded-Proto": "https"})
    assert "secure" in behind.headers["set-cookie"].lower()


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"])
def test_signing_in_leads_to_no_other_site(world: World, after: str) -> None:
    answer = Browser(world).send("/sign-in", {"key": world.keys["read"], "next": after}, token=False)
    assert answer.headers["location"] == "/"


def test_a_wrong_key_is_told_in_the_page(world: World) -> None:
    answer = Browser(world).send("/sign-in", {"key": "ace_wrong"}, token=False)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert "not valid" in answer.text


def test_a_session_is_no_key_for_the_interface(world: World) -> None:
    assert Browser(world, world.keys["admin"]).open("/v1/domains").status_code == 401


def test_signing_out_ends_it(world: World) -> None:
    browser = Browser(world, world.keys["review"])
    assert browser.send("/sign-out", {}).status_code == 303
    assert browser.open("/").status_code == 303


def test_without_keys_nobody_signs_in(alone: World) -> None:
    assert Browser(alone).open("/").status_code == 200
    assert Browser(alone).open("/sign-in").headers["location"] == "/"
    assert Browser(alone).open("/", Host="evil.example").status_code == 403


FORGED: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("another site", {}, {"Origin": "https://evil.example"}),
    ("no origin", {}, {"Origin": ""}),
    ("an origin that hides", {}, {"Origin": "null"}),
    ("no token", {"form_token": ""}, {}),
    ("another token", {"form_token": "0" * 64}, {}),
]


@pytest.mark.parametrize(("form", "headers"), [pytest.param(*one[1:], id=one[0]) for one in FORGED])
def test_a_forged_form_does_nothing(world: World, form: dict[str, str], headers: dict[str, str]) -> None:
    browser = Browser(world, world.keys["admin"])
    path = f"/domains/{DESK}/bullets/{world.bullet('Weekend')}"
    answer = browser.send(f"{path}/move", {"move": "quarantine", "reason": "forged"} | form, **headers)
    assert answer.status_code == 403
    assert "forged" not in browser.open(path).text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        pytest.param("/domains/support/bullets/{b}/move", {"move": "promote", "reason": "r"}, id="move"),
        pytest.param("/domains/support/review/none/approve", {}, id="approve"),
        pytest.param("/domains/support/review/none/reject", {"reason": "r"}, id="reject"),
        pytest.param("/domains/support/review/none/reopen", {"reason": "r"}, id="reopen"),
        pytest.param("/domains/support/episode/requeue", {"episode": "ticket-4713"}, id="requeue"),
        pytest.param("/domains/support/releases", {"release": "r"}, id="release"),
        pytest.param("/domains/support/rollback", {"to": "1", "seen": "1", "reason": "r"}, id="rollback"),
    ],
)
def test_a_reader_changes_nothing(world: World, path: str, form: dict[str, str]) -> None:
    answer = Browser(world, world.keys["write"]).send(path.format(b=world.bullet("Look for")), form)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("form", "status"),
    [
        pytest.param({"move": "promote", "reason": ""}, 422, id="no reason"),
        pytest.param({"move": "erase", "reason": "r"}, 422, id="no such move"),
        pytest.param({"move": "restore", "reason": "r"}, 422, id="not in quarantine"),
        pytest.param({"move": "promote", "reason": "r" * 1001}, 422, id="long reason"),
        pytest.param({"move": "promote", "reason": "a\0b"}, 422, id="a NUL"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_page(world: World, form: dict[str, str], status: int) -> None:
    browser = Browser(world, world.keys["review"])
    answer = browser.send(f"/domains/{DESK}/bullets/{world.bullet('Weekend')}/move", form)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (status, "text/html")
    assert "<h1>Invalid input</h1>" in answer.text


def test_errors_are_pages_for_browsers_and_problems_for_programs(alone: World) -> None:
    browser = Browser(alone)
    assert "<h1>Not found</h1>" in browser.open("/nowhere").text
    assert "<h1>Not found</h1>" in browser.open("/domains/nobody").text
    assert "<h1>Invalid input</h1>" in browser.open("/?colour=red").text
    assert browser.open("/nowhere", Accept="*/*").headers["content-type"] == "application/problem+json"
    assert browser.open("/v1/nowhere").headers["content-type"] == "application/problem+json"
    part = browser.open("/domains/nobody", **{"HX-Request": "true"})
    assert (part.status_code, "<html" in part.text) == (404, False)


def test_a_part_asked_for_by_nobody_leads_the_page_to_signing_in(world: World) -> None:
    answer = Browser(world).open("/live", **{"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


def test_the_interface_takes_no_forms(world: World) -> None:
    answer = Browser(world, world.keys["admin"]).send("/v1/domains/support/insights", {"insights": "[]"})
    assert answer.status_code == 415


def test_a_form_larger_than_any_body_is_refused_unread(alone: World) -> None:
    answer = Browser(alone).send("/sign-in", {"key": "k" * 1_100_000}, token=False)
    assert (answer.status_code, "<h1>Body too large</h1>" in answer.text) == (413, True)


@pytest.mark.parametrize("path", ["/", f"/domains/{DESK}", "/sign-in", "/nowhere"])
def test_a_page_may_load_and_run_only_what_is_ours(world: World, path: str) -> None:
    answer = Browser(world, world.keys["admin"]).open(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    assert not re.search(r"<style|<[^>]*\s(?:style|on\w+)=|<script(?![^>]*\ssrc=\"/static/)", answer.text)
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", answer.text)


def test_files_are_kept_for_ever_under_an_address_of_their_content(world: World) -> None:
    page = Browser(world).open("/sign-in").text
    files = re.findall(r'"(/static/[^"]+)"', page)
    assert len(files) >= 4
    for file in files:
        answer = Browser(world).open(unescape(file))
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
    for wrong in ("/static/none.js", "/static/..%2Fapp.py", "/static/README.md"):
        assert Browser(world).open(wrong).status_code == 404


HOSTILE = (*VIEWS, *REVIEWING, "/domains/{d}/episode?id=" + "%22%3E%3Csvg%20onload", "/")


def raw_of(name: str) -> str:
    """What would be seen in a page's source if nothing had been escaped."""
    return ATTACKS[name][:40]


@pytest.mark.parametrize("view", HOSTILE)
@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_text_is_escaped_in_every_view(world: World, view: str, name: str) -> None:
    browser = Browser(world, world.keys["admin"])
    answer = browser.open(view.format(d=FOE, b=world.foes[name]))
    page = answer.text
    assert answer.status_code in (200, 404), page
    assert len(answer.content) < MAX_PAGE or view.endswith("json")
    assert not re.search(r"<script>|<img |<svg onload|</bdi></p></main><h1>|onmouseover='", page) or view.endswith(
        "json"
    )
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x07\x1b]", page) or view.endswith("json")
    assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|(49) ", page)


def test_the_episode_of_an_attacker_is_shown_as_text(world: World) -> None:
    browser = Browser(world, world.keys["admin"])
    page = browser.open(f"/domains/{FOE}/episode?" + str(httpx.QueryParams({"id": ATTACKS["quotes"][:60]})))
    assert page.status_code == 200
    assert "&lt;script&gt;document.title" in page.text
    assert 'title="right-to-left override">U+202E</mark>' in page.text
    assert len(page.content) < MAX_PAGE


def test_an_episode_tells_with_what_chance_each_bullet_was_shown(world: World) -> None:
    page = Browser(world, world.keys["review"]).open(f"/domains/{DESK}/episode?id=ticket-4715").text
    assert "chance 85 %" in page
    assert "1 shown, 1 cited, 1 left out by lot" in page


def test_what_a_playbook_is_worth_is_told_where_tasks_were_held_out(world: World) -> None:
    browser = Browser(world, world.keys["review"])
    page = browser.open(f"/domains/{DESK}/worth").text
    assert "80 % of 40" in page
    assert "50 % of 20" in page
    assert "+30 points" in page
    everywhere = browser.open("/worth").text
    assert (DESK in everywhere, FOE in everywhere) == (True, False)
    assert "ACE_HOLDOUT" in Browser(world, world.keys["admin"]).open(f"/domains/{FOE}/worth").text


def test_a_bullet_tells_why_it_is_where_it_is(world: World) -> None:
    own = world.bullet("Look for")
    page = Browser(world, world.keys["read"]).open(f"/domains/{DESK}/bullets/{own}/standing").text
    assert "at the top: helpful=9 harmful=0" in page


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[tuple[Server, int]]:
    """A server with some thousand bullets in one domain."""
    with serving(tmp_path_factory.mktemp("crowd"), ACE_MODELS_DIR=str(models_dir)) as server:
        database = Database(f"sqlite:///{Path(server.environment['ACE_DATA_DIR']) / 'ace.db'}")
        count = 3_000
        fill(PlaybookRepository(database), count)
        database.close()
        yield server, count


def fill(playbook: PlaybookRepository, count: int, domain: str = "crowd") -> None:
    random = np.random.default_rng(3)
    for start in range(0, count, 5_000):
        operations: list[Any] = []
        vectors: dict[str, Any] = {}
        for number in range(start, min(start + 5_000, count)):
            text = f"Rule {number}: " + "weigh what you were told against what you see, and say which. " * 4
            own = bullet_id(domain, Section.STRATEGY, text)
            operations.append(Add(bullet=Bullet(id=own, domain_id=domain, content=text)))
            made = random.normal(size=384).astype(np.float32)
            vectors[own] = made / np.linalg.norm(made)
        with playbook.transaction(domain) as transaction:
            transaction.apply(operations, vectors=vectors, now=NOW)


@pytest.mark.parametrize(
    "path",
    ["/", "/domains/crowd", "/domains/crowd?words=Rule+1", "/domains/crowd?means=weigh", "/domains/crowd/history",
     "/domains/crowd/history?at=2500&beside=10", "/domains/crowd/map", "/domains/crowd/figures"],
)  # fmt: skip
def test_a_page_stays_small_whatever_the_domain_holds(crowded: tuple[Server, int], path: str) -> None:
    answer = crowded[0].ask("GET", path, headers=HTML)
    assert answer.status_code == 200
    assert len(answer.content) < MAX_PAGE


def test_a_page_stays_small_whatever_a_foe_writes(tmp_path: Path, models_dir: Path) -> None:
    """Every text as long as it may be, of characters that take the most room; more of everything than is shown."""
    foul = ("\u202e<" * 4_000)[:8_000]
    with serving(tmp_path, ACE_MODELS_DIR=str(models_dir), ACE_DEDUPE="cosine") as server:
        database = Database(f"sqlite:///{tmp_path / 'data' / 'ace.db'}")
        playbook, episodes = PlaybookRepository(database), EpisodeRepository(database)
        bullets = [Bullet(id=f"strategy-{number}", domain_id="foul", content=f"{foul}{number}") for number in range(60)]
        ids = [one.id for one in bullets]
        with playbook.transaction("foul") as transaction:
            vectors = {own: np.eye(384, dtype=np.float32)[at] for at, own in enumerate(ids)}
            transaction.apply([Add(bullet=one) for one in bullets], vectors=vectors, now=NOW)
            moves = [Quarantine(bullet_id=own, reason=foul[:1000]) for own in ids[:40]]
            links = [Relate(link=Link.between(ids[0], own)) for own in ids[1:40]]
            votes = [Increment(bullet_id=ids[0], episode_id=f"{number}{foul[:190]}") for number in range(60)]
            transaction.apply([*moves, *links, *votes], vectors={}, now=NOW)
        steps = [Step(thought=foul, tool=foul, arguments=foul, observation=foul)] * 40
        episodes.report(episode("e", domain="foul", question=foul, shown=ids, steps=tuple(steps), answer=foul,
                                reasoning=foul))  # fmt: skip
        for number in range(40):
            episodes.report(episode(f"{number}{foul[:190]}", domain="foul", question=foul))
        database.close()
        insights = [{"content": f"{foul[:7_900]} {number}", "confidence": 0.1} for number in range(3)]
        body = {"episode_id": "e", "insights": insights}
        assert server.post("/v1/domains/foul/insights", body).status_code == 200
        for view in (*VIEWS, *REVIEWING, "/", "/domains/{d}/history?at=60&beside=150", "/domains/{d}/episode?id=e"):
            if view.endswith("json"):
                continue
            answer = server.ask("GET", view.format(d="foul", b=ids[0]), headers=HTML)
            assert (view, answer.status_code, len(answer.content) < MAX_PAGE) == (view, 200, True), len(answer.content)


def test_a_list_is_gone_through_to_its_end_and_each_bullet_is_met_once(crowded: tuple[Server, int]) -> None:
    server, count = crowded
    seen: list[str] = []
    path = "/domains/crowd?section=strategy"
    for _ in range(count):
        page = server.ask("GET", path, headers=HTML).text
        seen += re.findall(r'<span class="id">(strategy-\w+)</span>', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if following is None:
            break
        path = "/domains/crowd" + unescape(following[1])
    assert len(seen) == len(set(seen)) == count
