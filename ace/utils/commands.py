"""What every command but `ace` itself does around its work: visible logs, errors as one line and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from ace.errors import AceError, exit_code


def run(name: str, command: Callable[[], object]) -> None:
    """Run the command; an error of ours becomes one line on stderr and its exit code (see `ace.errors`)."""
    try:
        command()
    except AceError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        print(f"{name}: stopped; what was finished is kept.", file=sys.stderr)
        sys.exit(130)


def plain_logs(level: str) -> None:
    """One line a record on stderr; the message is the event's name."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
