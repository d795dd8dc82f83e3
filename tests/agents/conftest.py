"""A playbook in this process and one at a server, and a provider whose model is `shop.clerk`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.bootstrap import App
from ace.config import get_settings
from ace.repositories.database import Database
from ace.repositories.episode_repository import EpisodeRepository
from ace.testing.providers import FakeProvider
from ace.utils.embeddings import get_embedder
from ace.utils.faiss_index import get_faiss_manager
from tests.agents.shop import Place, clerk
from tests.e2e.servers import SHOWN_TO_ALL, Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("agents"), ACE_MODELS_DIR=str(models_dir)) as running:
        yield running


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
    with FakeProvider(script=clerk) as made:
        yield made


@pytest.fixture
def here(models_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A playbook in this process."""
    settings = {"ACE_MODELS_DIR": str(models_dir), "ACE_ENV": "shadow", **SHOWN_TO_ALL}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    kept = (get_settings, get_embedder, get_faiss_manager)
    for one in kept:
        one.cache_clear()
    app = App()
    yield Place(options={"app": app}, domain=_domain(), stored=app.episodes.get)
    for one in kept:
        one.cache_clear()


@pytest.fixture
def there(server: Server) -> Iterator[Place]:
    """A playbook at the server."""
    opened = Database(f"sqlite:///{server.environment['ACE_DATA_DIR']}/ace.db")
    yield Place(options={"url": server.url}, domain=_domain(), stored=EpisodeRepository(opened).get)
    opened.close()


@pytest.fixture(params=["here", "there"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def _domain() -> str:
    return f"customer-{uuid.uuid4().hex[:8]}"
