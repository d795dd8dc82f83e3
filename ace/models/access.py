"""Who may do what: a key has one role and some domains; what it may not see does not exist for it.

role      may also
read      ask for context, read bullets and journal
write     add insights, report episodes
review    promote, quarantine, restore, roll back, decide what waits for a person
admin     make and revoke keys, reset breakers
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a key may do; each role may do what those before it may."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Whoever is asking: by a key, or on this machine without one (`key_id` is then None). `domains` None: all."""

    key_id: str | None = None
    role: Role = Role.ADMIN
    domains: tuple[str, ...] | None = None

    def sees(self, domain_id: str) -> bool:
        return self.domains is None or domain_id in self.domains

    def may_grant(self, role: Role, domains: tuple[str, ...] | None) -> bool:
        """Nobody grants more than they have."""
        within = self.domains is None or (domains is not None and set(domains) <= set(self.domains))
        return self.role.includes(role) and within


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """One key as it is stored: the SHA-256 of its secret, never the secret. Times are seconds since the epoch."""

    id: str
    secret_hash: str
    role: Role
    domains: tuple[str, ...] | None = None
    label: str = ""
    created_at: float = 0.0
    expires_at: float | None = None
    revoked_at: float | None = None

    def is_live(self, now: float) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def principal(self) -> Principal:
        return Principal(key_id=self.id, role=self.role, domains=self.domains)
