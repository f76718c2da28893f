"""Nodes as people see them, and the symbols that a person means by what they type."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graph.errors import AmbiguousError, NotFoundError
from graph.incidence import Incidence
from graph.schema import NodeKind, Sort, code_of

MODULE = "<module>"
"""Qualified name of a module's own symbol."""
SHOWN = 8
"""Candidates that an error shows; `candidates` has them all."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as it is shown. `line` is where a definition begins (1-based), 0 where it means nothing.

    `label` names it in its repository: a path, `path::qualified name`, or what else its key holds.
    """

    kind: NodeKind
    sort: Sort | None
    key: str
    label: str
    name: str
    path: str
    line: int


def view(incidence: Incidence, node: int) -> NodeView:
    """A node as it is shown."""
    key = incidence.keys[node]
    scope = str(incidence.scope)
    inside = key.startswith(scope) and key[len(scope) : len(scope) + 1] in (":", "@")
    return NodeView(
        incidence.kind(node),
        incidence.sort_of(node),
        key,
        key[len(scope) + 1 :] if inside else key.partition("/")[2] or key,
        incidence.name(node),
        incidence.path(node),
        max(0, int(incidence.mark[node])),
    )


def find(incidence: Incidence, asked: str) -> list[int]:
    """The nodes meant by what a person types, ascending.

    `FILE:LINE` means the innermost symbol there, `FILE` all of its symbols. A name may be a key,
    `FILE::qualified.name`, a test's id, a dotted path (`celery.app.base.Celery.send_task`), a
    qualified name, the end of one of these, or a bare name: the first of these that fits, and
    only then any of them in other letter case. A file may be given by the end of its path.
    Definitions that share a file and a qualified name (a property and its setter) are meant together.

    Raises
    ------
    NotFoundError
        Nothing fits; the hint shows near names.
    AmbiguousError
        Several fit; `candidates` lists them as `path::qualified name`, or paths, best first.
    """
    text = asked.strip().removeprefix("./")
    path, colon, line = text.rpartition(":")
    if colon and line.isdecimal() and not path.endswith(":"):
        return [_at_line(incidence, _file(incidence, path), int(line[:9]))]
    for key in (asked, incidence.scope.file(text)):
        for kind in (NodeKind.FILE, NodeKind.SYMBOL, NodeKind.TEST):
            node = incidence.find(kind, key)
            if node >= 0:
                return _held(incidence, node) if kind is NodeKind.FILE else [node]
    found = _named(incidence, text)
    if not found and ("/" in text or "." in text) and "::" not in text:
        found = _files(incidence, text)
        if len(found) == 1:
            return _held(incidence, found[0])
    if not found:
        near = _near(incidence, text)
        raise NotFoundError(f"There is nothing called {asked!r} in {incidence.scope}.", near)
    return _one(incidence, asked, found)


def dotted(incidence: Incidence, node: int) -> str:
    """A symbol's place as imports name it from the repository's root: `src.pkg.mod.Class.f`."""
    module = incidence.path(node).rpartition(".")[0].removesuffix("/__init__").replace("/", ".")
    qualname = incidence.qualname(node)
    return module if qualname == MODULE else f"{module}.{qualname}"


def _held(incidence: Incidence, file: int) -> list[int]:
    """The symbols of a file; the file itself where it has none."""
    held: list[int] = np.flatnonzero((incidence.file == file) & incidence.alive).tolist()
    return held or [file]


def _files(incidence: Incidence, path: str) -> list[int]:
    """The file of a path; else all whose paths end so."""
    node = incidence.find(NodeKind.FILE, incidence.scope.file(path))
    if node >= 0:
        return [node]
    ending = f"/{path}"
    return [at for at in incidence.nodes_of(NodeKind.FILE).tolist() if incidence.path(at).endswith(ending)]


def _file(incidence: Incidence, path: str) -> int:
    found = _files(incidence, path)
    if not found:
        raise NotFoundError(f"There is no file {path!r} in {incidence.scope}.", _near_paths(incidence, path))
    if len(found) > 1:
        raise _ambiguous(incidence, path, [incidence.path(node) for node in found])
    return found[0]


def _at_line(incidence: Incidence, file: int, line: int) -> int:
    held = np.flatnonzero((incidence.file == file) & incidence.alive)
    first, last = incidence.line, incidence.end
    inside: list[int] = held[(first[held] <= line) & (line <= last[held])].tolist()
    module = code_of(Sort.MODULE)
    if inside:
        # The innermost begins last; of those that begin together it ends first.
        sort, mark = incidence.sort, incidence.mark
        return max(inside, key=lambda at: (sort[at] != module, first[at], -last[at], mark[at]))
    end = int(last[held].max(initial=0))
    modules = held[incidence.sort[held] == module]
    if len(modules) and 1 <= line <= end:
        return int(modules[0])
    raise NotFoundError(
        f"{incidence.path(file)} has no symbol at line {line}.", f"Its last line of code is {end}."
    )


def _named(incidence: Incidence, text: str) -> list[int]:
    """What a name means, by the strictest reading that fits anything."""
    plain: Callable[[str], str] = str
    for folded in (plain, str.casefold):
        asked = folded(text)
        path, inside, qualname = asked.rpartition("::")
        nodes = _bearers(incidence, qualname.rpartition(".")[2], folded)
        if inside:
            nodes = [at for at in nodes if f"/{folded(incidence.path(at))}".endswith(f"/{path}")]
        names = {at: (folded(dotted(incidence, at)), folded(incidence.qualname(at))) for at in nodes}
        for found in (
            [at for at, (full, _) in names.items() if full == qualname],
            [at for at, (_, qualified) in names.items() if qualified == qualname],
            [at for at, (full, _) in names.items() if f".{full}".endswith(f".{qualname}")],
        ):
            if found:
                return sorted(found)
    return []


def _bearers(incidence: Incidence, name: str, folded: Callable[[str], str]) -> list[int]:
    """Symbols of a name, and modules whose file or package has it."""
    places = [place for place, known in enumerate(incidence.names) if folded(known) == name]
    symbols = incidence.nodes_of(NodeKind.SYMBOL)
    found: list[int] = symbols[np.isin(incidence.name_id[symbols], places)].tolist()
    modules: list[int] = symbols[incidence.sort[symbols] == code_of(Sort.MODULE)].tolist()
    return found + [at for at in modules if folded(dotted(incidence, at)).rpartition(".")[2] == name]


def _one(incidence: Incidence, asked: str, found: list[int]) -> list[int]:
    """All of them, where they are the definitions of one name of one file."""
    labels = dict.fromkeys(_label(incidence, node) for node in found)
    if len(labels) > 1:
        raise _ambiguous(incidence, asked, list(labels))
    return found


def _label(incidence: Incidence, node: int) -> str:
    qualname, path = incidence.qualname(node), incidence.path(node)
    return f"{path}::{qualname}" if qualname else path


def _ambiguous(incidence: Incidence, asked: str, labels: list[str]) -> AmbiguousError:
    shown = sorted(labels, key=lambda label: (len(label), label))
    return AmbiguousError(
        f"{asked!r} fits {len(shown)} things in {incidence.scope}: {', '.join(shown[:SHOWN])}"
        + (", ..." if len(shown) > SHOWN else "."),
        "Write more of the path or of the name, as PATH::NAME.",
        tuple(shown),
    )


def _near(incidence: Incidence, asked: str) -> str:
    if "/" in asked and "::" not in asked:
        return _near_paths(incidence, asked)
    wanted = asked.rpartition("::")[2].rpartition(".")[2]
    by_case = {known.casefold(): known for known in incidence.names if known != MODULE}
    near = difflib.get_close_matches(wanted.casefold(), by_case, n=5) if len(wanted) < _LONGEST else []
    return _did_you_mean([by_case[name] for name in near])


def _near_paths(incidence: Incidence, path: str) -> str:
    paths = [incidence.path(node) for node in incidence.nodes_of(NodeKind.FILE).tolist()]
    name = path.rpartition("/")[2]
    same = [known for known in paths if known.rpartition("/")[2] == name][:5]
    near = same or (difflib.get_close_matches(path, paths, n=5) if len(path) < _LONGEST else [])
    return _did_you_mean(near)


def _did_you_mean(near: list[str]) -> str:
    if not near:
        return "Paths count from the repository's root; maestro search finds names."
    return f"Did you mean {', '.join(near)}?"
