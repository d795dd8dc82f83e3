"""See the domains a key covers, their journals, and whether these hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ace.bootstrap import App
from ace.core.journal import entry_to_json
from ace.models.access import Principal, Role
from ace.models.playbook import PlaybookStage
from ace.services.verification import verify
from ace.web.access import needs, no_domain
from ace.web.schemas import DomainOut, JournalPage, UsageOut, VerificationOut

router = APIRouter(tags=["domains"])
MAX_PAGE = 1000
MAX_SEQ = 2**53


@router.get("/v1/domains", response_model=list[DomainOut])
@needs(Role.READ)
def list_domains(caller: Principal, app: App) -> list[dict[str, Any]]:
    """The domains this key covers, with their bullets by stage."""
    return [
        _domain(app, domain, counted) for domain, counted in sorted(app.store.counts().items()) if caller.sees(domain)
    ]


@router.get("/v1/domains/{domain}", response_model=DomainOut)
@needs(Role.READ)
def one_domain(domain: str, app: App) -> dict[str, Any]:
    """One domain, its bullets by stage."""
    if not app.store.head(domain).seq:
        raise no_domain(domain)
    return _domain(app, domain, app.store.count_by_stage(domain))


@router.get("/v1/domains/{domain}/usage", response_model=UsageOut)
@needs(Role.READ)
def usage(domain: str, app: App) -> dict[str, Any]:
    """What reflecting on this domain's episodes has used of language models, and whether today's budget has room."""
    today, budgets = app.budgets.today(domain), app.budgets
    return {"domain": domain, "limits": asdict(budgets.limits), "today": today.to_json(),
            "used_up": budgets.used_up(domain), "days": [one.to_json() for one in budgets.days(domain)]}  # fmt: skip


@router.get("/v1/domains/{domain}/journal", response_model=JournalPage)
@needs(Role.READ)
def journal(
    domain: str,
    app: App,
    after: Annotated[int, Query(ge=0, le=MAX_SEQ, description="entries after this one")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> dict[str, Any]:
    """Every change, in order, a page at a time."""
    found = app.store.entries(domain, after=after, limit=limit)
    head = app.store.head(domain).seq
    following = found[-1].seq if found and found[-1].seq < head else None
    return {"entries": [entry_to_json(one) for one in found], "head": head, "next": following}


@router.get("/v1/domains/{domain}/journal/verification", response_model=VerificationOut)
@needs(Role.READ)
def verification(domain: str, app: App) -> dict[str, Any]:
    """Follow the hash chain and the anchors, replay the journal, and compare with the stored playbook."""
    return {"domain": domain, **verify(domain, app.store, app.anchoring.read()).to_json()}


def _domain(app: App, domain: str, counted: dict[PlaybookStage, int]) -> dict[str, Any]:
    return {"domain": domain, "bullets": counted, "position": app.store.head(domain).seq}
