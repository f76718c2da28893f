"""Which language a file is in, and which languages have a reader.

A later language is one entry in `READERS`, and the reader itself. A language that is listed but
not live is named and counted, so that what a graph does not cover is said aloud.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reader:
    """A language and how its files are told.

    Parameters
    ----------
    language : str
        Its name in File nodes, lower case.
    extensions : tuple of str
        Endings of file names with the dot, lower case; the longest that fits wins.
    names : tuple of str
        Whole file names.
    shebangs : tuple of str
        Names of interpreters after `#!`, without version numbers.
    live : bool
        Whether Maestro reads it.
    sentence : str
        What is read of it, for people.
    """

    language: str
    extensions: tuple[str, ...]
    names: tuple[str, ...] = ()
    shebangs: tuple[str, ...] = ()
    live: bool = False
    sentence: str = "Known, but there is no reader for it yet."


def _known(language: str, extensions: str, names: str = "", shebangs: str = "") -> Reader:
    return Reader(language, tuple(extensions.split()), tuple(names.split()), tuple(shebangs.split()))


READERS: dict[str, Reader] = {
    reader.language: reader
    for reader in (
        Reader(
            "python",
            (".py", ".pyw", ".pyi"),
            (),
            ("python", "pypy"),
            True,
            "Symbols, calls, references, imports, tests and fixtures.",
        ),
        _known("c", ".c .h"),
        _known("c#", ".cs"),
        _known("c++", ".cc .cpp .cxx .hh .hpp .hxx .inl .ipp"),
        _known("clojure", ".clj .cljs .cljc"),
        _known("cuda", ".cu .cuh"),
        _known("cython", ".pyx .pxd .pxi"),
        _known("dart", ".dart"),
        _known("elixir", ".ex .exs", "", "elixir"),
        _known("erlang", ".erl .hrl", "", "escript"),
        _known("fortran", ".f .f90 .f95 .for"),
        _known("go", ".go"),
        _known("groovy", ".groovy .gradle", "Jenkinsfile", "groovy"),
        _known("haskell", ".hs .lhs", "", "runhaskell"),
        _known("java", ".java"),
        _known("javascript", ".js .cjs .mjs .jsx", "", "node deno bun"),
        _known("julia", ".jl", "", "julia"),
        _known("kotlin", ".kt .kts"),
        _known("lua", ".lua", "", "lua luajit"),
        _known("objective-c", ".m .mm"),
        _known("ocaml", ".ml .mli"),
        _known("perl", ".pl .pm .t", "", "perl"),
        _known("php", ".php .phtml", "", "php"),
        _known("powershell", ".ps1 .psm1", "", "pwsh"),
        _known("protocol buffers", ".proto"),
        _known("r", ".r", "", "Rscript"),
        _known("ruby", ".rb .rake .gemspec", "Rakefile Gemfile", "ruby"),
        _known("rust", ".rs"),
        _known("scala", ".scala .sc", "", "scala"),
        _known("shell", ".sh .bash .zsh .ksh", "", "sh bash zsh dash ksh"),
        _known("sql", ".sql"),
        _known("svelte", ".svelte"),
        _known("swift", ".swift"),
        _known("terraform", ".tf"),
        _known("typescript", ".ts .tsx .mts .cts"),
        _known("vue", ".vue"),
        _known("zig", ".zig"),
    )
}

_BY_EXTENSION = {extension: r.language for r in READERS.values() for extension in r.extensions}
_BY_NAME = {name: r.language for r in READERS.values() for name in r.names}
_BY_SHEBANG = {name: r.language for r in READERS.values() for name in r.shebangs}
_SHEBANG = re.compile(rb"#!\s*(\S+)([^\n\r]*)")


def language_of(path: str) -> str:
    """Language of a path by its file name alone; empty where the name does not tell."""
    name = path.rpartition("/")[2]
    if language := _BY_NAME.get(name):
        return language
    dot = name.find(".", 1)
    while dot > 0:
        if language := _BY_EXTENSION.get(name[dot:].lower()):
            return language
        dot = name.find(".", dot + 1)
    return ""


def language_of_shebang(data: bytes) -> str:
    """Language by a script's first line (`#!/usr/bin/env -S python3.11 -u`); empty where it has none."""
    match = _SHEBANG.match(data[:256])
    if not match:
        return ""
    program = match[1].decode("ascii", "replace").rpartition("/")[2]
    if program == "env":
        words = match[2].decode("ascii", "replace").split()
        program = next((word for word in words if not word.startswith("-") and "=" not in word), "")
        program = program.rpartition("/")[2]
    return _BY_SHEBANG.get(program.rstrip("0123456789."), "") or _BY_SHEBANG.get(program, "")
