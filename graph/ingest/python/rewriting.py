"""What the type engine is shown instead of a definition's header, so that it can follow more.

A decorator that comes from outside the repository and the standard library makes the name it
decorates unknown to the engine; blanked, the function keeps its own type. A test's parameter has
no type of its own; a default that evaluates to what the fixture makes gives it one. Lines never
move; bytes that were put in are recorded, so that columns can be mapped back.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from graph.ingest.python.records import Site

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Header(NamedTuple):
    """What to show instead of one definition's header."""

    line: int
    """First line of the definition, decorators included."""
    mark: int
    """Line of its `def` or `class`."""
    parameters: Mapping[str, str] = {}
    """Parameter name to the expression that becomes its default."""
    blanked: frozenset[str] = frozenset()
    """Dotted names of decorators to take away."""
    properties: frozenset[str] = frozenset()
    """Dotted names of decorators to read as `property`."""


class Insertion(NamedTuple):
    """Bytes put in at a place of the original text: 1-based line, 0-based byte column."""

    line: int
    column: int
    length: int


class Rewritten(NamedTuple):
    """A text as the engine sees it, and how to find back."""

    text: bytes
    insertions: tuple[Insertion, ...]


def transcode(data: bytes) -> bytes | None:
    """A source file as UTF-8 with plain line ends, lines unmoved; None where it has no text."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if not data.isascii():
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            if encoding not in ("utf-8", "utf-8-sig"):
                data = data.decode(encoding).encode("utf-8")
            else:
                data.decode("utf-8")
        except (SyntaxError, UnicodeError, LookupError):
            return None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def rewrite(text: bytes, headers: Iterable[Header], *, imported: str, unknown: str) -> Rewritten:
    """Show other headers.

    Parameters
    ----------
    text : bytes
        UTF-8 source with plain line ends.
    headers : iterable of Header
        What to show; a header that does not parse is left as it is.
    imported : str
        Module that the expressions use; imported after the last line where one was put in.
    unknown : str
        Expression of unknown type, for parameters that now need a default.
    """
    lines = text.split(b"\n")
    insertions: list[_Insert] = []
    for header in headers:
        node = _parse(lines, header)
        if node is None:
            continue
        _blank(lines, header, node)
        if header.parameters and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            insertions += _defaults(header, node, unknown)
    insertions.sort()
    if insertions:
        for place in reversed(insertions):
            line = lines[place.line - 1]
            lines[place.line - 1] = line[: place.column] + place.text + line[place.column :]
        lines.append(f"import {imported}\n".encode())
    return Rewritten(
        b"\n".join(lines), tuple(Insertion(place.line, place.column, len(place.text)) for place in insertions)
    )


class Origin:
    """From positions in a rewritten text back to the original; built once a file."""

    def __init__(self, insertions: Sequence[Insertion]) -> None:
        self._lines: dict[int, list[Insertion]] = {}
        for insertion in insertions:
            self._lines.setdefault(insertion.line, []).append(insertion)

    def site(self, site: Site) -> Site | None:
        """The span in the original; None where it lies wholly in what was put in."""
        if site.line not in self._lines and site.end_line not in self._lines:
            return site
        begin = self._column(site.line, site.column)
        end = self._column(site.end_line, site.end_column)
        if (site.line, begin) >= (site.end_line, end):
            return None
        return Site(site.line, begin, site.end_line, end)

    def _column(self, line: int, column: int) -> int:
        shift = 0
        for insertion in self._lines.get(line, ()):
            begin = insertion.column + shift
            if column <= begin:
                break
            if column < begin + insertion.length:
                return insertion.column
            shift += insertion.length
        return column - shift


class _Insert(NamedTuple):
    line: int
    column: int
    text: bytes


def _parse(lines: list[bytes], header: Header) -> _Definition | None:
    """The header's own tree; lines in it count from 1 for the header's first."""
    if not 0 < header.line <= header.mark <= len(lines):
        return None
    end = _colon(lines, header.mark)
    if end is None:
        return None
    line, column = end
    chunk = [*lines[header.line - 1 : line - 1], lines[line - 1][:column] + b": pass"]
    if chunk[0][:1] in (b" ", b"\t"):
        chunk.insert(0, b"if 1:")
    else:
        chunk.insert(0, b"")
    try:
        tree = ast.parse(b"\n".join(chunk))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    body = tree.body[0].body if isinstance(tree.body[0], ast.If) else tree.body
    node = body[0]
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else None


def _colon(lines: list[bytes], mark: int) -> tuple[int, int] | None:
    """Line and column of the colon that ends the header which starts on line `mark`."""
    depth = 0
    quote = b""
    for number in range(mark, min(mark + 200, len(lines)) + 1):
        line = lines[number - 1]
        column = 0
        while column < len(line):
            letter = line[column : column + 1]
            if quote:
                if letter == b"\\":
                    column += 1
                elif line.startswith(quote, column):
                    column += len(quote) - 1
                    quote = b""
            elif letter in b"\"'":
                quote = letter * 3 if line.startswith(letter * 3, column) else letter
                column += len(quote) - 1
            elif letter == b"#":
                break
            elif letter in b"([{":
                depth += 1
            elif letter in b")]}":
                depth -= 1
            elif letter == b":" and depth == 0:
                return number, column
            column += 1
    return None


def _blank(lines: list[bytes], header: Header, node: _Definition) -> None:
    for decorator in node.decorator_list:
        name = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if name not in header.blanked and name not in header.properties:
            continue
        first = header.line + decorator.lineno - 2
        last = header.line + (decorator.end_lineno or decorator.lineno) - 2
        for number in range(first, last + 1):
            line = lines[number - 1]
            begin = decorator.col_offset if number == first else 0
            end = (decorator.end_col_offset or 0) if number == last else len(line)
            lines[number - 1] = line[:begin] + b" " * (end - begin) + line[end:]
        sign = lines[first - 1].rfind(b"@", 0, decorator.col_offset)
        if sign < 0:
            continue
        as_property = name in header.properties and first == last
        shown = b"@property" if as_property else b" "
        width = (decorator.end_col_offset or 0) - sign
        if as_property and width < len(shown):
            shown = b" "
        line = lines[first - 1]
        lines[first - 1] = line[:sign] + shown + line[sign + len(shown) :]


def _defaults(header: Header, node: ast.FunctionDef | ast.AsyncFunctionDef, unknown: str) -> list[_Insert]:
    inserts: list[_Insert] = []

    def put(argument: ast.arg, expression: str) -> None:
        line = header.line + (argument.end_lineno or argument.lineno) - 2
        inserts.append(_Insert(line, argument.end_col_offset or 0, f"={expression}".encode()))

    positional = [*node.args.posonlyargs, *node.args.args]
    bare = positional[: len(positional) - len(node.args.defaults)]
    begun = False
    for argument in bare:
        expression = "" if argument.annotation else header.parameters.get(argument.arg, "")
        begun = begun or bool(expression)
        if begun:
            put(argument, expression or unknown)
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        expression = header.parameters.get(argument.arg, "")
        if expression and default is None and argument.annotation is None:
            put(argument, expression)
    return inserts


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an expression that is written so; else empty."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def characters(line: bytes, column: int) -> int:
    """A byte column of a UTF-8 line as a column in characters."""
    return len(line[:column].decode("utf-8", "replace"))
