"""A section of somebody else's file, AGENTS.md or CLAUDE.md: ours is what stands between two markers, no byte more.

    <!-- ace-playbook:begin customer-a -->
    …
    <!-- ace-playbook:end customer-a -->

in the file                                     written
no markers of this domain                       at the end, after an empty line
one pair                                        in its place
anything else: one missing, twice, crossed      nothing: raises InvalidInput naming the line

Several domains may have a section each. The file is bytes here: what is not ours need not even be text.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass

from ace.core.carrying.carried import Carried
from ace.core.carrying.markdown import from_item, items, sections
from ace.errors import InvalidInput
from ace.models.playbook import Bullet

_MARK = re.compile(rb"^[ \t]*<!-- ace-playbook:(begin|end) ([a-z0-9._-]{1,64}) -->[ \t]*(?=\r?$)", re.M)
_LIKE = re.compile(rb"^[ \t]*<!--[ \t]*ace-playbook\b.*$", re.M)


@dataclass(frozen=True, slots=True)
class _Section:
    domain_id: str
    start: int  # of the first marker
    inner: tuple[int, int]  # what is between them
    end: int  # of the second one


def to_section(domain_id: str, bullets: Sequence[Bullet]) -> str:
    """The section with its markers; without bullets it says so."""
    lines = [
        f"<!-- ace-playbook:begin {domain_id} -->",
        f"## What earlier tasks taught about {domain_id}",
        "",
        "Advice: what the user and the facts say comes first. `ace playbook export` writes this section.",
        "",
        *(sections(bullets, level="###") or ["Nothing yet.", ""]),
    ]
    return "\n".join([*lines, f"<!-- ace-playbook:end {domain_id} -->"])


def put(data: bytes, domain_id: str, section: str) -> bytes:
    """The file with this section in it. Raises InvalidInput, and then nothing should be written."""
    ends = b"\r\n" if b"\r\n" in data else b"\n"
    text = section.encode().replace(b"\n", ends)
    for found in _sections(data):
        if found.domain_id == domain_id:
            return data[: found.start] + text + data[found.end :]
    gap = b"" if not data else ends if data.endswith(b"\n") else ends * 2
    return data + gap + text + ends


def from_sections(data: bytes) -> list[Carried]:
    """The bullets of every section. Raises InvalidInput where there is none, or a marker is damaged."""
    found = _sections(data)
    if not found:
        raise InvalidInput("markers", "are missing: there is no section of ours", "To take every list: --from markdown")
    return [one for section in found for one in _from_section(data, section)]


def has_sections(data: bytes) -> bool:
    """Is there a line that is a marker, or was meant to be one?"""
    return _LIKE.search(data) is not None


def _from_section(data: bytes, section: _Section) -> list[Carried]:
    start, end = section.inner
    before = "\n" * data[:start].count(b"\n")  # so that lines keep their numbers
    text = before + data[start:end].decode()
    return [from_item(one, "agents-md", domain=section.domain_id) for one in items(text)]


def _sections(data: bytes) -> list[_Section]:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise InvalidInput("file", "is UTF-16", "Save it as UTF-8")
    marks = list(_MARK.finditer(data))
    whole = {mark.start() for mark in marks}
    for like in _LIKE.finditer(data):
        if like.start() not in whole:
            raise _damaged(data, like.start(), "is a marker that cannot be read")
    found: list[_Section] = []
    for begin, end in zip(marks[::2], [*marks[1::2], None], strict=False):
        if begin[1] != b"begin":
            raise _damaged(data, begin.start(), "ends a section that does not begin")
        if end is None or end[1] != b"end" or end[2] != begin[2]:
            raise _damaged(data, begin.start(), "begins a section that does not end")
        domain_id = begin[2].decode()
        if any(domain_id == one.domain_id for one in found):
            raise _damaged(data, begin.start(), f"begins the section of {domain_id} again")
        found.append(_Section(domain_id, begin.start(), (begin.end(), end.start()), end.end()))
    return found


def _damaged(data: bytes, at: int, problem: str) -> InvalidInput:
    remedy = "Mend the two markers, or delete the section and export it again; nothing was written"
    return InvalidInput(f"line {data[:at].count(bytes([10])) + 1}", problem, remedy)
