"""What a method's name alone says: whose it may be, and whether it is too common to say anything."""

from __future__ import annotations

import builtins
import io
import logging
import re
import threading
from collections import defaultdict
from itertools import chain

from graph.ingest.python.operations import COMPARISONS, ORDERING, RUNS
from graph.ingest.python.program import Program
from graph.ingest.python.records import Target
from graph.ingest.python.traits import written
from graph.schema import Sort

MUTATORS = frozenset(
    [
        "append",
        "appendleft",
        "extend",
        "extendleft",
        "insert",
        "add",
        "update",
        "setdefault",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "sort",
        "reverse",
        "rotate",
        "__setitem__",
        "__delitem__",
    ]
)
"""Methods of the builtin containers that change what they are called on."""


def _common() -> frozenset[str]:
    kinds: tuple[object, ...] = (
        str,
        bytes,
        bytearray,
        int,
        float,
        complex,
        list,
        tuple,
        dict,
        set,
        frozenset,
        range,
        memoryview,
        slice,
        BaseException,
        io.TextIOWrapper,
        io.BytesIO,
        io.StringIO,
        logging.Logger,
        re.compile(""),
        re.match("", ""),
        threading.Thread,
        threading.Event(),
        threading.Lock(),
        property,
        classmethod,
        (letter for letter in ""),
    )
    names = {name for kind in kinds for name in dir(kind)}
    return frozenset(
        names | set(dir(builtins)) | set(MUTATORS) | {"connect", "send", "execute", "submit", "result"}
    )


COMMON = _common()
"""Names that mostly belong to builtin types: no call is tied by such a name alone."""


def methods_by_name(program: Program) -> dict[str, tuple[Target, ...]]:
    """Methods by name, dunders left out."""
    found: dict[str, list[Target]] = defaultdict(list)
    for path, record in program.records.items():
        for place, definition in enumerate(record.definitions):
            if definition.sort is Sort.METHOD:
                name = definition.qualname.rpartition(".")[2]
                if not name.startswith("__"):
                    found[name].append(Target(path, place))
    return {name: tuple(targets) for name, targets in found.items()}


_MADE_OF_FIELDS = ("dataclass", "define", "frozen", "mutable", "attrs", "attributes", "s")


def dataclasses(program: Program) -> frozenset[Target]:
    """Classes that a decorator (of dataclasses or attrs) gives an `__init__` made of their fields."""
    found: set[Target] = set()
    for path, record in program.records.items():
        if record.frameworks is None:
            continue
        for item in record.frameworks.decorations:
            named = written(record.frameworks.calls, item.value).rpartition(".")[2] in _MADE_OF_FIELDS
            if named and item.place >= 0 and record.definitions[item.place].sort is Sort.CLASS:
                found.add(Target(path, item.place))
    return frozenset(found)


def defined_kinds(program: Program) -> frozenset[str]:
    """Operations (see operations.py) of which some class of the program defines what they run."""
    names = {
        definition.qualname.rpartition(".")[2]
        for record in program.records.values()
        for definition in record.definitions
        if definition.sort in (Sort.METHOD, Sort.ATTRIBUTE)
    }
    found = {kind for kind, groups in RUNS.items() if not names.isdisjoint(chain(*groups))} | {"raise"}
    if not names.isdisjoint(ORDERING):
        found |= COMPARISONS
    if "__class_getitem__" in names:
        found.add("class item")
    return frozenset(found)
