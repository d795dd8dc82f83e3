"""The site builds without a warning, needs nothing from elsewhere, and each of its links leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "srcset")}
DRAWINGS = sorted((DOCS / "img").glob("*.svg"))


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.loads, self.places = set[str](), set[str](), set[str]()
        self.without_words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        self.loads |= {value for name, value in given.items() if (tag, name) in LOADS}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if tag == "img" and not given.get("alt"):
            self.without_words.append(given.get("src", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run([*command, DOCS, built], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {str(file.relative_to(built)): Page(file.read_text()) for file in built.rglob("*.html")}


def inside(addresses: set[str]) -> Iterator[str]:
    return (one for one in addresses if not urlsplit(one).scheme and not urlsplit(one).netloc)


def test_every_page_is_in_the_site(site: dict[str, Page]) -> None:
    pages = {
        str(file.relative_to(DOCS).with_suffix(".html")) for file in DOCS.rglob("*.md") if "_build" not in str(file)
    }
    assert pages <= site.keys()


def test_nothing_is_loaded_from_elsewhere(site: dict[str, Page]) -> None:
    foreign = {f"{name}: {one}" for name, page in site.items() for one in page.loads - set(inside(page.loads))}
    assert not {one for one in foreign if " data:" not in one}


def test_every_link_inside_leads_somewhere(site: dict[str, Page], tmp_path: Path) -> None:
    broken = [
        f"{name}: {one}" for name, page in site.items() for one in inside(page.links) if not leads(name, one, site)
    ]
    assert not broken


def leads(name: str, link: str, site: dict[str, Page]) -> bool:
    target, _, place = unquote(link).partition("#")
    path = str((Path("/") / name).parent.joinpath(target).resolve())[1:] if target else name
    if path not in site:
        return path.startswith(("_downloads/", "_sources/", "_images/"))
    return not place or place in site[path].places


def test_every_picture_is_told_in_words(site: dict[str, Page]) -> None:
    assert not {name: page.without_words for name, page in site.items() if page.without_words}


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.name)
def test_every_drawing_can_be_read_in_the_light_and_in_the_dark(drawing: Path) -> None:
    text = drawing.read_text()
    assert "prefers-color-scheme: dark" in text
    assert "<title" in text
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


@pytest.mark.parametrize("folder", ["guides", "adr"])
def test_every_page_of_a_folder_is_in_its_list(folder: str) -> None:
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / folder / "README.md").read_text()))
    assert {file.name for file in (DOCS / folder).glob("*.md")} - {"README.md"} <= listed, (
        f"add it to {folder}/README.md"
    )
