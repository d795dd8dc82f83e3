"""API keys: `ace_<id>_<secret>`. The id finds the row, the secret is compared with its SHA-256 in constant time.

The secret has 256 random bits, so a plain hash is enough: there is nothing to guess, and nothing to slow down for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import NamedTuple

ID_BYTES, SECRET_BYTES = 10, 32
_TOKEN = re.compile(r"ace_([a-z2-7]{16})_([a-z2-7]{52})")


class Token(NamedTuple):
    """A key as its holder has it, in its two parts."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"ace_{self.id}_{self.secret}"


def token(random: bytes) -> Token:
    """A new token from ID_BYTES + SECRET_BYTES random bytes."""
    return Token(_letters(random[:ID_BYTES]), _letters(random[ID_BYTES : ID_BYTES + SECRET_BYTES]))


def named(name: str) -> str:
    """The id of the key that is made under this name, however often."""
    return _letters(hashlib.sha256(name.encode()).digest()[:ID_BYTES])


def parse(text: str) -> Token | None:
    """The token's parts; None for what no key of ours looks like."""
    found = _TOKEN.fullmatch(text)
    return Token(*found.groups()) if found else None


def secret_hash(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, stored_hash: str) -> bool:
    """Whether the secret is the stored one, in a time that does not depend on where they differ."""
    return hmac.compare_digest(secret_hash(secret), stored_hash)


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
