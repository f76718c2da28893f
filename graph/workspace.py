"""Where Maestro keeps its files: mirrors, arrays, caches and the embedded server's data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from graph import drafts
from graph.errors import DiskError, StoreBusyError
from graph.facts import Scope


@dataclass(frozen=True, slots=True)
class Workspace:
    """The layout of a data directory. Names of repositories are escaped, so none leads outside."""

    root: Path

    def of(self, scope: Scope) -> Path:
        """The folder of one repository."""
        return self.root / "repositories" / quote(scope.tenant, safe="") / quote(scope.repository, safe="")

    def mirror(self, scope: Scope) -> Path:
        """The bare mirror of a repository."""
        return self.of(scope) / "mirror.git"

    def arrays(self, scope: Scope, family: str) -> Path:
        """The array file of a repository and family of kinds, at its head."""
        return self.of(scope) / f"{family}.arrays"

    def sides(self, scope: Scope) -> Path:
        """Array files of trees that were resolved to judge a change, by tree id."""
        return self.of(scope) / "sides"

    def cache(self, scope: Scope) -> Path:
        """What readers keep between runs: records by content digest, the engine's view and facts."""
        return self.of(scope) / "cache"

    def recordings(self, scope: Scope) -> Path:
        """Recordings of test runs that were taken in, named by their content."""
        return self.of(scope) / "recordings"

    def backtest(self, scope: Scope) -> Path:
        """What the last back-test of a repository came to."""
        return self.of(scope) / "backtest.json"

    def prepare(self, scope: Scope) -> None:
        """Make the folders of a repository, for this user only."""
        try:
            for folder in (self.of(scope), self.sides(scope), self.cache(scope), self.recordings(scope)):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.sweep(scope)
        except OSError as error:
            raise DiskError(
                f"The data directory {self.root} cannot be written: {error.strerror}.",
                "Point MAESTRO_DATA at a folder that you can write to, with room on its disk.",
            ) from error

    def sweep(self, scope: Scope) -> int:
        """Remove what writers that were killed left half-written in a repository's folders; how much."""
        folders = (
            self.of(scope),
            self.sides(scope),
            self.cache(scope),
            self.recordings(scope),
            self.mirror(scope),
        )
        return sum(map(drafts.sweep, folders))

    def writing(self, scope: Scope, seconds: float = 0.0) -> _Writing:
        """Hold the writer's place of a repository on this machine; StoreBusyError where it is taken."""
        return _Writing(self.of(scope) / "writer.lock", scope, seconds)


class _Writing:
    """A file lock that says in plain words who is in the way."""

    def __init__(self, path: Path, scope: Scope, seconds: float) -> None:
        self._lock = FileLock(path, timeout=seconds)
        self._scope = scope

    def __enter__(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise StoreBusyError(
                f"Another Maestro on this machine is indexing {self._scope.repository} right now.",
                "Wait until it has finished, then run this again.",
            ) from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()
