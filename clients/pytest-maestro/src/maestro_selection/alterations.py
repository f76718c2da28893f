"""What statements alter that others can see: global values of the repository, and what is not of it at all.

A value that is altered in place differs for all who hold it, by whatever names they came to it: so an
alteration is of the name it is made by, and of those that this one is imported from. Nothing outside of the
repository can be told apart: each file has one slot for all of it that it alters.
"""

from __future__ import annotations

from maestro_selection.changes import DEFINITIONS
from maestro_selection.program import Place, Program, attribute, global_slot, root_of
from maestro_selection.tables import FileTable, Statement

OUTSIDE = "<outside>"
"""Bound in no file: stands for whatever a file alters that is not of the repository."""

TELLING = frozenset(
    "warn warn_explicit debug info warning error exception critical log sleep print flush".split()
)
"""Functions of modules from elsewhere that are called for what people are told; they alter nothing."""
STREAMS = ("sys.stdout.", "sys.stderr.", "stdout.", "stderr.")
ARRANGING = frozenset(
    "update_wrapper heappush heapify heappop insort insort_left insort_right shuffle".split()
)
"""Functions of modules from elsewhere that alter what they are given, and nothing else."""


class Alterations:
    """What the statements of one program alter."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._storing: dict[str, list[Place]] | None = None
        self._altering: dict[tuple[str, bool], list[tuple[int, set[str]]]] = {}

    def altering(self, path: str, *, attributes: bool = False) -> list[tuple[int, set[str]]]:
        """Statements in functions of a file that put something into global values, and the slots of these;
        with `attributes`, also those that set an attribute of whatever object.

        One that counts (`Thing.made += 1`) puts nothing into what it alters that came from elsewhere.
        """
        if (path, attributes) not in self._altering:
            found = []
            table = self.program.tables[path]
            for index, statement in enumerate(table.statements):
                effects = statement.effects
                given = {name for name in effects.locals if not name.startswith("=")} - {"self", "cls"}
                if table.at_import(statement.scope) or not (given or effects.calls):
                    continue
                slots = {global_slot(path, name) for name in effects.binds}
                for chain in (*effects.alters, *effects.stores):
                    if not chain.startswith((".", "self.")):
                        slots |= self.put_into(path, chain)
                    elif attributes:
                        slots.add("." + attribute(chain))
                outside = {global_slot(path, OUTSIDE)}
                slots |= self.worked_on(path, statement) & outside
                if slots:
                    found.append((index, slots))
            self._altering[path, attributes] = found
        return self._altering[path, attributes]

    def put_into(self, path: str, chain: str) -> set[str]:
        """The slots whose value is altered by an alteration or store of a chain that starts at a global
        name.
        """
        root, *rest = chain.replace("()", "").split(".")
        if "()" in chain and rest:
            # What a method gives belongs to the object that it is called on.
            rest.pop()
        if root not in self.program.bound[path] or (not rest and self.program.is_module(path, root)):
            return set()
        whole = ".".join([root, *rest])
        outside = {global_slot(path, OUTSIDE)} if self.is_outside(path, root) else set()
        if not rest:
            return self.origins(path, root) | outside
        return (
            self.program.slots(path, whole) - self.program.slots(path, whole.rpartition(".")[0])
        ) | outside

    def is_outside(self, path: str, name: str, table: FileTable | None = None) -> bool:
        """Whether a global name of a file can be nothing but what it imports from outside of the repository;
        `table` is another version of the file.
        """
        if table is None:
            bindings = [
                self.program.tables[path].statements[index]
                for index in self.program.bound[path].get(name, ())
            ]
        else:
            bindings = [each for each in table.statements if name in each.effects.binds]
        imports = [[one for one in each.effects.imports if one[3].lstrip("=") == name] for each in bindings]
        return (
            bool(imports)
            and all(imports)
            and not any(
                self.program.imported(path, module, level) for few in imports for module, level, _, _ in few
            )
        )

    def origins(self, path: str, name: str, depth: int = 0) -> set[str]:
        """The slots of a file's global name, and of the names that it is imported from."""
        found = {global_slot(path, name)}
        for index in self.program.bound[path].get(name, ()) if depth < 5 else ():
            for module, level, taken, bound in self.program.tables[path].statements[index].effects.imports:
                for target in self.program.imported(path, module, level) if bound == name and taken else ():
                    found |= self.origins(target, taken, depth + 1)
        return found

    def worked_on(self, path: str, statement: Statement, table: FileTable | None = None) -> set[str]:
        """What a call can alter whose value nobody takes: what it is called on, and what it is given.

        `table` is another version of the file, when the statement is of that one. What functions of the
        repository alter beside these is told by `altering`.
        """
        effects = statement.effects
        if statement.kind != "Expr" or not effects.calls:
            return set()
        # The outermost call is the first; what those in it give is used, and that is all they are there for.
        callee = effects.calls[0]
        root = root_of(callee)
        found: set[str] = set()
        if self.is_outside(path, root, table):
            if attribute(callee) in TELLING or callee.startswith(STREAMS):
                return found
            if attribute(callee) not in ARRANGING:
                found.add(global_slot(path, OUTSIDE))
        for chain in effects.reads:
            root = root_of(chain)
            # `warnings` is read to call `warnings.warn`.
            called = any(f"{other}.".startswith(f"{chain}.") for other in effects.calls)
            if self.is_outside(path, root, table):
                found |= set() if called else {global_slot(path, OUTSIDE)}
            elif (
                path in self.program.bound
                and not self.program.is_module(path, root)
                and root in self.program.bound[path]
            ):
                places = (
                    self.program.tables[path].statements[index] for index in self.program.bound[path][root]
                )
                if chain not in effects.calls or any(each.kind not in DEFINITIONS for each in places):
                    found |= self.origins(path, root)
        return found

    def storing(self, slot: str) -> list[Place]:
        """Statements in functions that set a slot anew (not those that alter what it holds)."""
        if self._storing is None:
            self._storing = {}
            for path, table in self.program.tables.items():
                for index, statement in enumerate(table.statements):
                    if table.at_import(statement.scope):
                        continue
                    slots = {global_slot(path, name) for name in statement.effects.binds}
                    for chain in statement.effects.stores:
                        slots |= self.program.slots(path, chain)
                        slots.add("." + chain.rpartition(".")[2])
                    for one in slots:
                        self._storing.setdefault(one, []).append((path, index))
        return self._storing.get(slot, [])
