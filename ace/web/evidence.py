"""See what a playbook is worth, and what the evidence says of one bullet."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ace.bootstrap import App
from ace.models.access import Role
from ace.models.playbook import PlaybookStage
from ace.web.access import needs
from ace.web.bullets import name

router = APIRouter(tags=["evidence"])


class ShareOut(BaseModel):
    """A share, 0..1 (a difference: -1..1), its 95 % interval, and how many tasks it is of."""

    value: float
    low: float
    high: float
    n: int


class WorthOut(BaseModel):
    """Success of the tasks that saw the playbook and of those held out by lot; e-values hold at every look."""

    domain: str
    with_playbook: ShareOut
    held_out: ShareOut
    difference: ShareOut
    helps: float = Field(description="e-value: how strongly it is shown that the playbook helps; 20 is strong")
    harms: float = Field(description="e-value: how strongly it is shown that it harms")


class EvidenceOut(BaseModel):
    """What is known about a bullet, what the policy in force says of it now, and what was decided on it before."""

    domain: str
    bullet_id: str
    stage: PlaybookStage
    policy: str
    verdict: str
    reason: str
    e_values: dict[str, float]
    evidence: dict[str, Any]
    position: int = Field(description="the journal's position this is counted up to")
    decisions: list[dict[str, Any]]


@router.get("/v1/domains/{domain}/worth", response_model=WorthOut)
@needs(Role.READ)
def worth(domain: str, app: App) -> dict[str, Any]:
    """What the playbook is worth: success with it and without, by the tasks that were held out by lot."""
    return {"domain": domain, **app.appraisal.worth(domain).to_json()}


@router.get("/v1/domains/{domain}/bullets/{bullet_id}/evidence", response_model=EvidenceOut)
@needs(Role.READ)
def evidence(domain: str, bullet_id: str, app: App) -> dict[str, Any]:
    """Votes, principals, replayed pairs and trials of one bullet, and what they add up to."""
    found = app.appraisal.bullet(domain, name(bullet_id)).to_json()
    own = found["evidence"]
    return {"domain": domain, "bullet_id": bullet_id, "stage": own["stage"], **found}
