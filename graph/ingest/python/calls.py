"""Call sites of both resolvers made one: the engine's answer first, ours where it is silent.

Who the caller of a call is: the innermost definition around it. The call of a decorator
(`@route("/")`) counts twice: the decorated definition depends on it, and the scope around runs it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from graph.facts import Hyperedge, Member, Props, Provenance, Scope
from graph.ingest.python.answers import Answer, Answers, Directory
from graph.ingest.python.dispatch import Dispatch
from graph.ingest.python.module import CALL, ModuleRecord
from graph.ingest.python.records import CallSite, Site, Target
from graph.schema import TIER_OF, EdgeKind, Form, NodeKind, Resolver, Sort, Tier

ENGINE = Resolver.PYREFLY
FUNCTION = TIER_OF[ENGINE, "function"]
TYPED = TIER_OF[ENGINE, "method of a typed receiver"]
SEVERAL = TIER_OF[ENGINE, "one of several targets"]
OVERRIDE = TIER_OF[ENGINE, "override of a resolved target"]
HANDED = TIER_OF[ENGINE, "handed over"]

FEW = 2
"""Targets of a call that still tell what it runs; one of more is a possibility like an override."""

EXITS = {"__enter__": ("__exit__",), "__aenter__": ("__aexit__",)}
WRITTEN = (Form.PLAIN, Form.CONSTRUCTOR, Form.IMPLICIT, Form.HANDED)
"""Forms of a call that is written as one; handed over: what a variable or field holds is called."""
SURE = (Tier.EXACT, Tier.TYPED)


class Merger:
    """Merges one file's call sites at a time.

    Parameters
    ----------
    path, record : str, ModuleRecord
        The file.
    directory : Directory
        Turns the engine's names into targets.
    dispatch : Dispatch
        Which methods stand in for which.
    by_fixture : callable
        Whether what a call is made on comes out of a fixture: another fixture of that name, or a
        parameter of it, may take its place, so the call is no surer than a dispatch.
    """

    def __init__(
        self,
        path: str,
        record: ModuleRecord,
        directory: Directory,
        dispatch: Dispatch,
        by_fixture: Callable[[int, Site], bool] = lambda place, site: False,
    ) -> None:
        self._path = path
        self._record = record
        self._directory = directory
        self._dispatch = dispatch
        self._by_fixture = by_fixture
        self._own_fields = {
            Site(use.line, use.column, use.end_line, use.end_column)
            for block in record.uses.blocks
            for use in block.uses
            if use.kind == CALL and use.chain.startswith("self.") and "(" not in use.chain
        }

    def merge(self, answers: Answers, own: Sequence[CallSite]) -> Iterator[CallSite]:
        """The file's call sites, without those known to lead outside the repository."""
        for call in self._merged(answers, own):
            yield from self.through_declarations(call)

    def through_declarations(self, call: CallSite) -> Iterator[CallSite]:
        """A call names the declared overload; what implements it runs behind it."""
        if call.form is not Form.PLAIN or not any(map(self._dispatch.declared, call.targets)):
            yield call
            return
        named = [(self._dispatch.declared(target) or (target,))[0] for target in call.targets]
        yield call._replace(targets=tuple(dict.fromkeys(named)))
        behind = tuple(target for target in call.targets if self._dispatch.declared(target))
        yield call._replace(targets=behind, form=Form.WRAPPER)

    def _merged(self, answers: Answers, own: Sequence[CallSite]) -> Iterator[CallSite]:
        names = [self._directory.target(*name) for name in answers.names]
        ours: dict[Site, list[CallSite]] = defaultdict(list)
        for call in own:
            ours[call.site].append(call)
        answered: set[Site] = set()
        asked: set[Site] = set()
        for answer in answers.answers:
            site = Site(*answer.site)
            if answer.kind == "call" and not answer.detail:
                asked.add(site)
                mine = [call for call in ours.get(site, ()) if call.form in WRITTEN]
                found = list(self._explicit(answer, site, names, mine))
                if found:
                    answered.add(site)
                    yield from found
            else:
                yield from self._other(answer, site, names)
        for call in own:
            if not call.external and not (call.site in answered and call.form in WRITTEN):
                yield self._ours(call, call.site in asked)

    def _explicit(
        self, answer: Answer, site: Site, names: list[Target | None], mine: list[CallSite]
    ) -> Iterator[CallSite]:
        """A call that is written as one."""
        groups: dict[Form, list[tuple[Target, bool, Target | None]]] = defaultdict(list)
        for index, how, dispatched, dunder, receiver in answer.targets:
            target = names[index]
            if target is None:
                continue
            form = Form.PLAIN
            if how in ("init", "class"):
                form = Form.CONSTRUCTOR
            elif dunder:
                form = Form.IMPLICIT
            elif not self._says(mine, target) or not self._in_sight(answer.caller, target):
                form = Form.HANDED
            groups[form].append((target, dispatched, names[receiver] if receiver >= 0 else None))
            if how == "class":
                groups[form] += [(made, False, None) for made in self._dispatch.making(target)]
        if not groups:
            sure = any(s.targets and s.tier in SURE for s in mine)
            if answer.external and not answer.reason and not sure:
                yield self._site(answer.caller, site, (), FUNCTION, Form.PLAIN, external=True)
            return
        caller = mine[0].caller.place if mine and not answer.decorator else answer.caller
        for form, found in groups.items():
            yield from self._targets(caller, site, form, found, sum(map(len, groups.values())))
            if answer.decorator:
                around, run = self._around(answer.caller)
                yield from self._targets(around, site, run, found, len(found))

    def _ours(self, call: CallSite, asked: bool) -> CallSite:
        """A call that only our own reader follows.

        Where the engine was asked and found no type, a type that we inferred without regard to the
        flow of control is a possibility like an override, no more.
        """
        if call.form is not Form.PLAIN or not call.targets:
            return call
        if call.tier is not Tier.EXACT and not self._says([call], call.targets[0], by_target=False):
            call = call._replace(form=Form.HANDED)
        field = len(call.targets) == 1 and call.site in self._own_fields
        if asked and call.tier is Tier.TYPED and not field:
            call = call._replace(tier=OVERRIDE)
        return call

    def _other(self, answer: Answer, site: Site, names: list[Target | None]) -> Iterator[CallSite]:
        """Implicit calls, properties, callables handed over, nested definitions."""
        forms: dict[Form, list[tuple[Target, bool, Target | None]]] = defaultdict(list)
        for index, how, dispatched, dunder, receiver in answer.targets:
            target = names[index]
            if target is None or (answer.kind != "call" and (dunder or how == "init")):
                continue  # reading a class or a callable object is not handing over what calling it runs
            form = Form.IMPLICIT
            if how in ("getter", "setter"):
                form = Form.PROPERTY
            elif answer.kind == "define":
                form = Form.HANDED
            elif answer.kind in ("attribute", "identifier"):
                if answer.kind == "identifier" and self._name(target) == answer.detail:
                    continue  # a name that our own reader follows: it is a reference
                form = Form.HANDED
            found = (target, dispatched, names[receiver] if receiver >= 0 else None)
            forms[form].append(found)
            if answer.detail == "with-enter":
                forms[form] += self._exits(*found)
        for form, targets in forms.items():
            # Applying the decorator itself is told of the decorated definition by Decorates.
            if not answer.decorator or form is not Form.IMPLICIT:
                yield from self._targets(answer.caller, site, form, targets, len(targets))
            if answer.decorator and form is not Form.HANDED:
                around, run = self._around(answer.caller)
                yield from self._targets(around, site, run, targets, len(targets))

    def _around(self, decorated: int) -> tuple[int, Form]:
        """The scope that runs the decorators of a definition, and the form of such a call."""
        around = max(self._record.definitions[decorated].parent, 0)
        inside = self._record.definitions[around].sort in (Sort.FUNCTION, Sort.METHOD)
        return around, Form.IMPLICIT if inside else Form.DECORATING

    def _exits(
        self, enter: Target, dispatched: bool, receiver: Target | None
    ) -> list[tuple[Target, bool, Target | None]]:
        """What leaving a `with` runs, from what entering it runs."""
        klass = receiver or self._dispatch.owner(enter)
        if klass is None:
            return []
        found = []
        for name in EXITS.get(self._name(enter), ()):
            found += [(target, dispatched, receiver) for target in self._dispatch.attribute(klass, name)]
        return found

    def _targets(
        self,
        caller: int,
        site: Site,
        form: Form,
        found: list[tuple[Target, bool, Target | None]],
        count: int,
    ) -> Iterator[CallSite]:
        """Sites for targets of one form: those that dispatch apart from those that do not."""
        several = count > 1 and form not in (Form.CONSTRUCTOR, Form.IMPLICIT, Form.DECORATING)
        by_fixture = self._by_fixture(caller, site)
        kinds: dict[tuple[Tier, bool], list[Target]] = defaultdict(list)
        for target, dispatched, receiver in found:
            tier = TYPED if dispatched or receiver else FUNCTION
            if several:
                tier = SEVERAL if count <= FEW else OVERRIDE
            if form is Form.HANDED:
                tier = HANDED
            elif form is Form.CONSTRUCTOR:
                tier = FUNCTION
            if by_fixture and (dispatched or receiver or self._dispatch.owner(target)):
                tier = OVERRIDE
            virtual, others = self._dispatch.below(target, receiver) if dispatched else (False, ())
            kinds[tier, virtual].append(target)
            for other in others:
                kinds[OVERRIDE, False].append(other)
        for (tier, virtual), targets in kinds.items():
            yield self._site(caller, site, tuple(dict.fromkeys(targets)), tier, form, virtual=virtual)

    def _site(
        self,
        caller: int,
        site: Site,
        targets: tuple[Target, ...],
        tier: Tier,
        form: Form,
        *,
        virtual: bool = False,
        external: bool = False,
    ) -> CallSite:
        whose = Target(self._path, caller)
        return CallSite(whose, site, targets, tier, form, ENGINE, virtual=virtual, external=external)

    def _says(self, mine: list[CallSite], target: Target, by_target: bool = True) -> bool:
        """Whether the call names the target, and not a variable or field that holds it."""
        if not mine or not mine[0].name:
            return True
        forms = {call.form for call in mine if by_target and target in call.targets}
        if forms == {Form.HANDED}:
            return False
        name = self._name(target)
        return any(call.name == name or (by_target and self._aliased(call, target)) for call in mine)

    @staticmethod
    def _aliased(call: CallSite, target: Target) -> bool:
        """Whether an import gave the target another name here."""
        return call.tier is Tier.EXACT and target in call.targets

    def _in_sight(self, caller: int, target: Target) -> bool:
        """Whether the caller can name the target: a function inside another only gets out as a value."""
        around = self._dispatch.function_around(target)
        if around is None:
            return True
        place = caller
        while place >= 0:
            if Target(self._path, place) == around:
                return True
            place = self._record.definitions[place].parent
        return False

    def _name(self, target: Target) -> str:
        return self._dispatch.name(target)


def edges(
    scope: Scope,
    sites: Iterable[CallSite],
    key: Callable[[Target], str],
    records: Mapping[str, ModuleRecord],
    blobs: Mapping[str, str],
) -> Iterator[Hyperedge]:
    """Calls, one a caller, set of callees, form, tier, resolver and way of dispatch."""
    groups: dict[tuple[Target, tuple[Target, ...], Form, Tier, Resolver, bool], set[int]] = defaultdict(set)
    for site in sites:
        if site.targets:
            group = (site.caller, site.targets, site.form, site.tier, site.resolver, site.virtual)
            groups[group].add(site.site.line)
    for (caller, targets, form, tier, resolver, virtual), lines in groups.items():
        first = records[caller.path].definitions[caller.place].line
        props: Props = (("lines", tuple(sorted(line - first for line in lines))), ("virtual", virtual))
        members = [Member("caller", NodeKind.SYMBOL, key(caller))]
        members += [Member("callee", NodeKind.SYMBOL, key(target)) for target in targets]
        yield Hyperedge(
            EdgeKind.CALLS,
            scope,
            tuple(members),
            Provenance(caller.path, blobs[caller.path], resolver),
            tier,
            form,
            props,
        )


def unresolved(
    scope: Scope,
    sites: Iterable[CallSite],
    key: Callable[[Target], str],
    records: Mapping[str, ModuleRecord],
    blobs: Mapping[str, str],
) -> Iterator[Hyperedge]:
    """What could not be followed, counted a definition, with the names that were called."""
    open_sites: dict[Target, list[CallSite]] = defaultdict(list)
    for site in sites:
        if not site.targets and not site.external:
            open_sites[site.caller].append(site)
    for caller, found in open_sites.items():
        first = records[caller.path].definitions[caller.place].line
        props: Props = (
            ("count", len(found)),
            ("lines", tuple(sorted({site.site.line - first for site in found}))),
            ("names", tuple(sorted({site.name for site in found if site.name}))),
        )
        yield Hyperedge(
            EdgeKind.UNRESOLVED,
            scope,
            (Member("symbol", NodeKind.SYMBOL, key(caller)),),
            Provenance(caller.path, blobs[caller.path], found[0].resolver),
            props=props,
        )
