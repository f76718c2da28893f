"""Classes that are more than their text says: making one runs other code, or its members are read by code
that nobody sees name them.
"""

from __future__ import annotations

from maestro_selection.program import Place, Program, attribute

# Names that pytest and unittest look up themselves in a module or class.
FRAMEWORK_NAMES = frozenset(
    "pytestmark pytest_plugins collect_ignore collect_ignore_glob setup_module teardown_module "
    "setup_function "
    "teardown_function setup_class teardown_class setup_method teardown_method setUp tearDown setUpClass "
    "tearDownClass setUpModule tearDownModule asyncSetUp asyncTearDown load_tests __test__".split()
)

PROTOCOL_NAMES = frozenset(
    name
    for kind in (str, bytes, int, float, dict, list, set, tuple, BaseException, memoryview)
    for name in dir(kind)
) | frozenset(
    "read readline readlines write writelines close closed fileno flush isatty seek tell truncate "
    "readable writable "
    "seekable buffer encoding errors newlines name mode send throw acquire release emit handle".split()
)

PLAIN_BASES = frozenset(
    "object Exception BaseException ABC Generic Protocol dict list set tuple frozenset str int float "
    "bytes type "
    "Mapping MutableMapping Sequence MutableSequence Set MutableSet Iterable Iterator Callable Hashable "
    "Sized "
    "Container Collection ContextDecorator TestCase IsolatedAsyncioTestCase Thread Formatter Handler "
    "Filter Logger "
    "LoggerAdapter JSONEncoder JSONDecoder Action ArgumentParser HelpFormatter UserDict UserList UserString "
    "OrderedDict defaultdict Counter deque date datetime time tzinfo local StringIO BytesIO IOBase RawIOBase "
    "TextIOWrapper NodeVisitor NodeTransformer Warning UserWarning DeprecationWarning ValueError TypeError "
    "KeyError IndexError AttributeError RuntimeError LookupError OSError IOError ImportError "
    "NotImplementedError "
    "StopIteration ArithmeticError AssertionError NameError FutureWarning RuntimeWarning "
    "PendingDeprecationWarning "
    "SystemExit KeyboardInterrupt UnicodeError SyntaxError HTMLParser".split()
)

NEUTRAL_BASES = frozenset(
    "object Exception BaseException ABC Generic Protocol Warning ValueError TypeError KeyError IndexError "
    "AttributeError RuntimeError LookupError OSError NotImplementedError UserWarning "
    "DeprecationWarning".split()
)


def is_special(program: Program, path: str, index: int, seen: set[Place] | None = None) -> bool:
    """Whether creating a class runs code beside its body: decorators, metaclasses,
    `__init_subclass__`.
    """
    table = program.tables[path]
    scope = table.scopes[program.layout(path).scope_of[index]]
    if "c" in scope.traits:
        return True
    seen = seen or set()
    if (path, index) in seen:
        return False
    seen.add((path, index))
    return any(_is_special_base(program, path, base, seen) for base in scope.bases)


def _is_special_base(program: Program, path: str, base: str, seen: set[Place]) -> bool:
    name = base.rpartition(".")[2]
    known = program.classes(name)
    for file, number in known:
        table = program.tables[file]
        inside = {table.statements[index].name for index in program.layout(file).body(number)}
        if "__init_subclass__" in inside or "__set_name__" in inside:
            return True
        if is_special(program, file, table.scopes[number].statement, seen):
            return True
    return not known and name not in PLAIN_BASES


def is_foreign(program: Program, bases: tuple[str, ...], seen: set[str] | None = None) -> bool:
    """Whether a class comes from one outside of the repository, which may read members by their names."""
    seen = seen if seen is not None else set()
    for base in bases:
        name = attribute(base)
        if name in NEUTRAL_BASES or name in seen:
            continue
        seen.add(name)
        known = program.classes(name)
        if not known:
            return True
        for file, number in known:
            if is_foreign(program, program.tables[file].scopes[number].bases, seen):
                return True
    return False


def needs_class(program: Program, path: str, scope: int, name: str) -> bool:
    """Whether who reads a member cannot be told by its name."""
    if is_dunder(name) or name in FRAMEWORK_NAMES or name in PROTOCOL_NAMES:
        return True
    found = program.tables[path].scopes[scope]
    return is_special(program, path, found.statement) or is_foreign(program, found.bases)


def is_dunder(name: str) -> bool:
    """Whether Python itself looks a name up."""
    return name.startswith("__") and name.endswith("__")
