"""Second pass over a file's tree: what its code does with which names, as chains (see module.py)."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence

from graph.ingest.python.chains import UNKNOWN, dotted, extend, instance_of, join
from graph.ingest.python.module import (
    CALL, DECORATOR, DEFINE, DEFINED, HANDED, IMPORTED, MUTATE, NARROWED, OPAQUE, PARAMETER, READ, VALUE, WRITE,
    Binding, Block, ClassRecord, Function, Import, Scope, Use, Uses,
)
from graph.ingest.python.outline import (
    FUNCTIONS, LOOPS, TRIES, WITHS, FunctionNode, Outline, blocks_of, bound_names, first_parameter, flat, is_script_guard,
    is_typing_guard, only_binds,
)
from graph.ingest.python.signatures import flags_of, parameters_of
from graph.schema import Sort

QUIET = -1
"""Instead of a kind of use: the expression is the receiver of a longer one."""

_BUILTINS = frozenset(dir(builtins))
_TESTS = frozenset({"isinstance", "issubclass", "cast", "hasattr", "len", "bool", "callable", "super", "id", "type"})
"""Calls that look at a class or function without running it."""
_CONTAINERS = {
    ast.List: "%list", ast.Tuple: "%tuple", ast.Set: "%set", ast.Dict: "%dict", ast.ListComp: "%list",
    ast.SetComp: "%set", ast.DictComp: "%dict", ast.GeneratorExp: "%generator", ast.JoinedStr: "%str",
    ast.Compare: "%bool",
}


class Visitor:
    """Walks one tree and fills a `Uses`."""

    def __init__(self, outline: Outline, lines: Sequence[str], ascii_only: bool) -> None:
        self.outline = outline
        self.lines = lines
        self.ascii_only = ascii_only
        self.uses = Uses([], [], [], [], [], None, [])
        self.scopes: dict[int, Scope] = {}
        self.blocks: dict[tuple[int, int, bool], list[Use]] = {}
        self.scope = self._scope(0, -1)
        self.owners: tuple[int, ...] = (0,)
        self.sink: list[list[Use]] = []
        self.shadows: dict[str, str] = {}
        self.results: list[str] = []
        self.generator = False
        self.quiet = False
        self.script = False
        self.conditional = 0
        self._visit: dict[type, Callable[[ast.expr, int], str]] = {
            ast.Name: self._name, ast.Attribute: self._attribute, ast.Call: self._call,
            ast.Subscript: self._subscript, ast.Constant: self._constant, ast.Await: self._await,
            ast.BoolOp: self._alternatives, ast.IfExp: self._choice, ast.NamedExpr: self._walrus,
            ast.Lambda: self._lambda, ast.ListComp: self._comprehension, ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension, ast.DictComp: self._comprehension, ast.Starred: self._starred,
            ast.Yield: self._yield, ast.YieldFrom: self._yield, ast.List: self._elements, ast.Tuple: self._elements,
            ast.Set: self._elements, ast.Dict: self._elements,
        }
        self._own((0,))

    def run(self, tree: ast.Module) -> Uses:
        """Walk the module and hand back what was found."""
        self._exports(tree)
        self._body(tree.body)
        self.uses.scopes = list(self.scopes.values())
        for (owner, scope, script), uses in self.blocks.items():
            kept = [use for use in uses if self._matters(use, scope)]
            if kept:
                self.uses.blocks.append(Block(owner, scope, script, kept))
        return self.uses

    # Scopes and owners

    def _scope(self, place: int, parent: int) -> Scope:
        scope = Scope(place, parent, {}, self.outline.symbols.get(place, {}), {})
        self.scopes[place] = scope
        return scope

    def _own(self, owners: tuple[int, ...]) -> None:
        """Whose uses follow, until the next call."""
        self.owners = owners
        self.sink = [self.blocks.setdefault((owner, self.scope.place, self.script), []) for owner in owners]

    def _bind(self, name: str, kind: int, chain: str = "", place: int = -1) -> None:
        names = self.scope.names
        if name in self.scope.outside:
            if not self.scope.outside[name]:
                return
            names = self.scopes[0].names
        found = names.setdefault(name, [])
        if len(found) < 8:
            found.append(Binding(kind, chain, place if kind != VALUE else self.scope.place, self.conditional > 0))

    def _matters(self, use: Use, scope: int) -> bool:
        """Whether a use can concern a symbol: not a builtin, nor a local variable that holds just a value."""
        chain = use.chain
        if use.kind not in (READ, HANDED) or "." in chain or "|" in chain or "(" in chain or "[" in chain:
            return chain != UNKNOWN or use.kind == CALL
        if chain[0] in "?%":
            return False
        place = scope
        while place >= 0:
            record = self.scopes[place]
            if place == scope or self.outline.drafts[place].sort is not Sort.CLASS:
                bindings = record.names.get(chain)
                if bindings is not None and place:
                    local = self.outline.drafts[place].sort is not Sort.CLASS
                    return not local or any(item.kind in (DEFINED, IMPORTED, VALUE) for item in bindings)
                if bindings is not None or chain in record.symbols:
                    return True
            place = record.parent
        return chain not in _BUILTINS

    def _emit(self, kind: int, chain: str, node: ast.expr) -> None:
        if self.quiet:
            return
        line, column = node.lineno, node.col_offset
        end_line, end_column = node.end_lineno or line, node.end_col_offset or column
        ends: tuple[int, ...] = ()
        if isinstance(node, ast.Attribute):
            ends = self._ends(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            function = node.func
            ends = self._ends(function, True) if isinstance(function.value, ast.Attribute) else ()
        if not self.ascii_only:
            column = self._characters(line, column)
            end_column = self._characters(end_line, end_column)
        use = Use(kind, chain, line, column, end_line, end_column, ends)
        for sink in self.sink:
            sink.append(use)

    def _ends(self, node: ast.Attribute, always: bool = False) -> tuple[int, ...]:
        """Ends of the receivers where they do not follow from the end of the whole."""
        found: list[int] = []
        plain = not always
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            value = inner.value
            line, column = value.end_lineno or 0, value.end_col_offset or 0
            if line != inner.end_lineno or column + len(inner.attr.encode()) + 1 != inner.end_col_offset:
                plain = False
            found += (line, column if self.ascii_only else self._characters(line, column))
            inner = value
        return () if plain else tuple(found)

    def _characters(self, line: int, column: int) -> int:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if text.isascii():
            return column
        return len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))

    # Expressions: each returns its chain, and tells of the uses inside

    def value(self, node: ast.expr, kind: int) -> str:
        """Walk an expression whose value is used in one way (`kind`)."""
        visit = self._visit.get(node.__class__)
        if visit is not None:
            return visit(node, kind)
        self._inside(node)
        return _CONTAINERS.get(node.__class__, UNKNOWN)

    def _inside(self, node: ast.AST) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.expr):
                self.value(value, READ)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.expr):
                        self.value(item, READ)
                    elif isinstance(item, ast.AST):
                        self._inside(item)
            elif isinstance(value, ast.AST) and not isinstance(value, (ast.expr_context, ast.operator)):
                self._inside(value)

    def _name(self, node: ast.expr, kind: int) -> str:
        name: str = node.id  # type: ignore[attr-defined]
        chain = self.shadows.get(name, name) if self.shadows else name
        if kind != QUIET and chain == name:
            self._emit(kind, chain, node)
        return chain

    def _attribute(self, node: ast.expr, kind: int) -> str:
        inner: ast.expr = node.value  # type: ignore[attr-defined]
        chain = extend(self.value(inner, QUIET), "." + node.attr)  # type: ignore[attr-defined]
        if kind != QUIET:
            self._emit(kind, chain, node)
        return chain

    def _call(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.Call)
        function = node.func
        chain = self.value(function, QUIET)
        if chain == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            return self._getattr(node)
        self._emit(CALL, chain, node)
        passed = READ if chain in _TESTS else HANDED
        for argument in node.args:
            self.value(argument, passed)
        for keyword in node.keywords:
            self.value(keyword.value, passed)
        if chain in ("cast", "typing.cast") and len(node.args) == 2:
            return instance_of(node.args[0]) or UNKNOWN
        return extend(chain, "()")

    def _getattr(self, node: ast.Call) -> str:
        base = self.value(node.args[0], READ)
        for argument in node.args[2:]:
            self.value(argument, HANDED)
        name = node.args[1].value  # type: ignore[attr-defined]
        if not (isinstance(name, str) and name.isidentifier()):
            return UNKNOWN
        chain = extend(base, "." + name)
        self._emit(READ, chain, node)
        return chain

    def _subscript(self, node: ast.expr, kind: int) -> str:
        chain = self.value(node.value, READ)  # type: ignore[attr-defined]
        self.value(node.slice, READ)  # type: ignore[attr-defined]
        return extend(chain, "[]")

    def _constant(self, node: ast.expr, kind: int) -> str:
        value = node.value  # type: ignore[attr-defined]
        return UNKNOWN if value is None or value is Ellipsis else "%" + value.__class__.__name__

    def _await(self, node: ast.expr, kind: int) -> str:
        return self.value(node.value, kind)  # type: ignore[attr-defined]

    def _alternatives(self, node: ast.expr, kind: int) -> str:
        inner = READ if kind == QUIET else kind
        return join([self.value(item, inner) for item in node.values]) or UNKNOWN  # type: ignore[attr-defined]

    def _choice(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.IfExp)
        inner = READ if kind == QUIET else kind
        self.value(node.test, READ)
        return join([self.value(node.body, inner), self.value(node.orelse, inner)]) or UNKNOWN

    def _walrus(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.NamedExpr)
        chain = self.value(node.value, HANDED)
        self._target(node.target, chain)
        return chain

    def _elements(self, node: ast.expr, kind: int) -> str:
        items = [*node.keys, *node.values] if isinstance(node, ast.Dict) else node.elts  # type: ignore[attr-defined]
        for item in items:
            if item is not None:
                self.value(item, READ if kind == READ else HANDED)
        return _CONTAINERS[node.__class__]

    def _starred(self, node: ast.expr, kind: int) -> str:
        self.value(node.value, READ if kind == QUIET else kind)  # type: ignore[attr-defined]
        return UNKNOWN

    def _yield(self, node: ast.expr, kind: int) -> str:
        self.generator = True
        inner = node.value  # type: ignore[attr-defined]
        if inner is not None:
            chain = self.value(inner, HANDED)
            if isinstance(node, ast.Yield):
                self.results.append(chain)
        return UNKNOWN

    def _lambda(self, node: ast.expr, kind: int) -> str:
        assert isinstance(node, ast.Lambda)
        self._defaults(node.args)
        before = self.shadows
        names = [item.lstrip("*") for item in parameters_of(node.args)]
        self.shadows = {**before, **{name: UNKNOWN for name in names}}
        self.value(node.body, HANDED)
        self.shadows = before
        return "%function"

    def _comprehension(self, node: ast.expr, kind: int) -> str:
        before = self.shadows
        self.shadows = dict(before)
        for generator in node.generators:  # type: ignore[attr-defined]
            chain = extend(self.value(generator.iter, READ), "[]")
            for item in flat(generator.target):
                if isinstance(item, ast.Name):
                    self.shadows[item.id] = chain if item is generator.target else UNKNOWN
            for test in generator.ifs:
                self.value(test, READ)
        if isinstance(node, ast.DictComp):
            self.value(node.key, HANDED)
            self.value(node.value, HANDED)
        else:
            self.value(node.elt, HANDED)  # type: ignore[attr-defined]
        self.shadows = before
        return _CONTAINERS[node.__class__]

    def _defaults(self, arguments: ast.arguments) -> None:
        for item in (*arguments.defaults, *arguments.kw_defaults):
            if item is not None:
                self.value(item, HANDED)

    # Statements

    def _target(self, node: ast.expr, chain: str) -> None:
        """Bind or store: `chain` is what the assigned value is."""
        if isinstance(node, ast.Name):
            if node.id in self.scope.outside:
                self._emit(WRITE, node.id, node)
            self._bind(node.id, VALUE if chain != UNKNOWN else OPAQUE, chain)
        elif isinstance(node, ast.Attribute):
            base = self.value(node.value, QUIET)
            self._emit(WRITE, extend(base, "." + node.attr), node)
            self._field(base, node.attr, chain)
        elif isinstance(node, ast.Subscript):
            base = self.value(node.value, QUIET)
            self._emit(MUTATE, base, node.value)
            self.value(node.slice, READ)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self._target(item, UNKNOWN)
        elif isinstance(node, ast.Starred):
            self._target(node.value, "%list")

    def _field(self, base: str, name: str, chain: str) -> None:
        """`self.x = value`: the class has an attribute of that type."""
        place: int = self.scope.place
        while place > 0:
            draft = self.outline.drafts[place]
            if draft.sort is Sort.METHOD and draft.node is not None and not isinstance(draft.node, ast.ClassDef):
                if base == first_parameter(draft.node) and draft.parent in self.scopes:
                    found = self.scopes[draft.parent].names.setdefault(name, [])
                    if len(found) < 8:
                        found.append(Binding(VALUE if chain != UNKNOWN else OPAQUE, chain, self.scope.place, True))
                return
            place = draft.parent

    def _body(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _names_owners(self, statement: ast.stmt) -> tuple[int, ...]:
        """Symbols that a statement of a module or class binds: what it reads is read for them."""
        names = {item.id: None for item in bound_names(statement)}
        symbols = self.scope.symbols
        return tuple(symbols[name] for name in names if name in symbols) if names else ()

    def _statement(self, statement: ast.stmt) -> None:
        handler = _STATEMENTS.get(statement.__class__)
        if self.outline.drafts[self.scope.place].sort in (Sort.FUNCTION, Sort.METHOD):
            if handler is not None:
                handler(self, statement)
            else:
                self._inside(statement)
            return
        before = self.owners
        bound = self._names_owners(statement)
        if bound:
            compound = isinstance(statement, (*LOOPS, *WITHS))
            self._own((*bound, self.scope.place) if compound else bound)
        if handler is not None:
            handler(self, statement)
        else:
            self._inside(statement)
        self._own(before)

    def _assign(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Assign)
        chain = self.value(statement.value, HANDED)
        for target in statement.targets:
            if isinstance(target, (ast.Tuple, ast.List)) and isinstance(statement.value, (ast.Tuple, ast.List)):
                self._pairs(target, statement.value)
            else:
                self._target(target, chain)

    def _pairs(self, target: ast.Tuple | ast.List, value: ast.Tuple | ast.List) -> None:
        same = len(target.elts) == len(value.elts) and not any(isinstance(i, ast.Starred) for i in value.elts)
        before, self.quiet = self.quiet, True
        chains = [self.value(item, QUIET) for item in value.elts] if same else [UNKNOWN] * len(target.elts)
        self.quiet = before
        for item, chain in zip(target.elts, chains, strict=True):
            self._target(item, chain)

    def _augmented(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.AugAssign)
        self.value(statement.value, HANDED)
        if isinstance(statement.target, (ast.Name, ast.Attribute)):
            self.value(statement.target, READ)
        self._target(statement.target, UNKNOWN)

    def _annotated(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.AnnAssign)
        chain = self.value(statement.value, HANDED) if statement.value is not None else ""
        said = instance_of(statement.annotation)
        if self.outline.drafts[self.scope.place].sort is Sort.CLASS:
            self.value(statement.annotation, READ)
        if isinstance(statement.target, ast.Name) or statement.value is not None or said:
            self._target(statement.target, said or chain or UNKNOWN)

    def _if(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.If)
        if is_typing_guard(statement):
            before, self.quiet = self.quiet, True
            self._body(statement.body)
            self.quiet = before
            self._body(statement.orelse)
            return
        if self.scope.place == 0 and is_script_guard(statement):
            before, self.script = self.script, True
            owners = self.owners
            self._own(owners)
            self._body(statement.body)
            self.script = before
            self._own(owners)
            return
        self._header(statement, lambda: self._test(statement.test))
        self.conditional += 1
        self._body(statement.body)
        self._body(statement.orelse)
        self.conditional -= 1

    def _header(self, statement: ast.stmt, walk: Callable[[], object]) -> None:
        """The test of an `if` that only decides between bindings is read by what it binds."""
        place = self.scope.place
        if self.outline.drafts[place].sort in (Sort.FUNCTION, Sort.METHOD) or not only_binds(statement):
            walk()
            return
        before = self.owners
        bound = [
            symbol
            for inner in _leaves(statement)
            for symbol in (*self._names_owners(inner), *filter(None, [self.outline.places.get(inner)]))
        ]
        self._own(tuple(dict.fromkeys(bound)) or (place,))
        walk()
        self._own(before)

    def _test(self, test: ast.expr) -> None:
        """A condition, and what `isinstance` in it says of a name."""
        self.value(test, READ)
        parts = test.values if isinstance(test, ast.BoolOp) else [test]
        for part in parts:
            if (
                isinstance(part, ast.Call)
                and isinstance(part.func, ast.Name)
                and part.func.id == "isinstance"
                and len(part.args) == 2
                and isinstance(part.args[0], ast.Name)
                and part.args[0].id in self.scope.names
            ):
                kinds = part.args[1].elts if isinstance(part.args[1], ast.Tuple) else [part.args[1]]
                chain = join(instance_of(kind) for kind in kinds)
                if chain:
                    self._bind(part.args[0].id, NARROWED, chain, self.scope.place)

    def _loop(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.For, ast.AsyncFor))
        chain = extend(self.value(statement.iter, READ), "[]")
        self._target(statement.target, chain)
        self.conditional += 1
        self._inner(statement.body)
        self._inner(statement.orelse)
        self.conditional -= 1

    def _inner(self, body: Sequence[ast.stmt]) -> None:
        """The block of a compound statement whose own owners were set for its header."""
        before = self.owners
        if self.outline.drafts[self.scope.place].sort not in (Sort.FUNCTION, Sort.METHOD):
            self._own((self.scope.place,))
        self._body(body)
        self._own(before)

    def _while(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.While)
        self._test(statement.test)
        self.conditional += 1
        self._body(statement.body)
        self._body(statement.orelse)
        self.conditional -= 1

    def _with(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.With, ast.AsyncWith))
        for item in statement.items:
            chain = self.value(item.context_expr, READ)
            if item.optional_vars is not None:
                enter = "__aenter__" if isinstance(statement, ast.AsyncWith) else "__enter__"
                self._target(item.optional_vars, extend(chain, f".{enter}()"))
            for name in _ENTER[isinstance(statement, ast.AsyncWith)]:
                self._emit(CALL, extend(chain, name), item.context_expr)
        self._inner(statement.body)

    def _try(self, statement: ast.stmt) -> None:
        self.conditional += 1
        self._body(statement.body)  # type: ignore[attr-defined]
        for handler in statement.handlers:  # type: ignore[attr-defined]
            if handler.type is not None:
                self._header(statement, lambda kind=handler.type: self.value(kind, READ))  # type: ignore[misc]
            if handler.name:
                caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
                self._bind(handler.name, VALUE, join(instance_of(kind) for kind in caught) or UNKNOWN)
            self._body(handler.body)
        self._body(statement.orelse)  # type: ignore[attr-defined]
        self.conditional -= 1
        self._body(statement.finalbody)  # type: ignore[attr-defined]

    def _match(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Match)
        self.value(statement.subject, READ)
        self.conditional += 1
        for case in statement.cases:
            for node in ast.walk(case.pattern):
                name = getattr(node, "name", None) or getattr(node, "rest", None)
                if isinstance(name, str):
                    self._bind(name, OPAQUE)
            self._inside(case.pattern)
            if case.guard is not None:
                self.value(case.guard, READ)
            self._body(case.body)
        self.conditional -= 1

    def _expression(self, statement: ast.stmt) -> None:
        self.value(statement.value, READ)  # type: ignore[attr-defined]

    def _return(self, statement: ast.stmt) -> None:
        if statement.value is not None:  # type: ignore[attr-defined]
            self.results.append(self.value(statement.value, HANDED))  # type: ignore[attr-defined]

    def _delete(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Delete)
        for target in statement.targets:
            for item in flat(target):
                if isinstance(item, ast.Attribute):
                    self._emit(WRITE, extend(self.value(item.value, QUIET), "." + item.attr), item)
                elif not isinstance(item, ast.Name):
                    self._target(item, UNKNOWN)
                elif item.id in self.scope.outside:
                    self._emit(WRITE, item.id, item)

    def _outside(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.Global, ast.Nonlocal))
        for name in statement.names:
            self.scope.outside[name] = isinstance(statement, ast.Global)

    def _import(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.Import, ast.ImportFrom))
        level, module = 0, ""
        if isinstance(statement, ast.ImportFrom):
            level, module = statement.level, statement.module or ""
        span = (statement.col_offset, statement.end_lineno or statement.lineno, statement.end_col_offset or 0)
        for item in statement.names:
            named = isinstance(statement, ast.ImportFrom)
            self.uses.imports.append(
                Import(
                    self.scope.place, statement.lineno, level, module if named else item.name,
                    item.name if named else "", item.asname or "", self.quiet, self.conditional > 0, *span,
                )
            )
            if item.name == "*":
                continue
            name = item.asname or (item.name if named else item.name.partition(".")[0])
            self._bind(name, IMPORTED, "", len(self.uses.imports) - 1)

    # Definitions

    def _function(self, statement: ast.stmt) -> None:
        assert isinstance(statement, FUNCTIONS)
        place = self.outline.places[statement]
        outer, owners = self.scope, self.owners
        self._define(statement.name, place, statement)
        self._own((place,))
        self._decorators(statement.decorator_list)
        self._defaults(statement.args)
        saved = self.shadows, self.results, self.generator, self.conditional
        self.shadows, self.results, self.generator, self.conditional = {}, [], False, 0
        self.scope = self._scope(place, outer.place)
        self._own((place,))
        self._parameters(statement)
        self._body(statement.body)
        flags = flags_of(statement, self.generator)
        results = [item for item in dict.fromkeys(self.results) if item != UNKNOWN][:6]
        returns = instance_of(statement.returns)
        self.uses.functions.append(Function(place, flags, parameters_of(statement.args), returns, results))
        self.shadows, self.results, self.generator, self.conditional = saved
        self.scope = outer
        self._own(owners)

    def _parameters(self, node: FunctionNode) -> None:
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        defaults = [*missing, *arguments.defaults, *arguments.kw_defaults]
        for item, default in zip((*positional, *arguments.kwonlyargs), defaults, strict=True):
            said = instance_of(item.annotation)
            self._bind(item.arg, PARAMETER, said, self.scope.place)
            chain = dotted(default) if default is not None and not said else ""
            if chain:
                found = Binding(VALUE, chain, self.scope.parent, False)
                self.scope.names[item.arg].append(found)
        for rest, kind in ((arguments.vararg, "%tuple"), (arguments.kwarg, "%dict")):
            if rest is not None:
                self._bind(rest.arg, PARAMETER, kind, self.scope.place)

    def _define(self, name: str, place: int, node: ast.stmt) -> None:
        self._bind(name, DEFINED, "", place)
        if self.outline.drafts[self.scope.place].sort in (Sort.FUNCTION, Sort.METHOD):
            line = node.lineno
            use = Use(DEFINE, f"#{place}", line, node.col_offset, line, node.col_offset + 1)
            for sink in self.sink:
                sink.append(use)

    def _decorators(self, decorators: Sequence[ast.expr]) -> None:
        for item in decorators:
            if isinstance(item, ast.Call):
                chain = self.value(item.func, QUIET)
                self._emit(DECORATOR, chain, item)
                self._emit(CALL, chain, item)
                for argument in item.args:
                    self.value(argument, HANDED)
                for keyword in item.keywords:
                    self.value(keyword.value, HANDED)
            else:
                self._emit(DECORATOR, self.value(item, QUIET), item)

    def _class(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.ClassDef)
        place = self.outline.places[statement]
        outer, owners = self.scope, self.owners
        self._define(statement.name, place, statement)
        self._own((place,))
        self._decorators(statement.decorator_list)
        bases = [self._base(item) for item in statement.bases]
        metaclass = ""
        for keyword in statement.keywords:
            chain = self.value(keyword.value, READ)
            metaclass = chain if keyword.arg == "metaclass" else metaclass
        self.uses.classes.append(ClassRecord(place, bases, metaclass))
        saved = self.shadows, self.conditional
        self.shadows, self.conditional = {}, 0
        self.scope = self._scope(place, outer.place)
        self._own((place,))
        self._body(statement.body)
        self.shadows, self.conditional = saved
        self.scope = outer
        self._own(owners)

    def _base(self, node: ast.expr) -> str:
        """A base class; the arguments of a generic one are read, not inherited from."""
        if isinstance(node, ast.Subscript):
            self.value(node.slice, READ)
            return self.value(node.value, QUIET)
        return self.value(node, QUIET)

    def _exports(self, tree: ast.Module) -> None:
        """`__all__`, as far as it is written as literals."""
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                targets = statement.targets
            elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
                targets = [statement.target]
            else:
                continue
            if any(isinstance(item, ast.Name) and item.id == "__all__" for item in targets) and statement.value:
                for name in self._literals(statement.value):
                    if self.uses.exported is None:
                        self.uses.exported = []
                    self.uses.exported.append(name)

    def _literals(self, node: ast.expr) -> Iterator[str]:
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            for item in node.elts:
                if isinstance(item, ast.Starred):
                    yield from self._literals(item.value)
                elif isinstance(item, ast.Constant) and isinstance(item.value, str):
                    yield item.value
        elif isinstance(node, ast.BinOp):
            yield from self._literals(node.left)
            yield from self._literals(node.right)
        elif isinstance(node, ast.Attribute) and node.attr == "__all__" and isinstance(node.value, ast.Name):
            self.uses.exported_from.append(node.value.id)
        elif isinstance(node, ast.Call) and len(node.args) == 1:
            yield from self._literals(node.args[0])


_ENTER = ((".__enter__", ".__exit__"), (".__aenter__", ".__aexit__"))


def _leaves(statement: ast.stmt) -> Iterator[ast.stmt]:
    for block in blocks_of(statement):
        for inner in block:
            yield inner
            yield from _leaves(inner)


_STATEMENTS: dict[type, Callable[[Visitor, ast.stmt], None]] = {
    ast.Assign: Visitor._assign, ast.AugAssign: Visitor._augmented, ast.AnnAssign: Visitor._annotated,
    ast.If: Visitor._if, ast.For: Visitor._loop, ast.AsyncFor: Visitor._loop, ast.While: Visitor._while,
    ast.With: Visitor._with, ast.AsyncWith: Visitor._with, ast.Match: Visitor._match,
    ast.Expr: Visitor._expression, ast.Return: Visitor._return, ast.Delete: Visitor._delete,
    ast.Global: Visitor._outside, ast.Nonlocal: Visitor._outside, ast.Import: Visitor._import,
    ast.ImportFrom: Visitor._import, ast.FunctionDef: Visitor._function, ast.AsyncFunctionDef: Visitor._function,
    ast.ClassDef: Visitor._class, **dict.fromkeys(TRIES, Visitor._try),
}


__all__ = ["PARAMETER", "QUIET", "Visitor"]
