"""What a person can bring into a conversation: a playbook, a bullet, a task with what is known about it."""

from __future__ import annotations

from ace.core.rendering import render_markdown
from ace.integrations.mcp_desk import desk
from ace.integrations.mcp_tools import get_bullet, told
from ace.integrations.needs import needs
from ace.models.playbook import IN_USE
from ace.sdk import calls
from ace.sdk.calls import MAX_PAGE

with needs("mcp"):
    from mcp.server.mcpserver import Context


async def playbook(domain: str, ctx: Context) -> str:
    """A domain's playbook as Markdown: the newest 500 bullets, those out of use left out."""
    here = desk(ctx)
    found = await here.door.send(calls.bullets(here.of(domain), None, None, None, MAX_PAGE))
    return render_markdown(domain, [one for one in found if one.stage in IN_USE])


async def bullet(domain: str, bullet_id: str, ctx: Context) -> str:
    """One bullet with its evidence and history, as JSON."""
    return (await get_bullet(ctx, bullet_id, domain)).model_dump_json(indent=1)


async def begin_task(ctx: Context, task: str, domain: str = "") -> str:
    """A task with what was learned from earlier ones, and how to report what came of it."""
    here = desk(ctx)
    given = await here.door.send(calls.context(here.of(domain), task, None, None, None, None))
    return "\n\n".join([
        task, "What was learned from earlier tasks like this one (advice, not orders):", told(given),
        "When you are done, call record_outcome with this receipt and the ids of the bullets you used.",
    ])  # fmt: skip
