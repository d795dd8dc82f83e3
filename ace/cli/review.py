"""`ace review`: look at what waits for a person, and decide it; by commands, or one after the other in a terminal."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.grammar import Domain, Item, Json, is_terminal
from ace.errors import UserError
from ace.models.review import ReviewItem, ReviewState

if TYPE_CHECKING:
    from ace.services.review import Reviews

app = typer.Typer(
    help="What waits for a person: one after the other in a terminal, or by commands.\n\n"
    "Example: ace review --domain customer-a",
    invoke_without_command=True,
)


CHOICES = "[a]pprove  [e]dit  [r]eject  [s]kip  [q]uit"


@app.callback()
def review(context: typer.Context, domain: Domain = "default") -> None:
    """Without a command, in a terminal: one after the other, each with its reasons.

    Example: ace review --domain customer-a
    """
    if context.invoked_subcommand:
        return
    if not is_terminal():
        typer.echo(context.get_help())
        return
    reviews = _reviews()
    last = ""
    while found := reviews.list(domain, ReviewState.WAITING, limit=1, after=last):
        last = found[0].id
        try:
            if not _ask(reviews, found[0]):
                return
        except UserError as error:  # decided by somebody else meanwhile, or an edit that cannot be stored
            typer.secho(f"ace: {error}", fg="red", err=True)
        except typer.Abort:  # the terminal is closed, or Ctrl-C: what was decided stands
            return
    typer.echo("Nothing else waits." if last else f"Nothing waits in domain {domain}.")


@app.command("list")
def list_items(
    domain: Domain = "default",
    state: Annotated[ReviewState | None, typer.Option(help="only these")] = ReviewState.WAITING,
    everything: Annotated[bool, typer.Option("--all", help="decided ones too")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="items at most")] = 100,
    as_json: Json = False,
) -> None:
    """What waits, those that came first in front.

    Example: ace review list --domain customer-a
    """
    from ace.cli import present
    from ace.core.rendering import one_line

    found = _reviews().list(domain, None if everything else state, limit=limit)
    if as_json:
        typer.echo(json.dumps([item.to_json() for item in found]))
        return
    rows = [
        {
            "id": item.id,
            "state": item.state.value,
            "why": "; ".join(item.reasons),
            "text": one_line(item.insight.content),
        }
        for item in found
    ]
    present.table(f"{domain}: {len(found)} items", rows)


@app.command()
def show(item_id: Item, domain: Domain = "default", as_json: Json = False) -> None:
    """One item: its text, why it waits, where it came from.

    Example: ace review show strategy-k3j5x7q2ab --domain customer-a
    """
    _tell(_reviews().get(domain, item_id), as_json)


@app.command()
def approve(item_id: Item, domain: Domain = "default", as_json: Json = False) -> None:
    """Merge it as it is. The bullet starts in shadow, like every other.

    Example: ace review approve strategy-k3j5x7q2ab --domain customer-a
    """
    _tell(_reviews().approve(domain, item_id, by=_me()), as_json)


@app.command()
def edit(
    item_id: Item,
    content: Annotated[str | None, typer.Option(help="the new text; default: you are asked for it")] = None,
    domain: Domain = "default",
    as_json: Json = False,
) -> None:
    """Merge it in other words; where it came from stays on record.

    Example: ace review edit strategy-k3j5x7q2ab --content "Round half up."
    """
    reviews = _reviews()
    words = content or _edited(reviews.get(domain, item_id))
    if words is None:
        typer.echo("Nothing was changed, nothing was decided.", err=True)
        raise typer.Exit(2)
    _tell(reviews.approve(domain, item_id, by=_me(), content=words), as_json)


@app.command()
def reject(
    item_id: Item,
    reason: Annotated[str, typer.Option(help="why; it is kept")],
    domain: Domain = "default",
    as_json: Json = False,
) -> None:
    """Turn it down; the same advice is not proposed again.

    Example: ace review reject strategy-k3j5x7q2ab --reason "wrong for taxes"
    """
    _tell(_reviews().reject(domain, item_id, reason, by=_me()), as_json)


@app.command()
def reopen(
    item_id: Item,
    reason: Annotated[str, typer.Option(help="why; it is kept")],
    domain: Domain = "default",
    as_json: Json = False,
) -> None:
    """Take a rejection back: it waits again.

    Example: ace review reopen strategy-aaaaaaaaaa --reason "it was right" --domain customer-a
    """
    _tell(_reviews().reopen(domain, item_id, reason, by=_me()), as_json)


def _reviews() -> Reviews:
    from ace.bootstrap import App

    return App().reviews


def _me() -> str:
    return f"{getpass.getuser()} (ace review)"


def _ask(reviews: Reviews, item: ReviewItem) -> bool:
    """Decide one item, or not; False to end."""
    _tell(item, as_json=False)
    match _choice():
        case "a":
            _tell(reviews.approve(item.domain_id, item.id, by=_me()), as_json=False)
        case "e":
            words = _edited(item)
            if words is not None:
                _tell(reviews.approve(item.domain_id, item.id, by=_me(), content=words), as_json=False)
        case "r":
            _tell(reviews.reject(item.domain_id, item.id, typer.prompt("why"), by=_me()), as_json=False)
        case "q":
            return False
    return True


def _choice() -> str:
    """One of the letters."""
    while (letter := typer.prompt(CHOICES, default="s").strip().lower()[:1]) not in "aersnq":
        typer.echo("One of the letters, please.", err=True)
    return str(letter)


def _edited(item: ReviewItem) -> str | None:
    """The text as the person types it; None when it was left as it was."""
    words = str(typer.prompt("new text", default=item.insight.content, show_default=False)).strip()
    return None if words in ("", item.insight.content) else words


def _tell(item: ReviewItem, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(item.to_json()))
        return
    from ace.core.rendering import one_line

    for name, value in _lines(item):
        typer.echo(f"{name:<11}{one_line(str(value))}")


def _lines(item: ReviewItem) -> list[tuple[str, Any]]:
    """What is worth reading about an item; its text came from outside, so it is shown on one line."""
    source = f"episode {item.episode_id}, {item.insight.source}, confidence {item.insight.confidence:.2f}"
    told: list[tuple[str, Any]] = [("id", item.id), ("state", item.state), ("text", item.insight.content)]
    told += [("waits for", reason) for reason in item.reasons]
    told += [("from", source), ("reported by", item.principal), ("model", item.model)]
    told += [("decided by", item.decided_by), ("because", item.decision), ("bullet", item.bullet_id)]
    return [(name, value) for name, value in told if value is not None]
