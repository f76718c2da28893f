"""Calls that go through what decorators make, and through callables kept in places.

caller -> wrapper -> function: whoever calls a decorated function runs the decorator's wrapper, which
runs the function. And where a call's callee is a parameter, a local variable, a field or an item
of a table, what runs is what got there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from posixpath import basename

from graph.ingest.python.callables import FUNCTIONS
from graph.ingest.python.flow import MANY, Flow, Place
from graph.ingest.python.records import CallSite, Site, Target
from graph.ingest.python.traits import Call
from graph.schema import TIER_OF, Form, Resolver, Sort, Tier

WRAPPER = TIER_OF[Resolver.FRAMEWORK, "wrapper of a decorator"]
KEPT = TIER_OF[Resolver.FRAMEWORK, "callable kept in a table"]
PROTOCOL = TIER_OF[Resolver.FRAMEWORK, "protocol of a base class"]

CROWD = 24
"""A call that may run more functions than this tells little: it is counted as possible only."""
WRAPPED = 64
"""The same for what one wrapper may run."""

RUNNERS = frozenset(
    [
     "partial", "partialmethod", "invoke", "call", "apply", "run", "map", "submit", "starmap", "reduce",
     "filter", "start_new_thread", "Thread", "Timer", "Process", "Greenlet", "spawn", "spawn_n",
     "spawn_later", "call_soon", "call_later", "call_at", "call_soon_threadsafe", "run_in_executor",
     "to_thread", "run_sync", "callback", "ensure_future", "create_task", "retry_over_time", "signal",
     "defer", "async_to_sync", "sync_to_async"
    ]
)  # fmt: skip
"""Functions from outside, by their last name, that run what they are given, now or later."""


def wrappers(flow: Flow) -> dict[Target, tuple[Target, ...]]:
    """Decorated function -> what its decorators put in its place, nearest first."""
    found: dict[Target, tuple[Target, ...]] = {}
    for decorated, decorators in flow.decorators.items():
        if flow.sort(decorated) not in FUNCTIONS:
            continue
        made: list[Target] = []
        for _, targets in decorators:
            for decorator in sorted(targets):
                made.extend(_made(flow, decorator))
        inner = tuple(dict.fromkeys(target for target in made if target != decorated))
        if inner:
            found[decorated] = inner
    return found


def _made(flow: Flow, decorator: Target) -> Iterator[Target]:
    if flow.sort(decorator) is Sort.METHOD and flow.name(decorator) == "__init__":
        klass = Target(decorator.path, flow.parent(decorator))
        for name in ("__call__", "__get__"):
            target = flow.names.klass(klass).get(name)
            if target is not None:
                yield target
        return
    if flow.sort(decorator) is Sort.CLASS:
        return
    made = [target for target in flow.results(decorator) if flow.sort(target) in FUNCTIONS]
    if len(made) <= MANY:
        yield from sorted(made)


def wrapper_calls(flow: Flow, sites: Iterable[CallSite], tests: Iterable[str]) -> Iterator[CallSite]:
    """caller -> wrapper for every call of a decorated function, and wrapper -> function."""
    made = wrappers(flow)
    for site in sites:
        found = [wrapper for target in site.targets for wrapper in made.get(target, ())]
        inner = tuple(wrapper for wrapper in dict.fromkeys(found) if wrapper != site.caller)
        if inner:
            yield CallSite(
                site.caller, site.site, inner, max(site.tier, WRAPPER, key=_rank), Form.WRAPPER,
                Resolver.FRAMEWORK, name=site.name,
            )  # fmt: skip
    wrapped: dict[Target, list[Target]] = defaultdict(list)
    for decorated, inner in made.items():
        for wrapper in inner:
            wrapped[wrapper].append(decorated)
    testing = frozenset(tests)
    for wrapper, run in wrapped.items():
        where = _inside(flow, wrapper, frozenset(run))
        for targets, sure in _parted(wrapper, run, testing, WRAPPED):
            tier = WRAPPER if sure else Tier.AMBIGUOUS
            yield CallSite(wrapper, where, targets, tier, Form.WRAPPER, Resolver.FRAMEWORK)


def _rank(tier: Tier) -> int:
    return tier.rank


def _inside(flow: Flow, wrapper: Target, decorated: frozenset[Target]) -> Site:
    """Where a wrapper runs what it wraps, or hands it on; its own line where that is not seen."""
    for call in flow.files[wrapper.path].calls:
        if call.place == wrapper.place:
            values = [call.callee, *(value for _, value in call.arguments)]
            if any(
                not flow.values(wrapper.path, call.place, value).isdisjoint(decorated)
                for value in values
                if isinstance(value, str)
            ):
                return Site(call.line, call.column, call.end_line, call.end_column)
    line = flow.program.records[wrapper.path].definitions[wrapper.place].mark
    return Site(line, 0, line, 0)


def kept_calls(flow: Flow, tests: Iterable[str]) -> Iterator[CallSite]:
    """Calls of what parameters, variables, fields and tables hold, and of what is handed to runners."""
    testing = frozenset(tests)
    for path, file in flow.files.items():
        for call in file.calls:
            if not flow.targets(path, call):
                caller = Target(path, call.place)
                found = [t for t in _kept(flow, path, call) if t != caller and flow.sort(t) in FUNCTIONS]
                site = Site(call.line, call.column, call.end_line, call.end_column)
                name = call.callee.rpartition(".")[2] if isinstance(call.callee, str) else ""
                for targets, sure in _parted(caller, found, testing, CROWD):
                    tier = KEPT if sure else Tier.AMBIGUOUS
                    yield CallSite(caller, site, targets, tier, Form.HANDED, Resolver.FRAMEWORK, name=name)


def _parted(
    caller: Target, found: Iterable[Target], testing: frozenset[str], crowd: int
) -> Iterator[tuple[tuple[Target, ...], bool]]:
    """What a call surely may run, and what it only possibly does.

    What tests put into the program's own tables lives as long as the test: from outside the tests it
    is possible, no more.
    """
    runs = sorted(found)
    outside = not _is_test(caller.path, testing)
    others = tuple(target for target in runs if outside and _is_test(target.path, testing))
    own = tuple(target for target in runs if not (outside and _is_test(target.path, testing)))
    if own:
        yield own, len(own) <= crowd
    if others:
        yield others, False


def _is_test(path: str, testing: frozenset[str]) -> bool:
    return path in testing or basename(path) == "conftest.py"


def _kept(flow: Flow, path: str, call: Call) -> frozenset[Target]:
    callee = call.callee
    found: frozenset[Target] = frozenset()
    if isinstance(callee, int):
        found = flow.ask(Place("call", path, callee))
    else:
        root, _, rest = callee.partition(".")
        scope = flow.scope_of(path, call.place, root)
        if not rest:
            if scope or root.isupper() or (path, 0, root) in flow.tables:
                found = flow.values(path, call.place, callee)
        elif (scope and "." not in rest and flow.owner(path, call.place, root) is not None) or (
            not scope and rest.rpartition(".")[2].isupper()
        ):
            found = flow.values(path, call.place, callee)
        if callee.rpartition(".")[2] in RUNNERS:
            for key, value in call.arguments:
                if key in (0, 1, "target", "func", "function", "callback") and isinstance(value, str):
                    found |= flow.values(path, call.place, value)
    return frozenset(flow.entry(target) for target in found)
