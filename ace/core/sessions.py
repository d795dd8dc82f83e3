"""A browser's session: who signed in and when, signed, not stored. Nobody without the secret makes or changes one.

<key id>.<seconds since 1970>.<random letters>.<HMAC-SHA256 in hexadecimal>
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

_SEALED = re.compile(r"([a-z2-7]{16})\.([0-9]{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A key signed in; `nonce` makes two sessions of one key different ones."""

    key_id: str
    issued_at: int
    nonce: str


def seal(session: Session, secret: bytes) -> str:
    """The session as a cookie's value."""
    told = f"{session.key_id}.{session.issued_at}.{session.nonce}"
    return f"{told}.{_signed('session', told, secret)}"


def unseal(text: str, secret: bytes) -> Session | None:
    """The session; None unless `seal` made the text with this secret."""
    found = _SEALED.fullmatch(text)
    if found is None:
        return None
    key_id, issued_at, nonce, signature = found.groups()
    if not hmac.compare_digest(signature, _signed("session", f"{key_id}.{issued_at}.{nonce}", secret)):
        return None
    return Session(key_id=key_id, issued_at=int(issued_at), nonce=nonce)


def form_token(session: str, secret: bytes) -> str:
    """What a form carries that this session was shown; another session's forms carry another."""
    return _signed("form", session, secret)


def _signed(purpose: str, text: str, secret: bytes) -> str:
    return hmac.digest(secret, f"{purpose}\0{text}".encode(), hashlib.sha256).hex()
