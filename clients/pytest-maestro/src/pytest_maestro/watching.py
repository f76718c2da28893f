"""What a run opens, lists, reads of the environment, imports and starts, entered where it belongs.

Files, folders and processes come from the interpreter's audit events; an audit hook cannot be taken out
again, so it is put in once a process and does nothing while nobody watches.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import inspect
import os
import pathlib
import stat as file_mode
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, ClassVar

from pytest_maestro.activity import Activity, Ledger
from pytest_maestro.places import Place

WRITES_ONLY = os.O_WRONLY
IMPORT_SYSTEM = ("<frozen importlib._bootstrap_external>", "<frozen importlib._bootstrap>")
TEXT_CACHES = ("linecache", "tokenize")
SAMPLING = ("hypothesis.internal.constants_ast",)
"""Modules that read all code of a repository to find values worth trying: by chance, as all that they try."""
LISTING = ("os", "pathlib", "glob")
"""Modules that list folders for others."""
LOOKING = ("genericpath", "ntpath", "os", "pathlib", "posixpath", "shutil")
"""Modules that look for files for others."""
WITHOUT_INTEREST = frozenset(
    (
        *TEXT_CACHES,
        "_pytest",
        "coverage",
        "inspect",
        "iniconfig",
        "pluggy",
        "pytest_cov",
        "pytest_maestro",
        "xdist",
    )
)
"""Whose looking for files no test depends on."""
RESOLVING = ("realpath", "_joinrealpath")
"""Functions that ask of every folder on the way whether it is a link."""
ABOUT_CONTENT = frozenset(("getsize", "getmtime", "getctime", "getatime", "stat"))
"""Functions of `LOOKING` that tell more of a file than that it is there."""

Started = Callable[[str, Any, Any], None]
"""Is given the program, its arguments, and the environment or None."""


class Watch:
    """Watches this process for one ledger.

    Parameters
    ----------
    place : Place
        The repository.
    ledger : Ledger
        Says which activity is current.
    started : callable
        Is told of every process that is about to start.
    """

    def __init__(self, place: Place, ledger: Ledger, started: Started) -> None:
        self.place = place
        self.ledger = ledger
        self.started = started
        self.imports: dict[str, Activity] = {}
        self.written: set[str] = set()
        self.outside: dict[str, str] = {}
        self._importing = ""
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to watch."""
        self._wrap_imports()
        self._wrap_environment()
        self._wrap_source()
        self._wrap_looking()
        Hook.watching(self)

    def stop(self) -> None:
        """End it, and leave everything as it was but the audit hook."""
        Hook.watching(None)
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: Any, name: str, made: Any) -> None:
        inherited = name not in vars(owner)
        before = getattr(owner, name)
        setattr(owner, name, made)
        self._undo.append(
            functools.partial(delattr, owner, name)
            if inherited
            else functools.partial(setattr, owner, name, before)
        )

    # Audit events.

    def opened(self, args: tuple[Any, ...]) -> None:
        """A file is about to be opened."""
        path, mode, flags = args
        name = _name(path)
        if name is None:
            return
        inner = self.place.relative(name)
        if not inner or inner == ".":
            return
        if _only_written(mode, flags):
            # What the run itself made is no input of it.
            if not os.path.exists(name):
                self.written.add(inner)
            return
        if inner.endswith(".py") and (inner == self._importing or _read_in_passing()):
            return
        self.ledger.current.open(inner)
        self._read_by(inner)

    def _read_by(self, inner: str) -> None:
        """Enter the functions of the repository that this is done for."""
        readers = self.ledger.readers.setdefault(inner, set())
        frame: Any = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            if code.co_name != "<module>":
                path = self.place.relative(code.co_filename) if code.co_filename[:1] != "<" else ""
                if path:
                    readers.add((path, code.co_firstlineno))
            frame = frame.f_back

    def sought(self, path: Any, told: str) -> None:
        """A path is asked about, by `os.stat` and the like; `told` is the function that does."""
        name = _name(path)
        inner = self.place.relative(name) if name is not None else ""
        if not inner or inner == ".":
            return
        asking = _asked_by()
        if asking is None:
            return
        # Beside being there, a file has a size and a time; a module's are its source's, which nothing reads.
        if (asking or told) in ABOUT_CONTENT and not inner.endswith(".py") and _is_file(name):
            self.ledger.current.open(inner)
        else:
            self.ledger.current.seek(inner)
        self._read_by(inner)

    def listed(self, args: tuple[Any, ...]) -> None:
        """A folder is about to be listed."""
        name = _name(args[0] if args and args[0] is not None else os.curdir)
        inner = self.place.relative(name) if name is not None else ""
        if inner and not _listed_to_find():
            self.ledger.current.list(inner)
            self._read_by(inner)

    def connected(self, args: tuple[Any, ...]) -> None:
        """An SQLite database is about to be opened."""
        self.opened((args[0], "r", 0))

    def spawned(self, args: tuple[Any, ...]) -> None:
        """`subprocess` is about to start a process."""
        executable, command, _, environment = args
        self.started(_program(executable, command), command, environment)

    def shelled(self, args: tuple[Any, ...]) -> None:
        """`os.system` is about to start a shell."""
        self.started("sh", args[0], None)

    def executed(self, args: tuple[Any, ...]) -> None:
        """`os.exec...`, `os.posix_spawn` or `os.spawn...` is about to start a program."""
        path, command, environment = args[-3:]
        if sys._getframe(2).f_globals.get("__name__") == "subprocess":
            return  # it has told already
        self.started(_program(path, command), command, environment)

    # What has no audit event.

    def _wrap_imports(self) -> None:
        loaders: list[Any] = [importlib.machinery.SourceFileLoader]
        rewriting = sys.modules.get("_pytest.assertion.rewrite")
        if rewriting is not None:
            loaders.append(rewriting.AssertionRewritingHook)
        for loader in loaders:
            self._replace(loader, "exec_module", self._watched_import(loader.exec_module))
        before = importlib.import_module

        @functools.wraps(before)
        def import_module(name: str, package: str | None = None) -> Any:
            module = before(name, package)
            path = self.place.relative(getattr(module, "__file__", None) or os.sep)
            if path.endswith(".py"):
                self.ledger.current.begin_import(path)
            return module

        self._replace(importlib, "import_module", import_module)

    def _watched_import(self, execute: Any) -> Any:
        place = self.place

        @functools.wraps(execute)
        def exec_module(loader: Any, module: Any) -> Any:
            spec = getattr(module, "__spec__", None)
            path = place.relative(spec.origin) if spec is not None and spec.origin else ""
            if not path or path == ".":
                return execute(loader, module)
            with self._import_of(path):
                return execute(loader, module)

        return exec_module

    @contextmanager
    def _import_of(self, path: str) -> Iterator[None]:
        self.ledger.current.begin_import(path)
        activity = self.imports.setdefault(path, Activity())
        before, importing = self.ledger.switch(activity), self._importing
        self._importing = path
        try:
            yield
        finally:
            self._importing = importing
            self.ledger.switch(before)

    def _wrap_environment(self) -> None:
        mapping: Any = type(os.environ)
        ledger = self.ledger
        read, walk = mapping.__getitem__, mapping.__iter__

        def getitem(environment: Any, key: Any) -> Any:
            if key.__class__ is str:
                ledger.current.ask(key)
            return read(environment, key)

        def iterate(environment: Any) -> Any:
            ledger.current.ask("*")
            return walk(environment)

        self._replace(mapping, "__getitem__", getitem)
        self._replace(mapping, "__iter__", iterate)

    def _wrap_looking(self) -> None:
        for name in ("stat", "lstat", "access"):
            before = getattr(os, name)
            made = self._watched_looking(before)
            for able in (
                os.supports_follow_symlinks,
                os.supports_dir_fd,
                os.supports_fd,
                os.supports_effective_ids,
            ):
                if before in able:
                    # Programs ask whether the function they have can do this or that.
                    able.add(made)
                    self._undo.append(functools.partial(able.discard, made))
            self._replace(os, name, made)
            accessor: Any = getattr(pathlib, "_NormalAccessor", None)  # before Python 3.11
            if accessor is not None and name in vars(accessor):
                self._replace(accessor, name, staticmethod(made))

    def _watched_looking(self, before: Any) -> Any:
        told = before.__name__

        @functools.wraps(before)
        def looked(path: Any, *others: Any, **named: Any) -> Any:
            try:
                self.sought(path, told)
            except Exception as error:  # a program must run as it would without being recorded
                Hook.faults.append(f"os.{told}: {type(error).__name__}: {error}")
            return before(path, *others, **named)

        return looked

    def _wrap_source(self) -> None:
        find = inspect.findsource

        @functools.wraps(find)
        def findsource(subject: Any) -> Any:
            # Tracebacks and warnings show source lines as well, and no test depends on these.
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if not caller.startswith("_pytest") and not _read_in_passing():
                try:
                    path = self.place.relative(inspect.getsourcefile(subject) or os.sep)
                except TypeError:  # a builtin, which findsource itself will refuse
                    path = ""
                if path:
                    self.ledger.current.open(path)
            return find(subject)

        self._replace(inspect, "findsource", findsource)


def _name(path: Any) -> str | None:
    if isinstance(path, int):
        return None
    try:
        return os.fsdecode(path)
    except TypeError:  # not a path at all; opening it will say so
        return None


def _only_written(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return "r" not in mode and "+" not in mode
    return isinstance(flags, int) and flags & os.O_ACCMODE == WRITES_ONLY


def _program(executable: Any, command: Any) -> str:
    first = executable or (command if isinstance(command, (str, bytes)) else next(iter(command or ()), ""))
    return os.path.basename(_name(first) or "") or "?"


def _read_in_passing() -> bool:
    """Whether a Python file is opened to show its lines (a traceback, a warning), or for samples."""
    frame = sys._getframe(1)
    for _ in range(12):
        name = frame.f_globals.get("__name__")
        if name in SAMPLING or (name in TEXT_CACHES and "updatecache" in frame.f_code.co_name):
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


def _is_file(name: str | None, look: Any = os.stat) -> bool:
    """Whether there is such a file; by the function itself, which nobody watches."""
    try:
        return name is not None and file_mode.S_ISREG(look(name).st_mode)
    except (OSError, ValueError):
        return False


def _asked_by() -> str | None:
    """The function of the standard library through which a path is asked about, empty where it is asked
    about directly; None where it is of no interest.
    """
    frame = sys._getframe(3)
    name = frame.f_globals.get("__name__", "")
    through = ""
    while frame.f_back is not None and name.partition(".")[0] in LOOKING:
        through = frame.f_code.co_name
        if through in RESOLVING:
            return None
        frame = frame.f_back
        name = frame.f_globals.get("__name__", "")
    of_no_interest = name.partition(".")[0] in WITHOUT_INTEREST or frame.f_code.co_filename in IMPORT_SYSTEM
    return None if of_no_interest else through


def _listed_to_find() -> bool:
    """Whether a folder is listed by the import system or by pytest's search for tests."""
    frame = sys._getframe(1)
    name = frame.f_globals.get("__name__", "")
    while frame.f_back is not None and (name == __name__ or name.partition(".")[0] in LISTING):
        frame = frame.f_back
        name = frame.f_globals.get("__name__", "")
    return frame.f_code.co_filename in IMPORT_SYSTEM or name.startswith("_pytest.")


class Hook:
    """The one audit hook of this process."""

    watch: Watch | None = None
    handlers: ClassVar[dict[str, Callable[[tuple[Any, ...]], None]]] = {}
    faults: ClassVar[list[str]] = []
    added = False

    @classmethod
    def watching(cls, watch: Watch | None) -> None:
        """Hand events to a watch, or to nobody."""
        cls.watch = watch
        cls.handlers = (
            {}
            if watch is None
            else {
                "open": watch.opened,
                "os.listdir": watch.listed,
                "os.scandir": watch.listed,
                "sqlite3.connect": watch.connected,
                "subprocess.Popen": watch.spawned,
                "os.system": watch.shelled,
                "os.exec": watch.executed,
                "os.posix_spawn": watch.executed,
                "os.spawn": watch.executed,
            }
        )
        if not cls.added:
            cls.added = True
            sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    handler = Hook.handlers.get(event)
    if handler is not None:
        try:
            handler(args)
        except Exception as error:  # what is raised here would be raised by the program's own open()
            Hook.faults.append(f"{event}: {type(error).__name__}: {error}")
