"""What imported names stand for, as part of the digests of the symbols that use them.

A name that comes from outside the program changes whoever uses it when it is imported from
somewhere else; one that comes from inside does not, since the edges to what it means say so. That
keeps a moved file apart from a changed one. A file's record cannot tell which is which.
"""

from __future__ import annotations

from collections import defaultdict

from graph.ingest.python.digests import digest
from graph.ingest.python.program import Program
from graph.ingest.python.values import EXTERNAL

_PARTS = ("code", "signature", "decoration")


def settled_digests(program: Program, path: str) -> list[str]:
    """Digests of code, signature, decoration and documentation of a file's definitions, joined.

    Each is 32 hexadecimal characters; see `Definition`.
    """
    record = program.records[path]
    origins: dict[int, list[str]] = defaultdict(list)
    for name, places in record.borrowed.items():
        origin = _origin(program, path, name)
        if origin:
            for place in places:
                origins[place].append(f"{name} {origin}")
    found = []
    for at, item in enumerate(record.definitions):
        parts = [item.code, item.signature, item.decoration]
        for part, own in enumerate(parts):
            borrowed = origins.get(4 * at + part)
            if borrowed:
                parts[part] = digest([own, *sorted(borrowed)])
        found.append("".join((*parts, item.documentation)))
    return found


def _origin(program: Program, path: str, name: str) -> str:
    """Where a name of a module comes from, as far as no edge tells: libraries, and what decides."""
    record = program.records[path]
    values = program.values(path, 0, name)
    sources = sorted({value.path for value in values if value.kind == EXTERNAL})
    if not values:
        sources = [
            f"{'.' * item.level}{item.module}:{item.name}"
            for item in record.uses.imports
            if name in (item.alias, item.name, item.module.partition(".")[0])
        ]
    return " ".join(filter(None, (*sources, record.conditions.get(name, ""))))
