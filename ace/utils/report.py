"""A run's report: one HTML file that needs nothing else, neither network nor script.

Law: whatever a model, a task file or a setting wrote is printed as text. Everything is escaped, control and
direction marks are spelt out (`report_words.visible`), and the page forbids itself scripts and connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.models.playbook import Bullet
from ace.models.run import Interval, PairRecord, StepRecord, Validation
from ace.services.training import Kept, ValidationAnswer
from ace.utils.report_parts import report_view
from ace.utils.report_view import ReportView
from ace.utils.report_words import soft, visible
from ace.utils.run_folder import RunReader

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"
COPYING = "copying the nearest example's answer, no model"


def render(view: ReportView) -> str:
    """The view as a page of HTML."""
    return template("report.html").render(view=view)


def run_report(run: RunReader, bullets: Sequence[Bullet]) -> str:
    """The page for a run's folder, finished or not, and the playbook it learned.

    The baseline and the reason of an early stop are taken from `summary.json` when there is one.
    """
    summary = run.summary() or {}
    copied, kept = summary.get("copying_nearest"), run.read("finished", Kept)
    return render(
        report_view(
            config=run.config,
            steps=run.read("steps", StepRecord),
            pairs=run.read("pairs", PairRecord),
            validations=run.read("validations", Validation),
            validation_answers=[record.answered for record in run.read("validation_answers", ValidationAnswer)],
            bullets=bullets,
            baselines={COPYING: Interval(**copied)} if copied else {},
            notices=[f"Stopped early: {summary['stopped']}"] if summary.get("stopped") else [],
            kept=kept[-1].note if kept else "",
        )
    )


@cache
def template(name: str) -> Template:
    """A page of this folder, in which all text is escaped and made visible."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["soft"] = soft
    return environment.get_template(name)


def _printable(value: Any) -> Any:
    """Plain text made visible; what is marked as HTML already stays."""
    return visible(value) if type(value) is str else value
