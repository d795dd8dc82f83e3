"""Foreign text on a page: harmless whatever it holds, marked where it cannot be seen, never more than so much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.web.pages.text import brief, forgiving, is_unseen, plain, told, when

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
OURS = {"bdi", "mark", "span", "wbr"}


class Read(HTMLParser):
    """What a browser makes of a piece of HTML: the elements, and the text outside of marks."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self._within = list[str](), "", list[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.append(tag)
        if tag != "wbr":
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._within.remove(tag)

    def handle_data(self, data: str) -> None:
        if self._within[-1:] == ["bdi"]:
            self.text += data


@given(st.text(max_size=300))
def test_a_text_is_shown_whole_and_makes_no_element_of_its_own(text: str) -> None:
    read = Read(str(told(text)))
    assert set(read.elements) <= OURS
    assert read.text.replace("\r", "") == "".join(char for char in text if not is_unseen(char))
    assert read.elements.count("mark") == sum(is_unseen(char) for char in text)


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        pytest.param("\u202e", "U+202E", id="right-to-left override"),
        pytest.param("\u200b", "U+200B", id="zero-width space"),
        pytest.param("\x1b", "U+001B", id="escape"),
        pytest.param("\U000e0041", "U+E0041", id="tag letter"),
        pytest.param("\u2028", "U+2028", id="line separator"),
    ],
)
def test_what_cannot_be_seen_is_marked(char: str, shown: str) -> None:
    assert f">{shown}</mark>" in told(f"a{char}b")
    assert f"⟨{shown}⟩" in plain(f"a{char}b")


@pytest.mark.parametrize("text", ["<b>" * 50_000, "\u202e" * 50_000, "é" * 100_000, "&" * 100_000, "a\u200b" * 50_000])
def test_a_long_text_is_cut_and_the_rest_is_counted(text: str) -> None:
    html = told(text, 5_000)
    assert len(html.encode()) < 5_000 + 3_500
    assert "more characters" in html


def test_what_is_left_is_counted_right() -> None:
    assert "500 more characters" in told("a" * 1500, 1000)
    assert "96 more characters" in told("\u202e" * 100, 200)


def test_a_word_without_end_may_break() -> None:
    assert told("a" * 300).count("<wbr>") == 9


def test_the_beginning_ends_with_dots() -> None:
    assert brief("word " * 100, 20) == "<bdi>word word word word…</bdi>"
    assert brief("short", 20) == "<bdi>short</bdi>"


def test_a_field_gets_the_very_text() -> None:
    assert forgiving("a\u202e<b>") == "a\u202e&lt;b&gt;"


@pytest.mark.parametrize(
    ("before", "words"),
    [
        pytest.param(timedelta(seconds=3), "just now", id="seconds"),
        pytest.param(timedelta(minutes=5), "5 min ago", id="minutes"),
        pytest.param(timedelta(hours=3), "3 h ago", id="hours"),
        pytest.param(timedelta(days=2), "2 d ago", id="days"),
        pytest.param(timedelta(days=40), "2026-01-20", id="long"),
        pytest.param(timedelta(seconds=-30), "just now", id="a clock that is ahead"),
    ],
)
def test_a_moment_is_told_as_people_say_it(before: timedelta, words: str) -> None:
    assert f">{words}</time>" in when(NOW - before, NOW)
    assert when((NOW - before).timestamp(), NOW) == when(NOW - before, NOW)
