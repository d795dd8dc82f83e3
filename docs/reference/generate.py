"""Writes metrics.md and events.md beside this file from the code: `python docs/reference/generate.py`.

An event is a call such as `log.info("batch_merge_start", extra={"tasks": …})` anywhere in `ace/`. What it means is
said below; where its fields are put together elsewhere, they are not listed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ace.utils import metrics_catalogue

HERE = Path(__file__).parent
CODE = HERE.parents[1] / "ace"
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
MEANING = {
    "batch_merge_start": "A merge begins.",
    "batch_merge_complete": "A merge is done; `repeated`: the request was known, and answered as the first time.",
    "batch_merge_failed": "A merge ended in an error, and nothing of it was written.",
    "bullet_promoted": "A bullet has risen a stage, for `reason`.",
    "bullet_quarantined": "A bullet is out of use, for `reason`.",
    "circuit_breaker_opened": "Calls of this role are refused from now on, until a probe succeeds.",
    "circuit_breaker_unprotected": "The breakers' rows cannot be read; calls pass for `seconds`.",
    "domain_budget_used_up": "A domain's episodes wait until the day ends or its budget is raised; told once a day.",
    "guardrail_failed": "Releases could not be compared, or a rollback could not be made; tried again at the next run.",
    "guardrail_rolled_back": "The playbook is that of the previous release again, for `reason`.",
    "guardrail_tripped": "The current release is shown to be worse than the previous one, for `reason`.",
    "index_not_loaded": "A saved index cannot be used, for `reason`; it is made anew.",
    "index_not_saved": "The disk refuses; searching goes on.",
    "index_rebuilt": "An index was made anew from the database, for `reason`.",
    "journal_anchored": "A journal's head was written down outside the database.",
    "journal_not_anchored": "It was not: the place refuses, or the journal does not go on from its last anchor.",
    "local_model_asked": "The local model's server got a request.",
    "local_model_failed": "The local model's server failed at a request.",
    "local_model_ready": "The local model's server listens.",
    "metrics_file_damaged": "A file of counts cannot be read; what stood in it is lost.",
    "metrics_incomplete": "A group of metrics was left out of a scrape, because the database does not answer.",
    "metrics_not_swept": "The counts of ended processes cannot be put together; tried again at the next scrape.",
    "reflection_not_done": "An episode was postponed, given back, lost, or is dead; `error` says why.",
    "reflection_complete": "The reflector is done with an episode.",
    "request_failed": "A request met a bug; its caller got 500 and the id of the request.",
    "reflection_unusable": "Nothing could be read from a reflection; the episode teaches nothing more.",
    "stage_manager_failed": "A run of the stage manager met an outage; the next one may do better.",
    "stage_manager_leads": "This process runs the stage manager's schedule from now on.",
    "stage_manager_run": "The stage manager has looked at every bullet that may have to move.",
}
HEAD = """# Events

Generated from the code by `python docs/reference/generate.py`. Every log line also has `timestamp`, `level`,
`component`, `logger` and `pid`; see [the guide](../guides/observability.md).

| event | level | fields | logged by | means |
| --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Event:
    """One call that logs. `name` is None when it is no literal."""

    name: str | None
    level: str
    fields: tuple[str, ...]
    module: str


def events() -> list[Event]:
    """Every call that logs, in the order of the events' names."""
    found = {event for file in sorted(CODE.rglob("*.py")) for event in _events_in(file)}
    return sorted(found, key=lambda event: (event.name or "", event.module, event.level))


def events_markdown() -> str:
    rows = (f"| `{one.name}` | {one.level} | {', '.join(f'`{name}`' for name in one.fields)} | `{one.module}` |"
            f" {MEANING.get(one.name or '', '')} |" for one in events())  # fmt: skip
    return HEAD + "\n".join(rows) + "\n"


PAGES = {"metrics.md": metrics_catalogue.markdown, "events.md": events_markdown}


def _events_in(file: Path) -> Iterator[Event]:
    module = ".".join(file.relative_to(CODE.parent).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "logger"), attr=level)) if level in LEVELS:
                yield Event(
                    name=_text(node.args[:1]),
                    level="error" if level == "exception" else level,
                    fields=_fields(node),
                    module=module,
                )


def _text(arguments: list[ast.expr]) -> str | None:
    match arguments:
        case [ast.Constant(value=str(name))]:
            return name
    return None


def _fields(call: ast.Call) -> tuple[str, ...]:
    """The names that stand in `extra={…}`."""
    for keyword in call.keywords:
        match keyword:
            case ast.keyword(arg="extra", value=ast.Dict(keys=keys)):
                return tuple(key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
    return ()


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
