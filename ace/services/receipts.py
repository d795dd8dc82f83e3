"""Give a context out with a receipt, and know a receipt again."""

from __future__ import annotations

import base64
from collections.abc import Callable

from ace.core import receipts
from ace.core.ports import Clock, Secrets
from ace.errors import InvalidInput
from ace.models.playbook import Context
from ace.models.receipt import Receipt, Shown

SECRET_BYTES, ID_BYTES = 32, 12


class Receipts:
    """Receipts signed with the secret every process of one database shares."""

    def __init__(self, secrets: Secrets, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._secrets, self._clock, self._random = secrets, clock, random
        self._secret: bytes | None = None

    def issue(self, context: Context, *, traffic: str, principal: str | None) -> tuple[Receipt, str]:
        """The receipt of this context, and its text."""
        receipt = Receipt(
            id=base64.b32encode(self._random(ID_BYTES)).decode().rstrip("=").lower(),
            domain_id=context.domain_id,
            position=context.position,
            shown=tuple(Shown(bullet_id=own) for own in context.ids),
            traffic=traffic,
            principal=principal,
            issued_at=int(self._clock.now().timestamp()),
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
