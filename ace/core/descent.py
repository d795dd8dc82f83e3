"""Which bullets come from one place, directly or through others.

    born of it       its Origin says so: the episode, the model, the source; an episode that the principal reported,
                     or an episode of insights it sent without naming one, whose id the server made of its key
    descended        born of an episode whose answer cited a bullet found before; as often as that leads to more

Being shown a bullet is no descent: only what was cited can have shaped the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ace.models.episode import EpisodeState
from ace.models.playbook import Bullet
from ace.models.purge import Report, Suspect, Tainted
from ace.models.review import ReviewItem

OPEN = (EpisodeState.QUEUED, EpisodeState.LEASED)


def tainted(bullets: Sequence[Bullet], reports: Sequence[Report], suspect: Suspect) -> list[Tainted]:
    """The bullets that come from there, each with how; those born of it first."""
    suspicious = episodes_of(reports, suspect)
    found = {b.id: Tainted(bullet=b, why=f"born of {suspect}") for b in bullets if _born(b, suspect, suspicious)}
    children = _by_episode(bullets)
    followers = _by_cited(reports)
    queue = list(found)
    for parent in queue:  # grows while it is read
        for child in (child for episode in followers.get(parent, ()) for child in children.get(episode, ())):
            if child.id not in found:
                found[child.id] = Tainted(bullet=child, why=f"born of {child.origin.episode_id}, which cited {parent}")
                queue.append(child.id)
    return list(found.values())


def episodes_of(reports: Iterable[Report], suspect: Suspect) -> set[str]:
    """The reported episodes of a suspect."""
    return {
        report.episode_id
        for report in reports
        if report.episode_id == suspect.episode
        or (suspect.principal is not None and report.principal == suspect.principal)
    }


def waiting(reports: Iterable[Report], suspect: Suspect) -> int:
    """How many of its episodes may still teach something."""
    reports = list(reports)
    own = episodes_of(reports, suspect)
    return sum(report.episode_id in own and report.state in OPEN for report in reports)


def sent_by(item: ReviewItem, suspect: Suspect, reports: Sequence[Report]) -> bool:
    """Is an insight that waits for a person from there?"""
    if suspect.model is not None or suspect.source is not None:
        return suspect.model in (None, item.model) and suspect.source in (None, item.insight.source)
    own = suspect.principal is not None and item.principal == suspect.principal
    return own or item.episode_id == suspect.episode or item.episode_id in episodes_of(reports, suspect)


def _born(bullet: Bullet, suspect: Suspect, suspicious: set[str]) -> bool:
    origin = bullet.origin
    if suspect.model is not None or suspect.source is not None:
        return suspect.model in (None, origin.model) and suspect.source in (None, origin.source)
    if origin.episode_id is None:
        return False
    sent = suspect.principal is not None and origin.episode_id.startswith(f"http/{suspect.principal}/")
    return sent or origin.episode_id == suspect.episode or origin.episode_id in suspicious


def _by_episode(bullets: Sequence[Bullet]) -> dict[str, list[Bullet]]:
    grouped: dict[str, list[Bullet]] = {}
    for bullet in bullets:
        if bullet.origin.episode_id is not None:
            grouped.setdefault(bullet.origin.episode_id, []).append(bullet)
    return grouped


def _by_cited(reports: Sequence[Report]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for report in reports:
        for own in report.cited:
            grouped.setdefault(own, []).append(report.episode_id)
    return grouped
