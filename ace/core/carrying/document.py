"""A playbook as JSON: all there is of each bullet, and the one form that keeps where a bullet has been before.

    {"format": "ace-playbook", "version": 1, "domain": …, "position": …, "bullets": […], "contradictions": [[a, b], …]}

A bullet's id is made from domain and text, so in a domain of the same name it is the same id again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ace.core.carrying.carried import Carried, counted, details, places, told
from ace.core.validation import check_text
from ace.errors import InvalidInput
from ace.models.foreign import Foreign
from ace.models.playbook import Bullet, Link, Origin, PlaybookStage, Section, SourceClass

FORMAT, VERSION = "ace-playbook", 1


def to_document(domain_id: str, position: int, bullets: Sequence[Bullet], links: Iterable[Link]) -> dict[str, Any]:
    """JSON; the same playbook always gives the same document."""
    ids = {bullet.id for bullet in bullets}
    pairs = sorted([link.left, link.right] for link in links if {link.left, link.right} <= ids)
    listed = [bullet.to_json() for bullet in sorted(bullets, key=lambda bullet: bullet.id)]
    return {"format": FORMAT, "version": VERSION, "domain": domain_id, "position": position, "bullets": listed,
            "contradictions": pairs}  # fmt: skip


def from_document(data: Any) -> list[Carried]:
    """What the document carries; what was quarantined where it came from stays behind.

    Raises InvalidInput naming the first field that cannot be used.
    """
    listed = data.get("bullets") if isinstance(data, dict) else None
    if not isinstance(listed, list) or data.get("format", FORMAT) != FORMAT:
        raise InvalidInput("bullets", "are missing: this is no exported playbook", "Make one: ace playbook export")
    if data.get("version", VERSION) != VERSION:
        raise InvalidInput("version", f"is {data['version']!r}, this release reads {VERSION}", "Upgrade ACE")
    carried = (_from_json(f"bullets[{number}]", one) for number, one in enumerate(listed))
    return [one for one in carried if one is not None]


def _from_json(where: str, one: Any) -> Carried | None:
    if not isinstance(one, Mapping):
        raise InvalidInput(where, "should be an object", "")
    content = one.get("content")
    if not isinstance(content, str):
        raise InvalidInput(f"{where}.content", "should be a string", "")
    check_text(f"{where}.content", content)
    try:
        section = Section(one.get("section", Section.STRATEGY))
        quarantined = PlaybookStage(one.get("stage", PlaybookStage.SHADOW)) is PlaybookStage.QUARANTINED
        origin = _origin(one)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(where, f"cannot be used: {error}", "Export it again: ace playbook export") from error
    return None if quarantined else Carried(content=content, section=section, origin=origin)


def _origin(one: Mapping[str, Any]) -> Origin:
    """Where it was learned stays; what it was over there is one place more that it has been."""
    here = Origin.from_json(one["origin"]) if one.get("origin") else Origin(source=SourceClass.IMPORT)
    latest = Foreign(format="json", id=told(one.get("id")), section=told(one.get("section")),
                     helpful=counted(one.get("helpful_count")), harmful=counted(one.get("harmful_count")),
                     details=details({"domain": one.get("domain_id"), "stage": one.get("stage"),
                                      "source": here.source.value}))  # fmt: skip
    return replace(here, source=SourceClass.IMPORT, foreign=places([_clean(place) for place in here.foreign], latest))


def _clean(place: Foreign) -> Foreign:
    """As if it had been read here: a document may say anything."""
    return Foreign(format=told(place.format) or "?", file=told(place.file) or "", id=told(place.id),
                   section=told(place.section), helpful=counted(place.helpful), harmful=counted(place.harmful),
                   details=details(dict(place.details)))  # fmt: skip
