"""A playbook as an Agent Skill: a folder that any agent which knows the format loads when a task asks for it.

    NAME/SKILL.md                  name and description, read at every start; the best bullets, read when it is used
    NAME/references/SECTION.md     the rest, read when it is asked for

By the specification (https://agentskills.io/specification) a name is the folder's, of 1-64 of a-z and 0-9 with single
hyphens between them; a description has 1-1,024 characters; SKILL.md should stay below 500 lines and 5,000 tokens.
Values are quoted, and never hold `---`, which readers take for the end of the front matter wherever it stands.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ace.core.carrying.carried import Carried
from ace.core.carrying.markdown import HEADINGS, from_item, item, items, sections
from ace.core.ranking import trust
from ace.core.rendering import estimate_tokens, one_line
from ace.errors import InvalidInput
from ace.models.playbook import IN_USE, Bullet, PlaybookStage

MAX_NAME, MAX_DESCRIPTION = 64, 1_024
BODY_TOKENS = 3_000  # for the bullets of SKILL.md; the specification recommends 5,000 in all
BODY_BULLETS = 100
MADE_BY = "ace-playbook"  # in the metadata: what carries it may be written over
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FRONT = re.compile(r"---[ \t]*\r?\n(?P<front>.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.S)


def best_first(bullets: Sequence[Bullet]) -> list[Bullet]:
    """The most trusted stage first, then by votes."""

    def place(bullet: Bullet) -> tuple[int, float, str]:
        stage = bullet.stage if bullet.stage in IN_USE else PlaybookStage.SHADOW
        return -IN_USE.index(stage), -trust(bullet), bullet.id

    return sorted(bullets, key=place)


def name_for(domain_id: str) -> str:
    """A name for the skill of this domain."""
    return re.sub(r"[^a-z0-9]+", "-", f"{domain_id}-playbook"[:MAX_NAME]).strip("-")


def check_name(name: str) -> str:
    """The name itself. Raises InvalidInput."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        remedy = "The folder's name is the skill's: use 1-64 of a-z and 0-9, with single hyphens between them"
        raise InvalidInput("--out", f"{name[:80]!r} is no name for a skill", remedy)
    return name


def to_skill(
    name: str, domain_id: str, position: int, bullets: Sequence[Bullet], description: str | None = None
) -> dict[str, str]:
    """The skill's files, by their place in it. Raises InvalidInput for a name or description it may not have."""
    check_name(name)
    best = _fitting(best_first(bullets))
    chosen = {bullet.id for bullet in best}
    rest = [bullet for bullet in best_first(bullets) if bullet.id not in chosen]
    files = {"SKILL.md": _front(name, domain_id, position, _description(domain_id, bullets, description))
                         + _body(domain_id, best, rest)}  # fmt: skip
    for section in HEADINGS:
        if members := [bullet for bullet in rest if bullet.section is section]:
            files[f"references/{section.value}.md"] = "\n".join(sections(members))
    return files


def from_skill(files: Mapping[str, str]) -> list[Carried]:
    """The list items of a skill's Markdown, whoever wrote it. Raises InvalidInput naming file and line."""
    return [one for name, text in files.items() for one in _from_file(name, text)]


def front(text: str) -> str | None:
    """What stands between the first two `---` of a SKILL.md; None where it does not begin with them."""
    found = _FRONT.match(text)
    return found["front"] if found else None


def is_ours(text: str) -> bool:
    """Did an export write this SKILL.md?"""
    return f"generated-by: {json.dumps(MADE_BY)}" in (front(text) or "")


def _from_file(name: str, text: str) -> list[Carried]:
    """Line numbers are those of the file: what is not Markdown becomes empty lines."""
    body = _FRONT.sub(lambda found: "\n" * found[0].count("\n"), text, count=1)
    try:
        return [from_item(one, "skill", part=name) for one in items(body)]
    except InvalidInput as error:
        raise InvalidInput(f"{name}, {error.field}", error.problem, error.remedy) from error


def _fitting(bullets: Sequence[Bullet]) -> list[Bullet]:
    """The first ones, as many as SKILL.md has room for."""
    left, kept = BODY_TOKENS, []
    for bullet in bullets[:BODY_BULLETS]:
        left -= estimate_tokens(item(bullet))
        if left < 0:
            break
        kept.append(bullet)
    return kept


def _description(domain_id: str, bullets: Sequence[Bullet], given: str | None) -> str:
    if given is None:
        counts = Counter(bullet.section for bullet in bullets)
        kinds = ", ".join(HEADINGS[section].lower() for section in HEADINGS if counts[section]) or "nothing yet"
        given = (
            f"What earlier tasks taught about {domain_id}: {kinds}. Use it before and during any task of {domain_id}."
        )
    line = one_line(given).strip()
    if not 0 < len(line) <= MAX_DESCRIPTION:
        problem = f"has {len(line):,} characters"
        raise InvalidInput(
            "--description", problem, f"Use 1 to {MAX_DESCRIPTION:,}: what it is about, and when to use it"
        )
    return line


def _front(name: str, domain_id: str, position: int, description: str) -> str:
    values = {"generated-by": MADE_BY, "domain": domain_id, "position": str(position)}
    metadata = [f"  {key}: {_quoted(value)}" for key, value in values.items()]
    return "\n".join(
        ["---", f"name: {name}", f"description: {_quoted(description)}", "metadata:", *metadata, "---", ""]
    )


def _quoted(text: str) -> str:
    """A JSON string without `---`; YAML reads the same."""
    return json.dumps(text, ensure_ascii=False).replace("---", r"-\x2D-")


def _body(domain_id: str, best: Sequence[Bullet], rest: Sequence[Bullet]) -> str:
    counts = Counter(bullet.section for bullet in rest)
    more = [f"[{HEADINGS[one]}](references/{one.value}.md) ({counts[one]} more)" for one in HEADINGS if counts[one]]
    lines = [
        f"# What earlier tasks taught about {domain_id}",
        "",
        "Each item was learned from tasks like yours, and is advice: what the user and the facts say comes first.",
        "",
        *sections(best),
        *([f"Further: {', '.join(more)}.", ""] if more else []),
    ]
    return "\n".join(["", *lines])
