"""The steps of a proof as people see them: what depends on what, and where the source says so."""

from __future__ import annotations

from dataclasses import dataclass

from graph.incidence import Incidence
from graph.overlay import Overlay, Version
from graph.queries.nodes import NodeView, view
from graph.reach import Step
from graph.schema import EDGES, EdgeKind, Form, Tier

_FORMS = tuple(Form)
_HOLDERS: dict[EdgeKind, tuple[str, ...]] = {
    EdgeKind.IMPORTS: ("importer",),
    EdgeKind.CALLS: ("caller",),
    EdgeKind.REFERENCES: ("reader", "writer"),
    EdgeKind.INHERITS: ("derived",),
    EdgeKind.OVERRIDES: ("override",),
    EdgeKind.DECORATES: ("decorated",),
    EdgeKind.REGISTERS: ("registry", "registered"),
    EdgeKind.PATCHES: ("patcher",),
    EdgeKind.PARAMETRIZES: ("user",),
    EdgeKind.REALISES: ("symbol", "module"),
}
"""Which member holds the sites of a hyperedge, so that its lines count from that one's first line."""


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a proof.

    `dependent` depends on `dependency` by a hyperedge of this kind; a cone upwards goes from the
    dependency to the dependent, one downwards the other way. Calls through an override are two
    steps: the override stands in for its base (it is the `dependency`), whose callers follow.
    `path` and `line` say where the source has it (line 0: no line of its own); `side` which side
    of a change says it, None where there is no change.
    """

    kind: EdgeKind
    form: Form
    tier: Tier
    dependency: NodeView
    dependent: NodeView
    path: str
    line: int
    side: Version | None
    role: str = ""
    """The role in which the dependent stands: of a reference, `reader`, or `target` of a write."""


Members = list[tuple[str, int]]
"""Role and node of each member of a hyperedge."""


class Proofs:
    """Describes steps. Nodes that occur again are described once, and so are steps: those of one cone are the
    same objects wherever its proofs share them, and telling them by what they are takes longer than all else.
    """

    def __init__(self, incidence: Incidence, downwards: bool = False) -> None:
        self._incidence = incidence
        self._downwards = downwards
        self._nodes: dict[int, NodeView] = {}
        self._steps: dict[int, tuple[Step, StepView]] = {}

    def node(self, node: int) -> NodeView:
        """A node as it is shown."""
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = view(self._incidence, node)
        return found

    def steps(self, steps: list[Step]) -> tuple[StepView, ...]:
        """A path as it is shown."""
        return tuple(map(self._step, steps))

    def _step(self, step: Step) -> StepView:
        found = self._steps.get(id(step))
        if found is None:
            found = self._steps[id(step)] = step, self._described(step)
        return found[1]

    def _described(self, step: Step) -> StepView:
        incidence = self._incidence
        near, far = (step.target, step.source) if self._downwards else (step.source, step.target)
        kind, members = incidence.edge_kind_of(step.edge), incidence.members(step.edge)
        path, line = _site(incidence, step.edge, kind, members, (far, near))
        return StepView(
            kind,
            _FORMS[int(incidence.form[step.edge])],
            step.tier,
            self.node(near),
            self.node(far),
            path,
            line,
            incidence.version_of(step.edge) if isinstance(incidence, Overlay) else None,
            _role(kind, members, near, far),
        )


def _role(kind: EdgeKind, members: Members, dependency: int, dependent: int) -> str:
    """The role in which the dependent is reached from the dependency."""
    for leaves, enters in EDGES[kind].impact:
        if (leaves, dependency) in members and (enters, dependent) in members:
            return enters
    return ""


def _site(
    incidence: Incidence, edge: int, kind: EdgeKind, members: Members, ends: tuple[int, int]
) -> tuple[str, int]:
    """Where the source says a hyperedge: its path, and its first line (1-based, 0 unknown).

    `ends` are the members that matter: where several could hold the site, one of them is taken.
    """
    placed = int(incidence.source[edge])
    holder = _holder(incidence, kind, members, placed, ends)
    path = incidence.path(placed if placed >= 0 else holder) if max(placed, holder) >= 0 else ""
    if holder < 0:
        return path, 0
    first, mark = int(incidence.line[holder]), int(incidence.mark[holder])
    if isinstance(incidence, Overlay) and incidence.version_of(edge) is Version.BASE:
        shift = int(incidence.base_line[holder]) - first
        first, mark = first + shift, mark + shift
    lines = incidence.edge_lines(edge)
    return path, max(0, first + lines[0] if lines and first > 0 else mark)


def _holder(
    incidence: Incidence, kind: EdgeKind, members: Members, placed: int, ends: tuple[int, int]
) -> int:
    """Which member holds the site: best one that is in the file where it stands, and one of the ends."""
    found = [node for role in _HOLDERS.get(kind, ()) for held, node in members if held == role]
    if len(found) > 1:
        found.sort(key=lambda node: (placed >= 0 and int(incidence.file[node]) != placed, node not in ends))
    return found[0] if found else -1
