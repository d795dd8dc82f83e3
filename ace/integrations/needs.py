"""What an integration says where the library it plugs into is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around an integration's imports: a missing module names the extra that brings it.

    Raises:
        ModuleNotFoundError: something imported inside is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        remedy = f"{missing.name} is not installed: pip install 'ace-playbook-server[{extra}]'"
        raise ModuleNotFoundError(remedy, name=missing.name) from missing
