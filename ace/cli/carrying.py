"""`ace playbook export`: write the playbook down."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli import complete
from ace.cli.carrying_in import import_
from ace.cli.grammar import Domain, Json
from ace.models.form import Written
from ace.models.playbook import PlaybookStage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ace.bootstrap import App
    from ace.core.replay import State
    from ace.models.playbook import Bullet

AsOf = Annotated[
    str | None,
    typer.Option(help="as it was: a position (120), a time (2026-11-25T10:00Z), release:NAME",
                 autocompletion=complete.positions),
]  # fmt: skip
SECTION_FILES = {Written.AGENTS_MD: "AGENTS.md", Written.CLAUDE_MD: "CLAUDE.md"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chosen:
    """What goes out: these bullets of this state."""

    domain: str
    position: int
    state: State
    bullets: Sequence[Bullet]


def register(app: typer.Typer) -> None:
    """Add the commands to `ace playbook`."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    domain: Domain = "default",
    form: Annotated[
        Written, typer.Option("--to", "--as", help="json: all there is; paper (or text): the paper's format")
    ] = Written.JSON,
    stage: Annotated[list[PlaybookStage] | None, typer.Option(help="may be repeated; default: prod")] = None,
    every: Annotated[bool, typer.Option("--all", help="every stage but quarantined")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="the best so many; default: all")] = None,
    as_of: AsOf = None,
    out: Annotated[
        Path | None,
        typer.Option(help="file or skill folder; default: stdout, AGENTS.md, CLAUDE.md, DOMAIN-playbook"),
    ] = None,
    description: Annotated[str | None, typer.Option(help="of a skill: what it is about, when to use it")] = None,
    as_json: Json = False,
) -> None:
    """Write the playbook down: to carry it elsewhere, to read it, for the paper's tools, for agents that load files.

    What PROD holds goes out. A skill is a folder; in AGENTS.md and CLAUDE.md only our section is written.

    Example: ace playbook export --domain customer-a --to skill --out .claude/skills/customer-a-playbook
    """
    from ace.bootstrap import App

    chosen, left = _chosen(App(), domain, stage, limit, as_of, every=every)
    to = out or _usual(form, domain)
    if to is None:
        text = _text(form, chosen)
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        changed, count = _put(form, chosen, to, description), len(chosen.bullets)
        facts = {"domain": domain, "file": str(to), "bullets": count, "changed": changed, "left": left}
        told = f"{to}: {count} bullets of {domain}{'' if changed else ', as before'}"
        typer.echo(json.dumps(facts) if as_json else told)
    if left and not as_json:
        told = ", ".join(f"{count} in {stage}" for stage, count in left.items())
        typer.echo(f"Not written: {told}. To write them too: --stage {' --stage '.join(left)}, or --all.", err=True)


def _chosen(
    app: App, domain: str, stages: list[PlaybookStage] | None, limit: int | None, as_of: str | None, *, every: bool
) -> tuple[_Chosen, dict[str, int]]:
    """What goes out, and how many of each stage in use do not for their stage."""
    from ace.core.carrying.skill import best_first
    from ace.core.validation import check_domain
    from ace.models.playbook import IN_USE

    wanted = set(PlaybookStage) - {PlaybookStage.QUARANTINED} if every else set(stages or [PlaybookStage.PROD])
    position = app.travel.position(check_domain(domain), as_of or "head", "--as-of")
    state = app.travel.state(domain, position)
    kept = [bullet for bullet in state.bullets.values() if bullet.stage in wanted]
    counts = Counter(bullet.stage for bullet in state.bullets.values() if bullet.stage not in wanted)
    left = {stage.value: counts[stage] for stage in IN_USE if counts[stage]}
    bullets = kept if limit is None else best_first(kept)[:limit]
    return _Chosen(domain=domain, position=position, state=state, bullets=bullets), left


def _text(form: Written, chosen: _Chosen) -> str:
    from ace.core.carrying import document, markdown, paper

    match form:
        case Written.JSON:
            given = document.to_document(chosen.domain, chosen.position, chosen.bullets, chosen.state.links)
            return json.dumps(given, indent=1, ensure_ascii=False)
        case Written.MARKDOWN:
            return markdown.to_markdown(chosen.domain, chosen.position, chosen.bullets)
        case _:
            return paper.to_paper(chosen.bullets)


def _usual(form: Written, domain: str) -> Path | None:
    """Where it goes when nobody says; None for stdout."""
    from ace.core.carrying.skill import name_for

    if form is Written.SKILL:
        return Path(name_for(domain))
    return Path(SECTION_FILES[form]) if form in SECTION_FILES else None


def _put(form: Written, chosen: _Chosen, to: Path, description: str | None) -> bool:
    """Write it; False when it was there already."""
    from ace.core.carrying import between, skill
    from ace.utils import playbook_files
    from ace.utils.files import write_atomic

    if form in SECTION_FILES:
        return playbook_files.write_section(to, chosen.domain, between.to_section(chosen.domain, chosen.bullets))
    if form is Written.SKILL:
        name = to.absolute().name
        files = skill.to_skill(name, chosen.domain, chosen.position, chosen.bullets, description)
        playbook_files.write_skill(to, files)
    else:
        text = _text(form, chosen)
        write_atomic(to, text if text.endswith("\n") else f"{text}\n")
    return True
