"""What a driver raises, as one of our errors: what is wrong, where, and what to do; never a password.

DB-API error (the same names in both drivers)         becomes
OperationalError, InternalError, DatabaseError itself    StoreUnavailable, with the first remedy whose words occur
a table or column is missing                             SchemaMismatch
DataError, OverflowError, UnicodeError                   InvalidInput
anything else                                            stays what it is: a mistake in this program
"""

from __future__ import annotations

import re
from typing import NoReturn

from sqlalchemy import URL
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ace.errors import AceError, InvalidInput, SchemaMismatch, StoreUnavailable

VALUE_ERRORS = (UnicodeEncodeError, OverflowError)
UPGRADE = "Run `ace db upgrade` (or `alembic upgrade head`)"

_OUTAGES = {"OperationalError", "InternalError", "DatabaseError", PoolTimeout.__name__}
_MISSING = re.compile(r"no such (table|column)|(relation|column) \S+ does not exist", re.I)
_FORBIDDEN = re.compile(r"permission denied", re.I)
_REMEDIES: tuple[tuple[str, str], ...] = (
    (r"disk is full|no space left|disk i/o", "Free some disk space there, then try again"),
    (r"forked in the middle", "Start workers before writing, or with the 'spawn' method"),
    (r"locked|lock timeout|deadlock", "Another writer holds it: try again in a moment"),
    (r"statement timeout|wait timeout", "The server took too long: look at its load, then try again"),
    (r"unable to open", "Check that the file and its folder exist and may be read and written"),
    (r"read-?only|permission denied", "Grant this user the right to write there"),
    (r"malformed|not a database|is corrupt", "The file is damaged: restore it from a backup"),
    (
        r"password|authentication|role .* does not exist",
        "Check the user and the password in ACE_DATABASE_URL",
    ),
    (r"database .* does not exist", "Create that database, or correct ACE_DATABASE_URL"),
    (
        r"QueuePool|too many (clients|connections)|connection slots",
        "Too many connections: try again in a moment",
    ),
)
_ELSE = "Check that the server runs and that ACE_DATABASE_URL names it, then try again"


def reraise(error: Exception, url: URL) -> NoReturn:
    """Raise what this driver error means to the caller."""
    ours = translated(error, url)
    if ours is None:
        raise error
    raise ours from (None if url.password and str(url.password) in str(error) else error)


def translated(error: Exception, url: URL) -> AceError | None:
    """Our error for a driver's, or None when it is a mistake of ours."""
    text = _safe(error, url)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if _MISSING.search(text) and "ConnectionTimeout" not in kinds:
        return SchemaMismatch(f"The database {place(url)} lacks a table or column ({text}). {UPGRADE}.")
    if isinstance(error, VALUE_ERRORS) or "DataError" in kinds:
        return InvalidInput("value", f"cannot be stored: {text}", "Send valid text and numbers of ordinary size")
    outage = type(error).__name__ == "DatabaseError" or kinds & (_OUTAGES - {"DatabaseError"})
    if outage or _FORBIDDEN.search(text):
        return StoreUnavailable(f"The database {place(url)} refuses: {text}. {_remedy(text)}.")
    return None


def place(url: URL) -> str:
    """Where a database is, without its password."""
    return url.database or "" if url.drivername.startswith("sqlite") else url.render_as_string(hide_password=True)


def _remedy(text: str) -> str:
    return next((remedy for words, remedy in _REMEDIES if re.search(words, text, re.I)), _ELSE)


def _safe(error: Exception, url: URL) -> str:
    text = " ".join(str(error).split())[:300].rstrip(".")
    return text.replace(str(url.password), "***") if url.password else text
