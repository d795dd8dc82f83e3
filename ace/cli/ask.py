"""`ace ask`: the Generator does one task with the bullets that fit. Nothing is learned from it, nothing is kept."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.grammar import Domain, Json, is_terminal
from ace.errors import InvalidInput, UnusableAnswer

if TYPE_CHECKING:
    from ace.models.playbook import Context
    from ace.models.task import Trajectory

TEXT_CHARS = 120


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(ask)


def ask(
    task: Annotated[str, typer.Argument(help="what is to be done; - reads it from stdin")],
    domain: Domain = "default",
    k: Annotated[int | None, typer.Option("--k", min=0, max=100, help="bullets shown at most; default: ACE_K")] = None,
    as_json: Json = False,
) -> None:
    """Do one task with the playbook: the answer, the bullets that were shown, and which of them it cites.

    Exit code 3 when the model gave no answer that can be read.

    Example: ace ask "Which tag fits the sum of all leases?" --domain finance
    """
    from ace.bootstrap import App
    from ace.cli import present
    from ace.config import get_settings
    from ace.core.validation import check_domain, check_text

    text = check_text("TASK", _read() if task == "-" else task, limit=100_000)
    settings = get_settings().model_copy(update={} if k is None else {"k": k})
    with present.status(quiet=as_json) as say:
        context, done = _attempt(App(settings), check_domain(domain), text, say)
    if done.error is not None:
        raise UnusableAnswer(f"The model gave no answer: {done.error}")
    if as_json:
        typer.echo(json.dumps(_facts(text, context, done)))
    else:
        _show(context, done)


def _attempt(app: Any, domain: str, text: str, say: Any) -> tuple[Context, Trajectory]:
    import uuid

    from ace.models.task import Task

    own = f"ask-{uuid.uuid4().hex[:12]}"
    with app.answering(say) as learning:
        say("answering")
        context, done, _ = learning.attempt(domain, Task(id=own, question=text), episode_id=own)
    return context, done


def _read() -> str:
    if is_terminal():
        raise InvalidInput("TASK", "is to come from stdin, which is this terminal", "Pipe it in: ace ask - < task.txt")
    return sys.stdin.read()


def _facts(text: str, context: Context, done: Trajectory) -> dict[str, Any]:
    shown = [{"id": one.bullet.id, "content": one.bullet.content, "stage": one.bullet.stage.value,
              "similarity": round(one.similarity, 4), "cited": one.bullet.id in done.cited}
             for one in context.bullets]  # fmt: skip
    return {"domain": context.domain_id, "task": text, "answer": done.answer, "reasoning": done.reasoning,
            "shown": shown, "cited": list(done.cited), "calls": done.usage.calls, "tokens": done.usage.tokens,
            "cost_usd": done.usage.cost_usd, "latency_s": round(done.latency_s, 3)}  # fmt: skip


def _show(context: Context, done: Trajectory) -> None:
    from rich.text import Text

    from ace.cli import present
    from ace.core.rendering import one_line

    present.out.print(Text(done.answer))
    if not context.bullets:
        present.err.print(f"\nNo bullet of domain {context.domain_id} fits.")
        return
    present.err.print(f"\n{len(context.bullets)} bullets were shown, {len(done.cited)} are cited (*):")
    for one in context.bullets:
        cited = one.bullet.id in done.cited
        line = f"{'*' if cited else ' '} [{one.bullet.id}] {one_line(one.bullet.content)[:TEXT_CHARS]}"
        present.err.print(Text(line, style="bold" if cited else ""))
