"""What is different between two states of one playbook.

stage before    stage after     is
any             quarantined     quarantined
any             archived        archived
out of use      in use          restored
lower           higher          promoted
higher          lower           lowered
"""

from __future__ import annotations

from ace.core.replay import State
from ace.models.difference import MOVES, Change, Difference
from ace.models.playbook import IN_USE, PlaybookStage

_ORDER = {PlaybookStage.SHADOW: 0, PlaybookStage.STAGING: 1, PlaybookStage.PROD: 2}


def difference(before: State, after: State, *, start: int, end: int) -> Difference:
    """What must happen to `before` to become `after`; bullets in the order of their birth.

    The same text with another origin, learned anew after a rollback, is removed and added.
    """
    same = {
        own for own, old in before.bullets.items() if own in after.bullets and after.bullets[own].origin == old.origin
    }
    both = [Change(before=old, after=after.bullets[own]) for own, old in before.bullets.items() if own in same]
    moved = [(kind(*change.stages), change) for change in both if change.stages[0] != change.stages[1]]
    of = {name: tuple(change for found, change in moved if found == name) for name in MOVES}
    return Difference(
        start=start,
        end=end,
        added=tuple(bullet for own, bullet in after.bullets.items() if own not in same),
        removed=tuple(bullet for own, bullet in before.bullets.items() if own not in same),
        counters=tuple(change for change in both if change.helpful or change.harmful),
        linked=tuple(sorted(after.links - before.links, key=lambda link: (link.left, link.right))),
        unlinked=tuple(sorted(before.links - after.links, key=lambda link: (link.left, link.right))),
        **of,
    )


def kind(before: PlaybookStage, after: PlaybookStage) -> str:
    """The name of a move between two different stages; see the table above."""
    if after not in IN_USE:
        return after.value
    if before not in IN_USE:
        return "restored"
    return "promoted" if _ORDER[after] > _ORDER[before] else "lowered"
