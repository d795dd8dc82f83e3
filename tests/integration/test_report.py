"""A report says what a run's records say, shows hostile text as text, and needs nothing but itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ace.core.statistics import share
from ace.models.playbook import Bullet, Origin, PlaybookStage, Section, SourceClass
from ace.models.run import Answered, PairRecord, StepRecord, Validation
from ace.models.task import Usage
from ace.services.training import Kept, ValidationAnswer
from ace.utils import report_charts
from ace.utils.report import COPYING, render, run_report
from ace.utils.report_parts import CHANGES, LESSONS, report_view
from ace.utils.report_words import counted, money, p_value, percent, seconds, shortened, signed, soft, visible
from ace.utils.run_folder import RunFolder, RunReader

VOID = {"meta", "link", "wbr"}
TAGS = {
    "html", "head", "meta", "link", "title", "style", "body", "main", "header", "footer", "section", "div", "span", "a",
    "h1", "h2", "h3", "p", "b", "i", "small", "code", "dl", "dt", "dd", "ol", "ul", "li", "figure", "figcaption",
    "details", "summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "path", "rect", "g", "wbr",
}  # fmt: skip

HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param('"><img src=x onerror=alert(1)>', id="attribute"),
    pytest.param("'><svg/onload=alert(1)>", id="single-quote"),
    pytest.param("</title></style></textarea>--><script>", id="closing-tags"),
    pytest.param("{{ 7 * 7 }}{% raw %}", id="template"),
    pytest.param("javascript:alert(1)//http://evil.example/x.css", id="address"),
    pytest.param("bell\x07 nul\x00 escape\x1b[31m del\x7f c1\x9b", id="control-characters"),
    pytest.param("safe \u202eetalpmet\u202c \u2066x\u2069 \u200f", id="direction-marks"),
    pytest.param("\ud800 half", id="lone-surrogate"),
    pytest.param("שלום עולם مرحبا", id="right-to-left"),
    pytest.param("a" * 20_000, id="long-word"),
]


class Page(HTMLParser):
    """What a browser would see: tags, attributes and text, and whether every tag is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words).replace("\u202f", " "))

    def headings(self) -> list[str]:
        return [tag for tag in self.tags if tag in ("h1", "h2", "h3")]


def step(number: int, *, correct: bool | None = True, text: str = "Which tag?", **more: Any) -> StepRecord:
    defaults: dict[str, Any] = {"epoch": 1, "bullets": number, "added": 1, "latency_s": 0.5 + number / 1000}
    usage = Usage(calls=1, prompt_tokens=100, cached_tokens=25, completion_tokens=10, cost_usd=0.001)
    return StepRecord(step=number, task_id=f"t{number}", episode_id=f"r/1/t{number}", question=text, answer=text,
                      expected=text, correct=correct, usage=usage, **(defaults | more))  # fmt: skip


def answered(answer: str, correct: bool | None, error: str | None = None) -> Answered:
    usage = Usage(calls=1, prompt_tokens=100, completion_tokens=10)
    return Answered(answer=answer, correct=correct, usage=usage, latency_s=0.7, error=error)


def pair(number: int, without: bool | None, with_playbook: bool | None, text: str = "Which tag?") -> PairRecord:
    return PairRecord(
        task_id=f"p{number}",
        question=f"{number} {text}",
        expected=text,
        without=answered(f"old {number} {text}", without),
        with_playbook=answered(f"new {number} {text}", with_playbook),
    )


def pairs(*, both: int = 0, wins: int = 0, losses: int = 0, neither: int = 0) -> list[PairRecord]:
    outcomes = [(True, True)] * both + [(False, True)] * wins + [(True, False)] * losses + [(False, False)] * neither
    return [pair(number, *outcome) for number, outcome in enumerate(outcomes)]


def bullet(number: int, text: str = "Round up", source: SourceClass = SourceClass.TEMPLATE, **more: Any) -> Bullet:
    return Bullet(id=f"strategy-{number}", domain_id="d", content=f"{text} {number}", section=Section.STRATEGY,
                  stage=PlaybookStage.SHADOW, origin=Origin(source=source), **more)  # fmt: skip


CONFIG = {
    "kind": "learn",
    "seed": 7,
    "files": [{"name": "tasks.jsonl", "sha256": "abcdef0123456789"}],
    "settings": {"model": "openai/gpt-5-mini", "temperature": 0.0, "k": 5, "reflector_model": None},
    "version": "0.1.0",
}
LEARN: dict[str, Any] = {
    "config": CONFIG,
    "steps": [step(n, correct=n > 30) for n in range(1, 61)],
    "bullets": [bullet(n) for n in range(9)],
}
TRAIN: dict[str, Any] = {
    "config": {**CONFIG, "kind": "train"},
    "steps": [step(n, correct=n % 2 == 0, epoch=1 + (n > 30)) for n in range(1, 61)],
    "validations": [Validation(epoch=e, position=0, correct=c, n=20) for e, c in enumerate([2, 9, 7])],
    "validation_answers": [answered("x", True)] * 60,
    "bullets": [bullet(n) for n in range(9)],
}
EVAL: dict[str, Any] = {
    "config": {**CONFIG, "kind": "eval"},
    "pairs": pairs(both=3, wins=20, losses=2, neither=15),
    "bullets": [bullet(0)],
}
DEMO: dict[str, Any] = {**LEARN, "pairs": EVAL["pairs"], "baselines": {COPYING: share(16, 40)}}
RUNS = {"learn": LEARN, "train": TRAIN, "eval": EVAL, "demo": DEMO, "empty": {"config": {}}}

PARTS = {
    "Learning curve": {"learn", "train", "demo"},
    "Playbook growth": {"learn", "train", "demo"},
    "Difference, same tasks": {"eval", "demo"},
    "What the playbook changed": {"eval", "demo"},
    "What was learned": {"learn", "train", "eval", "demo"},
    "Cost and time": {"learn", "train", "eval", "demo"},
    "Circles are the validation tasks": {"train"},
    "epoch 2": {"train"},
    "Baseline: copying the nearest example's answer, no model": {"demo"},
    "Failures": {"learn", "train", "eval", "demo", "empty"},
}


def page(run: dict[str, Any]) -> Page:
    return Page(render(report_view(**run)))


@pytest.mark.parametrize("name", RUNS)
def test_a_report_shows_the_parts_its_run_has_and_no_others(name: str) -> None:
    text = page(RUNS[name]).text
    assert {part for part in PARTS if part in text} == {part for part, runs in PARTS.items() if name in runs}


@pytest.mark.parametrize("name", RUNS)
def test_a_report_needs_nothing_but_itself(name: str) -> None:
    """No script, no address, no event handler; and the page forbids itself what it does not have."""
    html = render(report_view(**RUNS[name]))
    seen = Page(html)
    assert set(seen.tags) <= TAGS
    assert not re.search(r"https?://|@import|url\(", html)
    assert ("link", "href", "data:,") in seen.attributes
    assert not [
        name for _, name, _ in seen.attributes if name.startswith("on") or name in ("src", "srcset", "xlink:href")
    ]
    policy = next(value for _, name, value in seen.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


@pytest.mark.parametrize("name", RUNS)
def test_a_report_can_be_read_without_seeing_it(name: str) -> None:
    """A language, one first heading, no level skipped, words for every picture, a caption for every table."""
    seen = page(RUNS[name])
    assert ("html", "lang", "en") in seen.attributes
    assert seen.headings().count("h1") == 1
    levels = [int(tag[1]) for tag in seen.headings()]
    assert all(below - above <= 1 for above, below in pairwise(levels))
    labels = [value for tag, name, value in seen.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == seen.tags.count("svg")
    assert all(labels)
    assert seen.tags.count("caption") == seen.tags.count("table")


def test_the_same_run_gives_the_same_page() -> None:
    assert render(report_view(**DEMO)) == render(report_view(**DEMO))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(text: str) -> None:
    """Wherever a model, a task file, a setting or an error can put it."""
    run: dict[str, Any] = {
        "config": {"kind": text, "files": [{"name": text, "sha256": text}], "model": text, text: {text: text}},
        "steps": [step(n, text=text, error=text) for n in range(1, 31)],
        "pairs": [pair(n, bool(n % 2), not n % 2, text) for n in range(20)],
        "bullets": [bullet(n, text) for n in range(20)],
        "baselines": {text: share(1, 2)},
        "notices": [text],
        "kept": text,
    }
    html = render(report_view(**run))
    html.encode()  # a lone surrogate would not pass
    seen = Page(html)
    clean = Page(render(report_view(**{**run, **HARMLESS})))
    assert set(seen.tags) <= TAGS
    assert {name for _, name, _ in seen.attributes} == {name for _, name, _ in clean.attributes}
    assert len(html) < 300_000
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert re.sub(r"\s+", " ", visible(text[:150])).strip() in seen.text


HARMLESS: dict[str, Any] = {
    "config": {"kind": "x", "files": [{"name": "x", "sha256": "x"}], "model": "x", "x": {"x": "x"}},
    "steps": [step(n, text="x", error="x") for n in range(1, 31)],
    "pairs": [pair(n, bool(n % 2), not n % 2, "x") for n in range(20)],
    "bullets": [bullet(n, "x") for n in range(20)],
    "baselines": {"x": share(1, 2)},
    "notices": ["x"],
    "kept": "x",
}


@pytest.mark.parametrize(
    ("table", "headline", "points", "verdict"),
    [
        pytest.param((3, 20, 2, 15), "The playbook raised accuracy from 12 % to 57 %", "+45", "the playbook helped",
                     id="helps"),
        pytest.param((3, 2, 20, 15), "The playbook lowered accuracy from 57 % to 12 %", "−45", "the playbook did harm",
                     id="harms"),
        pytest.param((5, 3, 2, 10), "No clear effect: 35 % right without the playbook, 40 % with it", "+5",
                     "whether the playbook helps is not shown", id="not-shown"),
        pytest.param((5, 0, 0, 5), "No clear effect: 50 % right without the playbook, 50 % with it", "0",
                     "p = 1 (sign test)", id="nothing-changed"),
    ],
)  # fmt: skip
def test_the_headline_claims_no_more_than_the_interval_allows(
    table: tuple[int, int, int, int], headline: str, points: str, verdict: str
) -> None:
    both, wins, losses, neither = table
    compared = pairs(both=both, wins=wins, losses=losses, neither=neither)
    view = report_view(config=CONFIG, pairs=compared)
    text = Page(render(view)).text
    assert headline in text
    assert verdict in text
    assert view.difference is not None
    assert view.difference.points == points
    assert [count for _, count, _, _ in view.difference.tally] == [wins, both, neither, losses]
    assert sum(width for _, _, width, _ in view.difference.tally) == pytest.approx(100, abs=0.1)


def test_a_baseline_that_needs_no_model_stands_beside_the_claim() -> None:
    text = page(DEMO).text
    assert "For comparison, copying the nearest example's answer, no model: 40 %." in text


def test_a_training_run_says_that_its_best_epoch_is_flattered() -> None:
    text = page({**TRAIN, "kept": "back at position 12"}).text
    assert "Validation went from 10 % to 45 %" in text
    assert "chosen on these tasks, which flatters it" in text
    assert "Validation after epoch 1, the best" in text
    assert "back at position 12" in text


def test_a_training_that_did_not_help_says_so() -> None:
    worse = [Validation(epoch=e, position=0, correct=c, n=20) for e, c in enumerate([9, 9, 3])]
    text = page({**TRAIN, "validations": worse}).text
    assert "Learning did not raise validation above 45 %" in text
    assert "the best" not in text


def test_a_learning_run_compares_its_first_and_last_fifth() -> None:
    text = page(LEARN).text
    assert "First 12 answers0 %" in text
    assert "Last 12 answers100 %" in text
    assert "30 of 60 judged answers right on the way" in text


def test_answers_that_nobody_could_judge_are_left_out() -> None:
    view = report_view(config=CONFIG, pairs=[*pairs(wins=3, neither=1), pair(9, None, True), pair(10, False, None)])
    assert "4 tasks" in view.lede
    unjudged = report_view(config=CONFIG, steps=[step(n, correct=None) for n in range(1, 20)])
    assert unjudged.curve is None
    assert unjudged.scores == ()
    assert "0 of 0 judged answers" in unjudged.lede


def test_costs_are_summed_by_kind_of_answer() -> None:
    view = report_view(**DEMO)
    thin = [tuple(cell.replace("\u202f", " ") for cell in row) for row in view.costs]
    assert thin == [
        ("Learning", "60", "6,000", "25 %", "600", "$0.06"),
        ("Without the playbook", "40", "4,000", "0 %", "400", "$0.00"),
        ("With the playbook", "40", "4,000", "0 %", "400", "$0.00"),
        ("Together", "140", "14,000", "11 %", "1,400", "$0.06"),
    ]
    assert [row[:2] for row in view.latencies] == [
        ("Learning", "60"), ("Without the playbook", "40"), ("With the playbook", "40")
    ]  # fmt: skip


def test_failures_are_counted_and_grouped_and_so_is_their_absence() -> None:
    steps = [step(n, correct=False, error="the model fell silent" if n % 3 else "timeout") for n in range(1, 31)]
    failed = page({"config": CONFIG, "steps": [*steps, step(31)]}).text
    assert "30 of 31 answers failed. A failed answer counts as wrong." in failed
    assert "20 ×the model fell silent" in failed
    assert "10 ×timeout" in failed
    assert "None: all 60 answers came and could be read." in page(LEARN).text


@pytest.mark.parametrize(
    ("sources", "note"),
    [
        pytest.param(["template"] * 3, "All 3 were written by a fixed template around the checked right answer, "
                     "not by a model.", id="template"),
        pytest.param(["reflection"], "It was written by a model that reflected on what had happened.", id="model"),
        pytest.param(["template", "template", "human"], "2 were written by a fixed template around the checked right "
                     "answer, not by a model; 1 was written or approved by a person.", id="mixed"),
    ],
)  # fmt: skip
def test_who_wrote_the_lessons_is_said_plainly(sources: list[str], note: str) -> None:
    learned = [bullet(n, source=SourceClass(source)) for n, source in enumerate(sources)]
    assert note in page({"config": CONFIG, "bullets": learned}).text


def test_the_lessons_with_the_best_record_come_first_and_the_rest_is_counted() -> None:
    learned = [bullet(n, helpful_count=n % 5, harmful_count=n % 3) for n in range(LESSONS + 30)]
    view = report_view(config=CONFIG, bullets=learned)
    assert view.lessons is not None
    shown = [*view.lessons.shown, *view.lessons.folded]
    net = [lesson.helpful - lesson.harmful for lesson in shown]
    assert net == sorted(net, reverse=True)
    assert (len(shown), view.lessons.total, view.lessons.left_out) == (LESSONS, LESSONS + 30, 30)
    text = Page(render(view)).text
    assert f"What was learned {LESSONS + 30}" in text
    assert "30 others, with no better record, are in the playbook and not on this page." in text


def test_what_the_playbook_turned_is_shown_with_both_answers_and_the_rest_is_counted() -> None:
    view = report_view(config=CONFIG, pairs=pairs(wins=CHANGES + 5, losses=1))
    assert (view.wins.total, view.wins.left_out, view.losses.total, view.losses.left_out) == (CHANGES + 5, 5, 1, 0)
    assert len(view.wins.shown) + len(view.wins.folded) == CHANGES
    text = Page(render(view)).text
    assert f"Right only with the playbook {CHANGES + 5}" in text
    assert "without old 0 Which tag? with new 0 Which tag? truth Which tag?".replace(" ", "") in text.replace(" ", "")
    assert "5 others are in pairs.jsonl and not on this page." in text


def test_a_long_run_gives_a_small_page() -> None:
    """2,000 steps, 2,000 pairs and 2,000 bullets, with texts longer than anyone would read."""
    long = "Some words & <more> words. " * 300
    run: dict[str, Any] = {
        "config": CONFIG,
        "steps": [step(n, correct=n % 3 == 0, text=long, epoch=1 + n // 500) for n in range(1, 2001)],
        "pairs": [pair(n, n % 3 == 0, n % 5 == 0, long) for n in range(2000)],
        "validations": [Validation(epoch=e, position=0, correct=e, n=50) for e in range(5)],
        "bullets": [bullet(n, long) for n in range(2000)],
    }
    html = render(report_view(**run))
    assert len(html.encode()) < 300_000
    assert "(8,10" in html  # a text cut short says how long it was


def test_the_report_of_a_folder_reads_everything_the_run_wrote(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG) as folder:
        for record in LEARN["steps"]:
            folder.append("steps", record)
        for record in EVAL["pairs"]:
            folder.append("pairs", record)
        folder.append("validations", Validation(epoch=0, position=0, correct=1, n=4))
        folder.append(
            "validation_answers", ValidationAnswer(epoch=0, position=0, task_id="v", answered=answered("", True))
        )
        folder.append("finished", Kept(best=None, note="the last playbook is the best one"))
        copied = {"value": 0.4, "low": 0.26, "high": 0.55, "n": 40}
        folder.write_summary({"copying_nearest": copied, "stopped": "the limit of 100 calls is reached"})
    text = Page(run_report(RunReader(tmp_path), [bullet(0)])).text
    for said in (
        "The playbook raised accuracy",
        "Learning steps60",
        "Tasks compared40",
        "Kept the last playbook is the best one",
        "Stopped early: the limit of 100 calls is reached",
        "no model: 40 %",
        "tasks.jsonl (abcdef01)",
    ):
        assert said.replace(" ", "") in text.replace(" ", "")


def test_the_report_of_a_run_that_has_just_begun_can_be_made(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG):
        pass
    assert "Nothing was judged in this run" in Page(run_report(RunReader(tmp_path), [])).text


@given(st.lists(st.one_of(st.none(), st.booleans()), min_size=0, max_size=400))
def test_a_learning_curve_stays_in_its_frame_and_ends_at_the_last_share(outcomes: list[bool | None]) -> None:
    steps = [step(n, correct=outcome) for n, outcome in enumerate(outcomes, start=1)]
    chart = report_charts.learning_curve(steps)
    window = report_charts.window_for(len(steps))
    if chart is None:
        assert sum(outcome is not None for outcome in outcomes[:-1]) < window / 2
        return
    places = [int(number) for number in re.findall(r"-?\d+", chart.line + chart.band)]
    assert all(0 <= place <= report_charts.SIDE for place in places)
    known = [outcome for outcome in outcomes if outcome is not None][-window:]
    assert chart.rows[-1] == (
        f"{len(steps):,}",
        percent(sum(known) / len(known), len(known)),
        chart.rows[-1][2],
        str(len(known)),
    )
    assert len(chart.rows) <= report_charts.TABLE_ROWS
    assert len(chart.zones) <= report_charts.POINTS
    edges = [(zone.x, zone.x + zone.width) for zone in chart.zones]
    assert all(left[1] <= right[0] + 1 for left, right in pairwise(edges))


@given(st.lists(st.floats(0, 1e4), min_size=2, max_size=300))
@example([0.0] * 99 + [1.0])
@example([5e-324, 5e-324])
def test_a_histogram_counts_every_answer_once(latencies: list[float]) -> None:
    chart = report_charts.histogram(latencies)
    if chart is None:
        assert max(latencies) < report_charts.SHORTEST_S
        return
    assert sum(int(bar.title.rpartition(": ")[2].replace(",", "")) for bar in chart.bars) == len(latencies)
    assert max(bar.height for bar in chart.bars) == report_charts.SIDE
    assert all(0 <= rule.at <= 100 for rule in chart.rules)
    assert len(chart.bars) <= report_charts.BARS + 1


def test_quantiles_that_lie_on_each_other_are_one_line() -> None:
    same, apart = report_charts.histogram([0.7] * 9), report_charts.histogram([0.1, 0.1, 0.1, 0.9, 0.9])
    assert same is not None
    assert [rule.label for rule in same.rules] == ["P50, P95"]
    assert apart is not None
    assert [rule.label for rule in apart.rules] == ["P50", "P95"]


@given(st.integers(1, 3000), st.integers(2, 200))
def test_thinning_keeps_the_ends_and_the_order(count: int, most: int) -> None:
    kept = report_charts.thinned(range(count), most)
    assert len(kept) == min(count, most)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert kept == sorted(set(kept))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(percent(0.347, 40), "35 %", id="few-tasks"),
        pytest.param(percent(0.347, 2000), "34.7 %", id="many-tasks"),
        pytest.param(percent(0.004, 40), "0.4 %", id="small"),
        pytest.param(percent(0.0, 2000), "0 %", id="none"),
        pytest.param(percent(1.0, 2000), "100 %", id="all"),
        pytest.param(signed(0.251, 40), "+25", id="gain"),
        pytest.param(signed(-0.0251, 400), "−2.5", id="loss"),
        pytest.param(signed(-0.001, 40), "0", id="no-minus-zero"),
        pytest.param(p_value(0.0123), "p = 0.012", id="p"),
        pytest.param(p_value(1e-9), "p < 0.0001", id="tiny-p"),
        pytest.param(seconds(0.0424), "42 ms", id="ms"),
        pytest.param(seconds(0.9999), "1.0 s", id="nearly-a-second"),
        pytest.param(seconds(59.7), "1 min 00 s", id="nearly-a-minute"),
        pytest.param(seconds(3725), "62 min 05 s", id="minutes"),
        pytest.param(money(0), "$0.00", id="free"),
        pytest.param(money(0.00123), "$0.0012", id="cents"),
        pytest.param(money(1234.5), "$1,234.50", id="dollars"),
        pytest.param(money(1e-9), "< $0.0001", id="almost-free"),
        pytest.param(counted(1, "task"), "1 task", id="one"),
        pytest.param(counted(2000, "task"), "2,000 tasks", id="several"),
        pytest.param(shortened("abcdef", 3), "abc … (6 characters)", id="shortened"),
        pytest.param(visible("a\u202eb\x00\n\t"), "a⟨U+202E⟩b⟨U+0000⟩\n\t", id="unseen"),
        pytest.param(
            str(soft("<b> DebtInstrumentInterestRateStatedPercentage")),
            "&lt;b&gt; Debt<wbr>Instrument<wbr>Interest<wbr>Rate<wbr>Stated<wbr>Percentage",
            id="soft",
        ),
    ],
)
def test_figures_are_printed_as_people_read_them(said: str, words: str) -> None:
    assert said.replace("\u202f", " ") == words
