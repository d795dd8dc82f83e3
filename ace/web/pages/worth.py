"""What playbooks are worth, and why a bullet is where it is: parts that pages fetch after themselves.

Both are counted from the journal, which takes a while the first time; a page does not wait for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi.responses import Response

from ace.models.evidence import Worth
from ace.models.run import Interval
from ace.web.pages.bullet import PATH, found_bullet
from ace.web.pages.door import Visit, page
from ace.web.pages.overview import SHOWN

SURE = 20.0  # the e-value from which a difference is called shown
KNOWN = {"supporters": "principals for it", "supporting_clusters": "kinds of task in which they were",
         "objectors": "principals against it", "objecting_clusters": "kinds of task in which those were",
         "wins": "replayed tasks won by it", "losses": "replayed tasks lost by it", "trials": "lots drawn"}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A domain's worth as a row: shares in percent, the difference in points with its interval, a verdict."""

    domain: str
    with_playbook: str
    held_out: str
    difference: str
    interval: str
    n: int
    verdict: str


@page("/worth")
def worth_of_all(visit: Visit) -> Response:
    """The domains in which tasks were held out, the largest first."""
    counted = {own: stages for own, stages in visit.app.store.counts().items() if visit.caller.sees(own)}
    largest = sorted(counted, key=lambda own: (-sum(counted[own].values()), own))[:SHOWN]
    found = [told(own, visit.app.appraisal.worth(own)) for own in largest]
    return visit.show("worth.html", part="overview", rows=[one for one in found if one], all_of_them=True)


@page("/domains/{domain}/worth")
def worth(visit: Visit) -> Response:
    found = told(visit.domain, visit.app.appraisal.worth(visit.domain))
    return visit.show("worth.html", part="figures", rows=[found] if found else [], all_of_them=False)


@page(PATH + "/standing")
def standing(visit: Visit) -> Response:
    """What the policy in force says of a bullet now, and from what."""
    bullet = found_bullet(visit)
    appraised = visit.app.appraisal.bullet(visit.domain, bullet.id)
    shown = appraised.to_json()
    known = [(words, shown["evidence"][name]) for name, words in KNOWN.items() if shown["evidence"].get(name)]
    return visit.show("standing.html", part="playbook", ruling=appraised.ruling, known=known,
                      e_values=shown["e_values"], position=appraised.position)  # fmt: skip


def told(domain: str, found: Worth) -> Told | None:
    """The row; None while no task was held out, for then there is nothing to compare with."""
    if not found.held_out.n or not found.with_playbook.n:
        return None
    gap = found.difference
    thin = f"not shown yet: e-value {max(found.helps, found.harms):.2g} of {SURE:g}"
    verdict = "it helps" if found.helps >= SURE else "it harms" if found.harms >= SURE else thin
    return Told(
        domain=domain, with_playbook=_share(found.with_playbook), held_out=_share(found.held_out),
        difference=f"{100 * gap.value:+.0f}", interval=f"{100 * gap.low:+.0f} to {100 * gap.high:+.0f}",
        n=found.with_playbook.n + found.held_out.n, verdict=verdict,
    )  # fmt: skip


def _share(found: Interval) -> str:
    return f"{100 * found.value:.0f} % of {found.n:,}"
