"""Writes the pages beside this file from the code: `python docs/reference/generate.py`.

An event is a call such as `log.info("batch_merge_start", extra={"tasks": …})` anywhere in `ace/`. What it means is
said below; where its fields are put together elsewhere, they are not listed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from ace import cli, errors
from ace.bootstrap import App
from ace.cli import manual
from ace.config import Settings
from ace.utils import metrics_catalogue
from ace.web import app, reference
from ace.web.problems import STATUSES

HERE = Path(__file__).parent
CODE = HERE.parents[1] / "ace"
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
MEANING = {
    "batch_merge_start": "A merge begins.",
    "batch_merge_complete": "A merge is done; `repeated`: the request was known, and answered as the first time.",
    "batch_merge_failed": "A merge ended in an error, and nothing of it was written.",
    "bullet_promoted": "A bullet has risen a stage, for `reason`.",
    "bullet_quarantined": "A bullet is out of use, for `reason`.",
    "bullet_restored": "A bullet is back from the archive, in SHADOW, for `reason`.",
    "bullets_archived": "Refinement has put bullets aside; `reason` is superseded, unused or room.",
    "circuit_breaker_opened": "Calls of this role are refused from now on, until a probe succeeds.",
    "circuit_breaker_unprotected": "The breakers' rows cannot be read; calls pass for `seconds`.",
    "domain_budget_used_up": "A domain's episodes wait until the day ends or its budget is raised; told once a day.",
    "guardrail_failed": "Releases could not be compared, or a rollback could not be made; tried again at the next run.",
    "guardrail_rolled_back": "The playbook is that of the previous release again, for `reason`.",
    "guardrail_tripped": "The current release is shown to be worse than the previous one, for `reason`.",
    "index_not_loaded": "A saved index cannot be used, for `reason`; it is made anew.",
    "index_not_saved": "The disk refuses; searching goes on.",
    "index_rebuilt": "An index was made anew from the database, for `reason`.",
    "index_not_tended": "The graph of a large domain could not be built; it is searched without, slower.",
    "journal_anchored": "A journal's head was written down outside the database.",
    "journal_not_anchored": "It was not: the place refuses, or the journal does not go on from its last anchor.",
    "local_model_asked": "The local model's server got a request.",
    "local_model_failed": "The local model's server failed at a request.",
    "local_model_ready": "The local model's server listens.",
    "metrics_file_damaged": "A file of counts cannot be read; what stood in it is lost.",
    "metrics_incomplete": "A group of metrics was left out of a scrape, because the database does not answer.",
    "metrics_not_swept": "The counts of ended processes cannot be put together; tried again at the next scrape.",
    "playbook_away": "An agent worked without the playbook, or its report is lost, for `error`.",
    "program_validated": "A DSPy program that is being compiled was run on its validation set; `score` in percent.",
    "proxy_not_heard": "What passed the proxy could not be kept as an episode; the agent has its answer.",
    "proxy_key_not_checked": "A model request was refused, its key unknown to us; told every ten seconds at most.",
    "proxy_without_bullets": "A model request passed as it came, for `reason`; told every ten seconds at most.",
    "playbook_not_rolled_back": "What was learned did no good, and the key it was learned with may not roll it back.",
    "playbook_not_refined": "A domain could not be refined; the next run may do better.",
    "reflection_not_done": "An episode was postponed, given back, lost, or is dead; `error` says why.",
    "reflection_complete": "The reflector is done with an episode.",
    "late_request_failed": "A request met a bug after its caller had been told that it took too long.",
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

COMMANDS_HEAD = """# Commands

Generated from the code by `python docs/reference/generate.py`. What all of them have in common is in
[the guide](../guides/cli.md); `ace COMMAND --help` lists the options.

| command | does | example |
| --- | --- | --- |
"""
SETTINGS_HEAD = """# Settings

Generated from the code by `python docs/reference/generate.py`. Each is read from the environment, else from `.env` in
the working directory, else from `ace.toml` there (or the file that `ACE_CONFIG` names), where it is written without
`ACE_` and in lower case: `ACE_DATABASE_URL` is `database_url`. `ace init` writes such a file, `ace doctor` tries it.
Keys of model providers (`OPENAI_API_KEY` and so on) are read by the LLM layer, from the environment alone.

| setting | default | values | means |
| --- | --- | --- | --- |
"""
ERRORS_HEAD = """# Errors and exit codes

Generated from the code by `python docs/reference/generate.py`. Every error raised on purpose is an
`ace.errors.AceError`; its text says what is wrong, with the field, and what to do. On the command line it is one line
on stderr and an exit code:

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | a fault of ours: a traceback was printed; please report it |
| 2 | something for you to mend: an argument, a file, a setting, a key, the schema |
| 3 | the language model answered what cannot be used |
| 4 | an outage: the same command may work later |
| 130 | stopped with Ctrl-C; what was finished is kept |

Over HTTP it is a problem document with a status.

| error | means | exit code | HTTP status |
| --- | --- | --- | --- |
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


def commands_markdown() -> str:
    rows = (f"| `{' '.join(one.words)}` | {_cell(one.summary)} | `{one.example}` |"
            for one in manual.every(manual.top(cli.app)))  # fmt: skip
    return COMMANDS_HEAD + "\n".join(rows) + "\n"


def settings_markdown() -> str:
    rows = (f"| `{_variable(name, field)}` | {_default(field)} | {_allowed(field)} | {_cell(field.description or '')} |"
            for name, field in Settings.model_fields.items())  # fmt: skip
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def errors_markdown() -> str:
    rows = (f"| {'&emsp;' * depth}`{kind.__name__}` | {_cell((kind.__doc__ or '').strip())} | {_exit_code(kind)} |"
            f" {_status(kind)} |" for depth, kind in _family(errors.AceError))  # fmt: skip
    return ERRORS_HEAD + "\n".join(rows) + "\n"


def http_markdown() -> str:
    return reference.markdown(app.api(App()))


PAGES = {
    "http.md": http_markdown,
    "metrics.md": metrics_catalogue.markdown,
    "events.md": events_markdown,
    "commands.md": commands_markdown,
    "settings.md": settings_markdown,
    "errors.md": errors_markdown,
}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"ACE_{name.upper()}"


def _default(field: FieldInfo) -> str:
    return "" if field.default is None else f"`{field.default}`"


def _allowed(field: FieldInfo) -> str:
    """The values a setting takes: words, or the bounds of a number."""
    words = [f"`{word}`" for kind in (field.annotation, *get_args(field.annotation)) if get_origin(kind) is Literal
             for word in get_args(kind)]  # fmt: skip
    bounds = [_bound(one) for one in field.metadata if isinstance(one, Ge | Gt | Le)]
    return ", ".join(words or bounds)


def _bound(one: Ge | Gt | Le) -> str:
    match one:
        case Ge(ge=least):
            return f"at least {least}"
        case Gt(gt=below):
            return f"more than {below}"
        case Le(le=most):
            return f"at most {most}"


def _family(kind: type[errors.AceError], depth: int = 0) -> Iterator[tuple[int, type[errors.AceError]]]:
    yield depth, kind
    for child in (one for one in kind.__subclasses__() if one.__module__ == errors.__name__):
        yield from _family(child, depth + 1)


def _exit_code(kind: type[errors.AceError]) -> int:
    return next((code for family, code in errors.EXIT_CODES if issubclass(kind, family)), 1)


def _status(kind: type[errors.AceError]) -> int:
    return next((status for family, status, _ in STATUSES if issubclass(kind, family)), 500)


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
