"""Receipts are signed, not stored: giving one out writes nothing, and a report with one cannot claim other bullets.

<base64url of JSON>.<base64url of the first 16 bytes of its HMAC-SHA256>
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from ace.core.journal import canonical
from ace.errors import InvalidInput
from ace.models.observation import Lot
from ace.models.receipt import Receipt

SIGNATURE_BYTES = 16  # 128 bits
MAX_CHARS = 600_000  # ten thousand bullets, more than a whole playbook of 80,000 tokens has
_REMEDY = "Send it as it was given with the context"


def seal(receipt: Receipt, secret: bytes) -> str:
    """The receipt as text for the caller to keep."""
    lots = [[lot.bullet_id, lot.chance, int(lot.shown)] for lot in receipt.lots]
    body = [
        receipt.id,
        receipt.domain_id,
        receipt.position,
        lots,
        receipt.traffic,
        receipt.principal,
        receipt.issued_at,
        receipt.holdout,
        int(receipt.held_out),
    ]
    data = canonical(body)
    return f"{_letters(data)}.{_letters(_signature(data, secret))}"


def unseal(text: str, secret: bytes) -> Receipt:
    """The receipt in the text. Raises InvalidInput unless `seal` made it with this secret."""
    if len(text) > MAX_CHARS:
        raise InvalidInput("receipt", "is too long to be one of ours", _REMEDY)
    try:
        data, signature = (_bytes(part) for part in text.split("."))
    except (ValueError, binascii.Error):
        raise InvalidInput("receipt", "cannot be read", _REMEDY) from None
    if not hmac.compare_digest(signature, _signature(data, secret)):
        raise InvalidInput("receipt", "was not given out by this server", _REMEDY)
    return _receipt(*json.loads(data))


def _receipt(own: str, domain: str, position: int, lots: Any, traffic: str, principal: str | None, at: int,
             holdout: float = 0.0, held_out: int = 0) -> Receipt:  # fmt: skip
    drawn = tuple(Lot(bullet_id=bullet, chance=chance, shown=bool(shown)) for bullet, chance, shown in lots)
    return Receipt(id=own, domain_id=domain, position=position, lots=drawn, traffic=traffic, principal=principal,
                   issued_at=at, holdout=holdout, held_out=bool(held_out))  # fmt: skip


def _signature(data: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, data, hashlib.sha256)[:SIGNATURE_BYTES]


def _letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(letters: str) -> bytes:
    return base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
