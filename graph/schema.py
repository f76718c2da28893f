"""The only list of what the hypergraph holds: node kinds, hyperedge kinds, roles, keys, classes.

Constraints, `docs/schema.md`, the GraphQL enums and the arrays' code numbers follow from it.
A hyperedge is stored as a node of its own: `(:Symbol {key})-[:IN {role}]->(:Calls {id})`.
The order of the members of every enumeration here is part of the format of the array files:
append, never reorder.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, unique


@unique
class Class(StrEnum):
    """How time passes over a fact."""

    STATE = "state"
    LEDGER = "ledger"


@unique
class NodeKind(StrEnum):
    """Label of a node; one label a node."""

    REPOSITORY = "Repository"
    RUN = "Run"
    CHANGE = "Change"
    FILE = "File"
    SYMBOL = "Symbol"
    TEST = "Test"
    OWNER = "Owner"
    PACKAGE = "Package"
    DIAGNOSIS = "Diagnosis"
    CONTROL = "Control"
    CHECK = "Check"
    EVIDENCE = "Evidence"
    ARTIFACT = "Artifact"
    ACTION = "Action"
    KEY = "Key"
    ARM = "Arm"
    TASK = "Task"
    DECISION = "Decision"
    PROPERTY = "Property"
    PLUGIN = "Plugin"


@unique
class EdgeKind(StrEnum):
    """Label of a hyperedge."""

    CONTAINS = "Contains"
    IMPORTS = "Imports"
    CALLS = "Calls"
    REFERENCES = "References"
    INHERITS = "Inherits"
    OVERRIDES = "Overrides"
    DECORATES = "Decorates"
    REGISTERS = "Registers"
    PATCHES = "Patches"
    PARAMETRIZES = "Parametrizes"
    REALISES = "Realises"
    RENAMED_FROM = "RenamedFrom"
    OWNS = "Owns"
    AUTHORED = "Authored"
    CO_CHANGED = "CoChanged"
    UNRESOLVED = "Unresolved"
    DIAGNOSED = "Diagnosed"
    EXECUTES = "Executes"
    READS_FILE = "ReadsFile"
    DEPENDS_ON = "DependsOn"
    PUBLISHES = "Publishes"
    IMPLEMENTS = "Implements"
    EVIDENCES = "Evidences"
    SUPERSEDES = "Supersedes"
    PRODUCES = "Produces"
    SIGNS = "Signs"
    DECIDED = "Decided"
    HOLDS = "Holds"
    PROVIDES = "Provides"


@unique
class Sort(StrEnum):
    """What a Symbol is."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"
    ATTRIBUTE = "attribute"
    CONSTANT = "constant"


@unique
class Tier(StrEnum):
    """How sure a dependency is, surest first. Cones follow the first three by default."""

    EXACT = "exact"
    TYPED = "typed"
    HIERARCHY = "hierarchy"
    NAME = "name"
    AMBIGUOUS = "ambiguous"

    @property
    def rank(self) -> int:
        """0 for the surest tier, growing as it weakens."""
        return TIERS.index(self)


TIERS: tuple[Tier, ...] = tuple(Tier)
DEFAULT_TIER = Tier.HIERARCHY


@unique
class Form(StrEnum):
    """How a call is written, or comes about."""

    NONE = ""
    PLAIN = "plain"
    CONSTRUCTOR = "constructor"
    PROPERTY = "property"
    IMPLICIT = "implicit"
    WRAPPER = "wrapper"
    HANDED = "handed over"
    DECORATING = "decorating"
    """A module or class runs a decorator where the definition stands. It is a call, but what comes of
    it is the decorated definition, as Decorates says: a cone does not follow it to all importers."""


@unique
class Resolver(StrEnum):
    """Who said it. `TIER_OF` maps what each resolver can say to tiers."""

    GIT = "git"
    CODEOWNERS = "codeowners"
    HISTORY = "history"
    SYNTAX = "python-syntax"
    SCOPES = "python-scopes"
    PYREFLY = "pyrefly"
    FRAMEWORK = "python-framework"
    PYTEST = "pytest"
    UNITTEST = "unittest"
    RECORDING = "recording"
    LCOV = "lcov"
    COBERTURA = "cobertura"
    JACOCO = "jacoco"
    GO_COVER = "go-cover"
    JUNIT = "junit"


TIER_OF: dict[tuple[Resolver, str], Tier] = {
    # Our reader: a name followed through scopes and imports to its only definition.
    (Resolver.SCOPES, "name bound once"): Tier.EXACT,
    (Resolver.SCOPES, "member of a named class or module"): Tier.EXACT,
    (Resolver.SCOPES, "member of self's class"): Tier.TYPED,
    (Resolver.SCOPES, "member by annotation or constructor"): Tier.TYPED,
    (Resolver.SCOPES, "override of a resolved target"): Tier.HIERARCHY,
    (Resolver.SCOPES, "one of several bindings"): Tier.TYPED,
    (Resolver.SCOPES, "only definition of that name"): Tier.NAME,
    (Resolver.SCOPES, "one of several definitions of that name"): Tier.AMBIGUOUS,
    (Resolver.SYNTAX, "written there"): Tier.EXACT,
    # The type engine: a function named by the call, or found through the receiver's type.
    (Resolver.PYREFLY, "function"): Tier.EXACT,
    (Resolver.PYREFLY, "method of a typed receiver"): Tier.TYPED,
    (Resolver.PYREFLY, "one of several targets"): Tier.TYPED,
    (Resolver.PYREFLY, "override of a resolved target"): Tier.HIERARCHY,
    (Resolver.PYREFLY, "attribute of a typed receiver"): Tier.TYPED,
    (Resolver.PYREFLY, "handed over"): Tier.TYPED,
    # Frameworks: what a decorator, a fixture or a string ties together.
    (Resolver.FRAMEWORK, "wrapper of a decorator"): Tier.TYPED,
    (Resolver.FRAMEWORK, "registration by decorator"): Tier.TYPED,
    (Resolver.FRAMEWORK, "callable kept in a table"): Tier.HIERARCHY,
    (Resolver.FRAMEWORK, "string reference"): Tier.EXACT,
    (Resolver.FRAMEWORK, "protocol of a base class"): Tier.HIERARCHY,
    (Resolver.PYTEST, "fixture by name and scope"): Tier.EXACT,
    (Resolver.PYTEST, "test function"): Tier.EXACT,
    (Resolver.PYTEST, "hook of a conftest"): Tier.HIERARCHY,
    (Resolver.UNITTEST, "test method"): Tier.EXACT,
}


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A kind of node. `props` are the properties it may carry besides `key`."""

    kind: NodeKind
    live: bool
    tenanted: bool
    key: str
    props: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role in a hyperedge: which nodes may stand in it, and whether several may."""

    name: str
    kinds: tuple[NodeKind, ...]
    many: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """A kind of hyperedge.

    `impact` lists (role depended upon, role that depends): impact leaves from the first and
    enters the second. `family` names the array file the kind lives in. `props` are the
    properties it may carry besides those that every hyperedge has (id, digest, scope, source,
    tier, form, resolver, from, to).
    """

    kind: EdgeKind
    cls: Class
    live: bool
    family: str
    roles: tuple[RoleSpec, ...]
    impact: tuple[tuple[str, str], ...]
    props: tuple[str, ...]
    key: str
    sentence: str

    def role(self, name: str) -> RoleSpec:
        """The role of that name; KeyError where the kind has none."""
        for role in self.roles:
            if role.name == name:
                return role
        raise KeyError(f"{self.kind} has no role {name!r}")


N = NodeKind
_CODE = (N.SYMBOL,)


# fmt: off
# Tables are read by column: one kind a line.
def _node(
    kind: NodeKind, live: bool, key: str, props: str, sentence: str, tenanted: bool = True
) -> NodeSpec:
    return NodeSpec(kind, live, tenanted, key, tuple(props.split()), sentence)


NODES: dict[NodeKind, NodeSpec] = {
    spec.kind: spec
    for spec in (
        _node(N.REPOSITORY, True, "tenant/name", "name head commit origin shallow", "A git repository, indexed on one line of history."),
        _node(N.RUN, True, "tenant/name@number", "number commit tree at received family resolver valid", "One run of the indexer: where the facts it wrote came from, and when."),
        _node(N.CHANGE, True, "tenant/name@commit id", "commit at subject merge bot", "A commit."),
        _node(N.FILE, True, "tenant/name:path", "path language size", "A file at a path of a repository."),
        _node(N.SYMBOL, True, "tenant/name:path::qualified name#ordinal", "path name qualname sort", "A module, class, function, method, attribute or constant."),
        _node(N.TEST, True, "tenant/name:path::test id", "path name framework parametrized", "A test as its runner names it."),
        _node(N.OWNER, True, "tenant/email, @user or @org/team", "name handle person bot", "A person or a team."),
        _node(N.PACKAGE, True, "package URL (purl)", "name version ecosystem", "A distribution on a package index.", tenanted=False),
        _node(N.DIAGNOSIS, True, "tenant/name:path!code", "code message hint line severity", "Why a file, or a part of it, could not be read in full."),
        _node(N.CONTROL, False, "tenant/framework/control id", "framework title", "A requirement of a compliance framework."),
        _node(N.CHECK, False, "tenant/check id", "title severity", "A repeatable examination of a control."),
        _node(N.EVIDENCE, False, "tenant/digest", "digest media_type at received", "A record that a check was made and what it found."),
        _node(N.ARTIFACT, False, "digest algorithm:digest", "digest size media_type", "Content, by its digest.", tenanted=False),
        _node(N.ACTION, False, "tenant/action digest", "digest command", "A recipe that makes artifacts from artifacts."),
        _node(N.KEY, False, "tenant/key fingerprint", "fingerprint algorithm", "A signing key or identity."),
        _node(N.ARM, False, "tenant/chain/model", "chain model", "A chain and model that the router can choose."),
        _node(N.TASK, False, "tenant/task id", "kind at", "A piece of work that an agent was asked to do."),
        _node(N.DECISION, False, "tenant/decision id", "at propensity policy", "One choice of the router."),
        _node(N.PROPERTY, False, "tenant/property digest", "digest expression", "A property mined from behaviour."),
        _node(N.PLUGIN, False, "tenant/plugin id@version", "name version state", "An extension and its standing."),
    )
}


def _roles(text: str) -> tuple[RoleSpec, ...]:
    """Roles from `name:Kind|Kind`, with `*` for any number and `+` for one or more."""
    roles = []
    for word in text.split():
        name, _, kinds = word.partition(":")
        many = name[-1] in "*+"
        optional = name[-1] in "*?"
        bare = name.rstrip("*+?")
        members = tuple(NodeKind(k) for k in kinds.split("|")) if kinds else _CODE
        roles.append(RoleSpec(bare, members, many, not optional))
    return tuple(roles)


def _edge(
    kind: EdgeKind, cls: Class, live: bool, family: str, roles: str, impact: str, props: str, key: str, sentence: str
) -> EdgeSpec:
    pairs = []
    for pair in impact.split():
        leaves, _, enters = pair.partition(">")
        pairs.append((leaves, enters))
    return EdgeSpec(kind, cls, live, family, _roles(roles), tuple(pairs), tuple(props.split()), key, sentence)


S, L, E = Class.STATE, Class.LEDGER, EdgeKind

EDGES: dict[EdgeKind, EdgeSpec] = {
    spec.kind: spec
    for spec in (
        _edge(E.CONTAINS, S, True, "code", "file:File symbol*:Symbol", "", "", "file",
              "A file holds these symbols, each with its lines and the digest of its body."),
        _edge(E.IMPORTS, S, True, "code", "importer:Symbol imported+:Symbol", "imported>importer", "lines lazy", "importer, imported",
              "Importing runs the imported module's top level: what that does reaches the importer."),
        _edge(E.CALLS, S, True, "code", "caller:Symbol callee+:Symbol", "callee>caller", "lines virtual", "caller, callees, form, tier, resolver",
              "A call site or dispatch group: the caller runs one of the callees. Virtual: overrides of the callees too."),
        _edge(E.REFERENCES, S, True, "code", "reader*:Symbol writer*:Symbol target+:Symbol", "target>reader writer>target", "lines mode", "reader or writer, targets, tier",
              "A name or attribute is read or written without being called."),
        _edge(E.INHERITS, S, True, "code", "derived:Symbol base+:Symbol", "base>derived", "", "derived",
              "A class derives from its bases, in their order."),
        _edge(E.OVERRIDES, S, True, "code", "override:Symbol base:Symbol", "override>base", "", "override, base",
              "A method stands in for its base's where a call is dispatched at run time."),
        _edge(E.DECORATES, S, True, "code", "decorated:Symbol decorator+:Symbol", "decorator>decorated", "", "decorated",
              "A decorator makes what a name is bound to."),
        _edge(E.REGISTERS, S, True, "code", "registry:Symbol|File registered+:Symbol", "registered>registry", "lines how", "registry, registered",
              "A callable is handed to a registry (routes, tasks, hooks, tables) that may run it later."),
        _edge(E.PATCHES, S, True, "code", "patcher:Symbol target:Symbol", "target>patcher", "lines", "patcher, target",
              "A test replaces this name by string or attribute while it runs."),
        _edge(E.PARAMETRIZES, S, True, "code", "user+:Symbol fixture+:Symbol", "fixture>user", "how", "users, fixtures",
              "Tests or fixtures are handed what these fixtures make."),
        _edge(E.REALISES, S, True, "code", "test+:Test symbol*:Symbol module*:Symbol", "symbol>test module>test", "framework", "test, or tests of a class or module",
              "A test runs this function; and its class, its module and the conftest modules above ran before."),
        _edge(E.RENAMED_FROM, S, True, "history", "now:File|Symbol before:File|Symbol", "", "commit similarity", "now, before",
              "What stands here now stood there before."),
        _edge(E.OWNS, S, True, "owners", "owner*:Owner file*:File", "", "pattern line section approvals file", "rule, folder",
              "A rule makes these owners answerable for these files; no owner: the rule takes ownership away."),
        _edge(E.AUTHORED, S, True, "history", "change:Change author+:Owner reviewer*:Owner file*:File", "", "at lines how", "change",
              "A commit, who wrote it, who reviewed it (how: a trailer, a forge's export, a merge), and its files."),
        _edge(E.CO_CHANGED, S, True, "history", "file+:File", "", "count confidence", "files",
              "Files that were changed together more often than chance explains."),
        _edge(E.UNRESOLVED, S, True, "code", "symbol:Symbol", "", "count names lines", "symbol",
              "References in this symbol that could not be followed, by name."),
        _edge(E.DIAGNOSED, S, True, "code", "file:File diagnosis:Diagnosis", "", "", "file, diagnosis",
              "A file that was not, or not wholly, read."),
        _edge(E.EXECUTES, S, True, "runtime", "test:Test symbol+:Symbol|File change:Change", "symbol>test", "phase commit", "test, phase, commit",
              "A recorded run of the test executed these symbols; files, where a report tells no more."),
        _edge(E.READS_FILE, S, True, "runtime", "reader:Test|Symbol file+:File change:Change", "file>reader", "commit", "reader, commit",
              "A recorded run of the test, or of the module's import, opened these files."),
        _edge(E.DEPENDS_ON, S, False, "packages", "dependent:Repository|Package dependency+:Package", "dependency>dependent", "constraint scope", "dependent, dependency",
              "A repository or package needs these packages."),
        _edge(E.PUBLISHES, S, False, "packages", "repository:Repository package:Package", "repository>package", "", "repository, package",
              "A repository is where a package is made."),
        _edge(E.IMPLEMENTS, L, False, "controls", "control:Control check+:Check", "", "at recorded", "control, checks, time",
              "A control is examined by these checks."),
        _edge(E.EVIDENCES, L, False, "controls", "control:Control check:Check evidence+:Evidence subject*:Artifact|Repository|File|Symbol|Owner", "", "at recorded begin end outcome", "control, check, evidence, subject, period",
              "Evidence that a check of a control came out so, on a subject, over a period."),
        _edge(E.SUPERSEDES, L, False, "controls", "later:Evidence|Decision|Check earlier:Evidence|Decision|Check", "", "at recorded reason", "later, earlier",
              "A later fact corrects an earlier one; both stay."),
        _edge(E.PRODUCES, L, False, "artifacts", "action:Action input*:Artifact output+:Artifact", "input>output", "at recorded", "action, inputs",
              "An action made these outputs from these inputs."),
        _edge(E.SIGNS, L, False, "artifacts", "key:Key subject+:Artifact|Evidence", "", "at recorded", "key, subjects",
              "A key vouches for these."),
        _edge(E.DECIDED, L, False, "router", "decision:Decision arm:Arm task:Task", "", "at recorded features head", "decision",
              "The router chose an arm for a task, from these features, at this head."),
        _edge(E.HOLDS, S, False, "properties", "symbol+:Symbol property:Property", "", "confidence", "symbols, property",
              "A mined property holds of these symbols."),
        _edge(E.PROVIDES, S, False, "plugins", "plugin:Plugin property+:Property|Check|Action", "", "", "plugin",
              "A plugin brings these."),
    )
}


# fmt: on
def code_of(member: Enum) -> int:
    """The small integer that stands for an enumeration's member in the array files."""
    return list(type(member)).index(member)
