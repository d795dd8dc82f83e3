"""Names of two texts, paired: identifiers, quotations, acronyms, currencies, file names, what has a capital inside a sentence.

one                  other                   the same because
"Save draft"         save draft              written out, whatever the case
Retry-After          retry after             hyphens apart
EUR, €               euros                   a currency
ROE                  return on equity        first letters of words in a row
WebSockets           websocket               kin in the lexicon's sense
"""

from __future__ import annotations

import re

from ace.core.advice.marks import marks, marks_of
from ace.core.advice.wording import Role, Token, Wording, stem

_CURRENCIES = {"usd": "dollar", "eur": "euro", "gbp": "pound", "jpy": "yen", "$": "dollar", "€": "euro", "£": "pound"}
_ACRONYM = re.compile(r"[A-Z]{2,6}")


def missing_names(text: Wording, other: Wording) -> tuple[str, ...]:
    """The names of `text` that `other` does not hold in any form."""
    return tuple(name.text for name in text.names if not _held(name, other))


def _held(name: Token, other: Wording) -> bool:
    low = name.text.lower()
    return (
        name.stem in other.stems
        or low.replace("-", "").strip("()") in re.sub(r"[\s-]", "", other.text.lower())
        or _is_currency_of(low, other)
        or _is_acronym_in(name.text, other)
        or (len(low) > 3 and not marks(name.stem).isdisjoint(marks_of(other.stems)))
    )


def _is_currency_of(low: str, other: Wording) -> bool:
    currency = _CURRENCIES.get(low, stem(low))
    return currency in _CURRENCIES.values() and any(_CURRENCIES.get(word, word) == currency for word in other.stems)


def _is_acronym_in(name: str, other: Wording) -> bool:
    """The name's letters begin words in a row, grammar words counted or not."""
    if not _ACRONYM.fullmatch(name):
        return False
    spoken = other.of(Role.CONTENT, Role.LINK, Role.NAME)
    every = "".join(token.text[0] for token in spoken).lower()
    weighty = "".join(token.text[0] for token in spoken if token.role != Role.LINK).lower()
    return name.lower() in every or name.lower() in weighty
