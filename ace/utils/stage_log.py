"""What the stage manager did, as log events of the logger `ace.stage_manager`.

event                  fields
bullet_promoted        domain, bullet_id, stage_from, stage_to, reason
bullet_quarantined     domain, bullet_id, stage_from, reason
stage_manager_run      domains, promoted, quarantined
stage_manager_failed   error
stage_manager_leads    holder     (this process runs the schedule from now on)
bullets_archived       domain, bullets, reason      (one event for each of superseded, unused, room)
bullet_restored        domain, bullet_id, reason
playbook_not_refined   domain, error
guardrail_tripped      domain, release, previous, kind, reason
guardrail_rolled_back  domain, release, previous, position, reason
guardrail_failed       domain, error
journal_anchored       domain, position
journal_not_anchored   domain, error
index_not_tended       domain, error
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ace.errors import AceError
from ace.models.guardrail import Watch
from ace.models.integrity import Anchor
from ace.models.playbook import PlaybookStage
from ace.models.refining import Refined
from ace.models.staging import Advance
from ace.utils import metrics

log = logging.getLogger("ace.stage_manager")


def moved(done: Advance) -> None:
    """One event per bullet that moved."""
    for move in done.moves:
        before, after = move.before.value, move.after.value
        if move.after == PlaybookStage.QUARANTINED:
            log.info("bullet_quarantined", extra={"domain": done.domain_id, "bullet_id": move.bullet_id,
                                                  "stage_from": before, "reason": move.reason})  # fmt: skip
        else:
            log.info("bullet_promoted", extra={"domain": done.domain_id, "bullet_id": move.bullet_id,
                                               "stage_from": before, "stage_to": after,
                                               "reason": move.reason})  # fmt: skip


def ran(run: Sequence[Advance], now: float) -> None:
    """One event, and the metric of the last run, for a run over some domains that ended at `now`."""
    promoted, quarantined = sum(done.promoted for done in run), sum(done.quarantined for done in run)
    log.info("stage_manager_run", extra={"domains": len(run), "promoted": promoted, "quarantined": quarantined})
    metrics.stage_manager_ran(now)


def failed(error: AceError) -> None:
    """One event for a run that an error of ours ended; the next one may do better."""
    log.warning("stage_manager_failed", extra={"error": str(error)})


def refined(done: Refined) -> None:
    """One event for each cause that bullets were archived for, and one per bullet that came back."""
    for cause, count in done.counts().items():
        if count:
            log.info("bullets_archived", extra={"domain": done.domain_id, "bullets": count, "reason": cause.value})
    for one in done.restored:
        log.info("bullet_restored", extra={"domain": done.domain_id, "bullet_id": one.bullet_id, "reason": one.reason})


def not_refined(domain_id: str, error: AceError) -> None:
    """One event for a domain that could not be refined; the next run may do better."""
    log.warning("playbook_not_refined", extra={"domain": domain_id, "error": str(error)})


def guarded(found: Watch) -> None:
    """One event per gauge that is shown to be worse, the first time; and one for the rollback. Both are counted."""
    if found.previous is None or found.current is None:
        return
    about = {"domain": found.domain_id, "release": found.current.name, "previous": found.previous.name}
    for one in found.news:
        log.warning("guardrail_tripped", extra=about | {"kind": one.gauge.value, "reason": one.reason})
    if found.position is not None:
        log.warning("guardrail_rolled_back", extra=about | {"position": found.position, "reason": found.reason})
    for one in found.news if found.position is None else found.worse:
        metrics.guardrail_tripped(one.gauge.value, "told" if found.position is None else "rolled_back")


def not_guarded(domain_id: str, error: AceError) -> None:
    """One event for releases that could not be compared, or a rollback that could not be made."""
    log.error("guardrail_failed", extra={"domain": domain_id, "error": str(error)})


def anchored(anchors: Sequence[Anchor]) -> None:
    """One event per head that was written down outside the database."""
    for anchor in anchors:
        log.info("journal_anchored", extra={"domain": anchor.domain_id, "position": anchor.seq})


def not_anchored(domain_id: str, error: AceError) -> None:
    """One event for a head that could not be: the place refuses, or the journal is not what it was."""
    log.error("journal_not_anchored", extra={"domain": domain_id, "error": str(error)})


def not_tended(domain_id: str, error: AceError) -> None:
    """One event for a graph that could not be built; searches go on without it."""
    log.warning("index_not_tended", extra={"domain": domain_id, "error": str(error)})


def leads(holder: str) -> None:
    """One event for a process that has come to run the schedule."""
    log.info("stage_manager_leads", extra={"holder": holder})
