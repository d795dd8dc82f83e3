"""Let a person sign in with an API key, and know the browser again: the cookie holds the key's id, never the key.

A session ends after LIFETIME_S, and when its key is revoked or expires.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from ace.core import sessions
from ace.core.ports import Clock, Secrets
from ace.core.sessions import Session
from ace.errors import Forbidden, Unauthenticated
from ace.models.access import Principal
from ace.services.keys import Keys

LIFETIME_S = 12 * 3600
SECRET_BYTES, NONCE_BYTES = 32, 16


class Sessions:
    """The sessions of one store, signed with the secret all its processes share. `random(n)` gives n random bytes."""

    def __init__(self, keys: Keys, secrets: Secrets, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._keys, self._secrets, self._clock, self._random = keys, secrets, clock, random
        self._secret: bytes | None = None

    def begin(self, token: str) -> str:
        """The cookie of a new session. Raises Unauthenticated."""
        caller = self._keys.authenticate(token)
        assert caller.key_id is not None
        session = Session(key_id=caller.key_id, issued_at=self._now(), nonce=self._random(NONCE_BYTES).hex())
        return sessions.seal(session, self._key())

    def caller(self, cookie: str) -> Principal:
        """Whose session it is, with what the key may do now. Raises Unauthenticated."""
        session = sessions.unseal(cookie, self._key())
        if session is None or not 0 <= self._now() - session.issued_at < LIFETIME_S:
            raise Unauthenticated("Nobody is signed in, or not any more. Sign in with an API key.")
        return self._keys.known(session.key_id)

    def form_token(self, cookie: str) -> str:
        """What the forms carry that this session is shown."""
        return sessions.form_token(cookie, self._key())

    def check_form(self, cookie: str, given: str) -> None:
        """Raises Forbidden for a form that this session was not shown."""
        if not hmac.compare_digest(given.encode(), self.form_token(cookie).encode()):
            raise Forbidden("The form is out of date or from elsewhere. Reload the page and send it again.")

    def _key(self) -> bytes:
        if self._secret is None:
            self._secret = bytes.fromhex(self._secrets.get("sessions", self._random(SECRET_BYTES).hex()))
        return self._secret

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
