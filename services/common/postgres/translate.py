"""Driver errors as platform errors.

What a store can give a meaning (a violated constraint) stays the driver's error; what
says that the database is away, busy or asks for another try becomes a PlatformError here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from services.common.errors import Aborted, PlatformError, Unavailable

_RETRY_S = 0.5
_CONFLICT_RETRY_S = 0.05

# By SQLSTATE: classes 08 (connection), 53 (resources), 57 (operator intervention, time
# limits) and 58 (I/O) say that the database cannot do it now, not that the request is wrong.
_AWAY_CLASSES = frozenset({"08", "53", "57", "58"})
_AWAY_STATES = frozenset(
    {
        "25006",  # read-only: a standby answered during a failover
        "25P03",  # idle in transaction for too long
        "25P04",  # transaction took too long
        "55P03",  # lock not available in time
    }
)
_CONFLICT_STATES = frozenset({"40001", "40P01"})


def platform_error(error: BaseException) -> PlatformError | None:
    """Return the PlatformError that a driver error stands for; None: it is the store's to judge."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state in _CONFLICT_STATES:
            return Aborted(
                "DATABASE_CONFLICT",
                "Another transaction was in the way; try again.",
                retry_after_s=_CONFLICT_RETRY_S,
            )
        if state[:2] in _AWAY_CLASSES or state in _AWAY_STATES:
            return unavailable(type(error).__name__)
        return None
    # InternalClientError is what asyncpg can raise first after a server was killed; it is
    # neither a PostgresError nor an InterfaceError.
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return unavailable(type(error).__name__) if _is_of_the_connection(error) else None
    if isinstance(error, (OSError, TimeoutError)):
        return unavailable(type(error).__name__)
    return None


def unavailable(cause: str) -> Unavailable:
    """Return the error of a database that cannot answer now."""
    return Unavailable(
        "DATABASE_UNAVAILABLE",
        "The database cannot answer now.",
        metadata={"cause": cause},
        retry_after_s=_RETRY_S,
    )


def _is_of_the_connection(error: Exception) -> bool:
    """Tell a lost connection from a misuse of the driver, a bug of ours; only its text does.

    "Released back to the pool" is what a transaction sees whose connection was lost meanwhile.
    """
    if isinstance(error, asyncpg.InternalClientError):
        return True
    return any(word in str(error) for word in ("clos", "lost", "terminat", "released"))


@contextmanager
def translated() -> Iterator[None]:
    """Raise driver errors as platform errors where they stand for one."""
    try:
        yield
    except Exception as error:
        translation = platform_error(error)
        if translation is None:
            raise
        raise translation from error
