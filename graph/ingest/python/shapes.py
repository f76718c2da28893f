"""What of a file other files can see, and what an edit inside its functions leaves as it was.

Facts of one file rest on its own record and on what others show of theirs. Where an edit leaves that alone,
only the edited file is followed again. Whatever is not known to be out of sight counts as seen.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from graph.ingest.python.module import Binding, ModuleRecord, Scope
from graph.ingest.python.records import Site
from graph.ingest.python.registrations import REGISTRARS
from graph.ingest.python.traits import Call, Decoration, FrameworkRecord, Value
from graph.ingest.python.wrappers import RUNNERS
from graph.schema import Sort

_WORD = re.compile(r"\w+")


def visible(record: ModuleRecord) -> object:
    """All that following other files may read of a file: equal before and after, it moves none of them.

    Where things stand, and what code does with names (`Uses.blocks`), is the file's own affair. What
    local variables are bound to is seen where a result, a field or another binding that is seen
    leads there.
    """
    uses = record.uses
    scopes = {scope.place: scope for scope in uses.scopes}
    outer = [_outer(scope) for scope in uses.scopes if not _is_function(record, scope)]
    return (
        [(item.qualname, item.ordinal, item.sort, item.parent) for item in record.definitions],
        [
            (item.scope, item.level, item.module, item.name, item.alias, item.typing_only, item.conditional)
            for item in uses.imports
        ],
        [(item.place, item.flags, item.parameters, item.returns, item.results) for item in uses.functions],
        [(item.place, item.bases, item.metaclass) for item in uses.classes],
        uses.exported,
        uses.exported_from,
        outer,
        sorted(_reached(record, scopes)),
        [(scope.place, scope.parent, sorted(scope.outside.items())) for scope in uses.scopes],
        record.diagnosis is None,
    )


def _is_function(record: ModuleRecord, scope: Scope) -> bool:
    return record.definitions[scope.place].sort in (Sort.FUNCTION, Sort.METHOD)


def _outer(scope: Scope) -> tuple[int, object, object]:
    names = {name: list(map(_binding, bindings)) for name, bindings in scope.names.items()}
    return scope.place, names, scope.symbols


def _binding(item: Binding) -> tuple[int, str, int, bool]:
    return item.kind, item.chain, item.place, item.conditional


def _reached(record: ModuleRecord, scopes: Mapping[int, Scope]) -> Iterator[tuple[int, str, object]]:
    """Local variables that what is seen from outside leads to, with what binds them."""
    waiting: list[tuple[int, str]] = []
    for function in record.uses.functions:
        waiting += [(function.place, chain) for chain in (*function.results, function.returns)]
    for klass in record.uses.classes:
        around = record.definitions[klass.place].parent
        waiting += [(around, chain) for chain in (*klass.bases, klass.metaclass)]
    for scope in scopes.values():
        if not _is_function(record, scope):
            waiting += _leads(scope.place, [item for found in scope.names.values() for item in found])
    seen: set[tuple[int, str]] = set()
    while waiting:
        place, chain = waiting.pop()
        for word in _WORD.findall(chain):
            for holder in _around(record, scopes, place):
                if (holder.place, word) in seen or word not in holder.names:
                    continue
                seen.add((holder.place, word))
                waiting += _leads(holder.place, holder.names[word])
                if _is_function(record, holder):
                    yield holder.place, word, list(map(_binding, holder.names[word]))


def _leads(scope: int, bindings: list[Binding]) -> list[tuple[int, str]]:
    """Chains that bindings hold, and the scopes in which they may be read."""
    return [(place, item.chain) for item in bindings if item.chain for place in {item.place, scope}]


def _around(record: ModuleRecord, scopes: Mapping[int, Scope], place: int) -> Iterator[Scope]:
    """The scopes of a definition and of those around it."""
    while place >= 0:
        if place in scopes:
            yield scopes[place]
        place = record.definitions[place].parent


def handed(record: ModuleRecord) -> object:
    """All of a file that decides which tests there are, and what they are handed."""
    found = record.frameworks
    if found is None:
        return None
    return (
        found.functions,
        found.fixtures,
        found.marks,
        found.imported,
        found.untested,
        found.deleted,
        [(text.place, text.taker, text.text, text.receiver) for text in found.texts],
        [(item.place, item.order, _spelled(found, item.value)) for item in found.decorations],
    )


def _spelled(found: FrameworkRecord, value: Value) -> object:
    """A value without the number of the call that it comes out of."""
    if isinstance(value, str):
        return value
    call = found.calls[value]
    return _spelled(found, call.callee), [(key, _spelled(found, item)) for key, item in call.arguments]


class Shift(NamedTuple):
    """Where what frameworks add to a file stands after an edit."""

    places: dict[Site, Site]
    edited: frozenset[int]
    """The definitions with calls that run, keep and hand on nothing of the program: some came or went."""
    doubtful: frozenset[Site]
    """Where these definitions call something else, and where they begin, before the edit."""


def shift(old: ModuleRecord, new: ModuleRecord, ran: Container[Site], runs: Container[Site]) -> Shift | None:
    """How places moved, where frameworks see the same of a file but for calls that keep nothing.

    None where they may see more: then everything that they add is worked out again. `ran` and `runs` are
    the places of calls that run something of the program, before and after.
    """
    before, after = old.frameworks, new.frameworks
    if before is None or after is None or handed(old) != handed(new) or before.cut or after.cut:
        return None
    kept, stale = _parted(old, before, ran)
    held, fresh = _parted(new, after, runs)
    if len(kept) != len(held):
        return None
    was = _renumbered(before, kept)
    if was != _renumbered(after, held):
        return None
    places = {_span(before.calls[a]): _span(after.calls[b]) for a, b in zip(kept, held, strict=True)}
    for one, other in zip(before.decorations, after.decorations, strict=True):
        places[_span(one)] = _span(other)
    for was_defined, is_defined in zip(old.definitions, new.definitions, strict=True):
        places[Site(was_defined.mark, 0, was_defined.mark, 0)] = Site(is_defined.mark, 0, is_defined.mark, 0)
    for text, moved in zip(before.texts, after.texts, strict=True):
        first, now = old.definitions[text.place].line, new.definitions[moved.place].line
        if text.line - first != moved.line - now:
            return None
    came, went = [after.calls[at].place for at in fresh], [before.calls[at].place for at in stale]
    edited = frozenset((*came, *went))
    doubtful = {_span(call) for call in before.calls if call.place in edited}
    doubtful |= {Site(old.definitions[at].mark, 0, old.definitions[at].mark, 0) for at in edited}
    return Shift(places, edited, frozenset(doubtful))


def _span(call: Call | Decoration) -> Site:
    return Site(call.line, call.column, call.end_line, call.end_column)


def _parted(
    record: ModuleRecord, found: FrameworkRecord, running: Container[Site]
) -> tuple[list[int], list[int]]:
    """Numbers of the calls that count, and of those that run, hand on and keep nothing of the program."""
    taken = {value for call in found.calls for value in (call.callee, *(item for _, item in call.arguments))}
    taken.update(item.value for item in found.binds)
    taken.update(item.value for item in found.returns)
    taken.update(item.value for item in found.decorations)
    local = {bind.slot.lstrip("+*").partition(".")[0] for bind in found.binds}
    for function in found.functions:
        local |= {*function.positional, *function.keywords, function.vararg, function.kwarg}
    local |= {item.qualname.rpartition(".")[2] for item in record.definitions if "<locals>" in item.qualname}
    kept: list[int] = []
    idle: list[int] = []
    for at, call in enumerate(found.calls):
        quiet = at not in taken and _span(call) not in running and _is_idle(call, local)
        (idle if quiet else kept).append(at)
    return kept, idle


def _is_idle(call: Call, local: set[str]) -> bool:
    """Whether a call, unless it runs something of the program, hands on and keeps nothing."""
    if not isinstance(call.callee, str):
        return False
    root = call.callee.partition(".")[0]
    last = call.callee.rpartition(".")[2]
    if last in RUNNERS or last in REGISTRARS or last.isupper() or root in ("?", "super()"):
        return False
    return root not in local and not any(isinstance(value, int) for _, value in call.arguments)


def _renumbered(found: FrameworkRecord, kept: list[int]) -> object:
    """What frameworks see of a file, the numbers of calls as if there were only those that count."""
    number = {at: place for place, at in enumerate(kept)}

    def named(value: Value) -> Value:
        return value if isinstance(value, str) else number[value]

    return (
        [
            (c.place, named(c.callee), [(key, named(value)) for key, value in c.arguments])
            for c in (found.calls[at] for at in kept)
        ],
        [(item.place, item.slot, named(item.value)) for item in found.binds],
        [(item.place, named(item.value)) for item in found.returns],
        [(item.place, named(item.value), item.order) for item in found.decorations],
    )
