"""Texts that no agent should be shown before a person has seen them; each screen has a name, which is its reason.

    family         screens
    secret         access keys and tokens of known shape, private keys, given passwords, long random strings
    personal data  e-mail, telephone, card and bank numbers (check digits counted), US social security numbers
    instructions   words that speak to the reader as an authority: overrides, role tags, tool calls, secrecy
    address        links, also those that carry a password
    characters     invisible ones, and those that change the direction of writing
    markup         what could pose as another bullet, as a prompt's field or as active HTML

Screens know shapes, not intentions: a lie in plain words passes all of them (docs/guides/safety.md).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MIN_RANDOM, RANDOM_BITS = 24, 3.7  # length of a random string, and bits per character from which it looks random
_JOINERS = "\u200c\u200d"  # needed between letters of some scripts, and inside emoji; never beside a Latin letter


@dataclass(frozen=True, slots=True)
class Screen:
    """One thing to look for; `finds` is given the text as it came."""

    name: str
    finds: Callable[[str], bool]


def screen(text: str) -> tuple[str, ...]:
    """The names of the screens this text is caught by, in the order of the table."""
    return tuple(one.name for one in SCREENS if one.finds(text))


def _seen(pattern: str) -> Callable[[str], bool]:
    """Is the pattern in the text as it stands?"""
    found = re.compile(pattern)
    return lambda text: found.search(text) is not None


def _said(pattern: str) -> Callable[[str], bool]:
    """Is the pattern in what the text says: whatever its case, spacing and look-alike forms?"""
    found = re.compile(pattern)
    return lambda text: found.search(_folded(text)) is not None


def _folded(text: str) -> str:
    if text.isascii():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKC", text)
    visible = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    return " ".join(visible.casefold().split())


def _random(text: str) -> bool:
    return any(_looks_random(token) for token in re.findall(rf"[A-Za-z0-9+/_=-]{{{MIN_RANDOM},}}", text))


def _looks_random(token: str) -> bool:
    """Digits among letters, and no character much more frequent than another."""
    changes = len(re.findall(r"[A-Za-z](?=\d)|\d(?=[A-Za-z])", token))
    if re.fullmatch(r"[0-9a-fA-F]{32,}", token):
        return changes >= 6
    return changes >= 4 and _bits(token) >= RANDOM_BITS


def _bits(token: str) -> float:
    shares = [count / len(token) for count in Counter(token).values()]
    return -sum(share * math.log2(share) for share in shares)


def _card(text: str) -> bool:
    return any(_luhn(digits) for digits in _digits(text, r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d.,]?\d)"))


def _digits(text: str, pattern: str) -> Iterator[str]:
    return (re.sub(r"\D", "", found) for found in re.findall(pattern, text))


def _luhn(digits: str) -> bool:
    """The check digit of card numbers; a number of one digit alone is none."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def _iban(text: str) -> bool:
    found = re.findall(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b", text)
    return any(_mod_97(one.replace(" ", "")) for one in found)


def _mod_97(iban: str) -> bool:
    """The check digits of bank account numbers."""
    turned = "".join(str(int(char, 36)) for char in iban[4:] + iban[:4])
    return 15 <= len(iban) <= 34 and int(turned) % 97 == 1


def _hidden(text: str) -> bool:
    if text.isascii():
        return any((char < " " and char not in "\t\n\r") or char == "\x7f" for char in text)
    return any(_is_hidden(text, place, char) for place, char in enumerate(text))


def _is_hidden(text: str, place: int, char: str) -> bool:
    if char in "\t\n\r\u00ad":
        return False
    if char in _JOINERS:
        beside = text[max(place - 1, 0) : place] + text[place + 1 : place + 2]
        return any(near.isascii() for near in beside) or len(beside) < 2
    return unicodedata.category(char) in {"Cc", "Cf", "Co", "Zl", "Zp"}


_RULES = r"(?:instruction|prompt|rule|message|guideline|advice|bullet|context|direction|polic(?:y|ie)|constraint)s?"
_ALL = r"(?:(?:all|any|every|each|of|the|your|my|our|these|those|this|that|and|or|other)\b[ ,]*)*"

SCREENS: tuple[Screen, ...] = (
    Screen("secret: a key of this service", _seen(r"\bace_[A-Za-z0-9]{6,}_[A-Za-z0-9_-]{16,}")),
    Screen("secret: an API key", _seen(
        r"\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[A-Za-z0-9_-]{16,}\b|\bAIza[\w-]{35}"
        r"|\bxox[abeoprs]-[\w-]{10,}|\bglpat-[\w-]{20,}")),
    Screen("secret: an AWS key", _seen(
        r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b|(?i:aws.{0,20}secret.{0,20}[=: ]\s*[\"']?[A-Za-z0-9/+]{40})")),
    Screen("secret: a GitHub token", _seen(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{22,}")),
    Screen("secret: a signed token", _seen(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    Screen("secret: a private key", _seen(r"-----BEGIN [A-Z ]*PRIVATE KEY")),
    Screen("secret: a password", _seen(
        r"(?i)\b(?:pass(?:word|wd|phrase)|api[_ -]?key|(?:client|app)[_ -]?secret|(?:access|auth|bearer)[_ -]?token)s?"
        r"\s*(?:[:=]|\bis\b)\s*[\"'`]?(?=\S*[\d!#$%&*@^])\S{6,}|\bBearer\s+[A-Za-z0-9._~+/-]{20,}")),
    Screen("secret: a random string", _random),
    Screen("personal data: e-mail", _seen(r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b")),
    Screen("personal data: telephone", _seen(
        r"(?<![\w.])\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}(?!\w)"
        r"|(?<![\w.$-])(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-])")),
    Screen("personal data: bank account", _iban),
    Screen("personal data: card number", _card),
    Screen("personal data: social security number", _seen(
        r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")),
    Screen("instructions: override", _said(
        rf"\b(?:ignor|disregard|forget|overrid|bypass|discard|neglect)\w*\b[ ,]*{_ALL}"
        rf"(?:previous|prior|above|earlier|preceding|former|foregoing|existing|system|safety|developer|given|initial)\b"
        rf"[\w ,]{{0,30}}\b{_RULES}\b"
        rf"|\b(?:ignor|disregard|forget)\w*\b (?:all|every) {_ALL}{_RULES}\b"
        r"|\bforget (?:everything|all) (?:above|before|you)"
        rf"|\bthis {_RULES} (?:overrides?|supersedes?|replaces?|takes? precedence)")),
    Screen("instructions: answer regardless", _said(
        r"\b(?:always|must|only|should)\b[^.]{0,30}\b(?:answer|respond|reply|output|print|say|return)\b[^.]{0,60}"
        r"\b(?:regardless of (?:what|the|any|which)|no matter (?:what|which|the)|to (?:every|any|all) "
        r"(?:question|task|request)s?|whatever (?:the (?:question|task|user)|you are asked))")),
    Screen("instructions: role", _said(
        r"<\|?/?\s*(?:im_start|im_end|system|assistant|user|developer|human|endoftext|eot_id|start_header_id)\b[^>]{0,40}>"
        r"|\[/?(?:inst|sys)\]|<</?sys>>|</s>|<(?:start|end)_of_turn>"
        r"|(?:^|[\n.!?] ?|#+ ?)(?:system|assistant|developer) ?(?:message|prompt|note|override)? ?:"
        r"|\byou are (?:now|no longer) (?:a|an|the|in|dan|bound|restricted|required)\b"
        r"|\bdo anything now\b|\bjailbr(?:eak|oken)"
        r"|\b(?:enter|enable|activate) (?:developer|debug|god|admin) mode\b"
        r"|\b(?:reveal|print|repeat|show|output|leak|disclose|display|tell)\w*\b[^.]{0,40}\b(?:system|hidden|initial) "
        r"(?:prompt|instruction|message)")),
    Screen("instructions: tool call", _said(
        r"</?\s*(?:\w+:)?(?:tool_calls?|function_calls?|invoke|tool_use|tool_result|function=|tool_response)\b"
        r"|\"(?:tool_calls|function_call)\"|\btool_code\b|\[tool_calls?\]|```tool")),
    Screen("instructions: secrecy", _said(
        r"\b(?:do not|don't|never|without)\b[^.]{0,20}\b(?:tell|telling|inform\w*|mention\w*|reveal\w*|notify\w*|"
        r"alert\w*|report\w*|disclos\w*)\b[^.]{0,30}"
        r"\b(?:the |any |a |your )?(?:user|operator|reviewer|human|administrator|developer)s?\b")),
    Screen("address: a link", _said(
        r"\b(?:https?|ftps?|file|ssh|wss?|s3|gopher)://\S|\bwww\.[\w-]+\.\w|\b(?:javascript|vbscript):\S|\bdata:\w+/\w+[;,]")),
    Screen("characters: invisible", _hidden),
    Screen("markup: a bullet's id", _seen(r"\[(?:strategy|formula|example|mistake|tool|other)-[a-z2-7]{10}\]")),
    Screen("markup: a prompt's field", _said(
        r"\[\[ ?##|## ?\]\]|</?(?:playbook|bullets?|context|instructions?|prompt|task|question|answer)>")),
    Screen("markup: active content", _said(
        r"<\s*/?(?:script|iframe|img|svg|object|embed|style|link|meta|form|base|body|html)\b"
        r"|<!--|\bon(?:error|load|click) ?=|!\[[^\]]*\]\(")),
)  # fmt: skip
