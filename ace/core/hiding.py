"""Cut out of a text what looks like a secret: keys of ours, of providers and private ones, tokens, passwords in URLs.

For what is kept or logged; what agents are shown goes through `ace.core.screening`, which knows more and asks a person.
Every repetition that another may begin inside has an end, so that no text takes more than a moment.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"
_NAMES = r"pass(?:word|wd|phrase)|pwd|secret(?:[_\-]access[_\-]key)?|token|api[_\-]?key|private[_\-]?key"
_SECRET_NAME = re.compile(rf"(?i)(^|[_\-.])({_NAMES}|secrets|api[_\-]?keys|authorization|cookies?|credentials?)$")
_SECRETS = (
    (re.compile(r"(?i)\bace_[a-z0-9]{16}_[a-z0-9]+"), HIDDEN),
    (re.compile(r"\b(?:sk|pk|rk)-[\w-]{6,}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:gh[pousr]_|github_pat_)\w{22,}"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,2000}(?:\.[\w-]{8,2000}){2}"), HIDDEN),
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"), HIDDEN),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=:-]{8,}|\b(basic\s+)[a-z0-9+/]{12,}=*"), rf"\1\2{HIDDEN}"),
    (re.compile(r"(?i)\b((?:postgres|mysql|redis|mongodb|amqp)[a-z0-9+]{0,20}://[^\s:/]{0,200}):\S{0,500}@"),
     rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,30}://[^\s:/?#@]{0,200}):[^\s/]{0,500}@"), rf"\1:{HIDDEN}@"),
    (re.compile(rf"(?i)\b((?:[a-z0-9]{{1,64}}[_-]){{0,20}}(?:{_NAMES}))(\"|')?\s*([=:])\s*"
                r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}\])]+)"),
     rf"\1\2\3{HIDDEN}"),
)  # fmt: skip


def hide(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def names_a_secret(name: str) -> bool:
    """Is this what a secret is called?"""
    return _SECRET_NAME.search(name) is not None
