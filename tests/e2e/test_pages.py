"""The pages in a real browser, as people use them: by mouse, by keyboard alone, on a phone; and nothing runs in it that
is not ours. Pictures of every page are kept in `.artifacts/pages`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ace.models.run import StepRecord, Validation
from ace.utils.run_folder import RunFolder
from tests.e2e.browser import picture, started, violations
from tests.e2e.page_world import ATTACKS, DESK, DOUBTFUL, FOE, World, peopled
from tests.e2e.servers import serving

LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
    "wide": {"viewport": {"width": 1600, "height": 1000}},
}
VIEWS = {
    "overview": "/",
    "playbook": "/domains/{d}",
    "by-meaning": "/domains/{d}?means=somebody+was+charged+two+times",
    "no-bullet-fits": "/domains/{d}?words=zebra",
    "bullet": "/domains/{d}/bullets/{b}",
    "review": "/domains/{d}/review",
    "episodes": "/domains/{d}/episodes",
    "episode": "/domains/{d}/episode?id=ticket-4711",
    "episode-given-up": "/domains/{d}/episode?id=ticket-4713",
    "episode-unknown": "/domains/{d}/episode?id=ticket-1",
    "history": "/domains/{d}/history",
    "time-travel": "/domains/{d}/history?at=20&beside=60",
    "rollback": "/domains/{d}/rollback?to=30",
    "map": "/domains/{d}/map",
    "figures": "/domains/{d}/figures",
    "runs": "/runs",
    "run": "/runs/train-support",
    "not-found": "/nowhere",
}
RUN = {"kind": "train", "domain": DESK, "seed": 0, "settings": {"model": "local", "k": 5}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as opened:
        yield opened


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[World]:
    """A server for this machine alone: whoever comes may do everything."""
    home = tmp_path_factory.mktemp("pages")
    with serving(home, ACE_MODELS_DIR=str(models_dir)) as server:
        train(home / "data" / "runs" / "train-support")
        server.post(f"/v1/domains/{DESK}/context", {"task": "charged twice"})
        yield peopled(server)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[World]:
    """A server with keys."""
    with serving(tmp_path_factory.mktemp("guarded"), ACE_MODELS_DIR=str(models_dir)) as server:
        yield peopled(server, roles=("read", "review"))


def train(folder: Path) -> None:
    """A run that learned: wrong at first, right at the end."""
    with RunFolder.open(folder, RUN) as run:
        for step in range(1, 121):
            right = (step * 7) % 10 < 2 + step // 20
            run.append("steps", StepRecord(step=step, epoch=1, task_id=f"t{step}", episode_id=f"e{step}", question="q",
                                           answer="a", expected="a", correct=right, bullets=step // 3))  # fmt: skip
        run.append("validations", Validation(epoch=0, position=0, correct=8, n=40))
        run.append("validations", Validation(epoch=1, position=40, correct=21, n=40))
        run.write_summary({"validation": 0.525})


@contextmanager
def looking(browser: Browser, look: str = "light", *, quiet: bool = True) -> Iterator[Page]:
    """A page of a new visitor. What the browser complains about fails the test."""
    context = browser.new_context(**LOOKS[look])  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(error.stack or str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    yield page
    context.close()
    assert not quiet or not complaints, complaints


def at(view: str, world: World, domain: str = DESK) -> str:
    own = world.bullet("Look for") if domain == DESK else world.foes["direction"]
    return world.url + view.format(d=domain, b=own)


@pytest.mark.parametrize(
    "look", ["dark", "phone", *(pytest.param(look, marks=pytest.mark.full) for look in ("light", "wide"))]
)
@pytest.mark.parametrize("view", VIEWS)
def test_every_page_can_be_used_by_everybody(browser: Browser, world: World, view: str, look: str) -> None:
    """No barrier that axe-core knows, nothing wider than the screen; and a picture for people to look at."""
    with looking(browser, look, quiet=view not in ("not-found", "episode-unknown")) as page:
        page.goto(at(VIEWS[view], world))
        page.wait_for_load_state("networkidle")
        picture(page, f"{view}-{look}")
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), "it must be moved sideways"
        assert look == "wide" or violations(page) == []


@pytest.mark.parametrize("view", ["overview", "playbook", "bullet", "history", "time-travel", "map", "figures"])
def test_hostile_text_runs_nothing_and_hides_nothing(browser: Browser, world: World, view: str) -> None:
    path = VIEWS[view].replace("at=20&beside=60", "at=8&beside=3")
    with looking(browser) as page:
        for name in ATTACKS if view == "bullet" else ["script"]:
            page.goto(world.url + path.format(d=FOE, b=world.foes[name]))
            page.wait_for_timeout(200)
            assert page.title().endswith("· ACE Playbook")
            assert page.evaluate("document.querySelectorAll('script:not([src]), main img, main iframe').length") == 0
            assert page.locator("h1").count() == 1
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_reversed_text_is_shown_marked_and_kept_apart(browser: Browser, world: World) -> None:
    with looking(browser) as page:
        page.goto(world.url + f"/domains/{FOE}/bullets/{world.foes['direction']}")
        shown = page.locator("blockquote bdi")
        expect(shown.locator("mark").first).to_have_text("U+202E")
        expect(shown).to_contain_text("tnuocca gnorw")
        picture(page, "hostile-direction")


def test_sign_in_find_a_bullet_quarantine_it_and_see_it_in_its_history(browser: Browser, guarded: World) -> None:
    with looking(browser, quiet=False) as page:
        page.goto(f"{guarded.url}/domains/{DESK}")
        page.get_by_label("API key").fill("ace_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        picture(page, "sign-in-wrong")
        page.get_by_label("API key").fill(guarded.keys["review"])
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{guarded.url}/domains/{DESK}")
        page.get_by_label("By word").fill("weekend")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name="Weekend messages").click()
        page.get_by_label("Reason").fill("No longer true: we read them on Sunday.")
        page.get_by_role("button", name="Quarantine").click()
        expect(page.locator(".said")).to_contain_text("Done: quarantine")
        first = page.locator(".entry").first
        expect(first).to_contain_text("Put into quarantine")
        expect(first).to_contain_text("we read them on Sunday")
        page.get_by_role("link", name="Overview").click()
        expect(page.locator(".entry").first).to_contain_text("we read them on Sunday")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert page.context.cookies() == []


def test_a_reader_finds_no_way_to_change_anything(browser: Browser, guarded: World) -> None:
    with looking(browser) as page:
        page.goto(f"{guarded.url}/sign-in")
        page.get_by_label("API key").fill(guarded.keys["read"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        page.goto(at("/domains/{d}/bullets/{b}", guarded))
        expect(page.get_by_label("Reason")).to_have_count(0)
        expect(page.get_by_role("link", name="Review")).to_have_count(0)


def test_review_with_the_keyboard_alone(browser: Browser, guarded: World) -> None:
    def opened(key: str, wait: Callable[[], None]) -> None:
        page.keyboard.press(key)
        wait()

    with looking(browser) as page:
        page.goto(f"{guarded.url}/sign-in?next=/domains/{DESK}/review")
        page.keyboard.type(guarded.keys["review"])
        page.keyboard.press("Enter")
        heading, lesson = page.get_by_role("heading", level=1), page.locator("blockquote")
        expect(heading).to_have_text("1 of 3 waiting")
        expect(page.locator("dl.trace")).to_contain_text("I cannot sign in")
        opened("?", lambda: expect(page.get_by_role("dialog")).to_be_visible())
        picture(page, "review-keys")
        opened("Escape", lambda: expect(page.get_by_role("dialog")).to_be_hidden())
        opened("j", lambda: expect(lesson).to_contain_text("desk-lead@example.com"))
        expect(page.locator(".reasons")).to_contain_text("screen")
        opened("k", lambda: expect(lesson).to_contain_text("Refund at once"))
        opened("r", lambda: expect(page.get_by_label("Reason")).to_be_focused())
        page.keyboard.type("ajkr? these keys are words now")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_contain_text("rejected")
        expect(heading).to_have_text("1 of 2 waiting")
        opened("e", lambda: expect(page.get_by_label("In your words")).to_be_focused())
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("Ask the desk lead before a refund above 500 dollars.")
        page.keyboard.press("Control+Enter")
        expect(heading).to_have_text("1 of 1 waiting")
        expect(lesson).to_contain_text(DOUBTFUL[2][1])
        opened("a", lambda: expect(page.get_by_text("Nothing waits")).to_be_visible())
        expect(page.get_by_text("1 rejected")).to_be_visible()
        picture(page, "review-empty")
        page.goto(f"{guarded.url}/domains/{DESK}/review/{guarded.reviews[0]}")
        page.get_by_label("Reason").fill("It was right after all.")
        page.keyboard.press("Enter")
        expect(heading).to_have_text("1 of 1 waiting")
        page.goto(f"{guarded.url}/domains/{DESK}")
        expect(page.get_by_role("link", name="Ask the desk lead before")).to_be_visible()


def test_travel_in_time_and_roll_back(browser: Browser, guarded: World) -> None:
    with looking(browser) as page:
        page.goto(f"{guarded.url}/sign-in?next=/domains/{DESK}/history")
        page.get_by_label("API key").fill(guarded.keys["review"])
        page.keyboard.press("Enter")
        page.get_by_text("Name the playbook as it is now").click()
        page.get_by_label("Name", exact=True).fill("before-the-trial")
        page.get_by_role("button", name=re.compile("Release #")).click()
        expect(page.locator(".said")).to_contain_text("released")
        slider = page.get_by_label("As of position")
        slider.fill("12")
        expect(page.get_by_role("heading", name=re.compile(r"As of 12\b"))).to_be_visible()
        expect(page).to_have_url(re.compile(r"at=12"))
        expect(page.locator("#then")).to_contain_text("promoted")
        page.get_by_role("link", name="Go back to this").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Go back to position 12")
        picture(page, "rollback-preview")
        page.get_by_label("Reason").fill("The trial went wrong.")
        page.get_by_role("button", name="Roll back").click()
        first = page.locator(".entry").first
        expect(first).to_contain_text("The playbook was rolled back")
        expect(first).to_contain_text("The trial went wrong.")
        page.goto(f"{guarded.url}/domains/{DESK}?stage=prod")
        expect(page.get_by_text("No bullet fits")).to_be_visible()


def test_a_rollback_of_which_another_preview_was_seen_is_refused(browser: Browser, world: World) -> None:
    with looking(browser, quiet=False) as page:
        page.goto(f"{world.url}/domains/{DESK}/rollback?to=5")
        body = {"reason": "meanwhile"}
        moved = world.server.post(f"/v1/domains/{DESK}/bullets/{world.bullet('Quote the')}/promote", body)
        assert moved.status_code == 200
        page.get_by_label("Reason").fill("too late")
        page.get_by_role("button", name="Roll back").click()
        expect(page.get_by_role("heading", name="Conflict")).to_be_visible()


def test_a_given_up_episode_is_queued_again(browser: Browser, guarded: World) -> None:
    with looking(browser) as page:
        page.goto(f"{guarded.url}/sign-in?next=/domains/{DESK}/episodes?state=dead")
        page.get_by_label("API key").fill(guarded.keys["review"])
        page.keyboard.press("Enter")
        page.get_by_role("link", name="ticket-4713").click()
        page.get_by_role("button", name="Queue it again").click()
        expect(page.locator(".state").first).to_have_text("queued")


def test_the_overview_follows_what_happens_without_being_loaded_again(browser: Browser, world: World) -> None:
    with looking(browser) as page:
        page.goto(world.url)
        page.evaluate("window.sameDocument = true")
        path = f"/v1/domains/{DESK}/bullets/{world.bullet('Search tickets')}/promote"
        assert world.server.post(path, {"reason": "a live reason"}).status_code == 200
        expect(page.locator(".entry").first).to_contain_text("a live reason", timeout=20_000)
        assert page.evaluate("window.sameDocument") is True


def test_nothing_is_asked_for_while_nobody_looks(browser: Browser, world: World) -> None:
    with looking(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/live") else None)
        page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.away === true})")
        page.goto(world.url)
        page.wait_for_event("request", lambda request: request.url.endswith("/live"), timeout=20_000)
        page.evaluate("window.away = true")
        page.wait_for_timeout(500)
        before = len(asked)
        page.wait_for_timeout(6_000)
        assert len(asked) == before
        page.evaluate("window.away = false")
        page.wait_for_event("request", lambda request: request.url.endswith("/live"), timeout=20_000)


def test_the_theme_is_kept(browser: Browser, world: World) -> None:
    with looking(browser) as page:
        page.goto(world.url)
        page.get_by_role("button", name="Switch between light and dark").click()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.goto(f"{world.url}/runs")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 23)"


def test_charts_are_drawn_from_the_numbers_below_them(browser: Browser, world: World) -> None:
    with looking(browser) as page:
        page.goto(f"{world.url}/domains/{DESK}/figures")
        expect(page.locator(".chart canvas")).to_have_count(2)
        page.get_by_text("Numbers").first.click()
        expect(page.get_by_role("row", name=re.compile("reached prod"))).to_contain_text("3")


def test_a_point_of_the_map_leads_to_its_bullet(browser: Browser, world: World) -> None:
    with looking(browser) as page:
        page.goto(f"{world.url}/domains/{DESK}/map")
        page.wait_for_selector("[data-drawn='12']")
        x, y = page.evaluate("[across(points[0][2]), down(points[0][3])]")
        page.locator("canvas").hover(position={"x": x, "y": y})
        expect(page.locator(".tip")).to_be_visible()
        page.locator("canvas").click(position={"x": x, "y": y})
        expect(page).to_have_url(re.compile(r"/bullets/[a-z]+-[a-z2-7]{10}$"))


def test_without_scripts_everything_but_the_drawings_is_there(browser: Browser, world: World) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{world.url}/domains/{DESK}/history")
    page.get_by_label("Compared with").fill("3")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name=re.compile("What was different at 3"))).to_be_visible()
    page.goto(f"{world.url}/domains/{DESK}/map")
    page.get_by_text("In words").click()
    expect(page.get_by_role("heading", name="Contradictions")).to_be_visible()
    context.close()
