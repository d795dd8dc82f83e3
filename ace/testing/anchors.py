"""An anchor log in memory: `ace.core.ports.AnchorLog` for one process."""

from __future__ import annotations


class InMemoryAnchors:
    """Lines that are forgotten with the process; `kept` are theirs to tamper with."""

    url = "memory"

    def __init__(self) -> None:
        self.kept: list[str] = []

    def lines(self) -> list[str]:
        return list(self.kept)

    def append(self, number: int, line: str) -> bool:
        fits = number == len(self.kept) + 1
        if fits:
            self.kept.append(line)
        return fits
