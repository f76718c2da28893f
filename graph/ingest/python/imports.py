"""Facts of what imports run: modules of the program that a module or function makes Python execute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from graph.facts import Fact, Hyperedge, Member, Provenance
from graph.ingest.python.module import Import
from graph.ingest.python.program import Program
from graph.ingest.python.records import Target
from graph.schema import EdgeKind, NodeKind, Resolver, Sort, Tier


def import_facts(program: Program, paths: Iterable[str]) -> Iterator[Fact]:
    """Imports edges of some files: one an importer, apart for imports inside functions (`lazy`).

    `import a.b.c` runs a, a.b and a.b.c; `from p import m` runs p, and p.m where that is a module. The
    packages that hold the importing module itself have run before it: they are left out unless named.
    """
    for path in paths:
        record = program.records[path]
        said_by = Provenance(path, program.digest(path), Resolver.SCOPES)
        found: dict[tuple[int, bool], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for item in record.uses.imports:
            if item.typing_only:
                continue
            importer, lazy = importing(program, Target(path, item.scope))
            for stem in modules(program, path, item):
                found[importer, lazy][stem].add(item.line)
        for (importer, lazy), stems in found.items():
            yield _edge(program, Target(path, importer), lazy, stems, said_by)


def importing(program: Program, scope: Target) -> tuple[int, bool]:
    """Who imports: the function around the statement, else the module (a class body runs with it)."""
    definitions = program.records[scope.path].definitions
    place = scope.place
    while place > 0 and definitions[place].sort not in (Sort.FUNCTION, Sort.METHOD):
        place = definitions[place].parent
    return (place, True) if place > 0 else (0, False)


def modules(program: Program, path: str, item: Import) -> Iterator[str]:
    """Stems of the program's modules that an import statement runs."""
    names, own = program.names, program.names.stem(path)
    stem = program.evaluator.module(path, item.level, item.module)
    if stem is None:
        return
    named = [stem]
    inner = f"{stem}/{item.name}" if stem else item.name
    if item.name and item.name != "*" and inner in names.files and not _bound(program, stem, item.name):
        named.append(inner)
        if own == stem or own.startswith(stem + "/"):
            named.remove(stem)
    for module in named:
        depth = module.count("/") + 1 if item.level else item.module.count(".") + 1
        parts = module.split("/")
        for count in range(max(1, len(parts) - depth), len(parts)):
            package = "/".join(parts[:count])
            if package in names.packages and package != own and not own.startswith(package + "/"):
                yield package
        if module in names.files and module != own:
            yield module


def _bound(program: Program, stem: str, name: str) -> bool:
    """Whether a package itself binds the name, so that no submodule of that name is looked for."""
    path = program.names.files.get(stem)
    if path is None:
        return False
    scope = program.evaluator.files[path].scopes[0]
    return name in scope.symbols


def _edge(
    program: Program, importer: Target, lazy: bool, stems: dict[str, set[int]], said_by: Provenance
) -> Hyperedge:
    first = program.definition(importer).line
    lines = tuple(sorted({line - first for found in stems.values() for line in found}))
    members = (
        Member("importer", NodeKind.SYMBOL, program.key(importer)),
        *(
            Member("imported", NodeKind.SYMBOL, program.key(Target(program.names.files[stem], 0)))
            for stem in sorted(stems)
        ),
    )
    props = (("lazy", lazy), ("lines", lines))
    return Hyperedge(EdgeKind.IMPORTS, program.scope, members, said_by, Tier.EXACT, props=props)
