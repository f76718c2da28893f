"""A change, judged: both sides resolved alike, compared, and laid over each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.changes import Change, Side
from graph.comparison import Comparison, compare
from graph.incidence import Incidence
from graph.ingest.git import Mirror
from graph.overlay import Overlay, unite
from graph.progress import Progress, silent
from graph.residence import Residence
from graph.resolution import side
from graph.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a change amounts to, and the graph in which its effects are followed.

    Attributes
    ----------
    graph : Overlay
        The union of both sides; each hyperedge knows which side says it.
    starts : int32[k]
        Ids in `graph` of the symbols (or files) that effects start from.
    base_had, head_had : str
        How each side's graph was had: "indexed", "kept" or "resolved".
    """

    change: Change
    comparison: Comparison
    graph: Overlay
    starts: NDArray[np.int32]
    base_had: str
    head_had: str


def judge(
    workspace: Workspace,
    mirror: Mirror,
    change: Change,
    *,
    engine: bool = True,
    progress: Progress = silent,
    residence: Residence | None = None,
) -> Judgement:
    """Resolve both sides of a change by the same resolver and compare them; writes no store.

    `residence` is what a Maestro that stays up keeps of the trees it read (see `resolution.resolve`).
    """
    scope = change.scope
    workspace.prepare(scope)

    def had(revision: Side) -> tuple[Incidence, str]:
        return side(
            workspace,
            mirror,
            scope,
            revision.tree,
            revision.commit,
            engine=engine,
            progress=progress,
            residence=residence,
        )

    base, base_had = had(change.base)
    head, head_had = had(change.head)
    comparison = compare(base, head, change.files)
    graph = unite(base, head, comparison.moved)
    found = [graph.find(start.kind, start.key) for start in comparison.starts]
    starts = np.unique(np.array([node for node in found if node >= 0], np.int32))
    return Judgement(change, comparison, graph, starts, base_had, head_had)
