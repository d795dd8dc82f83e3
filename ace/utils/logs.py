"""Logs: one JSON object a line, or pretty lines in a terminal, through the standard `logging`.

Code says `log.info("event_name", extra={"field": value})`; a door calls `configure` once. What serves logs to stdout,
so that `docker logs NAME | grep event` finds it; a command, whose stdout is its answer, logs to stderr. Each line has

    timestamp   ISO 8601 in UTC            level      debug, info, warning, error
    event       what happened, by name     component  the door, or the module it belongs to
    logger, pid                            trace_id   when the work is traced
    exception   with its traceback         and the fields of `extra` and of `bound`

Law: no secret reaches a line. Fields whose names are those of secrets are replaced as a whole; in every other text,
tracebacks too, what looks like a key of ours or of a provider, a bearer token or a password in a URL is cut out.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TextIO

from ace.config import Settings
from ace.core.hiding import HIDDEN, hide, names_a_secret
from ace.utils import tracing

if TYPE_CHECKING:
    from structlog.types import EventDict, Processor

DEPTH = 6
QUIET = ("mcp", "httpx", "httpcore", "urllib3", "asyncio", "LiteLLM", "dspy", "opentelemetry", "alembic")
COMPONENTS = {"ace.stage_manager": "stage_manager", "ace.ops.stage_manager": "stage_manager",
              "ace.workers.reflection": "reflector", "ace.workers.embedding": "embeddings",
              "ace.web": "server", "ace.server": "server", "granian": "server", "_granian": "server"}  # fmt: skip
"""Loggers that are a component's own, whichever door they run behind."""


def configure(settings: Settings, component: str, *, stream: TextIO | None = None, quiet: bool = False) -> None:
    """Send this process's logs to `stream` (stderr) as the settings say.

    `quiet`, for a command that talks to a person itself: warnings only, unless the settings name a level.
    """
    pretty = settings.log_format == "console" or (settings.log_format == "auto" and (stream or sys.stderr).isatty())
    level = "warning" if quiet and "log_level" not in settings.model_fields_set else settings.log_level
    install(level, pretty=pretty, component=component, stream=stream)


def install(level: str, *, pretty: bool, component: str, stream: TextIO | None = None) -> None:
    """The same, in single words. What was configured before is replaced."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter(pretty=pretty, component=component))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def formatter(*, pretty: bool, component: str) -> logging.Formatter:
    """What turns a record into a line."""
    import structlog

    steps: list[Processor] = [
        structlog.stdlib.ExtraAdder(),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_place(component),
    ]
    render: Processor = structlog.processors.JSONRenderer()
    if pretty:
        colours = sys.stderr.isatty()
        render = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=steps,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _without_secrets,
            render,
        ],
    )


def granian(settings: Settings) -> dict[str, Any]:
    """Granian's `log_dictconfig`: its lines go the same way as ours."""
    pretty = settings.log_format == "console" or (settings.log_format == "auto" and sys.stdout.isatty())
    made = {"()": formatter, "pretty": pretty, "component": "server"}
    handler = {"class": "logging.StreamHandler", "formatter": "ours", "stream": "ext://sys.stdout"}
    logger = {"handlers": ["ours"], "level": "INFO", "propagate": False}
    return {"version": 1, "disable_existing_loggers": False, "formatters": {"ours": made},
            "handlers": {"ours": handler}, "loggers": {"_granian": logger, "granian.access": logger}}  # fmt: skip


def bound(**fields: Any) -> AbstractContextManager[None]:
    """`with bound(request_id=…):` adds these fields to every line logged inside."""
    import structlog

    return structlog.contextvars.bound_contextvars(**fields)


def safe(value: Any, depth: int = DEPTH) -> Any:
    """The value as plain data without secrets; what is neither a number, a text nor a container becomes its text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth and isinstance(value, Mapping):
        return {hide(str(name)): HIDDEN if names_a_secret(str(name)) else safe(one, depth - 1)
                for name, one in value.items()}  # fmt: skip
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [safe(one, depth - 1) for one in value]
    return hide(str(value))


def _without_secrets(_: Any, __: str, event: EventDict) -> Mapping[str, Any]:
    found: Mapping[str, Any] = safe(event)
    return found


def _add_place(component: str) -> Processor:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("component", _component(str(event.get("logger", ""))) or component)
        event["pid"] = os.getpid()
        if trace := tracing.trace_id():
            event["trace_id"] = trace
        return event

    return add


def _component(logger: str) -> str | None:
    return next((own for name, own in COMPONENTS.items() if logger == name or logger.startswith(f"{name}.")), None)
