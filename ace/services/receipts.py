"""Give a context out with a receipt, and know a receipt again."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from ace.core import receipts
from ace.core.ports import Clock, Secrets
from ace.errors import InvalidInput
from ace.models.playbook import Context
from ace.models.receipt import Receipt

SECRET_BYTES, ID_BYTES = 32, 12


class Receipts:
    """Receipts signed with the secret every process of one database shares."""

    def __init__(self, secrets: Secrets, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._secrets, self._clock, self._random = secrets, clock, random
        self._secret: bytes | None = None

    def new_id(self) -> str:
        """An id for a receipt to come, so that lots can be drawn for it."""
        return base64.b32encode(self._random(ID_BYTES)).decode().rstrip("=").lower()

    def salt(self) -> str:
        """What makes the draws of this database unlike those of any other; nobody outside can know it."""
        return hmac.digest(self._key(), b"draws", hashlib.sha256).hex()

    def issue(self, own: str, context: Context, *, traffic: str, principal: str | None) -> tuple[Receipt, str]:
        """The receipt of this id for this context, and its text."""
        receipt = Receipt(
            id=own,
            domain_id=context.domain_id,
            position=context.position,
            lots=context.lots,
            traffic=traffic,
            principal=principal,
            issued_at=int(self._clock.now().timestamp()),
            holdout=context.holdout,
            held_out=context.held_out,
        )
        return receipt, receipts.seal(receipt, self._key())

    def read(self, text: str, domain_id: str) -> Receipt:
        """The receipt. Raises InvalidInput unless it was issued here, for this domain."""
        receipt = receipts.unseal(text, self._key())
        if receipt.domain_id != domain_id:
            raise InvalidInput("receipt", "was given out for another domain", "Report to the domain it is of")
        return receipt

    def _key(self) -> bytes:
        if self._secret is None:
            new = self._random(SECRET_BYTES).hex()
            self._secret = bytes.fromhex(self._secrets.get("receipts", new))
        return self._secret
