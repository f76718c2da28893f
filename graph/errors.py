"""The error tree: every error a person can meet says what was wrong, where, and what to do."""

from __future__ import annotations


class MaestroError(Exception):
    """Root of every error that Maestro raises on purpose.

    Parameters
    ----------
    message : str
        What was wrong and where, in one plain sentence.
    hint : str
        What to do about it; empty only where nothing can be done.

    Attributes
    ----------
    code : str
        A stable, dotted identifier of the class of error; `api.failures` maps it to HTTP
        statuses, GraphQL codes and exit codes.
    """

    code = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(MaestroError):
    """What the caller handed over cannot be used as it stands."""

    code = "input.invalid"


class NotFoundError(InputError):
    """A name, path, revision or symbol that is not there."""

    code = "input.not-found"


class AmbiguousError(InputError):
    """A name that fits several things; `candidates` lists them.

    Parameters
    ----------
    candidates : tuple of str
        What the name could have meant, best first.
    """

    code = "input.ambiguous"

    def __init__(self, message: str, hint: str = "", candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.candidates = candidates


class RepositoryError(InputError):
    """A repository that cannot be read: not git, bare, empty, without a supported file."""

    code = "repository.unreadable"


class DiffError(InputError):
    """A diff that does not parse or does not apply to the revision it was given for."""

    code = "change.diff"


class RecordingError(InputError):
    """A recording or report of a test run that cannot be used: damaged, newer, of another repository."""

    code = "recording.unusable"


class StoreError(MaestroError):
    """The store failed or answered something that it should not."""

    code = "store.failed"


class StoreUnavailableError(StoreError):
    """No server answers: it is gone, refused the log-in, or cannot be started here."""

    code = "store.unavailable"


class StoreBusyError(StoreError):
    """Somebody else holds what is needed: a lock, a port, the writer's place of a repository."""

    code = "store.busy"


class SchemaError(StoreError):
    """The store's schema and the code do not fit: newer store, half-applied migration."""

    code = "store.schema"


class CorruptError(MaestroError):
    """A file of ours is damaged or was written by another version; it is rebuilt, never trusted."""

    code = "data.corrupt"


class DiskError(MaestroError):
    """Nothing could be written: the disk is full or the place is read-only."""

    code = "data.disk"


class EngineError(MaestroError):
    """A kept engine failed or printed a report of an unknown shape; our own reader goes on."""

    code = "engine.failed"


class DeadlineError(MaestroError):
    """A question took longer than it was allowed to, or was cancelled."""

    code = "query.deadline"


class PolicyError(MaestroError):
    """Refused on purpose, for safety: a listening address, a foreign database."""

    code = "policy.refused"
