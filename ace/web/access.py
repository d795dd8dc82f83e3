"""Who may call what: every operation under /v1 is declared with the role it needs, and called with the caller.

    @router.get("/v1/domains/{domain}/bullets")
    @needs(Role.READ)
    def list_bullets(domain: str, caller: Principal, app: App) -> …

`needs` checks the key, the role, the domain and the rate limits before the function runs, in the same thread. A domain
that the key does not cover is answered exactly like one that does not exist.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import Annotated, Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

from fastapi import Path, Request
from fastapi.params import Query as QueryInfo
from limits import parse as parse_limit
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from ace.bootstrap import App
from ace.config import is_loopback
from ace.core.validation import DOMAIN_PATTERN, MAX_NAME_SHOWN, check_domain, first_repeated
from ace.errors import Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from ace.models.access import Principal, Role

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
GIVEN = ("caller", "app")
DomainId = Annotated[str, Path(json_schema_extra={"pattern": f"^{DOMAIN_PATTERN}$"})]  # told here, checked by the gate
LET_IN = "ace.caller"  # where a request keeps whom it was let in as, before its body was read
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Gate:
    """Keys and limits of one server process."""

    def __init__(self, app: App) -> None:
        self._app = app
        settings = app.settings
        self._limiter = FixedWindowRateLimiter(storage_from_string(settings.rate_limit_storage))
        self._wrong_keys = _limit("ACE_WRONG_KEY_RATE_LIMIT", settings.wrong_key_rate_limit)
        domain_limit = settings.domain_rate_limit
        self._domain_limit = _limit("ACE_DOMAIN_RATE_LIMIT", domain_limit) if domain_limit else None

    def enter(self, request: Request, role: Role, domain_id: str | None) -> Principal:
        """The caller, let in once. Raises Unauthenticated, Forbidden, NotFound, TooManyRequests, InvalidInput."""
        before: Principal | None = request.scope.get(LET_IN)
        if before is not None:
            return permitted(before, role, domain_id)
        return self.admit(self._caller(request), role, domain_id)

    def visit(self, request: Request, token: str | None, role: Role, domain_id: str) -> Principal:
        """The same for a key that came as X-ACE-Key, because `Authorization` is somebody else's."""
        return self.admit(self._visitor(request, token), role, domain_id)

    def recall(self, request: Request, token: str | None, role: Role, domain_id: str) -> Principal:
        """The same from this process's memory alone: nothing is waited for and nothing is counted.

        Raises StoreUnavailable for a key that was not looked up lately.
        """
        return permitted(self._visitor(request, token, remembered=True), role, domain_id)

    def not_from_a_page(self, request: Request, *, remembered: bool = False) -> None:
        """Raises Forbidden while no key was ever made, and another site's page asks."""
        origin = request.headers.get("origin")
        if origin is not None and _host(origin) not in LOCAL_NAMES and self.local(request, remembered=remembered):
            raise Forbidden("Without API keys no page of another site may ask. Make a key: `ace keys create`.")

    def admit(self, caller: Principal, role: Role, domain_id: str | None) -> Principal:
        """The caller, who may do this here. Raises Forbidden, NotFound, TooManyRequests, InvalidInput."""
        if domain_id is not None and caller.sees(check_domain(domain_id)):
            self._count(domain_id)
        return permitted(caller, role, domain_id)

    def local(self, request: Request, *, remembered: bool = False) -> Principal | None:
        """Whoever is on this machine, while no key was ever made. Raises Forbidden to what only points here."""
        if self._app.keys.exist(remembered=remembered) or not is_loopback(self._app.settings.host):
            return None
        return _local(request)

    def _visitor(self, request: Request, token: str | None, *, remembered: bool = False) -> Principal:
        self.not_from_a_page(request, remembered=remembered)
        here = self.local(request, remembered=remembered)
        if here is not None:
            return here
        if not token:
            raise Unauthenticated("No API key was given. Send it as `X-ACE-Key: ace_…`.")
        key = partial(self._app.keys.authenticate, token.strip(), remembered=remembered)
        return key() if remembered else self.trying(request, key)

    def _caller(self, request: Request) -> Principal:
        here = self.local(request)
        if here is not None:
            return here
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("No API key was given. Send it as `Authorization: Bearer ace_…`.")
        return self.trying(request, lambda: self._app.keys.authenticate(token.strip()))

    def trying(self, request: Request, key: Callable[[], T]) -> T:
        """What `key` gives; wrong keys are counted by address. Raises Unauthenticated, TooManyRequests."""
        try:
            return key()
        except Unauthenticated:
            address = request.client.host if request.client else "unknown"
            if not self._limiter.hit(self._wrong_keys, "wrong-key", address):
                raise TooManyRequests("wrong API keys from this address", self._wrong_keys.get_expiry()) from None
            raise

    def _count(self, domain_id: str) -> None:
        if self._domain_limit and not self._limiter.hit(self._domain_limit, "domain", domain_id):
            raise TooManyRequests("requests for this domain", self._domain_limit.get_expiry())


def permitted(caller: Principal, role: Role, domain_id: str | None) -> Principal:
    """The caller, if it may do this here. Raises Forbidden, NotFound, InvalidInput."""
    if domain_id is not None and not caller.sees(check_domain(domain_id)):
        raise no_domain(domain_id)
    if not caller.role.includes(role):
        raise Forbidden(f"This key's role is '{caller.role}', the operation needs '{role}'. Ask an admin for a key.")
    return caller


def _local(request: Request) -> Principal:
    """No key was ever made: whoever is on this machine may do everything, but no web page that points a name here."""
    if request.url.hostname not in LOCAL_NAMES:
        raise Forbidden("Without API keys this server answers to localhost only. Make a key: `ace keys create`.")
    return Principal()


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None


def needs(role: Role) -> Callable[[F], F]:
    """Let the function be called by those whose key has this role, with `caller` and `app` filled in."""

    def declare(function: F) -> F:
        hints = get_type_hints(function, include_extras=True)
        own = inspect.signature(function)
        told = {**hints, "domain": DomainId}
        shown = [p.replace(annotation=told[p.name]) for p in own.parameters.values() if p.name not in GIVEN]
        known = {_query_name(p) for p in shown}
        request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)

        @wraps(function)
        def guarded(*, request: Request, **inputs: Any) -> Any:
            check_query(request, known)
            state = request.app.state
            caller = state.gate.enter(request, role, inputs.get("domain"))
            given = {"caller": caller, "app": state.ace}
            return function(**inputs, **{name: given[name] for name in GIVEN if name in own.parameters})

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in shown]
        guarded.__signature__ = inspect.Signature([request, *parameters])  # type: ignore[attr-defined]
        guarded.__annotations__ = {p.name: p.annotation for p in [request, *parameters]}
        guarded.needs = role  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return declare


def _query_name(parameter: inspect.Parameter) -> str:
    """What a caller calls it: its alias, where its declaration has one."""
    declared = getattr(parameter.annotation, "__metadata__", ())
    return next((one.alias for one in declared if isinstance(one, QueryInfo) and one.alias), parameter.name)


def check_query(request: Request, known: Collection[str]) -> None:
    """Raises InvalidInput for a query parameter that is not known, or given twice."""
    if not request.scope["query_string"]:
        return
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known or name in request.path_params:
            raise InvalidInput(
                name[:MAX_NAME_SHOWN], "is not a parameter of this request", "See /docs for what it takes"
            )
    if twice := first_repeated(names):
        raise InvalidInput(twice, "is given twice", "Give each parameter once")


def no_domain(domain_id: str) -> NotFound:
    """What is said of a domain that does not exist, and of one that the caller may not know of."""
    return NotFound(f"There is no domain {domain_id}.")


def _limit(name: str, text: str) -> Any:
    try:
        return parse_limit(text)
    except ValueError:
        raise InvalidInput(name, f"{text!r} is not a rate limit", "Write it like '600/minute'") from None
