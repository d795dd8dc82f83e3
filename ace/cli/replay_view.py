"""What people see of a replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from ace.cli import present
from ace.core.rendering import one_line
from ace.models.playbook import Bullet
from ace.models.replay import BlameTrial, BulletReplay, Due, Finding, Guilt
from ace.services.blaming import Accused

ENDED = {
    "helps": "It helps: the e-value for good has reached its bar.",
    "harms": "It harms: the e-value for harm has reached its bar.",
    "hopeless": "Neither will be shown with a sensible number of pairs: hopeless.",
    "enough": "Undecided after as many pairs as were asked for.",
    "no_tasks": "Undecided: no task is left that it was not tried on. Report more, or give --tasks.",
    None: "Undecided as yet.",
}
FIXED = "The stage manager does not look at pairs while ACE_POLICY is fixed; with ACE_POLICY=evidence it does."
GUILT = {
    Guilt.FOUND: "Broken by",
    Guilt.SUCCEEDS: "With all its bullets the task succeeds now: there is nothing to explain.",
    Guilt.FAILS_ANYWAY: "The task fails without any bullet too: they are not to blame.",
    Guilt.OPEN: "Stopped before it was known. Still suspected",
}


def bullet(found: BulletReplay, policy: str) -> None:
    """One bullet's run."""
    bullets([found], policy)


def bullets(found: Sequence[BulletReplay], policy: str) -> None:
    """What the runs showed, and what comes of it."""
    for one in found:
        run, total = one.run, one.total
        _line(one.bullet)
        _say(f"  {run.n} pairs: {run.wins} won, {run.losses} lost, {run.ties} the same. "
             f"All pairs in the journal: +{total.wins} -{total.losses} ={total.ties}")  # fmt: skip
        _say(f"  e-value for good {one.helpful:.3g} (bar {one.bar:g}), for harm {one.harmful:.3g}. {ENDED[one.ended]}")
    if not found:
        _say("No bullet is due.")
    elif policy == "fixed":
        _say(FIXED)


def due(domain: str, found: Sequence[Due]) -> None:
    """The bullets that are due."""
    rows = [
        {"id": one.bullet.id, "stage": one.bullet.stage.value, "wins left": one.wins_left, "good": f"{one.helpful:.3g}",
         "harm": f"{one.harmful:.3g}", "lacks also": one.lacks, "text": one_line(one.bullet.content)[:100]}
        for one in found
    ]  # fmt: skip
    present.table(f"{domain}: {len(found)} bullets are due", rows)
    if found:
        _say(f"Work them off: ace replay due --domain {domain} --run --max-calls 500")


def release(found: Mapping[str, Any]) -> None:
    """Two states, compared."""
    a, b, pairs = found["a"], found["b"], found["pairs"]
    _say(f"{sum(pairs.values())} tasks, {a['name']} (position {a['position']}) against {b['name']} ({b['position']}): "
         f"{pairs['wins']} won, {pairs['losses']} lost, {pairs['ties']} the same, "
         f"{found['same_context']} of these shown the same bullets and not asked")  # fmt: skip
    _say(f"e-value that {a['name']} is better {found['e_value_good']:.3g}, that it is worse "
         f"{found['e_value_harm']:.3g}, bar {found['bar']:g}: {found['verdict']}")  # fmt: skip


def blamed(episode: str, case: Accused, finding: Finding, tried: Sequence[BlameTrial]) -> dict[str, Any]:
    """The findings for machines."""
    texts = {one.id: one.content for one in case.bullets}
    causes = [[{"id": own, "text": texts[own]} for own in cause] for cause in finding.causes]
    trials = [{"shown": list(one.shown), "succeeded": one.succeeded, "answers": list(one.answers)} for one in tried]
    return {"episode": episode, "guilt": finding.guilt.value, "causes": causes, "suspects": list(finding.suspects),
            "bullets": len(case.bullets), "missing": list(case.missing),
            "runs": sum(len(one.answers) for one in tried), "tried": trials}  # fmt: skip


def blame(found: Mapping[str, Any], case: Accused, finding: Finding) -> None:
    """The findings for people."""
    known = {one.id: one for one in case.bullets}
    _say(f"{found['runs']} runs with {len(case.bullets)} bullets of '{found['episode']}'.")
    if case.missing:
        _say(f"Not tried, since the playbook no longer has them: {', '.join(case.missing)}")
    _say(GUILT[finding.guilt] + (":" if finding.culprits or finding.suspects else ""))
    for cause in finding.causes:
        _say("  these together:" if len(cause) > 1 else "  this one alone:")
        for own in cause:
            _line(known[own], "    ")
    for own in finding.suspects if finding.guilt == Guilt.OPEN else ():
        _line(known[own], "  ")
    for trial in found["tried"]:
        _say(f"  tried {len(trial['shown']):>2} bullets: {'right' if trial['succeeded'] else 'wrong'}")
    if found["quarantined"]:
        _say(f"Quarantined: {', '.join(found['quarantined'])}")


def _line(bullet: Bullet, indent: str = "") -> None:
    present.out.print(Text(f"{indent}[{bullet.id}] {one_line(bullet.content)[:150]}"))


def _say(text: str) -> None:
    present.out.print(text, markup=False)
