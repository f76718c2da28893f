"""The line to the server: the official async driver, managed transactions, errors in plain words."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from neo4j import AsyncDriver, AsyncGraphDatabase, AsyncManagedTransaction, GraphDatabase
from neo4j.exceptions import (
    AuthError,
    ClientError,
    ConfigurationError,
    ConstraintError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from graph.cypher import Filling, load
from graph.embedded import log_tail
from graph.errors import DeadlineError, DiskError, StoreBusyError, StoreError, StoreUnavailableError

T = TypeVar("T")
Row = dict[str, Any]
Page = list[list[Any]]
"""Values of rows, in the order of a statement's columns."""

OLDEST = (5, 26)
"""The oldest Neo4j that the statements are tried on."""

# Retries are the driver's business: without a handler of its own it would print them to people.
logging.getLogger("neo4j").addHandler(logging.NullHandler())

_RIVALS = 4
_CONNECT_SECONDS = 10.0
_PAGE = 1_000
_VERSION = re.compile(r"/(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and the way in."""

    uri: str
    user: str
    password: str = field(repr=False)
    database: str | None
    retry_seconds: float = 10.0
    log: Path | None = None
    """The server's log, where it is ours to read."""


class DuplicateError(StoreError):
    """A record was to be created that is there already: a bug, or somebody was quicker."""


class _Unspoken(list[Any]):
    """A list that the driver does not write out for its log, which it does whether or not anybody reads that:
    a tenth of what sending a load took."""

    def __repr__(self) -> str:
        return f"[{len(self)} values]"


def _spared(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters whose lists are written out for no log."""
    return {name: _Unspoken(value) if isinstance(value, list) else value for name, value in params.items()}


class Transaction:
    """One managed transaction; statements are named, never written out."""

    def __init__(self, inner: AsyncManagedTransaction) -> None:
        self._inner = inner

    async def rows(self, name: str, filling: Filling, params: Mapping[str, Any]) -> list[Row]:
        """Run a statement of `cypher/` and take all its rows."""
        return (await self.rows_and_joined(name, filling, params))[0]

    async def rows_and_joined(
        self, name: str, filling: Filling, params: Mapping[str, Any]
    ) -> tuple[list[Row], int]:
        """The rows, and how many relationships the server says it created."""
        statement = load(name)
        statement.check(params)
        result = await self._inner.run(statement.text(filling), _spared(params))
        rows = await result.data()
        return rows, (await result.consume()).counters.relationships_created

    async def define(self, text: str) -> None:
        """Run one statement of a migration, or a constraint that follows from the schema."""
        result = await self._inner.run(text)
        await result.consume()


class Line:
    """A line to a server; what it needs of the driver is made when it is first used."""

    def __init__(self, address: Address, agent: str = "") -> None:
        self.address = address
        self.agent = agent
        self._made: AsyncDriver | None = None

    @property
    def _driver(self) -> AsyncDriver:
        if self._made is None:
            with translated(self.address):
                self._made = AsyncGraphDatabase.driver(self.address.uri, **_options(self.address))
        return self._made

    @classmethod
    async def open(cls, address: Address) -> Line:
        """Connect and look who answers; StoreUnavailableError where nobody useful does."""
        line = cls(address)
        driver = line._driver
        try:
            with translated(address):
                line.agent = (await driver.get_server_info()).agent
                refuse_old(line.agent, address)
                async with driver.session(database=address.database) as session:
                    await session.execute_read(_greet)
        except BaseException:
            await driver.close()
            raise
        return line

    async def close(self) -> None:
        """Hang up."""
        if self._made is not None:
            await self._made.close()

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Do work in one writing transaction: all of it or nothing. It may be called more than once."""

        async def managed(inner: AsyncManagedTransaction) -> T:
            return await work(Transaction(inner))

        with translated(self.address):
            async with self._driver.session(database=self.address.database) as session:
                return await session.execute_write(managed)

    async def write_new(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """`write` for what others may be creating too: done again where they were quicker."""
        for _ in range(_RIVALS):
            with suppress(DuplicateError):
                return await self.write(work)
        return await self.write(work)

    async def read(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Do work in one reading transaction."""

        async def managed(inner: AsyncManagedTransaction) -> T:
            return await work(Transaction(inner))

        with translated(self.address):
            async with self._driver.session(database=self.address.database) as session:
                return await session.execute_read(managed)

    @asynccontextmanager
    async def reading(
        self, statements: Iterable[tuple[str, Filling, Mapping[str, Any]]]
    ) -> AsyncIterator[AsyncIterator[tuple[int, Page]]]:
        """Stream the rows of statements, one after another within one explicit reading transaction.

        Yields pages of rows, each with the place of its statement. A managed transaction would have to
        hold every row before it could be retried. The rows are read in a thread, a page ahead: an async
        connection is woken twice for every record, which takes three times the processor time of a
        blocking one (measured over a million memberships).
        """
        pages = self._pages(statements)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "maestro-reading") as thread:
            ahead = loop.run_in_executor(thread, next, pages, None)

            async def each() -> AsyncIterator[tuple[int, Page]]:
                nonlocal ahead
                while (page := await ahead) is not None:
                    ahead = loop.run_in_executor(thread, next, pages, None)
                    yield page

            with translated(self.address):
                try:
                    yield each()
                finally:
                    await asyncio.shield(loop.run_in_executor(thread, pages.close))

    def _pages(
        self, statements: Iterable[tuple[str, Filling, Mapping[str, Any]]]
    ) -> Generator[tuple[int, Page], None, None]:
        """Pages of rows over a blocking connection of its own."""
        address = self.address
        with (
            GraphDatabase.driver(address.uri, **_options(address)) as driver,
            driver.session(
                database=address.database, default_access_mode="READ", fetch_size=_PAGE
            ) as session,
            session.begin_transaction() as transaction,
        ):
            for place, (name, filling, params) in enumerate(statements):
                statement = load(name)
                statement.check(params)
                result = transaction.run(statement.text(filling), _spared(params))
                while records := result.fetch(_PAGE):
                    yield place, [record.values() for record in records]


def _options(address: Address) -> dict[str, Any]:
    """How every connection to a server is made."""
    return {
        "auth": (address.user, address.password),
        "connection_timeout": _CONNECT_SECONDS,
        "connection_acquisition_timeout": _CONNECT_SECONDS * 3,
        "max_transaction_retry_time": address.retry_seconds,
        "user_agent": "maestro",
        # A label or property that no fact has used yet is nothing to be told of.
        "notifications_min_severity": "OFF",
    }


async def _greet(transaction: AsyncManagedTransaction) -> None:
    await (await transaction.run("RETURN 1 AS one")).consume()


def refuse_old(agent: str, address: Address) -> None:
    """StoreUnavailableError where a Neo4j is older than the statements are tried on."""
    found = _VERSION.search(agent)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        raise StoreUnavailableError(
            f"The server at {address.uri} is {agent}; Maestro needs Neo4j {OLDEST[0]}.{OLDEST[1]} or later.",
            "Upgrade that server, or take MAESTRO_NEO4J_URI away to use the embedded one.",
        )


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except AuthError as error:
        raise StoreUnavailableError(
            f"The server at {address.uri} refused the log-in of {address.user!r}.",
            "Check MAESTRO_NEO4J_USER and MAESTRO_NEO4J_PASSWORD.",
        ) from error
    except (ServiceUnavailable, SessionExpired) as error:
        raise _gone(address, error) from error
    except Neo4jError as error:
        raise _refused(address, error) from error
    except (ConfigurationError, DriverError) as error:
        raise StoreError(f"The line to {address.uri} failed: {error}.") from error
    except (OSError, ValueError) as error:
        if "resolve" not in str(error).lower():
            raise
        raise _gone(address, error) from error


def _gone(address: Address, error: Exception) -> StoreUnavailableError | DiskError:
    said = _log(address)
    if "No space left on device" in said:
        return _full(address)
    if address.log is None:
        return StoreUnavailableError(
            f"No server answers at {address.uri}: {error}.",
            "Start it, or check MAESTRO_NEO4J_URI; nothing that was acknowledged is lost.",
        )
    return StoreUnavailableError(
        f"The embedded server is gone. Its last words:\n{said}\n",
        "Run the command again: it starts the server anew; nothing that was acknowledged is lost.",
    )


def _refused(address: Address, error: Neo4jError) -> StoreError | DiskError | DeadlineError:
    text = error.message or str(error)
    said = _log(address)
    if "No space left" in text or "No space left on device" in said:
        return _full(address)
    if "TimeoutException" in text or "TimedOut" in (error.code or "") or "timeout" in text.lower():
        return DeadlineError(
            f"A statement took too long: {text}.", "Ask for less, or give the store more time."
        )
    if isinstance(error, TransientError):
        return StoreBusyError(f"Others kept writing the same records: {text}.", "Try again in a moment.")
    if isinstance(error, ClientError) and (error.code or "").endswith("DatabaseNotFound"):
        return StoreUnavailableError(
            f"There is no database {address.database!r} at {address.uri}.", "Check MAESTRO_NEO4J_DATABASE."
        )
    tail = f" The server's last words:\n{said}\n" if said else ""
    if isinstance(error, ConstraintError):
        return DuplicateError(f"A fact was to be created twice: {text}.{tail}", "Run `maestro doctor`.")
    return StoreError(
        f"The server refused a statement ({error.code}): {text}.{tail}", "Run `maestro doctor`."
    )


def _full(address: Address) -> DiskError:
    return DiskError(
        f"The disk of the server at {address.uri} is full.",
        "Make room, then run the command again; what was written so far is intact.",
    )


def _log(address: Address) -> str:
    return log_tail(address.log) if address.log is not None else ""
