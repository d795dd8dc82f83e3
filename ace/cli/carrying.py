"""`ace playbook export` and `import`."""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli import complete
from ace.cli.grammar import Domain, DryRun, Json
from ace.models.playbook import PlaybookStage

if TYPE_CHECKING:
    from ace.bootstrap import App
    from ace.core.carrying import Carried
    from ace.models.playbook import Bullet


class Form(StrEnum):
    """How a playbook is written down; see ace.core.carrying."""

    JSON = "json"
    MARKDOWN = "markdown"
    TEXT = "text"


AsOf = Annotated[
    str | None,
    typer.Option(help="as it was: a position (120), a time (2026-11-25T10:00Z), release:NAME",
                 autocompletion=complete.positions),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands to `ace playbook`."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    domain: Domain = "default",
    form: Annotated[Form, typer.Option("--as", help="json: all there is; text: the paper's format")] = Form.JSON,
    stage: Annotated[PlaybookStage | None, typer.Option(help="only this; default: all but quarantined")] = None,
    as_of: AsOf = None,
    out: Annotated[Path | None, typer.Option(help="a file; default: stdout")] = None,
    as_json: Json = False,
) -> None:
    """Write the playbook down: as json to carry it elsewhere, as markdown to read, as text for the paper's tools.

    Example: ace playbook export --domain customer-a --as markdown --out playbook.md
    """
    from ace.bootstrap import App
    from ace.utils.files import write_atomic

    text, count = _written(App(), domain, form, stage, as_of)
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
        return
    write_atomic(out, text if text.endswith("\n") else f"{text}\n")
    facts = {"domain": domain, "file": str(out), "bullets": count}
    typer.echo(json.dumps(facts) if as_json else f"{out}: {count} bullets of {domain}")


def import_(
    file: Annotated[Path, typer.Argument(help="json or text, as `ace playbook export` writes them")],
    domain: Domain = "default",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Carry bullets in. They start in shadow without votes, their source is `import`; what is known stays as it is.

    The same file again changes nothing. Take it all back: ace purge --source import, or ace rollback.

    Example: ace playbook import playbook.json --domain customer-a
    """
    from ace.bootstrap import App
    from ace.core.validation import check_domain
    from ace.utils.playbook_files import read_playbook

    app = App()
    carried, import_id = read_playbook(file)
    facts = {"domain": check_domain(domain), "file": str(file), "bullets": len(carried), "dry_run": dry_run}
    done = _known(app, domain, carried) if dry_run else _carried_in(app, domain, carried, import_id, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(facts | done))
    else:
        told = ", ".join(f"{count} {name}" for name, count in done.items())
        typer.echo(f"{domain}: {len(carried)} bullets in {file}: {told}")


def _written(app: App, domain: str, form: Form, stage: PlaybookStage | None, as_of: str | None) -> tuple[str, int]:
    from ace.core.carrying import to_document, to_markdown
    from ace.core.rendering import render_playbook
    from ace.core.validation import check_domain

    position = app.travel.position(check_domain(domain), as_of or "head", "--as-of")
    state = app.travel.state(domain, position)
    chosen = [bullet for bullet in state.bullets.values() if _wanted(bullet, stage)]
    match form:
        case Form.JSON:
            text = json.dumps(to_document(domain, position, chosen, state.links), indent=1, ensure_ascii=False)
        case Form.MARKDOWN:
            text = to_markdown(domain, position, chosen)
        case Form.TEXT:
            text = render_playbook(chosen)
    return text, len(chosen)


def _wanted(bullet: Bullet, stage: PlaybookStage | None) -> bool:
    return bullet.stage != PlaybookStage.QUARANTINED if stage is None else bullet.stage == stage


def _known(app: App, domain: str, carried: list[Carried]) -> dict[str, int]:
    from ace.models.playbook import bullet_id

    ids = {bullet_id(domain, one.section, one.content) for one in carried}
    known = len(app.store.get_many(domain, sorted(ids)))
    return {"known": known, "new": len(ids) - known}


def _carried_in(app: App, domain: str, carried: list[Carried], import_id: str, *, quiet: bool) -> dict[str, int]:
    from ace.cli import present
    from ace.models.plan import Outcome
    from ace.services.carrying import carry_in

    found: Counter[str] = Counter()
    with present.Steps("importing", len(carried), quiet=quiet) as steps:
        for result in carry_in(carried, domain, curator=app.run_curator, import_id=import_id):
            found.update(one.outcome.value for one in result.outcomes)
            steps.step(f"{found['added']} added", advance=len(result.outcomes))
    added = found[Outcome.ADDED] + found[Outcome.LINKED]
    return {"added": added, "known": found[Outcome.REPEATED] + found[Outcome.MERGED],
            "contradicting": found[Outcome.LINKED], "held": found[Outcome.HELD],
            "rejected": found[Outcome.REJECTED]}  # fmt: skip
