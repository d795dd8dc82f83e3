"""The checks of `ace doctor`. Each looks at one thing, in bounded time, and changes nothing that is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from ace.bootstrap import App
from ace.config import is_loopback, load_settings
from ace.core import checkup
from ace.errors import AceError, InvalidInput, MissingExtra, Outage
from ace.models.checkup import Finding, State
from ace.utils.llm_deadline import Shared

PATIENCE_S = 10.0
PROBE = "Is anybody there?"

Check = Callable[[App], Finding]


def examine(say: Callable[[str], None]) -> Iterator[Finding]:
    """Every finding, in the order of `CHECKS`; what cannot be seen without settings or database is left out."""
    found = _looked("settings", _settings)
    yield found
    if found.state != State.OK:
        return
    app, has_database = App(load_settings()), True
    for name, check in CHECKS.items():
        if not has_database and (name in NEED_DATABASE or (name, app.settings.vector_backend) == ("index", "pgvector")):
            continue
        say(name)
        found = _looked(name, partial(check, app))
        has_database &= name not in ("database", "schema") or found.state == State.OK
        yield found


def _looked(name: str, look: Callable[[], Finding]) -> Finding:
    """What the check found; an error of ours is a finding, too."""
    try:
        return Shared(look, PATIENCE_S, name=name).ask()
    except InvalidInput as error:
        return Finding(name=name, state=State.FAULT, found=f"{error.field}: {error.problem}", remedy=error.remedy)
    except AceError as error:
        found, _, remedy = str(error).partition(". ")
        state = State.OUTAGE if isinstance(error, Outage) else State.FAULT
        return Finding(name=name, state=state, found=found, remedy=remedy.rstrip("."))


def _settings() -> Finding:
    from ace.config import config_file

    settings, file = load_settings(), config_file()
    read = f"{file} and the environment" if file.exists() else "the environment and defaults"
    return _ok("settings", f"{read}; env {settings.env}, data in {settings.data_dir}")


def _database(app: App) -> Finding:
    from ace.repositories.database import get_database
    from ace.repositories.outages import place

    app.schema_revision()
    return _ok("database", f"{place(get_database().url)} answers")


def _schema(app: App) -> Finding:
    from ace.repositories import schema
    from ace.repositories.database import get_database

    database = get_database()
    found = app.schema_revision()
    if found is None and database.dialect == "sqlite":
        return _ok("schema", "none yet: made when it is first needed")
    schema.require_head(database)
    return _ok("schema", f"{found}, which this release works with")


def _clock(app: App) -> Finding:
    from ace.repositories.checkup import CheckupRepository

    database = CheckupRepository()
    return checkup.clock(app.clock.now().timestamp(), database.time())


def _model(app: App) -> Finding:
    names = {app.settings.model, app.settings.reflector_model or app.settings.model}
    return _worst([_one_model(app, name) for name in sorted(names)])


def _one_model(app: App, name: str) -> Finding:
    from ace.utils.llm_reach import reach

    return _local_model(app) if name == "local" else reach(name, app.settings.model_base_url)


def _local_model(app: App) -> Finding:
    from importlib.util import find_spec

    from ace.utils import model_files

    if find_spec("gguf") is None or find_spec("llguidance") is None:
        raise MissingExtra("The local model's library", "local")
    model_files.path("smollm2-135m-instruct", app.settings.models_path)
    return _ok("model", "local: its files are here and sound")


def _embeddings(app: App) -> Finding:
    made = app.embedder.embed([PROBE])
    return _ok("embeddings", f"{app.embedder.name} made a vector of {made.shape[1]} numbers")


def _vectors(app: App) -> Finding:
    from ace.repositories.checkup import CheckupRepository

    return checkup.dimensions(app.embedder.dimensions, CheckupRepository().dimensions())


def _index(app: App) -> Finding:
    return _in_postgres(app) if app.settings.vector_backend == "pgvector" else _in_files(app)


def _in_postgres(app: App) -> Finding:
    """Looks without making anything: a doctor changes nothing."""
    from ace.repositories import pgvector_tables
    from ace.repositories.database import get_database
    from ace.repositories.pgvector_index import EXACT_UNTIL

    database = get_database()
    pgvector_tables.require_extension(database)
    if not pgvector_tables.is_made(database):
        return _ok("index", "in Postgres: none yet, made by the first process that searches")
    found = f"in Postgres, pgvector {pgvector_tables.version(database)}"
    if lacking := pgvector_tables.lacking(database):
        return _bad(
            "index", State.FAULT, f"{found}: {lacking} vectors are not in it", "python scripts/cleanup_faiss.py --all"
        )
    large = [own for own, stages in app.store.counts().items() if sum(stages.values()) > EXACT_UNTIL]
    without = [own for own in large if pgvector_tables.graph(database, own) is None]
    if without:
        remedy = f"A server builds it; or now: python scripts/cleanup_faiss.py --domain {without[0]}"
        return _bad(
            "index", State.WARNING, f"{found}: {len(without)} large domains without a graph, searched slowly", remedy
        )
    return _ok("index", f"{found}, {len(large)} domains with a graph")


def _in_files(app: App) -> Finding:
    from ace.utils.checked_files import Unsound, vouched
    from ace.utils.faiss_files import total

    folder, unsound = app.settings.path("indices"), []
    manifests = sorted(folder.glob("[0-9a-f]*.json"))
    for manifest in manifests:
        try:
            with vouched(folder, manifest.stem):
                pass
        except Unsound as error:
            unsound.append(str(error))
    size = total(folder.glob("*"))
    if unsound:
        found = f"{len(unsound)} of {len(manifests)} damaged: {unsound[0]}"
        return _bad("index", State.WARNING, found, "They are made anew when next needed; look at the disk")
    return _ok("index", f"{len(manifests)} domains, {size / 1e6:.1f} MB, checksums right")


def _keys(app: App) -> Finding:
    from ace.models.access import Principal

    host = app.settings.host
    found = app.keys.list(Principal())
    return checkup.keys(found, app.clock.now().timestamp(), host=host, is_loopback=is_loopback(host))


def _disk(app: App) -> Finding:
    place = app.settings.data_dir.absolute()
    there = next(one for one in (place, *place.parents) if one.exists())
    return checkup.disk(shutil.disk_usage(there).free, str(app.settings.data_dir))


def _anchor(app: App) -> Finding:
    from ace.utils.anchor import key_in

    file = app.settings.anchor_key_file or app.settings.path("anchor.key")
    if key_in(file, False) is None:
        if app.settings.path("anchors.jsonl").exists():
            return _bad("anchor key", State.FAULT, f"{file} is gone, anchors cannot be checked", "Bring the key back")
        return _ok("anchor key", "none yet: made with the first anchor")
    if file.stat().st_mode & 0o077:
        return _bad("anchor key", State.WARNING, f"{file} can be read by others", f"chmod 600 {file}")
    return _ok("anchor key", f"{file}, for its owner alone")


def _backups(app: App) -> Finding:
    place, now = app.backup_place(), app.clock.now()
    ages = [(now - _time(one.modified)).total_seconds() for one in place.listed()]
    return checkup.backups(ages, place.url(""))


def _metrics(app: App) -> Finding:
    folder = app.settings.path("metrics")
    if not folder.exists():
        return _ok("metrics", "no folder yet: made by the server")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return _bad(
            "metrics", State.FAULT, f"{folder} cannot be written", f"Give it to this user: chown -R $USER {folder}"
        )
    return _ok("metrics", f"{len(list(folder.iterdir()))} files in {folder}")


NEED_DATABASE = {"schema", "clock", "vectors", "keys"}  # and the index, where it is in the database
CHECKS: dict[str, Check] = {
    "database": _database,
    "schema": _schema,
    "clock": _clock,
    "model": _model,
    "embeddings": _embeddings,
    "vectors": _vectors,
    "index": _index,
    "keys": _keys,
    "disk": _disk,
    "anchor key": _anchor,
    "backups": _backups,
    "metrics": _metrics,
}


def _ok(name: str, found: str) -> Finding:
    return Finding(name=name, state=State.OK, found=found)


def _bad(name: str, state: State, found: str, remedy: str) -> Finding:
    return Finding(name=name, state=state, found=found, remedy=remedy)


def _worst(findings: Sequence[Finding]) -> Finding:
    return max(findings, key=lambda one: list(State).index(one.state))


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
