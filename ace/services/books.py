"""The book of evidence of each domain, kept in memory and carried on along the journal.

A book costs nothing to lose: whoever opens it anew counts the journal again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from ace.core.book import Book
from ace.core.ports import PlaybookStore
from ace.core.replay import standing

BOOKS_KEPT = 64


class Books:
    """The books of one store. Safe to share between threads: a book is one thread's while it is open."""

    def __init__(self, store: PlaybookStore) -> None:
        self._store, self._lock = store, Lock()
        self._books: OrderedDict[str, Book] = OrderedDict()

    @contextmanager
    def open(self, domain_id: str) -> Iterator[Book]:
        """The book at the head of the domain's journal."""
        with self._lock:
            book = self._books[domain_id] = self._carried_on(domain_id, self._books.get(domain_id, Book()))
            self._books.move_to_end(domain_id)
            while len(self._books) > BOOKS_KEPT:
                self._books.popitem(last=False)
            yield book

    def _carried_on(self, domain_id: str, book: Book) -> Book:
        entries = self._store.entries(domain_id, after=book.position)
        if any(entry.kind == "rollback" for entry in entries):
            return self.at(domain_id)
        book.read(entries)
        return book

    def at(self, domain_id: str, position: int | None = None) -> Book:
        """The book as it was at a position of the journal, counted from its beginning."""
        entries = self._store.entries(domain_id, limit=position)
        head = len(entries)
        return Book.of(standing(entries, head), head)
