"""Names by what a person remembers of them: whole, beginning, words, inside, letters in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from graph.errors import InputError
from graph.incidence import Incidence
from graph.queries.nodes import MODULE, NodeView, view
from graph.schema import NodeKind

LIMIT = 20
KINDS = (NodeKind.SYMBOL, NodeKind.FILE, NodeKind.TEST, NodeKind.OWNER)
_LONGEST = 256
_WORDED = 24
"""Letters at most that are looked for as beginnings of words."""
_FUZZY = 3
"""Letters at least that are looked for in order, whatever stands between."""
_WORD = re.compile(r"(?:(?<=_)|(?<![A-Za-z0-9])|(?<=[a-z0-9])(?=[A-Z])|(?=[A-Z][a-z]))([A-Za-z0-9])")


class Fit(IntEnum):
    """How a name fits what was asked, best first."""

    SAME = 0
    FOLDED = 1
    """The same but for letter case."""
    BEGINNING = 2
    WORDS = 3
    """The beginnings of its words, in order: `gAT` or `get_at` for `get_active_transport`."""
    INSIDE = 4
    LETTERS = 5
    """All the letters, in order."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A node whose name fits."""

    node: NodeView
    fit: Fit


def search(
    incidence: Incidence,
    asked: str,
    *,
    kinds: tuple[NodeKind, ...] = KINDS,
    limit: int = LIMIT,
) -> list[Hit]:
    """Nodes by name, best fit first, then shorter names, then where they stand.

    With a dot, slash or `::` the last part is the name and what is before it must be part of the
    path or qualified name, in any letter case.

    Raises
    ------
    InputError
        For nothing to search, or too much.
    """
    text = asked.strip()
    if not text or len(text) > _LONGEST:
        raise InputError(
            f"A search takes 1 to {_LONGEST} characters, not {len(text)}.",
            "Give a part of a name or of a path.",
        )
    before, name = _parted(text)
    fits = _fits(incidence, name)
    nodes = np.concatenate([incidence.nodes_of(kind) for kind in kinds]) if kinds else np.zeros(0, np.int32)
    ranks = fits[incidence.name_id[nodes]]
    ranks[incidence.name_id[nodes] < 0] = len(Fit)
    ranks = np.minimum(ranks, _path_fits(incidence, nodes, text, name))
    chosen = np.flatnonzero(ranks < len(Fit))
    rows = []
    for at in chosen[np.argsort(ranks[chosen], kind="stable")].tolist():
        node = int(nodes[at])
        if before and before not in _place(incidence, node).casefold():
            continue
        rows.append((int(ranks[at]), len(incidence.name(node)), incidence.keys[node], node))
    rows.sort()
    return [Hit(view(incidence, node), Fit(rank)) for rank, _, _, node in rows[:limit]]


def _parted(text: str) -> tuple[str, str]:
    """What must stand before the name, folded, and the name."""
    for mark in ("::", "/", "."):
        before, found, name = text.rpartition(mark)
        if found and before and name and mark != "/":
            return before.casefold().replace("::", "."), name
    return "", text


def _place(incidence: Incidence, node: int) -> str:
    path = incidence.path(node)
    return f"{path} {path.rpartition('.')[0].replace('/', '.')}.{incidence.qualname(node)}"


def _fits(incidence: Incidence, name: str) -> NDArray[np.int64]:
    """How each of the distinct names fits; one place more than names, for nodes without one."""
    fit = _Fitting(name)
    fits = np.full(len(incidence.names) + 1, len(Fit), np.int64)
    for at, known in enumerate(incidence.names):
        if known != MODULE:
            fits[at] = fit.of(known)
    return fits


class _Fitting:
    """Tells how names fit one that is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folded = name.casefold()
        letters = [re.escape(letter) for letter in self.folded if letter != "_"]
        self.letters = re.compile(".*?".join(letters))
        # Each letter follows the one before it at once, or begins a later word.
        worded = letters and 2 <= len(letters) <= _WORDED
        self.words = re.compile("\0" + "(?:.*\0)?".join(letters)) if worded else None

    def of(self, known: str) -> int:
        """The fit of a name; `len(Fit)` where it does not fit."""
        folded = known.casefold()
        if folded.startswith(self.folded):
            if known == self.name:
                return Fit.SAME
            return Fit.FOLDED if len(folded) == len(self.folded) else Fit.BEGINNING
        if not self.letters.search(folded):
            return len(Fit)
        if self.words and self.words.search(_WORD.sub(r"\0\1", known).replace("_", "").casefold()):
            return Fit.WORDS
        if self.folded in folded:
            return Fit.INSIDE
        return Fit.LETTERS if len(self.folded) >= _FUZZY else len(Fit)


def _path_fits(incidence: Incidence, nodes: NDArray[np.int32], text: str, name: str) -> NDArray[np.int64]:
    """How the paths of files fit: their last part as a name, or the text inside the path."""
    ranks = np.full(len(nodes), len(Fit), np.int64)
    files = np.flatnonzero(incidence.node_kind[nodes] == list(NodeKind).index(NodeKind.FILE))
    folded = text.casefold()
    for at in files.tolist():
        path = incidence.path(int(nodes[at])).casefold()
        last = path.rpartition("/")[2]
        if folded in (path, last):
            ranks[at] = Fit.FOLDED
        elif last.startswith(folded):
            ranks[at] = Fit.BEGINNING
        elif folded in path:
            ranks[at] = Fit.INSIDE
    return ranks
