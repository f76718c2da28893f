"""Applying the patches of a diff, in memory or to a git tree, as strictly as `git apply` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from graph.diff import FilePatch, Hunk, parse, split
from graph.errors import DiffError
from graph.ingest.git import Mirror
from graph.ingest.paths import path_text

_SYMLINK, _SUBMODULE = "120000", "160000"
"""Modes of what is no file."""
_HINT = "Give the revision that the diff was made on; nothing was changed."


class Edit(NamedTuple):
    """What applying a diff comes to: content by path (None: deleted), and what had none.

    `unread` are files that the diff says changed without saying how: binary ones, symbolic
    links and submodules.
    """

    contents: dict[str, bytes | None]
    unread: tuple[str, ...]


def _shown(line: bytes) -> str:
    shown = line.decode("utf-8", "backslashreplace")
    text = repr(shown if len(shown) <= 120 else shown[:117] + "...")
    return text if line.endswith(b"\n") else text + " (no newline at the end)"


def _stripped(name: str) -> str:
    """Without its first directory (`a/`, `b/`, `old/`)."""
    return name.partition("/")[2] or name


def _names(patch: FilePatch) -> list[tuple[str | None, str | None]]:
    """What the patch's names can mean as (old path, new path), likeliest first."""
    old, new = patch.old, patch.new
    if patch.exact:
        return [(old, new)]
    if old is None or new is None:
        name = old or new or ""
        bare = _stripped(name)
        both = [bare, name] if name[:2] in ("a/", "b/", "i/", "w/", "c/", "o/") else [name, bare]
        return [(path if old is not None else None, path if new is not None else None) for path in both]
    if old == new:
        return [(old, old), (_stripped(old), _stripped(old))]
    near = _stripped(old), _stripped(new)
    paths = [near[0]] if near[0] == near[1] else [near[1], new, near[0], old]
    return [(path, path) for path in paths]


def _located(patch: FilePatch, exists: Callable[[str], bool]) -> tuple[str | None, str | None]:
    """The patch's paths: the likeliest whose old path exists."""
    names = _names(patch)
    for old, new in names:
        if old is not None and exists(old):
            return old, new
    old, new = names[0]
    if old is None:
        return old, new
    if (
        not (patch.renamed or patch.copied)
        and patch.hunks
        and patch.hunks[0].old_start == 0 == patch.hunks[0].old_count
    ):
        return None, new
    raise DiffError(
        f"The diff changes {old} (line {patch.at} of the diff), but the revision has no such file.",
        _HINT,
    )


def _safe(path: str) -> str:
    if any(part in ("", ".", "..", ".git") for part in path.lower().split("/")) or "\0" in path:
        raise DiffError(
            f"The diff names {path!r}, which is no path inside a repository.", "Remove that file from it."
        )
    return path


def _fits(lines: Sequence[bytes], place: int, before: Sequence[bytes]) -> bool:
    return place >= 0 and list(lines[place : place + len(before)]) == list(before)


def _place(hunk: Hunk, lines: Sequence[bytes], expected: int, floor: int) -> int | None:
    """Where the hunk's old lines stand, from line `floor` on: where expected, or at the only other place.

    As in `git apply`, a hunk that claims the file's first lines fits only there, and one that
    has context before its change and none after only at the end. Fuzz there is none.
    """
    before = hunk.before
    origins = [origin for origin, _ in hunk.lines]
    at_end = bool(origins) and origins[0] == b" " != origins[-1]
    last = len(lines) - len(before)
    if expected >= floor and _fits(lines, expected, before) and (not at_end or expected == last):
        return expected
    if not before or b" " not in origins or hunk.old_start <= 1:
        return None
    places = [last] if at_end else range(floor, last + 1)
    found = [p for p in places if p >= floor and lines[p] == before[0] and _fits(lines, p, before)]
    return found[0] if len(found) == 1 else None


def patched(content: bytes, patch: FilePatch, path: str) -> bytes:
    """The content after all hunks of the patch.

    Raises
    ------
    DiffError
        A hunk does not fit; it names the file, the hunk, the line, and what was expected there.
    """
    lines = split(content)
    result: list[bytes] = []
    floor = shift = 0
    for number, hunk in enumerate(patch.hunks, 1):
        # A hunk without old lines says after which line it goes, others with which they begin.
        expected = hunk.old_start - (hunk.old_count > 0) + shift
        place = _place(hunk, lines, expected, floor)
        if place is None:
            raise _misfit(path, number, hunk, lines, expected)
        shift += place - expected
        result += lines[floor:place]
        result += hunk.after
        floor = place + len(hunk.before)
    result += lines[floor:]
    for line in result[:-1]:
        if not line.endswith(b"\n"):
            raise DiffError(
                f"After the diff, {path} would have a line without an end in its middle: {_shown(line)}.",
                "The diff was made on another version of the file.",
            )
    return b"".join(result)


def _misfit(path: str, number: int, hunk: Hunk, lines: Sequence[bytes], expected: int) -> DiffError:
    """Say which line of the hunk is the first that is not there."""
    where = f"Hunk {number} of {path} ({hunk.header}, line {hunk.at} of the diff) does not apply:"
    hint = _HINT
    for offset, wanted in enumerate(hunk.before):
        line = expected + offset
        have = lines[line] if 0 <= line < len(lines) else None
        if have != wanted:
            found = "the file ends before it" if have is None else f"found {_shown(have)}"
            if have is not None and have.rstrip(b"\r\n") == wanted.rstrip(b"\r\n"):
                hint = "Only the line ends differ (CRLF and LF, or a missing last newline). " + hint
            return DiffError(f"{where} expected {_shown(wanted)} at line {line + 1}, {found}.", hint)
    return DiffError(f"{where} the file goes on where the diff says that it ends.", hint)


def apply(patches: Iterable[FilePatch], read: Callable[[str], bytes | None]) -> Edit:
    """What the patches make of the files that `read` gives (None: no such file).

    Renames and copies start from what was there before the whole diff, all others from what the
    patches before them left; both as in git.

    Raises
    ------
    DiffError
        A patch does not fit; nothing is half done, since nothing is written here.
    """
    files = _Files(read)
    for patch in patches:
        files.take(patch)
    # What the diff itself added and took away again was never there to be taken away.
    contents = {p: data for p, data in files.contents.items() if data is not None or read(p) is not None}
    return Edit(contents, tuple(files.unread))


class _Files:
    """Files as they stand after the patches so far."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self.read = read
        self.contents: dict[str, bytes | None] = {}
        self.unread: dict[str, None] = {}

    def now(self, path: str) -> bytes | None:
        return self.contents[path] if path in self.contents else self.read(path)

    def take(self, patch: FilePatch) -> None:
        """Apply the patch of one file."""
        if _SUBMODULE in (patch.old_mode, patch.new_mode):
            self.unread[_safe(_names(patch)[0][1] or _names(patch)[0][0] or "")] = None
            return
        source = self.read if patch.renamed or patch.copied else self.now
        old, new = _located(patch, lambda path: source(path) is not None)
        for path in (old, new):
            if path is not None:
                _safe(path)
        before = (source(old) if old is not None else None) or b""
        if old is None and new is not None and self.now(new) is not None:
            raise DiffError(f"The diff adds {new} (line {patch.at} of the diff), which is there.", _HINT)
        # The old name of a rename may by now be the new name of another one.
        if (
            old is not None
            and old != new
            and not patch.copied
            and not (patch.renamed and self.contents.get(old) is not None)
        ):
            self.contents[old] = None
        if new is None:
            _check_deletion(patch, before, old or "")
        elif patch.binary or patch.new_mode == _SYMLINK:
            self.unread[new] = None
            if patch.binary and old is not None and old != new:
                self.contents[new] = before
        else:
            self.contents[new] = patched(before, patch, new)


def _check_deletion(patch: FilePatch, before: bytes, path: str) -> None:
    """A deleted file must be what the diff says it was."""
    if patch.binary or patch.old_mode == _SYMLINK or not patch.hunks:
        return
    if patched(before, patch, path):
        raise DiffError(
            f"The diff deletes {path} (line {patch.at} of the diff), but the file holds more than that.",
            _HINT,
        )


class Patched(NamedTuple):
    """The tree that a diff makes of another, the paths it touches, and what it left unsaid."""

    tree: str
    paths: tuple[str, ...]
    unread: tuple[str, ...]


def patch_tree(mirror: Mirror, tree: str, data: bytes) -> Patched:
    """Apply a diff to a tree of the mirror; the new tree is written to the mirror's own objects.

    Raises
    ------
    DiffError
        The bytes are no diff, or it does not fit that tree.
    """

    def read(path: str) -> bytes | None:
        entry = mirror.entry(tree, _kept_name(path))
        return mirror.blob(entry.blob) if entry is not None and entry.kind != "submodule" else None

    edit = apply(parse(data), read)
    contents = {_kept_name(path): content for path, content in edit.contents.items()}
    unread = tuple(map(_kept_name, edit.unread))
    new = mirror.tree_with(tree, contents) if contents else tree
    return Patched(new, tuple(sorted({*contents, *unread})), unread)


def _kept_name(path: str) -> str:
    """The path as Maestro writes it: see `graph.ingest.paths`."""
    return path_text(path.encode("utf-8", "surrogateescape"))
