"""Make, list and revoke API keys; find out who a token belongs to.

A key looked up is remembered for REMEMBERED_S, so that a revocation is seen by every process within that time.
Whoever must answer while the store is slow or away asks with `remembered`: the store is left alone, and what it said
last counts for TRUSTED_S. What it has not said in that time is not known, and so is not let in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ace.core import keys
from ace.core.ports import Clock, KeyStore
from ace.core.validation import check_domain
from ace.errors import Conflict, Forbidden, InvalidInput, NotFound, StoreUnavailable, Unauthenticated
from ace.models.access import ApiKey, Principal, Role

REMEMBERED_S = 0.5
TRUSTED_S = 60.0
REMEMBERED_KEYS = 4096
MAX_LABEL, MAX_DOMAINS = 200, 1000


class Keys:
    """The keys of one store. `random(n)` gives n random bytes."""

    def __init__(self, store: KeyStore, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._store, self._clock, self._random = store, clock, random
        self._seen: dict[str, tuple[float, ApiKey | None]] = {}
        self._exist: tuple[float, bool] = (float("-inf"), False)

    def exist(self, *, remembered: bool = False) -> bool:
        """Whether a key was ever made: from then on every request needs one. Raises StoreUnavailable."""
        at, found = self._exist
        if not found and self._is_old(at, remembered):
            found = self._store.any() or self._exist[1]
            self._exist = (self._clock.monotonic(), found)
        return found

    def authenticate(self, token: str, *, remembered: bool = False) -> Principal:
        """Who this token is. Raises Unauthenticated, without saying whether it is unknown, expired or revoked;
        StoreUnavailable."""
        parsed = keys.parse(token)
        key = self._lookup(parsed.id, remembered=remembered) if parsed else None
        stored_hash = key.secret_hash if key else "0" * 64
        fits = keys.matches(parsed.secret if parsed else "", stored_hash)
        if key is None or not fits or not key.is_live(self._now()):
            raise Unauthenticated("The API key is not valid. Ask an admin for one: `ace keys create`.")
        return key.principal

    def known(self, key_id: str) -> Principal:
        """Who this key is, for one that has shown its secret before. Raises Unauthenticated once it has ended."""
        key = self._lookup(key_id)
        if key is None or not key.is_live(self._now()):
            raise Unauthenticated("The API key is not valid any more. Sign in with another.")
        return key.principal

    def create(
        self,
        by: Principal,
        *,
        role: Role,
        domains: Sequence[str] | None = None,
        label: str = "",
        expires_in_s: float | None = None,
        once: str | None = None,
    ) -> tuple[ApiKey, str | None]:
        """A new key and its token, which is nowhere kept. Raises Forbidden for more than `by` has, InvalidInput.

        With an idempotency key `once` it is made once: again it is returned without its token. Raises Conflict when
        that was used for another key.
        """
        scope = None if domains is None else tuple(sorted({check_domain(domain) for domain in domains}))
        _check(scope, label, expires_in_s)
        if not by.may_grant(role, scope):
            raise Forbidden("A key cannot be given a role or domains that its maker does not have.")
        token, now = keys.token(self._random(keys.ID_BYTES + keys.SECRET_BYTES)), self._now()
        if once is not None:
            token = token._replace(id=keys.named(f"{by.key_id}/{once}"))
        key = ApiKey(id=token.id, secret_hash=keys.secret_hash(token.secret), role=role, domains=scope, label=label,
                     created_at=now, expires_at=None if expires_in_s is None else now + expires_in_s)  # fmt: skip
        if not self._store.add(key):
            return self._made_before(key), None
        self._exist = (self._clock.monotonic(), True)
        return key, str(token)

    def list(self, by: Principal) -> list[ApiKey]:
        """The keys `by` could have made, oldest first."""
        return [key for key in self._store.all() if by.may_grant(key.role, key.domains)]

    def revoke(self, by: Principal, key_id: str) -> None:
        """End a key, for every process within REMEMBERED_S. Raises NotFound."""
        key = self._store.get(key_id)
        if key is None or not by.may_grant(key.role, key.domains):
            raise NotFound(f"There is no key {key_id[:40]}.")
        self._store.revoke(key_id, self._now())
        self._remember(key_id, self._clock.monotonic(), self._store.get(key_id))

    def _made_before(self, wanted: ApiKey) -> ApiKey:
        made = self._store.get(wanted.id)
        if made is None or (made.role, made.domains, made.label) != (wanted.role, wanted.domains, wanted.label):
            raise Conflict("The idempotency key was used before for another API key. Use a new one.")
        return made

    def _lookup(self, key_id: str, *, remembered: bool = False) -> ApiKey | None:
        now = self._clock.monotonic()
        at, key = self._seen.get(key_id, (float("-inf"), None))
        if self._is_old(at, remembered):
            key = self._store.get(key_id)
            self._remember(key_id, now, key)
        return key

    def _remember(self, key_id: str, at: float, key: ApiKey | None) -> None:
        """What the store said at this moment, unless it has said something later."""
        if len(self._seen) >= REMEMBERED_KEYS:
            seen = self._seen.copy()  # other threads go on adding
            self._seen = {own: said for own, said in seen.items() if said[1] is not None}
        if len(self._seen) >= REMEMBERED_KEYS:
            self._seen = {}
        if at >= self._seen.get(key_id, (at, None))[0]:
            self._seen[key_id] = (at, key)

    def _is_old(self, at: float, remembered: bool) -> bool:
        """Whether the store has to be asked again what it said then. Raises StoreUnavailable where it must not be."""
        age = self._clock.monotonic() - at
        if remembered and age > TRUSTED_S:
            raise StoreUnavailable("API keys cannot be checked now: the database is slow or away. Try again later.")
        return age > REMEMBERED_S and not remembered

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _check(domains: Sequence[str] | None, label: str, expires_in_s: float | None) -> None:
    if domains is not None and not 1 <= len(domains) <= MAX_DOMAINS:
        raise InvalidInput(
            "domains", f"has {len(domains)} entries", f"Name 1 to {MAX_DOMAINS}, or leave it out for all"
        )
    if len(label) > MAX_LABEL or "\0" in label:
        raise InvalidInput("label", f"is longer than {MAX_LABEL} characters or holds a NUL", "Give a short name")
    if expires_in_s is not None and not 0 < expires_in_s < 1e10:
        raise InvalidInput("expires_in_s", f"is {expires_in_s}", "Give the seconds it shall live")
