"""`ace mcp`: the playbook's tools for an agent that starts this command, over its stdin and stdout."""

from __future__ import annotations

from typing import Annotated

import typer

from ace.cli.grammar import Domain
from ace.models.access import Role


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(mcp)


def mcp(
    domain: Domain = "default",
    url: Annotated[
        str | None, typer.Option(help="a server's address, its key in ACE_API_KEY; default: the database here")
    ] = None,
    role: Annotated[
        Role, typer.Option(help="what the agent may do at most; review lets it decide what waits")
    ] = Role.WRITE,
) -> None:
    """Give an agent the playbook as tools, over the Model Context Protocol on stdin and stdout.

    The agent's own settings start this command. A server has the same tools at /mcp.

    Example: ace mcp --domain customer-a
    """
    from ace.config import get_settings
    from ace.core.validation import check_domain
    from ace.integrations.mcp import serve
    from ace.integrations.mcp_desk import Desk
    from ace.sdk.async_playbook import open_door

    given = get_settings().api_key
    key = given.get_secret_value() if given and url else None
    serve(Desk(door=open_door(url, key), domain=check_domain(domain), role=role))
