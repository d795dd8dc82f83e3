"""Insights that wait for a person, in the database: `ace.core.ports.ReviewQueue`. Transactions alone change them."""

from __future__ import annotations

from collections.abc import Sequence

from ace.core.ports import Vectors
from ace.models.review import ReviewItem, ReviewState
from ace.repositories import statements
from ace.repositories.database import Database, get_database
from ace.repositories.review_rows import review_from_row
from ace.repositories.rows import listed
from ace.repositories.schema import require_head
from ace.repositories.vectors import nearest


class ReviewRepository:
    """The queue of every domain. Without a database: the one the settings name.

    Raises StoreUnavailable, SchemaMismatch. `near` reads every vector the domain has in review: 768 bytes an item.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = require_head(database or get_database())

    def get(self, domain: str, item_id: str) -> ReviewItem | None:
        """The item, or None."""
        rows = self._database.rows(statements.REVIEW, domain_id=domain, id=item_id)
        return review_from_row(domain, rows[0]) if rows else None

    def list(
        self, domain: str, state: ReviewState | None = None, limit: int = 100, after: str = ""
    ) -> Sequence[ReviewItem]:
        """Items, those that came first in front, from the one that follows `after`."""
        given = {"state": state.value if state else None, "limit": limit, "after": after}
        return [
            review_from_row(domain, row) for row in self._database.rows(statements.REVIEWS, domain_id=domain, **given)
        ]

    def counts(self, domain: str | None = None) -> dict[ReviewState, int]:
        """How many there are in each state (every state is a key)."""
        found: dict[str, int] = dict(self._database.rows(statements.COUNT_REVIEWS, domain_id=domain))
        return {state: found.get(state.value, 0) for state in ReviewState}

    def near(
        self, domain: str, vectors: Vectors, *, floor: float, k: int
    ) -> Sequence[Sequence[tuple[ReviewItem, float]]]:
        """For each row of `vectors` the `k` nearest items with a cosine of at least `floor`, best first."""
        packed: dict[str, bytes] = dict(self._database.rows(statements.REVIEW_VECTORS, domain_id=domain))
        found = nearest(packed, vectors, floor=floor, k=k)
        items = self._items(domain, {own for row in found for own, _ in row})
        return [[(items[own], cosine) for own, cosine in row if own in items] for row in found]

    def _items(self, domain: str, ids: set[str]) -> dict[str, ReviewItem]:
        rows = self._database.rows(statements.REVIEWS_OF, domain_id=domain, listed=listed(ids)) if ids else []
        return {row[0]: review_from_row(domain, row) for row in rows}
