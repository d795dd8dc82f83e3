"""Training runs and their learning curves, from the run folders; how fast retrieval is, from the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.responses import Response
from prometheus_client.parser import text_string_to_metric_families

from ace.core.statistics import moving_share
from ace.core.validation import check_domain
from ace.errors import AceError, InvalidInput, NotFound
from ace.models.run import StepRecord, Validation
from ace.utils.metrics import exposition
from ace.utils.run_folder import RunReader
from ace.web.pages.chart import Chart, Kind, thinned
from ace.web.pages.door import Visit, page

LISTED = 50
LATENCY = "playbook_retrieval_latency_ms"
WINDOW = 50  # answers a point of a curve rests on, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A run in the list; `damage` says why it cannot be read."""

    name: str
    kind: str = ""
    domain: str = ""
    at: float = 0.0
    done: bool = False
    damage: str = ""


@page("/runs")
def runs(visit: Visit) -> Response:
    found = [one for folder in _folders(visit) if (one := _listed(folder)).damage or _covers(visit, one.domain)]
    shown = found if visit.caller.domains is None else [one for one in found if not one.damage]
    return visit.show(
        "runs.html", part="runs", runs=shown[:LISTED], more=max(0, len(shown) - LISTED), latency=_latency()
    )


@page("/runs/{name}")
def run(visit: Visit) -> Response:
    name = str(visit.request.path_params["name"])
    try:
        check_domain(name)  # a run's name has the shape of a domain's: it can be no path
    except InvalidInput:
        raise _no_run(name) from None
    reader = RunReader(visit.app.settings.path("runs", name))
    if not _covers(visit, str(reader.config.get("domain", ""))):
        raise _no_run(name)
    steps, validations = reader.read("steps", StepRecord), reader.read("validations", Validation)
    charts = [chart for chart in (_curve(steps), _size(steps), _validated(validations)) if chart]
    return visit.show("run.html", part="runs", name=name, config=_told(reader.config), charts=charts,
                      summary=_told(reader.summary() or {}), steps=len(steps))  # fmt: skip


def _folders(visit: Visit) -> list[Path]:
    place = visit.app.settings.path("runs")
    found = [folder for folder in place.iterdir() if (folder / "run.json").is_file()] if place.is_dir() else []
    return sorted(found, key=lambda folder: (folder / "run.json").stat().st_mtime, reverse=True)[: 4 * LISTED]


def _listed(folder: Path) -> Listed:
    at = (folder / "run.json").stat().st_mtime
    try:
        config = RunReader(folder).config
    except AceError as error:
        return Listed(name=folder.name, at=at, damage=str(error))
    return Listed(name=folder.name, kind=str(config.get("kind", "")), domain=str(config.get("domain", "")), at=at,
                  done=(folder / "summary.json").exists())  # fmt: skip


def _covers(visit: Visit, domain: str) -> bool:
    return visit.caller.domains is None or visit.caller.sees(domain)


def _no_run(name: str) -> NotFound:
    return NotFound(f"There is no run {name[:80]}.")


def _told(config: dict[str, Any]) -> list[tuple[str, str]]:
    """The plain values, flat; nothing that is long."""
    flat = {**config, **config.get("settings", {})} if isinstance(config.get("settings"), dict) else config
    return [(name.replace("_", " "), str(value)) for name, value in flat.items()
            if isinstance(value, str | int | float) and len(str(value)) < 200]  # fmt: skip


def _curve(steps: Sequence[StepRecord]) -> Chart | None:
    window = max(5, min(WINDOW, len(steps) // 5))
    shares = moving_share([step.correct for step in steps], window)
    rows = [(step.step, round(100 * share.value, 1), round(100 * share.low, 1), round(100 * share.high, 1))
            for step, share in zip(steps, shares, strict=True) if 2 * share.n >= window]  # fmt: skip
    if len(rows) < 2:
        return None
    ends = f"From {rows[0][1]:g} % right to {rows[-1][1]:g} %"
    says = f"{ends}; each point over the last {window} answers, with its 95 % interval."
    return Chart(name="curve", title="Right answers", says=says, kind=Kind.LINES, unit="%", rows=thinned(rows),
                 head=("step", "right, %", "at least", "at most"))  # fmt: skip


def _size(steps: Sequence[StepRecord]) -> Chart | None:
    if len(steps) < 2:
        return None
    says = f"The playbook grew from {steps[0].bullets:,} to {steps[-1].bullets:,} bullets."
    return Chart(name="size", title="Bullets", says=says, kind=Kind.LINES, head=("step", "bullets"),
                 rows=thinned([(step.step, step.bullets) for step in steps]))  # fmt: skip


def _validated(found: Sequence[Validation]) -> Chart | None:
    if not found:
        return None
    rows = tuple((f"epoch {one.epoch}", round(100 * one.accuracy, 1)) for one in found[:30])
    says = f"{found[-1].correct} of {found[-1].n} validation tasks right at the end."
    return Chart(name="validation", title="Validation", says=says, kind=Kind.BARS, unit="%", rows=rows,
                 head=("after", "right, %"))  # fmt: skip


def _latency() -> Chart | None:
    """How many retrievals took how long; None while nobody has asked."""
    below = {sample.labels["le"]: sample.value for family in text_string_to_metric_families(exposition().decode())
             for sample in family.samples if sample.name == f"{LATENCY}_bucket"}  # fmt: skip
    bounds = sorted((float(bound), int(count)) for bound, count in below.items())
    total = bounds[-1][1] if bounds else 0
    if not total:
        return None
    rows, before = [], 0
    for bound, count in bounds:
        rows.append((f"{bound:g}" if bound != float("inf") else "more", count - before))
        before = count
        if count == total:
            break
    median = next(bound for bound, count in bounds if 2 * count >= total)
    says = f"{total:,} retrievals since counting began; half of them within {median:g} ms."
    return Chart(name="latency", title="Retrieval latency", says=says, kind=Kind.BARS, rows=tuple(rows),
                 head=("milliseconds at most", "retrievals"))  # fmt: skip
