"""What the stage manager did, as log events of the logger `ace.stage_manager`.

event                  fields
bullet_promoted        domain, bullet_id, stage_from, stage_to, reason
bullet_quarantined     domain, bullet_id, stage_from, stage_to, reason
stage_manager_run      domains, promoted, quarantined
stage_manager_failed   error
stage_manager_leads    holder     (this process runs the schedule from now on)
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ace.models.playbook import PlaybookStage
from ace.models.staging import Advance

log = logging.getLogger("ace.stage_manager")


def moved(done: Advance) -> None:
    """One event per bullet that moved."""
    for move in done.moves:
        event = "bullet_quarantined" if move.after == PlaybookStage.QUARANTINED else "bullet_promoted"
        fields = {"domain": done.domain_id, "bullet_id": move.bullet_id, "stage_from": move.before.value,
                  "stage_to": move.after.value, "reason": move.reason}  # fmt: skip
        log.info(event, extra=fields)


def ran(run: Sequence[Advance]) -> None:
    """One event for a run over some domains."""
    promoted, quarantined = sum(done.promoted for done in run), sum(done.quarantined for done in run)
    log.info("stage_manager_run", extra={"domains": len(run), "promoted": promoted, "quarantined": quarantined})
