"""How a repository configures its tests and entry points, read as data from its own files.

pytest takes the first of pytest.ini, .pytest.ini, pyproject.toml, tox.ini and setup.cfg that has its
section (pytest's documentation, "Configuration file formats"); the folder it lies in is the root
that conftest.py files count from.
"""

from __future__ import annotations

import ast
import configparser
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import basename, dirname
from typing import Any

from graph.errors import InputError
from graph.ingest.python.expressions import dotted

NAMES = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
"""Base names of the files to hand to `read`, in pytest's order."""

_SECTIONS = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}
_OPTIONS = ("python_files", "python_classes", "python_functions", "testpaths", "norecursedirs", "addopts")
_NOT_ENTERED = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What pytest is told in one folder; the defaults are pytest's."""

    root: str = ""
    """The folder, without a slash at its end; empty for the repository's root."""
    files: tuple[str, ...] = ("test_*.py", "*_test.py")
    classes: tuple[str, ...] = ("Test",)
    functions: tuple[str, ...] = ("test",)
    paths: tuple[str, ...] = ()
    """`testpaths`: what is run when nothing is named."""
    not_entered: tuple[str, ...] = _NOT_ENTERED
    plugins: tuple[str, ...] = ()
    """Modules named by `-p` in `addopts`."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A name in a packaging file that an installer or a plugin host resolves: `module:attribute`."""

    path: str
    group: str
    name: str
    target: str


@dataclass(slots=True)
class Configuration:
    """All settings of a tree."""

    settings: dict[str, Settings] = field(default_factory=dict)
    entries: list[EntryPoint] = field(default_factory=list)
    unread: list[tuple[str, int, str]] = field(default_factory=list)
    """Files that could not be read: path, line (0: none to blame), why."""

    def of(self, path: str) -> Settings:
        """The settings that hold for a file: those of the nearest folder above that has any."""
        folder = dirname(path)
        while folder not in self.settings:
            if not folder:
                return _DEFAULT
            folder = dirname(folder)
        return self.settings[folder]


_DEFAULT = Settings()


class _UnreadableError(InputError):
    """A configuration file that cannot be read; `line` 0 where none is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message, "Mend the file; until then the defaults hold for its folder.")
        self.line = line


def wanted(path: str) -> bool:
    """Whether a path of a tree is one that `read` should be given."""
    return basename(path) in NAMES or basename(path) == "setup.py"


def read(files: Mapping[str, bytes]) -> Configuration:
    """Read configuration files by their paths; what cannot be read is kept in `unread`."""
    found = Configuration()
    order = {name: place for place, name in enumerate(NAMES)}
    for path in sorted(files, key=lambda path: (dirname(path), order.get(basename(path), len(order)))):
        if not wanted(path):
            continue
        try:
            options, entries = _parse(path, files[path])
        except _UnreadableError as error:
            found.unread.append((path, error.line, error.message))
            continue
        found.entries.extend(entries)
        if options is not None:
            found.settings.setdefault(dirname(path), _settings(dirname(path), options))
    return found


def _parse(path: str, data: bytes) -> tuple[dict[str, Any] | None, list[EntryPoint]]:
    name = basename(path)
    try:
        text = data.decode("utf-8-sig")
        if name == "pyproject.toml":
            return _toml(path, text)
        if name == "setup.py":
            return None, list(_setup(path, ast.parse(text)))
        return _ini(path, name, text)
    except UnicodeDecodeError as error:
        raise _UnreadableError(f"It is not UTF-8 (byte {error.start}).") from error
    except tomllib.TOMLDecodeError as error:
        raise _UnreadableError(f"It is no valid TOML: {error}.") from error
    except configparser.Error as error:
        line = getattr(error, "lineno", 0) or 0
        raise _UnreadableError(f"It is no valid INI file: {error.message}.", line) from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _UnreadableError(f"It does not parse: {error}.", getattr(error, "lineno", 0) or 0) from error


def _toml(path: str, text: str) -> tuple[dict[str, Any] | None, list[EntryPoint]]:
    document = tomllib.loads(text)
    pytest_table = _table(document, "tool", "pytest")
    options = pytest_table.get("ini_options") if pytest_table else None
    if options is None and any(not isinstance(value, dict) for value in pytest_table.values()):
        options = pytest_table  # pytest 9 reads [tool.pytest] itself
    entries: list[EntryPoint] = []
    project = _table(document, "project")
    for group, table in (
        ("console_scripts", _table(project, "scripts")),
        ("gui_scripts", _table(project, "gui-scripts")),
        ("console_scripts", _table(document, "tool", "poetry", "scripts")),
        *_table(project, "entry-points").items(),
        *_table(document, "tool", "poetry", "plugins").items(),
    ):
        for name, target in table.items() if isinstance(table, dict) else ():
            if isinstance(target, str):
                entries.append(EntryPoint(path, group, name, target))
    return (options if isinstance(options, dict) else None), entries


def _table(value: object, *names: str) -> dict[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _ini(path: str, name: str, text: str) -> tuple[dict[str, Any] | None, list[EntryPoint]]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = lambda option: option  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    section = _SECTIONS[name]
    options = dict(parser[section]) if parser.has_section(section) else None
    if options is None and name in ("pytest.ini", ".pytest.ini"):
        options = {}  # an empty pytest.ini marks the root all the same
    entries: list[EntryPoint] = []
    if name == "setup.cfg" and parser.has_section("options.entry_points"):
        for group, lines in parser["options.entry_points"].items():
            entries.extend(_lines(path, group, lines))
    return options, entries


def _lines(path: str, group: str, lines: str) -> Iterator[EntryPoint]:
    for line in lines.splitlines():
        name, equals, target = line.partition("=")
        if equals and target.strip():
            yield EntryPoint(path, group, name.strip(), target.strip())


def _setup(path: str, tree: ast.Module) -> Iterator[EntryPoint]:
    """Entry points that `setup(...)` is given as literals."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "setup":
            for keyword in node.keywords:
                if keyword.arg == "entry_points" and isinstance(keyword.value, ast.Dict):
                    for group, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                        if isinstance(group, ast.Constant):
                            lines = [item.value for item in ast.walk(value) if isinstance(item, ast.Constant)]
                            for line in lines:
                                yield from _lines(path, str(group.value), str(line))


def _settings(root: str, options: Mapping[str, Any]) -> Settings:
    words = {name: _words(options.get(name)) for name in _OPTIONS}
    return Settings(
        root,
        words["python_files"] or _DEFAULT.files,
        words["python_classes"] or _DEFAULT.classes,
        words["python_functions"] or _DEFAULT.functions,
        tuple(path.strip("/").removeprefix("./") for path in words["testpaths"]),
        words["norecursedirs"] or _DEFAULT.not_entered,
        tuple(_plugins(words["addopts"])),
    )


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value, comments=False))
        except ValueError:  # a quote that is not closed: take the words as they are
            return tuple(value.split())
    if isinstance(value, (list, tuple)):
        return tuple(str(item) for item in value)
    return ()


def _plugins(options: Iterable[str]) -> Iterator[str]:
    after = False
    for word in options:
        name = word if after else word[2:] if word.startswith("-p") and len(word) > 2 else ""
        after = word == "-p"
        if name and not name.startswith("no:"):
            yield name
