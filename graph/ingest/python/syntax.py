"""One Python file to its record: a pure function of the file's bytes that never raises.

Reads with CPython's own parser, which is fast and right by definition; what it cannot read (other
languages, Python 2, syntax newer than the interpreter, nesting beyond its stack) becomes a diagnosis.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import warnings
from hashlib import blake2b

import msgspec

from graph.ingest.python import frameworks
from graph.ingest.python.digests import EMPTY, conditions, seal
from graph.ingest.python.module import Fault, ModuleRecord, Uses
from graph.ingest.python.outline import Outline
from graph.ingest.python.records import Definition
from graph.ingest.python.uses import Visitor
from graph.memory import uncollected
from graph.schema import Sort

__all__ = ["SYNTAX_VERSION", "Fault", "ModuleRecord", "decode", "encode", "parse"]

SYNTAX_VERSION = 2
"""Part of the key of cached records: raised whenever the same bytes would make another record."""

MAX_BYTES = 8_000_000
MAX_LINE = 500_000
"""A tree takes a few hundred bytes of memory a token: longer lines are data, not code."""

DEPTH = 20_000
"""Frames allowed while a tree is walked; calls between Python functions do not use the C stack."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ModuleRecord)


def encode(record: ModuleRecord) -> bytes:
    """A record as MessagePack, for the cache of records by content digest."""
    return _ENCODER.encode(record)


def decode(data: bytes) -> ModuleRecord:
    """The record of `encode`.

    Raises
    ------
    msgspec.DecodeError
        When the bytes are damaged or of another version: parse the file again.
    """
    return _DECODER.decode(data)


def parse(path: str, data: bytes) -> ModuleRecord:
    """Read one file; `path` only names it in messages and is not kept in the record."""
    limit = sys.getrecursionlimit()
    try:
        with uncollected():
            tree, text = _tree(data)
            sys.setrecursionlimit(max(limit, DEPTH))
            return _record(tree, text)
    except _Unreadable as error:
        return _bare(error.fault, data)
    except SyntaxError as error:
        return _bare(_fault_of(error, data), data)
    except (RecursionError, MemoryError):
        hint = "Generated data belongs in a data file; nothing else needs doing."
        return _bare(
            Fault("python.nesting", "The code is nested deeper than can be followed.", hint, 0), data
        )
    except (ValueError, LookupError) as error:
        message = f"The file cannot be decoded as Python source: {error}."
        return _bare(Fault("python.encoding", message, "Save it as UTF-8, or declare its encoding.", 0), data)
    finally:
        sys.setrecursionlimit(limit)


class _Unreadable(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _tree(data: bytes) -> tuple[ast.Module, str]:
    """The tree and the text whose lines it counts."""
    if b"\0" in data:
        hint = "It is not Python source; rename it or leave it out."
        raise _Unreadable(Fault("python.binary", "The file holds null bytes.", hint, 0))
    if len(data) > MAX_BYTES:
        message = f"The file has {len(data):,} bytes; code is read up to {MAX_BYTES:,}."
        raise _Unreadable(Fault("python.size", message, "Keep large tables in data files.", 0))
    if len(data) > MAX_LINE and max(map(len, data.split(b"\n"))) > MAX_LINE:
        message = f"A line is longer than {MAX_LINE:,} bytes: generated, or data."
        raise _Unreadable(Fault("python.line", message, "Keep large tables in data files.", 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(data)
    return tree, _text(data)


def _text(data: bytes) -> str:
    """Source text with `\\n` ends of lines, as the parser counts them."""
    if data.isascii():
        text = data.decode("ascii")
    else:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _record(tree: ast.Module, text: str) -> ModuleRecord:
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    outline = Outline(tree, lines, ":=" in text)
    definitions, borrowed = seal(outline, tree)
    if not text.isascii():
        definitions = [_in_characters(item, lines) for item in definitions]
    uses = Visitor(outline, lines, text.isascii()).run(tree)
    traits = frameworks.collect(tree, definitions)
    return ModuleRecord(definitions, uses, traits, None, len(lines), borrowed, conditions(outline))


def _in_characters(definition: Definition, lines: list[str]) -> Definition:
    """The parser counts columns in UTF-8 bytes; records count characters."""
    if not 0 < definition.mark <= len(lines) or lines[definition.mark - 1].isascii():
        return definition
    column = characters(lines[definition.mark - 1], definition.name_column)
    return msgspec.structs.replace(definition, name_column=column)


def characters(line: str, column: int) -> int:
    """A column in UTF-8 bytes as a column in characters."""
    return len(line.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))


def _bare(fault: Fault, data: bytes) -> ModuleRecord:
    """Record of a file without a tree: the module alone, its digest that of the bytes."""
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    code = digest_of(data)
    module = Definition("<module>", 0, Sort.MODULE, 1, 1, max(1, lines), 0, -1, code, EMPTY, EMPTY, EMPTY)
    return ModuleRecord([module], Uses([], [], [], [], [], None, []), None, fault, max(1, lines))


def digest_of(data: bytes) -> str:
    """Eight hexadecimal characters that stand for a file's bytes."""
    return blake2b(data, digest_size=4).hexdigest()


def _fault_of(error: SyntaxError, data: bytes) -> Fault:
    line = error.lineno or 0
    message = f"Not valid Python {sys.version_info[0]}.{sys.version_info[1]}: {error.msg}."
    if "too many nested" in (error.msg or "") or "stack overflow" in (error.msg or ""):
        return Fault("python.nesting", message, "Generated data belongs in a data file.", line)
    if "encod" in (error.msg or "") or "codec" in (error.msg or ""):
        return Fault("python.encoding", message, "Save it as UTF-8, or declare its encoding.", line)
    if _is_python2(error.msg or ""):
        return Fault(
            "python.version", message, "It looks like Python 2; such files are listed, not read.", line
        )
    hint = "Fix the syntax, or run Maestro on a newer Python if the code is newer than it."
    return Fault("python.syntax", message, hint, line)


def _is_python2(message: str) -> bool:
    signs = ("call to 'print'", "call to 'exec'", "multiple exception types", "leading zeros", "'<>'")
    return any(sign in message for sign in signs)
