"""From the answers of `graph` to the documents of `api.documents`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from api import documents
from api.questions import Question
from api.sharing import once
from graph.adjacency import Direction
from graph.comparison import Comparison, Start
from graph.facts import Scope
from graph.incidence import Incidence
from graph.indexing import IndexReport
from graph.judgement import Judgement
from graph.overlay import Version
from graph.queries.impact import Cone, Item
from graph.queries.nodes import NodeView
from graph.queries.paths import Paths
from graph.queries.proofs import StepView
from graph.queries.search import Hit
from graph.schema import NodeKind

_ORDINAL = re.compile(r"#\d+$")
_PROSE = (".md", ".rst", ".adoc")


def symbol(view: NodeView) -> documents.Symbol:
    """A node as documents show it: a symbol by its qualified name, a test as its runner names it."""
    name = view.label.partition("::")[2] or view.label
    if view.kind is NodeKind.SYMBOL:
        name = _ORDINAL.sub("", name)
    return documents.Symbol(
        key=view.key,
        kind=view.kind.value,
        sort=view.sort.value if view.sort else "",
        name=name,
        path=view.path,
        line=view.line,
    )


def step(
    view: StepView, direction: Direction, shown: Callable[[NodeView], documents.Symbol] = symbol
) -> documents.Step:
    """A step in the direction of the cone; `shown` makes documents of its ends."""
    ends = shown(view.dependency), shown(view.dependent)
    source, target = ends if direction is Direction.UP else ends[::-1]
    return documents.Step(
        source=source,
        target=target,
        edge=view.kind.value,
        tier=view.tier.value,
        role=view.role,
        form=view.form.value,
        path=view.path,
        line=view.line,
        side=(view.side or Version.BOTH).value,
    )


def reached(items: Iterable[Item], direction: Direction) -> tuple[documents.Reached, ...]:
    """Items of a cone. Most of a proof is that of the item before, and is described once for both."""
    shown = once(symbol)
    told: Callable[[StepView], documents.Step] = once(lambda view: step(view, direction, shown))
    return tuple(
        documents.Reached(
            symbol=shown(item.node),
            distance=item.distance,
            tier=item.tier.value,
            proof=tuple(map(told, item.path)),
        )
        for item in items
    )


def impact(
    question: Question,
    cone: Cone,
    judgement: Judgement | None,
    *,
    run: int,
    indexed: str,
    seconds: float,
) -> documents.Impact:
    """The whole answer to a question."""
    starts = {start.key: start for start in judgement.comparison.starts} if judgement else {}
    unread = set(judgement.comparison.unsupported) if judgement else set()
    # A file without a reader is a start too, so that its owners are found; to people it is no symbol.
    symbols = [view for view in cone.starts if view.kind is not NodeKind.FILE or view.path not in unread]
    changed = tuple(_changed(view, starts) for view in symbols)
    changed_paths = {view.path for view in cone.starts}
    listed = reached((*cone.items, *cone.tests), cone.direction)
    return documents.Impact(
        repository=cone.scope.repository,
        asked=judgement.change.asked if judgement else question.asked,
        base=judgement.change.base.commit if judgement else "",
        head=judgement.change.head.commit if judgement else "",
        run=run,
        indexed=indexed,
        derived=(judgement.base_had, judgement.head_had) if judgement else ("", ""),
        direction=cone.direction.value,
        tier=cone.tier.value,
        depth=cone.depth,
        changed=changed,
        silent=_silent(judgement.comparison) if judgement else (),
        reached=listed[: len(cone.items)],
        tests=listed[len(cone.items) :],
        truncated=cone.reached > len(cone.items) or cone.tests_reached > len(cone.tests),
        possible={tier.value: count for tier, count in cone.possible},
        edges={tier.value: count for tier, count in cone.followed},
        unfollowed=cone.unresolved,
        owners=tuple(
            documents.Owning(
                owner=owned.owner.name or owned.owner.label,
                changed=len(changed_paths.intersection(owned.files)),
                reached=len(set(owned.files) - changed_paths),
                symbols=owned.items,
            )
            for owned in cone.owners
        ),
        unowned=cone.unowned,
        hubs=tuple(documents.Hub(symbol=symbol(cut.node), dependents=cut.dependents) for cut in cone.hubs),
        notes=_comparison_notes(judgement) if judgement else (),
        seconds=seconds,
    )


def _changed(view: NodeView, starts: Mapping[str, Start]) -> documents.Changed:
    start = starts.get(view.key)
    if start is None:
        return documents.Changed(symbol=symbol(view), reasons=())
    reasons = [reason.value for reason in start.reasons]
    if start.other:
        reasons.append(f"other name {start.other.rpartition('::')[2]}")
    return documents.Changed(symbol=symbol(view), reasons=tuple(reasons), side=start.version.value)


def _silent(comparison: Comparison) -> tuple[documents.Unread, ...]:
    quiet = [documents.Unread(path=path, reason=documents.QUIET) for path in comparison.quiet]
    for path in comparison.unsupported:
        reason = documents.PROSE if path.lower().endswith(_PROSE) else documents.UNSUPPORTED
        quiet.append(documents.Unread(path=path, reason=reason))
    return tuple(quiet)


def _comparison_notes(judgement: Judgement) -> tuple[str, ...]:
    comparison = judgement.comparison
    notes = [
        f"{path} could not be read on one side: all of its symbols count as changed."
        for path in comparison.unparsed
    ]
    notes += [f"{old} is {new} now; what it holds counts as the same." for old, new in comparison.moved_files]
    if comparison.quiet_symbols:
        counted = comparison.quiet_symbols
        notes.append(
            "Of one symbol only the docstring or annotations differ."
            if counted == 1
            else f"Of {counted} symbols only docstrings or annotations differ."
        )
    notes += [f"{path}: the diff does not tell its content." for path in judgement.change.unread]
    return tuple(notes)


def indexed(report: IndexReport, taken: documents.TakenIn | None = None) -> documents.Indexed:
    """What an index run did."""
    return documents.Indexed(
        repository=report.scope.repository,
        commit=report.commit.id,
        summary=report.commit.summary,
        run=report.head,
        unchanged=report.unchanged,
        sources=report.sources,
        coverage=report.coverage,
        nodes=report.nodes,
        edges=report.edges,
        created=report.created,
        retired=report.retired,
        diagnoses=tuple(
            documents.Diagnosed(path=path, code=code, message=message)
            for path, code, message in report.diagnoses
        ),
        commits_read=report.commits_read,
        history_complete=report.history_complete,
        notes=report.notes,
        seconds=report.seconds,
        recordings=taken,
    )


def paths(scope: Scope, head: Incidence, found: Paths, direction: str) -> documents.Paths:
    """Proof paths in the order asked for: `depends` reads from what depends to what it depends on."""
    ends = symbol(found.end), symbol(found.start)
    depends = direction == "depends"
    source, target = ends if depends else ends[::-1]
    way = Direction.DOWN if depends else Direction.UP
    return documents.Paths(
        repository=scope.repository,
        run=head.head,
        commit=head.commit,
        source=source,
        target=target,
        direction=direction if found.paths else "none",
        paths=tuple(
            documents.ProofPath(
                tier=path.tier.value,
                steps=tuple(step(each, way) for each in (path.steps[::-1] if depends else path.steps)),
            )
            for path in found.paths
        ),
        complete=found.complete,
    )


def found(scope: Scope, head: Incidence, query: str, hits: list[Hit], limit: int) -> documents.Found:
    """What a search found; one hit beyond the limit says that there is more."""
    return documents.Found(
        repository=scope.repository,
        run=head.head,
        commit=head.commit,
        query=query,
        more=len(hits) > limit,
        results=tuple(symbol(hit.node) for hit in hits[:limit]),
    )
