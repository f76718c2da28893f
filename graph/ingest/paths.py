"""Paths of a repository as text that is always UTF-8, one line, and below the repository's root.

Git holds a path as bytes. Maestro holds it as text, in keys, in JSON and on screens. A component
is decoded as UTF-8; what cannot stand in such text is written `%XX`, one for each byte:

- bytes that are not UTF-8, control characters and NUL-like names;
- the components `.`, `..`, any spelling of `.git`, the empty component (written `%00`, a byte no
  name can hold) and a slash inside a component: crafted tree objects may hold all of these, and
  none may lead outside the repository or into a `.git` folder when somebody writes the path out;
- a percent sign that would otherwise read as such an escape.

Every other name, percent signs included, stays as it is. The mapping is one to one.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ESCAPE = re.compile(rb"%([0-9A-F]{2})")
_ODD = re.compile(rb"[\x00-\x1f\x7f/]|%(?=[0-9A-F]{2})")
_PLAIN = re.compile(rb"[A-Za-z0-9_+@ =,~()-][A-Za-z0-9_.+@ =,-]*")
_DOT_GIT = re.compile(rb"\.git[ .]*(:.*)?|git~1[ .]*(:.*)?", re.IGNORECASE | re.DOTALL)
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def _hex(byte: int) -> str:
    return f"%{byte:02X}"


def _is_git_folder(name: bytes) -> bool:
    """Whether some file system would take the name for `.git` (what git's own fsck refuses)."""
    if _DOT_GIT.fullmatch(name):
        return True
    if b"\xe2" in name or b"\xef" in name:
        plain = _IGNORED_BY_HFS.sub("", name.decode("utf-8", "replace"))
        return plain.casefold() == ".git"
    return False


@lru_cache(maxsize=1 << 16)
def component_text(name: bytes) -> str:
    """The text of one component of a path."""
    if _PLAIN.fullmatch(name) and name[:4].lower() != b"git~":
        return name.decode("ascii")
    if not name:
        return "%00"
    if name in (b".", b"..") or _is_git_folder(name):
        return _hex(name[0]) + _escape_rest(name[1:])
    return _escape_rest(name)


def _escape_rest(name: bytes) -> str:
    """Escape byte by byte what is not plain text; the names that are odd as a whole come before."""
    marked = _ODD.sub(lambda m: _hex(m[0][0]).encode(), name)
    text = marked.decode("utf-8", "surrogateescape")
    if text.isascii():
        return text
    return "".join(_hex(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in text)


def path_text(raw: bytes) -> str:
    """The text of a path that git holds as these bytes, slashes between components."""
    return "/".join(map(component_text, raw.split(b"/")))


def path_bytes(text: str) -> bytes:
    """The bytes git holds for a path of ours: the inverse of `path_text`."""
    return b"/".join(map(component_bytes, text.split("/")))


def component_bytes(text: str) -> bytes:
    """The bytes of one component: the inverse of `component_text`."""
    if "%" not in text:
        return text.encode("utf-8", "surrogateescape")
    if text == "%00":
        return b""
    return _ESCAPE.sub(lambda m: bytes((int(m[1], 16),)), text.encode("utf-8", "surrogateescape"))


def is_tame(text: str) -> bool:
    """Whether the path may be written out as it reads: nothing odd was escaped in it."""
    if "%" not in text:
        return True
    return not any(_is_odd(part) for part in text.split("/"))


def _is_odd(component: str) -> bool:
    raw = component_bytes(component)
    return not raw or raw in (b".", b"..") or b"/" in raw or _is_git_folder(raw)
