"""Every error this project raises on purpose, in three families, addressed to the one who must act.

    AceError
    ├── UserError                  yours to mend: the message names the field and the remedy   (exit 2, HTTP 4xx)
    │   ├── InvalidInput           a value, a file or a line cannot be used as it is
    │   ├── NotFound               nothing by that name in this domain
    │   ├── Conflict               the same key was used for something else
    │   ├── Unauthenticated        no API key was given, or none that is valid                      (HTTP 401)
    │   ├── Forbidden              the key's role does not allow this                               (HTTP 403)
    │   ├── TooManyRequests        a rate limit is reached                                          (HTTP 429)
    │   ├── BatchTooLarge          more items in one call than the limit
    │   ├── SchemaMismatch         the database is not at the schema this code needs
    │   ├── MissingModelFiles      a local model's files are not on this machine yet
    │   ├── MissingExtra           an optional library is not installed
    │   └── BudgetExhausted        the limit you set on calls, tokens or money is reached
    ├── ModelError                 the language model's fault: counted, the task goes on        (exit 3, HTTP 502)
    │   └── UnusableAnswer         it answered, but nothing could be read from it
    └── Outage                     something we lean on is away: try again later               (exit 4, HTTP 503)
        ├── CircuitOpen            the breaker is open, the call was not made
        ├── DeadlineExceeded       the total time allowed for the work has passed
        ├── StoreUnavailable       the database or the disk refuses; nothing was half written
        ├── LeaseLost              another worker has the episode by now; nothing was written twice
        └── ModelUnreachable       the model server cannot be reached or keeps failing

An error's text is one or two sentences: what is wrong (with the field), and what to do about it.
"""

from __future__ import annotations


class AceError(Exception):
    """The root: catch this to catch everything ACE raises on purpose."""


class UserError(AceError):
    """The caller must change something; repeating the same call will fail again."""


class InvalidInput(UserError):
    """A value, a file or a line cannot be used as it is."""

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        self.field, self.problem, self.remedy = field, problem, remedy
        super().__init__(f"{field}: {problem}." + (f" {remedy}." if remedy else ""))


class NotFound(UserError):
    """Nothing by that name in this domain."""


class Conflict(UserError):
    """The same idempotency key was used before for something else."""


class Unauthenticated(UserError):
    """No API key was given, or none that is valid: unknown, expired or revoked, it is not said which."""


class Forbidden(UserError):
    """The key is valid, and its role does not allow this."""


class TooManyRequests(UserError):
    """A rate limit is reached; `retry_after` seconds later there is room again."""

    def __init__(self, what: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(f"Too many {what}; try again in {max(1, round(retry_after))} s.")


class BatchTooLarge(UserError):
    """More items in one call than the limit; send them in chunks."""


class SchemaMismatch(UserError):
    """The database is not at the schema this code needs."""


class MissingModelFiles(UserError):
    """A local model's files are not on this machine yet."""


class MissingExtra(UserError, ImportError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed. Run: pip install 'ace-playbook-server[{extra}]'.")


class BudgetExhausted(UserError):
    """The limit on calls, tokens or money is reached; what was paid for is kept."""


class ModelError(AceError):
    """The language model did not do its part; the task is counted as failed and the work goes on."""


class UnusableAnswer(ModelError):
    """The model answered, but no field could be read from the text, even after repair."""


class Outage(AceError):
    """Something outside is away; the same call may work later."""


class CircuitOpen(Outage):
    """The breaker is open: the call was not made."""

    def __init__(self, name: str, retry_after: float) -> None:
        self.name, self.retry_after = name, retry_after
        super().__init__(f"Circuit breaker '{name}' is OPEN; the next try is allowed in {retry_after:.0f} s.")


class DeadlineExceeded(Outage):
    """The total time allowed for the work has passed."""


class StoreUnavailable(Outage):
    """The database or the disk refuses; nothing was half written."""


class LeaseLost(Outage):
    """Another worker has the episode by now, or it was given back; nothing was written twice."""


class ModelUnreachable(Outage):
    """The model server cannot be reached or keeps failing."""


EXIT_CODES: tuple[tuple[type[AceError], int], ...] = ((UserError, 2), (ModelError, 3), (Outage, 4))


def exit_code(error: AceError) -> int:
    """The process exit code for an error: 2 yours, 3 the model's, 4 an outage, 1 anything else."""
    return next((code for family, code in EXIT_CODES if isinstance(error, family)), 1)
