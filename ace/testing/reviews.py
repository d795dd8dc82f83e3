"""What waits for a person, in memory, beside an `InMemoryPlaybook` whose transactions change it."""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.ports import Vectors
from ace.models.review import ReviewItem, ReviewState
from ace.repositories.vectors import nearest
from ace.testing.playbook import InMemoryPlaybook


class InMemoryReviews:
    """`ace.core.ports.ReviewQueue` for threads of one process."""

    def __init__(self, playbook: InMemoryPlaybook) -> None:
        self._playbook = playbook

    def get(self, domain: str, item_id: str) -> ReviewItem | None:
        return self._items(domain).get(item_id)

    def list(
        self, domain: str, state: ReviewState | None = None, limit: int = 100, after: str = ""
    ) -> Sequence[ReviewItem]:
        items = sorted(self._items(domain).values(), key=lambda item: (item.created_at, item.id))
        seen = next((place for place, item in enumerate(items, 1) if item.id == after), len(items) if after else 0)
        return [item for item in items[seen:] if state in (None, item.state)][:limit]

    def counts(self, domain: str | None = None) -> dict[ReviewState, int]:
        domains = self._playbook.reviewed() if domain is None else [domain]
        states = [item.state for own in domains for item in self._items(own).values()]
        return {state: states.count(state) for state in ReviewState}

    def near(
        self, domain: str, vectors: Vectors, *, floor: float, k: int
    ) -> Sequence[Sequence[tuple[ReviewItem, float]]]:
        items, held = self._items(domain), self._playbook.reviews(domain)
        found = nearest({own: vector for own, (_, vector) in held.items()}, vectors, floor=floor, k=k)
        return [[(items[own], cosine) for own, cosine in row] for row in found]

    def _items(self, domain: str) -> dict[str, ReviewItem]:
        return {own: item for own, (item, _) in self._playbook.reviews(domain).items()}
