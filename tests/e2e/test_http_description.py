"""What the service says of itself: /openapi.json, /docs, and the methods of each path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.servers import Server, serving

LOADS = {"script", "link", "img", "iframe", "object", "embed", "audio", "video", "source", "base", "form"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("described"), ACE_MODELS_DIR=str(models_dir)) as running:
        yield running


@pytest.fixture(scope="module")
def described(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("GET", "/openapi.json").json()
    return found


class Page(HTMLParser):
    """The elements of a page, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.links |= {str(given["href"])} if "href" in given else set()
        self.ids |= {str(given["id"])} if "id" in given else set()


def test_the_documentation_needs_no_network_and_no_script(server: Server, described: dict[str, Any]) -> None:
    response = server.ask("GET", "/docs")
    page = Page(response.text)
    assert not page.tags & LOADS
    assert all(link.removeprefix("#") in page.ids or link == "/openapi.json" for link in page.links), page.links
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "script-src" not in response.headers["content-security-policy"]
    operations = {one["operationId"] for methods in described["paths"].values() for one in methods.values()}
    assert operations <= page.ids
    assert len(re.findall(r"<pre>curl ", response.text)) == len(operations)


def test_there_is_no_second_documentation(server: Server) -> None:
    assert server.ask("GET", "/redoc").status_code == 404


def test_every_refusal_is_described_as_a_problem(described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            for code, answer in operation["responses"].items():
                if path.startswith("/v1/") and int(code) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, method, code)
            refused = {code for code in operation["responses"] if code in ("400", "409", "413", "415")}
            assert bool(refused & {"400", "413", "415"}) == (method == "post"), (path, method)
    assert not {"HTTPValidationError", "ValidationError"} & set(described["components"]["schemas"])


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "QUERY"])
def test_a_method_a_path_does_not_take_is_refused_with_those_it_does(server: Server, method: str) -> None:
    response = server.ask(method, "/v1/domains/a/episodes")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert response.headers["content-type"] == "application/problem+json"
    assert bool(response.content) == (method != "HEAD")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param("limit=1&limit=2", "limit", id="given-twice"),
        pytest.param("limt=1", "limt", id="misspelt"),
        pytest.param("domain=b", "domain", id="a-path's-name"),
    ],
)
def test_a_query_that_is_not_clear_is_refused(server: Server, query: str, field: str) -> None:
    response = server.ask("GET", f"/v1/domains/a/bullets?{query}")
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize("name", ["a%2Fb", "..", "%2e%2e", "a%00b", ".", "%ff", "a\\b", "%F0%9F%90%8C"])
def test_no_name_in_a_path_reaches_anything_but_its_own_operation(server: Server, name: str) -> None:
    for path in (f"/v1/domains/{name}/bullets", f"/v1/domains/a/bullets/{name}", f"/v1/domains/a/episodes/{name}"):
        assert server.ask("GET", path).status_code in (200, 404, 422)
    assert server.ask("GET", f"/v1/domains/{name}/journal").status_code in (404, 422)
