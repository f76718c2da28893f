"""Unified diffs, read from bytes; `graph.patch` applies them.

The formats are those of POSIX `diff -u` and of git (git-diff, "Generating patch text with -p"):
with or without `diff --git` headers, prefixes and time stamps; quoted names; renames, copies,
new and deleted files, mode changes, missing newlines at the end. A hunk's length is what its
header says, so that a removed line `-- x` is never taken for a file header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from graph.errors import DiffError

_NOTHING = "/dev/null"
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_MOVED = re.compile(rb"(rename|copy) (from|to) (.+)", re.DOTALL)
_EPOCH = re.compile(rb"\t(?:1969-12-31|1970-01-01)[ T]")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


class Hunk(NamedTuple):
    """A run of lines: `lines` are (origin, content), the origin one of b" ", b"-" and b"+".

    Content keeps its line end, and has none where the diff says that the file ends without one.
    `at` is the 1-based line of its header in the diff.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[tuple[bytes, bytes], ...]
    at: int

    @property
    def header(self) -> str:
        """The header as diff would write it."""
        return f"@@ -{self.old_start},{self.old_count} +{self.new_start},{self.new_count} @@"

    @property
    def before(self) -> list[bytes]:
        """The lines that must be there."""
        return [content for origin, content in self.lines if origin != b"+"]

    @property
    def after(self) -> list[bytes]:
        """The lines that stand there afterwards."""
        return [content for origin, content in self.lines if origin != b"-"]


@dataclass(slots=True)
class FilePatch:
    """What a diff says of one file.

    Names are as written, prefix and all, unless `exact`: those of renames and copies carry no
    prefix, nor do those of `git diff --no-prefix`. `old` or `new` is None for a file that was
    not there before or is not there after.
    """

    old: str | None
    new: str | None
    at: int
    exact: bool = False
    renamed: bool = False
    copied: bool = False
    binary: bool = False
    old_mode: str = ""
    new_mode: str = ""
    hunks: tuple[Hunk, ...] = ()

    @property
    def name(self) -> str:
        """A name to show."""
        return self.new or self.old or "?"


def unquote(name: bytes) -> bytes:
    """A file name as git and GNU diff quote it in C style, unquoted; others come back as they are."""
    match = _QUOTED.fullmatch(name)
    if match is None:
        return name

    def plain(escape: re.Match[bytes]) -> bytes:
        code = escape[1]
        return bytes([int(code, 8)]) if len(code) == 3 else _ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, match[1])


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


class _Reader:
    """A cursor over the lines of a diff."""

    def __init__(self, data: bytes) -> None:
        self.lines = split(data)
        self.place = 0
        self.patches: list[FilePatch] = []
        self.current: FilePatch | None = None
        self.named = False
        """Has the current patch had its `---` and `+++` lines?"""

    def read(self) -> list[FilePatch]:
        """All file patches, in order."""
        while self.place < len(self.lines):
            line = self.lines[self.place].rstrip(b"\r\n")
            if line.startswith(b"diff --git "):
                self.open_git(line)
            elif line.startswith((b"diff --cc ", b"diff --combined ", b"@@@ ")):
                raise DiffError(
                    f"Line {self.place + 1} of the diff is of a combined diff (a merge and all its parents).",
                    "Make a diff against one parent: git diff COMMIT^1 COMMIT.",
                )
            elif line.startswith(b"--- ") and self.follows(b"+++ "):
                self.open_plain(line)
            elif _HUNK.match(line):
                self.read_hunk(line)
            elif self.current is not None and not self.current.hunks:
                self.read_extended(line, self.current)
            self.place += 1
        return self.patches

    def follows(self, start: bytes) -> bool:
        """Does the next line begin so?"""
        return self.place + 1 < len(self.lines) and self.lines[self.place + 1].startswith(start)

    def begin(self, old: str | None, new: str | None) -> FilePatch:
        """Open the patch of another file."""
        self.current = FilePatch(old, new, self.place + 1)
        self.patches.append(self.current)
        self.named = False
        return self.current

    def open_git(self, line: bytes) -> None:
        """`diff --git a/x b/x`: its names count only where no other line gives them.

        Both names are the same but for prefixes of the same length wherever that is so, so the
        middle tells them apart whatever blanks they hold.
        """
        rest = line[len(b"diff --git ") :]
        quoted = _QUOTED.match(rest)
        if quoted is not None:
            old, new = rest[: quoted.end()], rest[quoted.end() + 1 :]
        else:
            half = len(rest) // 2
            old, new = rest[:half], rest[half + 1 :]
        patch = self.begin(_text(unquote(old)), _text(unquote(new)))
        patch.exact = patch.old == patch.new

    def open_plain(self, line: bytes) -> None:
        """`--- x` and `+++ y`: the names of the open patch, or of one that has no git header."""
        names = []
        for header in (line, self.lines[self.place + 1].rstrip(b"\r\n")):
            written, tab, _ = header[4:].partition(b"\t")
            name = _text(unquote(written.rstrip() if not tab else written))
            names.append(None if name == _NOTHING or _EPOCH.search(header) else name)
        old, new = names
        if old is None and new is None:
            raise DiffError(
                f"Lines {self.place + 1} and {self.place + 2} of the diff name no file on either side.",
                "One of the two must be a file.",
            )
        patch = self.current
        if patch is None or self.named:
            self.begin(old, new)
        elif not (patch.renamed or patch.copied):
            patch.old, patch.new = old, new
        self.named = True
        self.place += 1

    def read_extended(self, line: bytes, patch: FilePatch) -> None:
        """The lines of git between its header and the first hunk."""
        moved = _MOVED.match(line)
        if moved is not None:
            setattr(patch, "old" if moved[2] == b"from" else "new", _text(unquote(moved[3])))
            patch.exact = True
            patch.copied = moved[1] == b"copy"
            patch.renamed = not patch.copied
            return
        mode = line.rpartition(b" ")[2].decode("ascii", "replace")
        if line.startswith(b"new file mode "):
            patch.old, patch.new_mode = None, mode
        elif line.startswith(b"deleted file mode "):
            patch.new, patch.old_mode = None, mode
        elif line.startswith(b"old mode "):
            patch.old_mode = mode
        elif line.startswith(b"new mode "):
            patch.new_mode = mode
        elif line.startswith(b"index ") and line.count(b" ") == 2:
            patch.old_mode = patch.new_mode = mode
        elif line == b"GIT binary patch" or (line.startswith(b"Binary files ") and line.endswith(b" differ")):
            patch.binary = True

    def read_hunk(self, line: bytes) -> None:
        """A hunk, as long as its header says; the cursor ends on its last line."""
        match = _HUNK.match(line)
        at = self.place + 1
        patch = self.current
        if match is None or patch is None:
            raise DiffError(
                f"Line {at} of the diff begins a hunk, but no file was named before it.",
                "Keep the lines --- and +++ of each file.",
            )
        # A count that is not written is 1; one that is written may be 0.
        olds, news = int(match[2] or 1), int(match[4] or 1)
        bare = Hunk(int(match[1]), olds, int(match[3]), news, (), at)
        lines: list[tuple[bytes, bytes]] = []
        while olds or news:
            self.place += 1
            if self.place >= len(self.lines):
                raise _short(patch, len(patch.hunks) + 1, at)
            origin, content = _split_line(self.lines[self.place])
            if origin == b"\\" and lines:
                lines[-1] = _unended(lines[-1])
                continue
            olds -= origin in b" -"
            news -= origin in b" +"
            if origin not in b" -+" or olds < 0 or news < 0:
                raise _short(patch, len(patch.hunks) + 1, at)
            lines.append((origin, content))
        if lines and self.follows(b"\\"):
            self.place += 1
            lines[-1] = _unended(lines[-1])
        patch.hunks += (bare._replace(lines=tuple(lines)),)


def split(data: bytes) -> list[bytes]:
    """Lines with their ends, by newline alone: a carriage return is content."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _split_line(line: bytes) -> tuple[bytes, bytes]:
    """Origin and content; editors that strip blanks leave an empty line where ` ` stood alone."""
    if line in (b"\n", b"\r\n"):
        return b" ", line
    return line[:1], line[1:] if line.endswith(b"\n") else line[1:] + b"\n"


def _unended(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    return line[0], line[1].removesuffix(b"\n")


def _short(patch: FilePatch, number: int, at: int) -> DiffError:
    return DiffError(
        f"Hunk {number} of {patch.name} (line {at} of the diff) is not as long as its header says.",
        "The diff was cut off or edited; make it again.",
    )


def parse(data: bytes) -> list[FilePatch]:
    """The file patches of a diff, in its order; [] for a diff that is empty.

    Text around and between them (a mail's head, `git log`'s lines) is passed over, as `patch`
    and `git apply` do.

    Raises
    ------
    DiffError
        Not a diff, a combined diff, or one that was cut off; nothing else, whatever the bytes.
    """
    patches = _Reader(data).read()
    if not patches and data.strip():
        raise DiffError(
            "This is not a unified diff: no file header and no hunk was found.",
            "Hand over what `git diff` or `diff -u` prints.",
        )
    return patches
