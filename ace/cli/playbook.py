"""`ace playbook`: see what has been learned."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli import complete
from ace.cli.carrying import AsOf, register
from ace.cli.grammar import Domain, Json
from ace.errors import NotFound
from ace.models.playbook import PlaybookStage, Section

if TYPE_CHECKING:
    from ace.bootstrap import App
    from ace.models.playbook import Bullet

app = typer.Typer(
    help="The playbook of a domain: look at it, search it, carry it out and in.\n\n"
    "Example: ace playbook show --domain customer-a",
    no_args_is_help=True,
)
register(app)


@app.command()
def show(
    bullet: Annotated[
        str | None, typer.Argument(help="one bullet's id, for all there is about it", autocompletion=complete.bullets)
    ] = None,
    domain: Domain = "default",
    stage: Annotated[PlaybookStage | None, typer.Option(help="only this stage")] = None,
    section: Annotated[Section | None, typer.Option(help="only this section")] = None,
    limit: Annotated[int, typer.Option(min=1, help="bullets shown at most")] = 50,
    raw: Annotated[bool, typer.Option("--raw", help="the paper's text format, whole")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """The bullets of a domain, best first, with their counters; or one of them, with its history.

    Example: ace playbook show --domain demo --limit 10
    """
    if bullet is not None:
        _show_one(domain, bullet, as_json)
        return
    from ace.bootstrap import App
    from ace.cli import present
    from ace.core.rendering import render_playbook
    from ace.core.validation import check_domain

    ace = App()
    store = ace.store
    if as_of:
        past = ace.travel.as_of(check_domain(domain), as_of).state
        bullets, links = [one for one in past.bullets.values() if stage in (None, one.stage)], len(past.links)
    else:
        bullets, links = store.get_all(check_domain(domain), stage=stage), len(store.links(domain))
    if not bullets and domain not in store.domains():
        raise NotFound(f"domain '{domain}' has no playbook yet. Known: {', '.join(store.domains()) or 'none'}.")
    chosen = [bullet for bullet in bullets if section in (None, bullet.section)]
    if as_json:
        typer.echo(json.dumps([bullet.to_json() for bullet in chosen]))
    elif raw:
        typer.echo(render_playbook(chosen))
    else:
        present.bullets(domain, chosen, limit, links=links)


class By(StrEnum):
    """What a search looks for."""

    MEANING = "meaning"  # the nearest vectors
    WORD = "word"  # the text contains it


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="what the bullets should be about, or contain")],
    domain: Domain = "default",
    by: Annotated[By, typer.Option(help="nearest in meaning, or every one that contains the words")] = By.MEANING,
    stage: Annotated[PlaybookStage | None, typer.Option(help="only this stage")] = None,
    section: Annotated[Section | None, typer.Option(help="only this section")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="bullets found at most")] = 10,
    as_json: Json = False,
) -> None:
    """Find bullets by meaning, the nearest first, or by word, the newest first.

    Example: ace playbook search "how to round" --domain customer-a
    """
    from ace.bootstrap import App
    from ace.cli import present
    from ace.core.rendering import one_line
    from ace.core.validation import check_domain, check_text

    app, words = App(), check_text("QUERY", query)
    find = _by_word if by == By.WORD else _by_meaning
    found = find(app, check_domain(domain), words, stage, section, limit)
    if as_json:
        typer.echo(json.dumps([{**one.to_json(), "similarity": near} for one, near in found]))
        return
    rows = [{"id": one.id, "stage": one.stage.value, "near": "" if near is None else f"{near:.2f}",
             "text": one_line(one.content)} for one, near in found]  # fmt: skip
    present.table(f"{domain}: {len(found)} bullets found by {by.value}", rows)


@app.command()
def verify(domain: Domain = "default", as_json: Json = False) -> None:
    """Check the journal's hash chain and anchors, and that replaying it gives exactly the stored playbook.

    Exit code 2 when something was changed behind ACE's back.

    Example: ace playbook verify --domain customer-a
    """
    from ace.cli.journal import verify_domains

    verify_domains([domain], None, as_json=as_json)


@app.command()
def diff(
    start: Annotated[
        str,
        typer.Argument(metavar="A", help="a position, a time, release:NAME or head", autocompletion=complete.positions),
    ],
    end: Annotated[
        str, typer.Argument(metavar="B", help="the same; may be the earlier one", autocompletion=complete.positions)
    ] = "head",
    domain: Domain = "default",
    as_json: Json = False,
) -> None:
    """What has to happen to the playbook at A to become the one at B.

    Example: ace playbook diff release:march head --domain customer-a
    """
    from ace.bootstrap import App
    from ace.cli import present

    found = App().travel.difference(domain, start, end)
    if as_json:
        typer.echo(json.dumps({"domain": domain, **found.to_json()}))
    else:
        present.difference(domain, found)


def _by_meaning(
    app: App, domain: str, words: str, stage: PlaybookStage | None, section: Section | None, limit: int
) -> list[tuple[Bullet, float | None]]:
    spare = limit if section is None else limit * 10  # sections are told apart afterwards
    stages = None if stage is None else {stage}
    found = app.index.nearest(domain, app.embedder.embed([words]), k=spare, stages=stages).hits[0]
    fitting = [(hit.bullet, round(hit.similarity, 4)) for hit in found if section in (None, hit.bullet.section)]
    return [*fitting[:limit]]


def _by_word(
    app: App, domain: str, words: str, stage: PlaybookStage | None, section: Section | None, limit: int
) -> list[tuple[Bullet, float | None]]:
    from ace.core.ports import BulletFilter

    wanted = BulletFilter(stage=stage, section=section, text=words)
    return [(listed.bullet, None) for listed in app.store.page(domain, wanted, limit=limit)]


def _show_one(domain: str, own: str, as_json: bool) -> None:
    """A bullet, where it came from, and every entry of the journal about it."""
    from ace.bootstrap import App
    from ace.core.journal import timestamp
    from ace.core.rendering import one_line
    from ace.core.validation import check_domain

    store = App().store
    bullet = store.get(check_domain(domain), own)
    if bullet is None:
        raise NotFound(f"There is no bullet {one_line(own)[:80]} in domain {domain}.")
    history = [{"seq": one.seq, "at": timestamp(one.at), "kind": one.kind, **_why(one.body)}
               for one in store.history(domain, own)]  # fmt: skip
    if as_json:
        typer.echo(json.dumps({**bullet.to_json(), "history": history}))
        return
    typer.echo(f"[{bullet.id}] {one_line(bullet.content)}\n")
    for name, value in _told(bullet):
        typer.echo(f"{name:<10}{value}")
    typer.echo("")
    for entry in history:
        typer.echo("  ".join(one_line(str(value)) for value in entry.values() if value))


def _why(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("to", "helpful", "harmful", "episode_id", "reason") if body.get(name)}


def _told(bullet: Bullet) -> list[tuple[str, Any]]:
    origin = bullet.origin
    told = [("stage", bullet.stage.value), ("section", bullet.section.value),
            ("votes", f"+{bullet.helpful_count} -{bullet.harmful_count}"), ("source", origin.source.value),
            ("episode", origin.episode_id), ("task", origin.task_id), ("model", origin.model),
            ("key", origin.principal), *(("from", str(place)) for place in reversed(origin.foreign))]  # fmt: skip
    return [(name, value) for name, value in told if value]
