"""What a Maestro that stays up keeps of the trees it read last: their linkage, and the engine."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from graph.facts import Scope
from graph.ingest.python.asking import Desk
from graph.ingest.python.linkage import Linkage

KEPT = 2
"""Repositories whose last reading is kept."""
MOST = 6_000
"""Files of a repository that is kept: a larger one takes more memory than an edit of it saves time."""


@dataclass(slots=True)
class Kept:
    """One repository's last reading."""

    desk: Desk
    linkage: Linkage | None = None


class Resident:
    """The last readings of a few repositories; close it to end the engines that stayed for them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Scope, Path], Kept] = OrderedDict()

    def of(self, scope: Scope, cache: Path) -> Kept:
        """What is kept of a repository."""
        kept = self._kept.get((scope, cache))
        if kept is None:
            kept = self._kept[scope, cache] = Kept(Desk(cache / "engine", stays=True))
        self._kept.move_to_end((scope, cache))
        while len(self._kept) > KEPT:
            _, oldest = self._kept.popitem(last=False)
            oldest.desk.close()
        return kept

    def linkage(self, scope: Scope, cache: Path) -> Linkage | None:
        """How a repository was linked last; None where it was not, or is too large to be kept."""
        kept = self._kept.get((scope, cache))
        return kept.linkage if kept is not None else None

    def close(self) -> None:
        """Forget everything."""
        while self._kept:
            _, kept = self._kept.popitem()
            kept.desk.close()

    def __enter__(self) -> Resident:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
