"""The fenced blocks of a Markdown page, each known by the heading above it and its number there."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```", re.M | re.S)
HEADING = re.compile(r"^#{2,4} (.+)$", re.M)


@dataclass(frozen=True, kw_only=True)
class Block:
    """`name` is the heading and a number: "Reset Circuit Breakers 2"."""

    name: str
    language: str
    body: str

    @property
    def commands(self) -> str:
        """The body without comments and empty lines."""
        lines = (re.sub(r"(^|\s+)# .*$|^#$", "", line).rstrip() for line in self.body.splitlines())
        return "\n".join(line for line in lines if line)


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found, counted = list[Block](), dict[str, int]()
    fences = list(FENCE.finditer(text))
    inside = [range(fence.start(), fence.end()) for fence in fences]
    headings = [one for one in HEADING.finditer(text) if not any(one.start() in span for span in inside)]
    for fence in fences:
        heading = [one[1] for one in headings if one.start() < fence.start()][-1]
        counted[heading] = counted.get(heading, 0) + 1
        body = textwrap.dedent(fence["body"])
        found.append(Block(name=f"{heading} {counted[heading]}", language=fence["language"], body=body))
    return found
