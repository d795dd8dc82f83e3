"""A text as the second look reads it: words in base form, with their numbers, names and negations told apart.

    role      what it is                                          examples
    CONTENT   a word that carries meaning                         divide, revenue, latest
    LINK      a word of grammar, and what only binds sentences    the, of, when, should
    FLIP      a word that turns a statement round                 not, never, without, unless, until
    NAME      what is spelled as a name                           USD, list.append, "Save draft", Latin-1, NetIncomeLoss
    NUMBER    a quantity, in digits or spelled out                1,250  twenty-five  0.8  three quarters  third
    SIGN      an operator                                         = + / <=
    STOP      punctuation

Reading is a pure function of the text, remembered for the texts read last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cache, lru_cache
from typing import NamedTuple

from ace.core.advice import lexicon

REMEMBERED = 16_384  # texts kept in their read form, about 4 kB each


class Role(Enum):
    CONTENT = "content"
    LINK = "link"
    FLIP = "flip"
    NAME = "name"
    NUMBER = "number"
    SIGN = "sign"
    STOP = "stop"


class Token(NamedTuple):
    """One word. `text` is lower case (names as written), `stem` what it is compared by, `value` a number's."""

    text: str
    stem: str
    role: Role
    value: Fraction | None = None


class Quantity(NamedTuple):
    """`number` as written, in `dimension` (None: bare), `size` in the dimension's own unit."""

    number: Fraction
    dimension: str | None
    size: Fraction
    spelled_small: bool  # a bare "zero", "one" or "two" in letters, which rewordings drop and add


@dataclass(frozen=True, eq=False, slots=True)
class Wording:
    """A text, read. Compared and hashed by identity: the same text read again is the same object while remembered."""

    text: str
    tokens: tuple[Token, ...]
    quantities: tuple[Quantity, ...]
    names: tuple[Token, ...]
    stems: frozenset[str]  # of all tokens
    spoken: tuple[str, ...]  # the stems in order, punctuation left out

    def of(self, *roles: Role) -> list[Token]:
        return [token for token in self.tokens if token.role in roles]


_PIECE = re.compile(
    r"""
    "[^"]{1,60}" | `[^`]{1,60}` | “[^”]{1,60}”             # quoted
  | \#[A-Z/0-9]+!? | \$?[A-Z]{1,2}\$\d+                    # spreadsheet errors and cells
  | \d+(?:[./-]\d+){2,}                                    # dates, versions
  | (?:\d[\d,]*(?:\.\d+)?|\.\d+)(?![\w]|[.,]\d)            # numbers
  | \d[\d,]*(?:\.\d+)?(?=(?:st|nd|rd|th|ms|s|min|h|d|kb|mb|gb|tb|kg|mg|g|km|cm|mm|m|am|pm|bps|bp|k|x)\b)
  | (?<=\d)(?:st|nd|rd|th)\b
  | [A-Za-z]\w*(?:[.’'&/-][A-Za-z0-9_]+)*(?:\(\))?         # words, identifiers, calls
  | [%$€£¥] | [=+*/^<>≤≥×÷-]+ | [.,;:!?()\[\]]
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_DOTTED = re.compile(r"\w+(?:\.\w+)+")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9&/.\-]+")
_CAMEL = re.compile(r"[a-z][A-Z]|_|\d")

LINKS = frozenset(
    """a an the this that these those it its they them their there he she his her you your we our i one ones be is
    are was were been being am do does did done doing have has had of to in on at by for with from as into onto and or
    but so then than very also just such both each other another own which who whom whose what whatever whichever
    where when while if whether because since once again here any some can could may might must should shall will
    would ought need let get got make please eg ie etc about per via upon during toward towards through always every
    sure along together please carefully completely fully simply thing things""".split()
)
NEGATIONS = frozenset(
    "not never no without none neither nor nobody nothing nowhere avoid refrain hardly seldom lack lacking".split()
)
FLIPS = NEGATIONS | frozenset("unless except until till otherwise excluding regardless".split())

_UNITS_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SPELLED = {word: i for i, word in enumerate(_UNITS_TO_TWENTY)} | {word: 10 * i for i, word in enumerate(_TENS, 2)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "dozen": 12}
_ORDINALS = {word: i for i, word in enumerate("third fourth fifth sixth seventh eighth ninth tenth".split(), 3)}
_PARTS = {"halves": 2, "thirds": 3, "quarters": 4, "fifths": 5, "tenths": 10}
_SINGLE = {"half": Fraction(1, 2), "twice": Fraction(2)}
_SUFFIXES = (
    ("ations", "at"), ("ation", "at"), ("iness", "y"), ("ings", ""), ("ing", ""), ("edly", ""), ("ies", "y"),
    ("ied", "y"), ("ments", "ment"), ("ed", ""), ("ers", "er"), ("ly", ""), ("sses", "ss"), ("xes", "x"),
    ("ches", "ch"), ("shes", "sh"),
)  # fmt: skip


@lru_cache(REMEMBERED)
def read(text: str) -> Wording:
    """Read a text of any length; only words written in Latin letters are understood."""
    tokens = tuple(_joined(_counted(list(_classified(_PIECE.findall(_spelled_out(text)))))))
    return Wording(
        text=text,
        tokens=tokens,
        quantities=tuple(_quantities(tokens)),
        names=tuple(token for token in tokens if token.role == Role.NAME),
        stems=frozenset(token.stem for token in tokens),
        spoken=tuple(token.stem for token in tokens if token.role != Role.STOP),
    )


def entries(table: str) -> Iterator[str]:
    """The entries of one of the lexicon's tables."""
    return (entry.strip() for entry in " ".join(table.split()).split(";") if entry.strip())


@cache
def _bases() -> dict[str, str]:
    split = (entry.split(":") for entry in entries(lexicon.IRREGULAR))
    return {form: base for base, forms in split for form in [base, *forms.split()]}


@cache
def _phrases() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """By first word, longest first."""
    table: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for entry in entries(lexicon.PHRASES):
        written, meant = entry.split(" > ")
        table.setdefault(written.split()[0], []).append((tuple(written.split()), meant))
    return {first: sorted(found, key=lambda phrase: -len(phrase[0])) for first, found in table.items()}


@cache
def _units() -> dict[str, tuple[str, Fraction]]:
    table = {}
    for entry in entries(lexicon.UNITS):
        dimension, sizes = entry.split(":")
        for size, *names in (part.split() for part in sizes.split(",")):
            table.update({name: (dimension, Fraction(size)) for name in names})
    return table


@lru_cache(65_536)
def stem(word: str) -> str:
    """What a word is compared by: not its dictionary form, but the same for its forms."""
    word = _bases().get(word, word)
    if len(word) <= 3 or "_" in word:
        return word
    word = _without_suffix(word).replace("isation", "ization")
    if word.endswith("ise"):
        word = word[:-3] + "ize"
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    if len(word) > 3:
        word = word.rstrip("e")
    word = word[:-1] + "i" if word.endswith("y") else word
    return word[:-2] if word.endswith("at") and len(word) > 5 else word


def _without_suffix(word: str) -> str:
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)] + instead
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _spelled_out(text: str) -> str:
    text = re.sub(r"\bcan(?:no|'|’)t\b", "can not", text.replace("’", "'"), flags=re.IGNORECASE)
    text = re.sub(r"\bwon't\b", "will not", text, flags=re.IGNORECASE)
    return re.sub(r"'s\b|(?<=s)'(?=\s)", "", re.sub(r"n't\b", " not", text))


def _classified(pieces: list[str]) -> Iterator[Token]:
    """Pieces to tokens; a word split at its hyphens. Numbers in letters are still words."""
    starts, after_number = True, False
    for piece in pieces:
        if piece in ("st", "nd", "rd", "th"):
            continue
        if piece in ".,;:!?()[]":
            starts = starts or piece in ".:!?;"
            yield Token(piece, piece, Role.STOP)
            after_number = after_number and piece in ")]"
            continue
        yield from _read_piece(piece, starts=starts, after_number=after_number)
        starts, after_number = False, piece[0].isdigit()


def _read_piece(piece: str, *, starts: bool, after_number: bool) -> Iterator[Token]:
    low = piece.lower()
    if _NUMBER.fullmatch(piece):
        yield Token(piece, piece, Role.NUMBER, Fraction(piece.replace(",", "")))
    elif piece[0].isdigit():
        yield Token(low, low, Role.NAME)
    elif (not piece[0].isalpha() and piece[0] not in '"`“#$') or piece in "$€£¥":
        yield Token(piece, piece, Role.SIGN)
    elif after_number and low in _units():
        yield Token(low, stem(low), Role.LINK)
    elif _is_name(piece, starts=starts):
        bare = piece.strip('"`“”')
        yield Token(bare, stem(bare.lower()), Role.NAME)
    else:
        yield from (_word(part) for part in low.split("-") if part)


def is_grammar(word: str) -> bool:
    """A word, in lower case, that carries no meaning of its own: of grammar, or of negation."""
    base = _bases().get(word, word)
    return not {word, base}.isdisjoint(LINKS) or not {word, base}.isdisjoint(FLIPS)


def _word(text: str) -> Token:
    flips = text in FLIPS or _bases().get(text, text) in FLIPS
    role = Role.FLIP if flips else Role.LINK if is_grammar(text) else Role.CONTENT
    return Token(text, stem(text), role)


def _is_name(piece: str, *, starts: bool) -> bool:
    """Spelled as a name. A capital alone counts only inside a sentence."""
    if piece[0] in '"`“#$' or piece.endswith("()") or _CAMEL.search(piece) or _CAPITALS.fullmatch(piece):
        return True
    if _DOTTED.fullmatch(piece) and piece.lower() not in ("e.g", "i.e"):
        return True
    return not starts and piece[0].isupper() and len(piece) > 1


def _counted(tokens: list[Token]) -> Iterator[Token]:
    """The same tokens, spelled-out numbers now numbers."""
    at = 0
    while at < len(tokens):
        value, used = _spelled_number(tokens, at)
        if value is None:
            yield tokens[at]
        else:
            yield Token(tokens[at].text, str(value), Role.NUMBER, value)
        at += used


def _spelled_number(tokens: list[Token], at: int) -> tuple[Fraction | None, int]:
    """The number that starts at `at`, and how many tokens it takes."""
    text = tokens[at].text
    follows = [token.text for token in tokens[at + 1 : at + 4]] + ["", "", ""]
    if text in _SINGLE:
        return _SINGLE[text], 1
    if text in _ORDINALS:
        return Fraction(_ORDINALS[text]), 1
    if tokens[at].role == Role.NUMBER and follows[0] in _SCALES:
        return (tokens[at].value or 0) * Fraction(_SCALES[follows[0]]), 2
    if text in _SCALES and at and tokens[at - 1].text in ("a", "an"):
        return Fraction(_SCALES[text]), 1
    if text not in _SPELLED or (text == "one" and follows[0] not in _units()):
        return None, 1
    value, used = _SPELLED[text], 1
    if value >= 20 and 0 < _SPELLED.get(follows[0], 0) < 10:
        value, used = value + _SPELLED[follows[0]], 2
    if value < _PARTS.get(follows[used - 1], 0):
        of_a = follows[used] == "of" and follows[used + 1] in ("a", "an") if used == 1 else False
        return Fraction(value, _PARTS[follows[used - 1]]), used + (3 if of_a else 1)
    while at + used < len(tokens) and tokens[at + used].text in _SCALES:
        value, used = value * _SCALES[tokens[at + used].text], used + 1
    return Fraction(value), used


def _joined(tokens: Iterator[Token]) -> Iterator[Token]:
    """The same tokens, phrases now single words."""
    rest = list(tokens)
    at = 0
    while at < len(rest):
        for words, meant in _phrases().get(rest[at].text, ()):
            if tuple(token.text for token in rest[at : at + len(words)]) == words:
                yield _word(meant)
                at += len(words)
                break
        else:
            yield rest[at]
            at += 1


def _quantities(tokens: tuple[Token, ...]) -> Iterator[Quantity]:
    for at, token in enumerate(tokens):
        if token.value is None:
            continue
        dimension, factor = _unit_at(tokens, at)
        small = token.value in (0, 1, 2) and token.text.isalpha() and dimension is None
        yield Quantity(token.value, dimension, token.value * factor, small)


def _unit_at(tokens: tuple[Token, ...], at: int) -> tuple[str | None, Fraction]:
    """The unit of the number at `at`: behind it, past a bracket or a hyphen, or a currency sign in front."""
    if tokens[at].text in _ORDINALS:
        return "ordinal", Fraction(1)
    for token in tokens[at + 1 : at + 3]:
        if found := _units().get(token.text.lower()):
            return found
        if token.text not in ("-", "]", ")", "significant"):
            break
    before = tokens[at - 1].text if at else ""
    return _units().get(before, (None, Fraction(1))) if before in ("$", "€", "£", "¥") else (None, Fraction(1))
