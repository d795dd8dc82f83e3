"""The grammar of `ace`: what a word means in one command, it means in all.

ace NOUN VERB [WHAT] --options        ace review approve ITEM --domain customer-a
ace VERB [WHAT] --options             ace learn FILE --domain customer-a      what is done every day

--domain, -d    whose playbook
--json          one JSON document on stdout, and nothing is asked
--yes, -y       do not ask
--dry-run       show what would change, change nothing
--reason        why; it is kept

Results go to stdout; progress, questions and what is said to people go to stderr.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ace.cli import complete
from ace.errors import InvalidInput

JSON_HELP = "one JSON document on stdout, for machines"

Domain = Annotated[str, typer.Option("--domain", "-d", help="whose playbook", autocompletion=complete.domains)]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", "-d", help="may be repeated; default: every domain", autocompletion=complete.domains),
]
Json = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show what would change, change nothing")]
Reason = Annotated[str, typer.Option(help="why; it is kept")]
BulletId = Annotated[str, typer.Argument(help="a bullet's id", autocompletion=complete.bullets)]
Item = Annotated[str, typer.Argument(help="as `ace review list` shows it", autocompletion=complete.waiting)]


def is_terminal() -> bool:
    """Is there somebody to ask?"""
    return sys.stdin.isatty()


def agreed(question: str) -> bool:
    """What the person at the terminal says. Raises InvalidInput where there is none."""
    if not is_terminal():
        raise InvalidInput("--yes", "is missing, and there is nobody to ask", "Add --yes, or look first with --dry-run")
    return typer.confirm(question, err=True)
