"""`ace-reflector`: reflects on reported episodes, as many processes of it as you like.

Exit codes: 0 drained or told to stop · 1 a fault of ours · 2 something for you to mend · 4 an outage.
Outages after the start are waited out, unless --once was given.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from threading import Event
from typing import Annotated

import typer

from ace.system import private
from ace.utils import commands, logs
from ace.utils.metrics_http import answering

log = logging.getLogger("ace.reflector")
ALIVE = "reflector.alive"


def reflector(
    domain: Annotated[str | None, typer.Option("--domain", "-d", help="only this domain's; default: all")] = None,
    once: Annotated[bool, typer.Option("--once", help="work on what is due, then exit")] = False,
    poll_s: Annotated[float, typer.Option(min=0.01, help="seconds between looks when nothing is due")] = 1.0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="episodes reflected on beside each other")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="with --once: the summary as JSON")] = False,
) -> None:
    """Reflect on the episodes that agents reported, and merge what they teach; do the tasks that runs have queued.

    Example: ace-reflector --once --json
    """
    from ace.bootstrap import App
    from ace.core.validation import check_domain
    from ace.workers.crew import Crew

    if domain is not None:
        check_domain(domain)
    app, stop = App(), Event()
    logs.configure(app.settings, "reflector", stream=sys.stderr if once else sys.stdout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if app.settings.lease_s <= app.settings.llm_deadline_s:
        log.warning("lease_shorter_than_a_model_call", extra={"lease_s": app.settings.lease_s})
    private.make_folder(app.settings.data_dir)
    private.restrict_data(app.settings.data_dir, everything=True)
    port = app.settings.reflector_metrics_port
    with app.observed("reflector"), answering(app.settings.host, port), app.working(say) as work:
        crew = Crew(work, stop=stop, alive=app.settings.path(ALIVE), domain=domain, once=once,
                    poll_s=poll_s, concurrency=concurrency, rest=app.rest)  # fmt: skip
        log.info("reflector_started", extra={"domain": domain, "concurrency": concurrency})
        did = crew.run()
        summary = did.to_json()
        log.info("reflector_stopped", extra=summary)
    if did.crashed:
        raise typer.Exit(1)
    if once:
        print(json.dumps(summary) if as_json else ", ".join(f"{count} {name}" for name, count in summary.items()))


def say(message: str) -> None:
    print(message, file=sys.stderr)


def main() -> None:
    """The console script."""
    commands.run(reflector)


if __name__ == "__main__":
    main()
