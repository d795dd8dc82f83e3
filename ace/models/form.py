"""What a playbook may be written in; `ace.core.carrying.forms` says who writes and reads what."""

from __future__ import annotations

from enum import StrEnum


class Written(StrEnum):
    """What an export writes."""

    JSON = "json"  # all there is
    PAPER = "paper"  # the paper's text format
    MARKDOWN = "markdown"  # lists under headings
    SKILL = "skill"  # a folder by the Agent Skills specification
    AGENTS_MD = "agents-md"  # a section of AGENTS.md
    CLAUDE_MD = "claude-md"  # a section of CLAUDE.md
    TEXT = "text"  # the paper's, by the name it had here before


class Read(StrEnum):
    """What an import reads."""

    AUTO = "auto"  # whatever it looks like
    PAPER = "paper"
    SKILLBOOK = "skillbook"  # of the package ace-framework
    MEM0 = "mem0"  # the answer of its get_all()
    MARKDOWN = "markdown"
    JSON = "json"
    SKILL = "skill"
    AGENTS_MD = "agents-md"  # our sections of any file
