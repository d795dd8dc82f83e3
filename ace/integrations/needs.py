"""What an integration says where the library it plugs into is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ace.errors import MissingExtra


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around an integration's imports: a missing module names the extra that brings it.

    Raises:
        MissingExtra: something imported inside is not installed; an ImportError too.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise MissingExtra(str(missing.name), extra) from missing
