"""The one table from errors to exit codes, HTTP statuses and GraphQL codes, and what becomes of the rest."""

from __future__ import annotations

import logging
import secrets
import traceback
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from api.settings import Settings
from graph import errors

INTERRUPTED = 130
"""Exit code after ctrl-C, as shells have it."""
UNHEALTHY = 1
"""Exit code of `maestro doctor` when something is wrong."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a class of errors is to a shell, to HTTP and to GraphQL."""

    exit_code: int
    status: int
    code: str
    sentence: str


TABLE: dict[type[errors.MaestroError], Failure] = {
    errors.MaestroError: Failure(70, 500, "INTERNAL", "Maestro failed in a way that it did not foresee."),
    errors.InputError: Failure(2, 400, "BAD_INPUT", "An argument, option or setting cannot be used."),
    errors.NotFoundError: Failure(3, 404, "NOT_FOUND", "A name, path, revision or symbol is not there."),
    errors.AmbiguousError: Failure(4, 409, "AMBIGUOUS", "A name fits several things; they are listed."),
    errors.RepositoryError: Failure(5, 422, "REPOSITORY", "A repository cannot be read."),
    errors.DiffError: Failure(6, 422, "DIFF", "A diff does not parse or does not apply."),
    errors.RecordingError: Failure(7, 422, "RECORDING", "A recording of a test run cannot be used."),
    errors.StoreError: Failure(20, 502, "STORE", "The store failed."),
    errors.StoreUnavailableError: Failure(21, 503, "STORE_UNAVAILABLE", "No server answers."),
    errors.StoreBusyError: Failure(22, 409, "STORE_BUSY", "Somebody else holds what is needed."),
    errors.SchemaError: Failure(23, 503, "STORE_SCHEMA", "The store's schema and this Maestro do not fit."),
    errors.CorruptError: Failure(30, 500, "CORRUPT", "A file of Maestro's own is damaged."),
    errors.DiskError: Failure(31, 507, "DISK", "Nothing could be written."),
    errors.EngineError: Failure(32, 502, "ENGINE", "The type engine failed."),
    errors.DeadlineError: Failure(40, 504, "DEADLINE", "A question took longer than allowed."),
    errors.PolicyError: Failure(41, 403, "REFUSED", "Refused on purpose, for safety."),
}


def failure_of(error: BaseException) -> Failure:
    """The row of the nearest class of an error; that of MaestroError for errors that are not ours."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return TABLE[errors.MaestroError]


def masked(error: BaseException, settings: Settings) -> errors.MaestroError:
    """An error as others may see it: our own as it is, any other logged and replaced by its id."""
    if isinstance(error, errors.MaestroError):
        return error
    identity = secrets.token_hex(4)
    place = log_path(settings)
    try:
        _logger(place).error("%s\n%s", identity, _without_secrets(error, settings))
    except OSError:
        # Where nothing can be written the failure itself must still be told.
        return errors.MaestroError(
            f"Maestro failed unexpectedly ({type(error).__name__}), and {place} cannot be written.",
            "Set MAESTRO_DEBUG=1 to see the traceback.",
        )
    return errors.MaestroError(
        f"Maestro failed unexpectedly ({type(error).__name__}, id {identity}).",
        f"What happened is in {place}; MAESTRO_DEBUG=1 shows it here.",
    )


def log_path(settings: Settings) -> Path:
    """The file that unexpected failures are written to."""
    return settings.data / "logs" / "failures.log"


def _without_secrets(error: BaseException, settings: Settings) -> str:
    text = "".join(traceback.format_exception(error))
    return text.replace(settings.neo4j_password, "***") if settings.neo4j_password else text


def _logger(place: Path) -> logging.Logger:
    logger = logging.getLogger(f"maestro.failures.{place}")
    if not logger.handlers:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = RotatingFileHandler(place, maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        # logging swallows errors of its handlers and prints them; here they are ours to tell.
        handler.handleError = _raise  # type: ignore[method-assign]
        logger.addHandler(handler)
        logger.propagate = False
    return logger


def _raise(record: logging.LogRecord) -> None:
    raise OSError(f"{record.name} cannot be written")
