"""What a playbook may be written in, and how each is recognised.

form          to                    from                        written in
json          document              document                    a file
paper, text   paper                 paper                       a file; `text` is its older name
markdown      markdown              markdown                    a file
skill         skill                 skill                       a folder
agents-md     between               between                     a section of AGENTS.md
claude-md     between               (as agents-md)              a section of CLAUDE.md
skillbook                           skillbook                   a file of ace-framework's
mem0                                mem0                        the answer of get_all()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ace.core.carrying import between, document, markdown, mem0, paper, skill, skillbook, toon
from ace.core.carrying.carried import Carried
from ace.errors import InvalidInput
from ace.models.form import Read

OF_JSON: Mapping[Read, Callable[[Any], list[Carried]]] = {
    Read.JSON: document.from_document,
    Read.SKILLBOOK: skillbook.from_skillbook,
    Read.MEM0: mem0.from_mem0,
}
OF_TEXT: Mapping[Read, Callable[[str], list[Carried]]] = {
    Read.PAPER: paper.from_paper,
    Read.SKILLBOOK: skillbook.from_printed,
    Read.MARKDOWN: markdown.from_markdown,
    Read.SKILL: lambda text: skill.from_skill({"SKILL.md": text}),
    Read.AGENTS_MD: lambda text: between.from_sections(text.encode()),
}


def recognised(data: Any) -> Read:
    """What this JSON is: ours unless it has the fields of another."""
    if isinstance(data, list) or (isinstance(data, dict) and "results" in data):
        return Read.MEM0
    listed = data.get("bullets") if isinstance(data, dict) else None
    is_theirs = isinstance(listed, dict) or (isinstance(data, dict) and "skills" in data)
    return Read.SKILLBOOK if is_theirs else Read.JSON


def recognised_text(text: str) -> Read:
    """What this text is: Markdown unless it has the signs of another."""
    if between.has_sections(text.encode()):
        return Read.AGENTS_MD
    if toon.is_table(text):
        return Read.SKILLBOOK
    if skill.front(text) is not None:
        return Read.SKILL
    return Read.PAPER if paper.is_paper(text) else Read.MARKDOWN


def read(form: Read, content: Any) -> list[Carried]:
    """The bullets of a text, or of decoded JSON. Raises InvalidInput naming what cannot be used."""
    is_text = isinstance(content, str)
    if form is Read.AUTO:
        form = recognised_text(content) if is_text else recognised(content)
    reader = (OF_TEXT if is_text else OF_JSON).get(form)
    if reader is None:
        raise InvalidInput("--from", f"{form} is {'JSON' if is_text else 'text'}, and this is not", "Leave it out")
    carried: list[Carried] = reader(content)
    if not carried and is_text:
        raise InvalidInput(
            "bullets", f"are missing: there is none in what was read as {form}", "Say --from, or look at it"
        )
    return carried
