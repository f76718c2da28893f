"""The type engine's report: its shapes, and how it is read.

The shapes follow what pyrefly 1.5.0 writes with `--report-pysa` (format version 1); what is not
needed is skipped while decoding. Positions in it are 1-based lines and columns, columns counted
in UTF-8 bytes, ends exclusive; here they become 1-based lines and 0-based byte columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import msgspec

from graph.errors import EngineError
from graph.ingest.python.records import Site
from graph.ingest.python.slack import line_of

FORMAT = 1
"""The only version of the report's format that is understood."""
PROJECT = "pyrefly.pysa.json"
"""The part that is written last, and lists all modules."""
PARTS = ("definitions", "call_graphs", "type_of_expressions")
"""Folders of parts, one file a module."""

_Shape = TypeVar("_Shape")
Kind = Literal["call", "attribute", "identifier", "define", "format"]


_NOTHING = msgspec.Raw()
_NUMBERS = re.compile(
    rb'"(?:module_id|class_id|func_def_index)":\d+,?|"function_id":"[^"]*",?|"(?:name_)?location":"[^"]*",?'
)


class Place(NamedTuple):
    """Where the name of a definition stands: path in the view, line, byte column."""

    path: str
    line: int
    column: int


class Known(NamedTuple):
    """A class that an expression is an instance of, or, `itself`, that it is."""

    place: Place
    itself: bool


class Aim(NamedTuple):
    """One target of a use, inside the repository."""

    place: Place
    how: Literal["call", "init", "class", "getter", "setter"]
    dispatched: bool
    """Overrides of the target may run in its place."""
    dunder: bool
    """The target is the `__call__` of the object that was called."""
    receiver: Place | None
    """Class of the receiver, where it is one of the repository's."""


class Use(NamedTuple):
    """What the engine says of one expression."""

    caller: Place | None
    """Definition it stands in; None for the module's top level."""
    decorator: bool
    """It stands in a decorator of `caller`, and runs in the scope around it."""
    site: Site
    kind: Kind
    detail: str
    """Which implicit call it is (`with-enter`), or the name for an identifier."""
    aims: tuple[Aim, ...]
    external: bool
    """Some target lies outside the repository."""
    reason: str
    """Why there is no target, or not all of them."""


class _Ref(msgspec.Struct):
    module_id: int
    function_id: str


class _ClassRef(msgspec.Struct):
    module_id: int
    class_id: int


class _Target(msgspec.Struct):
    target: dict[str, _Ref] | str
    receiver_class: _ClassRef | None = None
    implicit_dunder_call: bool = False


class _Callees(msgspec.Struct):
    call_targets: list[_Target] = []
    init_targets: list[_Target] = []
    new_targets: list[_Target] = []
    unresolved: dict[str, str] | bool = False


class _Access(msgspec.Struct):
    if_called: _Callees | None = None
    property_getters: list[_Target] = []
    property_setters: list[_Target] = []


class _Define(msgspec.Struct):
    define_targets: list[_Target] = []


class _Format(msgspec.Struct):
    targets: list[_Target] = []


class _Expression(msgspec.Struct):
    Call: _Callees | None = None
    AttributeAccess: _Access | None = None
    Identifier: _Access | None = None
    Define: _Define | None = None
    FormatStringStringify: _Format | None = None


class _CallGraphs(msgspec.Struct):
    call_graphs: dict[str, dict[str, _Expression]]


class _TypeClass(msgspec.Struct):
    klass: _ClassRef = msgspec.field(name="class")
    modifiers: tuple[str, ...] = ()
    """`Type` where it is the class itself, not an instance of it."""


class _ClassNames(msgspec.Struct):
    classes: list[_TypeClass] = []


class _Type(msgspec.Struct):
    class_names: _ClassNames | None = None


class _Types(msgspec.Struct):
    type_table: list[_Type]
    locations: dict[str, int]


class _Expressions(msgspec.Struct):
    functions: dict[str, _Types]


class _FunctionDefinition(msgspec.Struct):
    name: str
    name_location: str = ""
    parent: msgspec.Raw = _NOTHING
    undecorated_signatures: msgspec.Raw = _NOTHING


class _ClassDefinition(msgspec.Struct):
    name: str
    name_location: str = ""
    bases: msgspec.Raw = _NOTHING
    mro: msgspec.Raw = _NOTHING
    fields: dict[str, msgspec.Raw] = {}


class _Definitions(msgspec.Struct):
    function_definitions: dict[str, _FunctionDefinition] = {}
    class_definitions: dict[str, _ClassDefinition] = {}
    global_variables: dict[str, msgspec.Raw] = {}

    def types(self) -> bytes:
        """What the definitions look like from outside, wherever they stand: digest."""
        seen = [
            b"|".join((item.name.encode(), _bare(item.parent), _bare(item.undecorated_signatures)))
            for item in self.function_definitions.values()
        ]
        for klass in self.class_definitions.values():
            fields = sorted(name.encode() + _bare(field) for name, field in klass.fields.items())
            seen.append(b"|".join((klass.name.encode(), _bare(klass.bases), _bare(klass.mro), *fields)))
        seen += (name.encode() + _bare(variable) for name, variable in self.global_variables.items())
        return blake2b(b"\n".join(sorted(seen)), digest_size=16).digest()


def _bare(data: msgspec.Raw) -> bytes:
    """Without numbers and places, which an edit elsewhere in the file moves."""
    return _NUMBERS.sub(b"", bytes(data))


class _Module(msgspec.Struct):
    module_id: int
    module_name: str
    source_path: dict[str, str]
    info_filename: str | None = None
    is_internal: bool = False


class _Project(msgspec.Struct):
    format_version: int
    modules: dict[str, _Module]


def _span(text: str, comments: Sequence[int]) -> Site:
    """`12:5-14:1` as a Site; lines of comments that only the view has are left out."""
    begin, end = text.split("-")
    line, column = begin.split(":")
    end_line, end_column = end.split(":")
    return Site(
        line_of(int(line), comments), int(column) - 1, line_of(int(end_line), comments), int(end_column) - 1
    )


Comments = Callable[[str], Sequence[int]]
"""Lines of a file of the view that its source does not have (see slack.py)."""


def _none(path: str) -> Sequence[int]:
    return ()


def _stem(name: str) -> str:
    """Name of a module from that of its part, `a.b:17.json`."""
    return name.rpartition(":")[0]


class Report:
    """A report folder of the engine, of which only the view's own modules are read.

    A file of nested source roots is several modules, `src.a` that the engine was told to read and `a` that
    others import, and the report lists them in no order. What they say can differ; the one that the engine
    was told to read speaks for the file, and the others are where calls from elsewhere lead.

    Parameters
    ----------
    folder : Path
        What was given as `--report-pysa`.
    root : Path
        Folder of the view; modules that lie outside it are external.
    comments : callable
        Lines of a file, by its path, that only the view has; they are taken out of all positions.

    Raises
    ------
    EngineError
        When the report is missing, damaged or of another format version.
    """

    def __init__(self, folder: Path, root: Path, comments: Comments = _none) -> None:
        self._folder = folder
        self._comments = comments
        self._prefix = f"{root}/"
        self._functions: dict[int, dict[str, Place]] = {}
        self._classes: dict[int, dict[int, Place]] = {}
        self._types: dict[str, bytes] = {}
        self._handing: dict[str, list[Place]] = {}
        self._modules, self._speakers = self._listed()
        self._read_definitions()

    def renew(self, comments: Comments = _none) -> None:
        """Take in what the engine, which stays up, has written since `clear`.

        It numbers modules that it came upon by itself anew each time; those that it was told to read
        keep theirs.
        """
        self._comments = comments
        known = {(path, _stem(name)): number for number, (path, name) in self._modules.items()}
        self._modules, self._speakers = self._listed()
        functions, classes = self._functions, self._classes
        self._functions, self._classes = {}, {}
        for number, (path, name) in self._modules.items():
            before = known.get((path, _stem(name)))
            if before is not None and before in functions:
                self._functions[number], self._classes[number] = functions[before], classes[before]
            elif not (self._folder / "definitions" / name).exists():
                raise EngineError(
                    f"The type engine, which was to stay, says nothing of what {path} defines.",
                    "It is started afresh.",
                )
        self._read_definitions()

    def clear(self) -> None:
        """Remove the parts about single modules; what is known of their definitions stays known."""
        for part in PARTS:
            for file in (self._folder / part).iterdir():
                file.unlink()

    def written(self) -> set[str]:
        """Paths of the modules that are in the folder now: since `clear`, those that were read again."""
        folder = self._folder / "call_graphs"
        return {path for path, name in self._speaking() if (folder / name).exists()}

    def _speaking(self) -> Iterator[tuple[str, str]]:
        """The view's files, and the names of the parts that speak for them."""
        return (self._modules[number] for number in self._speakers.values())

    def _listed(self) -> tuple[dict[int, tuple[str, str]], dict[str, int]]:
        """The view's modules by number, with their paths and the names of their parts; and by path the
        number of the one that speaks for the file."""
        project = self._decode(self._folder / PROJECT, msgspec.json.Decoder(_Project))
        if project.format_version != FORMAT:
            raise EngineError(
                f"The type engine wrote its report in format {project.format_version}, not in {FORMAT}.",
                "Install the pinned pyrefly again; until then our own reader answers alone.",
            )
        modules: dict[int, tuple[str, str]] = {}
        speakers: dict[str, int] = {}
        for module in sorted(
            project.modules.values(), key=lambda each: (not each.is_internal, each.module_id)
        ):
            path = module.source_path.get("FileSystem", "")
            if path.startswith(self._prefix) and module.info_filename:
                inside = path[len(self._prefix) :]
                modules[module.module_id] = (inside, module.info_filename)
                speakers.setdefault(inside, module.module_id)
        return modules, speakers

    @property
    def paths(self) -> set[str]:
        """Paths, relative to the view, that the engine reported on."""
        return set(self._speakers)

    def interface(self, path: str) -> bytes:
        """Digest of the types of what a file defines, as others see them."""
        return self._types.get(path, b"")

    def handing(self, path: str) -> list[Place]:
        """Functions of a file that take or return callables, of which their types do not say which."""
        return self._handing.get(path, [])

    def places(self, path: str) -> Iterator[Place]:
        """Every definition of a file that the report names."""
        for number, (held, _) in self._modules.items():
            if held == path:
                yield from self._functions.get(number, {}).values()
                yield from self._classes.get(number, {}).values()

    def uses(self, wanted: Container[str]) -> Iterator[tuple[str, list[Use]]]:
        """Each file's uses that matter: with a target here, or known to lie elsewhere, or open."""
        decoder = msgspec.json.Decoder(_CallGraphs)
        for path, module in self._speakers.items():
            file = self._folder / "call_graphs" / self._modules[module][1]
            if path in wanted and file.exists():
                graphs = self._decode(file, decoder).call_graphs
                lines = self._comments(path)
                yield (
                    path,
                    [use for at, sites in graphs.items() for use in self._uses_of(module, at, sites, lines)],
                )

    def types(self, wanted: Container[str]) -> Iterator[tuple[str, list[tuple[Site, tuple[Known, ...]]]]]:
        """Each file's expressions that are instances of the repository's classes, or such a class."""
        decoder = msgspec.json.Decoder(_Expressions)
        for path, name in self._speaking():
            file = self._folder / "type_of_expressions" / name
            if path in wanted and file.exists():
                found: list[tuple[Site, tuple[Known, ...]]] = []
                lines = self._comments(path)
                for function in self._decode(file, decoder).functions.values():
                    classes = [self._known(kind) for kind in function.type_table]
                    found += [
                        (_span(span, lines), classes[index])
                        for span, index in function.locations.items()
                        if classes[index]
                    ]
                yield path, found

    def _known(self, kind: _Type) -> tuple[Known, ...]:
        named = kind.class_names.classes if kind.class_names is not None else ()
        kinds = ((self._class(item.klass), "Type" in item.modifiers) for item in named)
        return tuple(Known(place, itself) for place, itself in kinds if place is not None)

    def _class(self, klass: _ClassRef | None) -> Place | None:
        return self._classes.get(klass.module_id, {}).get(klass.class_id) if klass is not None else None

    def _read_definitions(self) -> None:
        decoder = msgspec.json.Decoder(_Definitions)
        for module, (path, name) in self._modules.items():
            file = self._folder / "definitions" / name
            if not file.exists():
                continue
            found = self._decode(file, decoder)
            lines = self._comments(path)
            functions = self._functions[module] = {}
            handing = []
            for key, function in found.function_definitions.items():
                if not function.name_location:  # made by the engine: a dataclass's __init__
                    continue
                site = _span(function.name_location, lines)
                place = functions[key] = Place(path, site.line, site.column)
                if b"->" in bytes(function.undecorated_signatures):
                    handing.append(place)
            if self._speakers[path] == module:
                self._types[path], self._handing[path] = found.types(), handing
            classes = self._classes[module] = {}
            for number, klass in found.class_definitions.items():
                if not klass.name_location:
                    continue
                site = _span(klass.name_location, lines)
                classes[int(number)] = Place(path, site.line, site.column)

    def _decode(self, file: Path, decoder: msgspec.json.Decoder[_Shape]) -> _Shape:
        try:
            return decoder.decode(file.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            raise EngineError(
                f"The type engine's report cannot be read ({file.name}: {error}).",
                "Install the pinned pyrefly again; until then our own reader answers alone.",
            ) from error

    def _uses_of(
        self, module: int, caller: str, sites: dict[str, _Expression], lines: Sequence[int]
    ) -> Iterator[Use]:
        sort, _, number = caller.partition(":")
        place: Place | None = None
        if sort == "CTL":
            place = self._classes.get(module, {}).get(int(number))
        elif sort in ("F", "FDT"):
            place = self._functions.get(module, {}).get(f"F:{number}")
        for key, expression in sites.items():
            span, _, rest = key.partition("|")
            kind, _, detail = rest.partition("|")
            for found in self._of_expression(expression, kind, detail):
                yield Use(place, sort == "FDT", _span(span, lines), *found)

    def _of_expression(
        self, expression: _Expression, kind: str, detail: str
    ) -> Iterator[tuple[Kind, str, tuple[Aim, ...], bool, str]]:
        if expression.Call is not None:
            yield ("call", detail if kind else "", *self._callees(expression.Call))
        if expression.AttributeAccess is not None:
            yield ("attribute", detail if kind else "", *self._access(expression.AttributeAccess))
        if expression.Identifier is not None:
            yield ("identifier", detail, *self._access(expression.Identifier))
        if expression.Define is not None:
            yield ("define", "", *self._aims((("call", expression.Define.define_targets),)), "")
        if expression.FormatStringStringify is not None:
            yield ("format", "", *self._aims((("call", expression.FormatStringStringify.targets),)), "")

    def _callees(self, callees: _Callees) -> tuple[tuple[Aim, ...], bool, str]:
        aims, external = self._aims(
            (("call", callees.call_targets), ("init", callees.init_targets), ("init", callees.new_targets))
        )
        unresolved = callees.unresolved
        return aims, external, unresolved.get("True", "") if isinstance(unresolved, dict) else ""

    def _access(self, access: _Access) -> tuple[tuple[Aim, ...], bool, str]:
        aims, external = self._aims(
            (("getter", access.property_getters), ("setter", access.property_setters))
        )
        if access.if_called is None:
            return aims, external, ""
        more, outside, reason = self._callees(access.if_called)
        return aims + more, external or outside, reason

    def _aims(
        self, groups: tuple[tuple[Literal["call", "init", "getter", "setter"], list[_Target]], ...]
    ) -> tuple[tuple[Aim, ...], bool]:
        aims: list[Aim] = []
        external = False
        for how, targets in groups:
            for target in targets:
                receiver = self._class(target.receiver_class)
                if how == "init" and receiver is not None:
                    aims.append(Aim(receiver, "class", False, False, None))
                if not isinstance(target.target, dict):
                    continue
                for dispatch, ref in target.target.items():
                    place = self._functions.get(ref.module_id, {}).get(ref.function_id)
                    if place is None:
                        external = True
                        continue
                    dispatched = dispatch == "Overrides"
                    aims.append(Aim(place, how, dispatched, target.implicit_dunder_call, receiver))
        return tuple(dict.fromkeys(aims)), external
