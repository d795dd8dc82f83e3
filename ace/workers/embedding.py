"""`ace-embeddings`: this machine's embedding model as a service, for `ACE_EMBEDDINGS_URL` and any OpenAI client.

It asks for no key: keep it on loopback or in a private network.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from ace.errors import InvalidInput
from ace.utils import commands, logs

KILL_AFTER_S = 8  # seconds a stopping worker may take; containers are given 10
log = logging.getLogger("ace.embeddings")


def embeddings(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8001,
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes; each holds the model, about 200 MB")] = 1,
    model: Annotated[str, typer.Option(help="what must be served; there is one")] = "all-MiniLM-L6-v2",
) -> None:
    """Serve POST /v1/embeddings as OpenAI does, with all-MiniLM-L6-v2 on this machine.

    Example: ace-embeddings --port 8001, then ACE_EMBEDDINGS_URL=http://127.0.0.1:8001/v1
    """
    from granian import Granian
    from granian.constants import Interfaces

    from ace.config import get_settings
    from ace.utils.embeddings import LocalEmbedder
    from ace.workers.embedding_request import MODELS

    if model not in MODELS:
        raise InvalidInput("--model", f"'{model}' is not served here", f"Known: {', '.join(MODELS)}")
    settings = get_settings()
    logs.configure(settings, "embeddings", stream=sys.stdout)
    LocalEmbedder(settings.models_path).embed(["ready"])  # what is missing is said here, once, not by every worker
    log.info("embeddings_started", extra={"host": host, "port": port, "workers": workers})
    Granian(
        "ace.workers.embedding_app:create_app",
        factory=True,
        address=host,
        port=port,
        workers=workers,
        interface=Interfaces.ASGI,
        websockets=False,
        workers_kill_timeout=KILL_AFTER_S,
        log_dictconfig=logs.granian(settings),
    ).serve()
    log.info("embeddings_stopped")


def main() -> None:
    """The console script."""
    commands.run(embeddings)


if __name__ == "__main__":
    main()
