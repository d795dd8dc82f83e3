r"""How a bullet's text is written into a line of somebody's file, and read back as it was.

Whoever reads the file must see the bullet's words and nothing else happen: no line may end early, no comment or marker
open or close, and nothing run. Two ways of writing do it, and both are undone exactly:

spelled    a character that cannot be seen, or that would end a line, as a reference (`&#x200B;`): every form
escaped    that, and a backslash before what means something in Markdown or to an agent that loads it, by this table

written      because
\\           a backslash that stands before punctuation, which would vanish
\<           HTML, and comments, which hide what follows: `<!-- … -->`
--\>         the end of a comment
\@           CLAUDE.md loads the file that follows: `@~/.ssh/id_rsa`
\!           SKILL.md runs the command that follows: !`curl …`; images are fetched
\$ &#x24;    SKILL.md puts arguments and paths in: $ARGUMENTS, $1, ${CLAUDE_SKILL_DIR}
\(           at the end, what looks like our own counters: (helpful=9, harmful=0)
"""

from __future__ import annotations

import re
import unicodedata

from ace.core.rendering import UNSAFE

_REFERENCE = r"&#x(?P<code>[0-9A-F]{1,6});"
_SPELLED = re.compile(_REFERENCE)
_READ = re.compile(rf"\\(?P<mark>[!-/:-@\[-`{{-~])|{_REFERENCE}")
_DOLLAR = re.compile(r"(?<=\\)\$|\$(?=\{CLAUDE)")
_MEANT = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])|<(?=[A-Za-z/!?])|(?<=--)>|(?<![A-Za-z0-9])@|!(?=[`\[])|(?<=`)!|\$(?=\d|ARGUMENTS)"
    r"|\((?=[\w=, ]+\)$)"
)


def spelled(text: str) -> str:
    """The text, all of it visible and on one line."""
    plain = _SPELLED.sub(lambda found: f"&#x26;{found[0][1:]}", text)
    if plain.isprintable():
        return plain
    return "".join(f"&#x{ord(char):X};" if unicodedata.category(char) in UNSAFE else char for char in plain)


def unspelled(text: str) -> str:
    """The text that was spelled so; other references stay what they are."""
    return _SPELLED.sub(_referred, text)


def escaped(text: str) -> str:
    """The text as Markdown shows it word for word, on one line, with nothing in it that does something."""
    return _MEANT.sub(r"\\\g<0>", _DOLLAR.sub("&#x24;", spelled(text)))


def unescaped(text: str) -> str:
    """The text that was escaped so, or that somebody else wrote in Markdown."""
    return _READ.sub(lambda found: found["mark"] or _referred(found), text)


def _referred(found: re.Match[str]) -> str:
    code = int(found["code"], 16)
    char = chr(code) if 0 < code < 0x110000 else ""
    return char if char and (char in "&$" or unicodedata.category(char) in UNSAFE) else found[0]
