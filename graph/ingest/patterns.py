"""The path patterns of CODEOWNERS files, compiled once, and fast over many files.

GitHub's are gitignore patterns without negation, ranges and an escaped `#`, and with one rule of
their own: a bare `*` as last component matches files of that folder only. GitLab's go through
Ruby's `File.fnmatch` with `FNM_PATHNAME` and `FNM_DOTMATCH`: unanchored ones match at any depth,
components may hold ranges, and a folder's contents are meant only with a slash at the end.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_STARS = 100
"""Wildcards of one pattern; more serve no purpose."""


class PatternError(ValueError):
    """A pattern that the host would reject; the message says why."""


class Pattern(NamedTuple):
    """A compiled pattern.

    `folder` is the literal folder below which alone it can match, with a slash at the end, or "";
    `name` is a whole component that matches at any depth, `suffix` the end of one (`*.py`);
    `inside` says that everything below a match matches too, `only_inside` that the match itself,
    being a folder, does not count. `regex` decides for the whole path.
    """

    regex: re.Pattern[str]
    folder: str
    name: str = ""
    suffix: str = ""
    only_inside: bool = False
    everything: bool = False


_MAGIC = re.compile(r"[*?\\\[]")


def compile_github(pattern: str) -> Pattern:
    """Compile a pattern as GitHub reads it.

    Raises
    ------
    PatternError
        It uses what CODEOWNERS does not have: `!`, `[ ]`, `\\#`, `***`.
    """
    if pattern.startswith("!"):
        raise PatternError("a pattern cannot be negated with `!`")
    if pattern.startswith("\\#"):
        raise PatternError("`#` cannot be escaped at the start of a pattern")
    if re.search(r"(?<!\\)\[", pattern):
        raise PatternError("character ranges in `[ ]` are not supported")
    if "***" in pattern or pattern.count("*") > MAX_STARS or len(pattern) > 4096:
        raise PatternError("the pattern has too many `*`")
    if pattern.endswith("\\") and not pattern.endswith("\\\\"):
        raise PatternError("the pattern ends in a backslash")
    parts = pattern.split("/")
    anchored = "/" in pattern.rstrip("/")
    folder_only = len(parts) > 1 and parts[-1] == ""
    parts = [part for part in parts if part]
    if not parts:
        return Pattern(re.compile(r"(?!)"), "/")
    if not anchored:
        return _floating(parts[0], folder_only)
    tail = r"/.*" if folder_only else "" if parts[-1] == "*" else r"(?:/.*)?"
    return Pattern(re.compile(_join(parts) + tail, re.DOTALL), _literal(parts))


def _floating(part: str, folder_only: bool) -> Pattern:
    """A single component: it matches at any depth."""
    tail = r"/.*" if folder_only else r"(?:/.*)?"
    regex = re.compile(r"(?:.*/)?" + (r"[^/]*" if part == "**" else _component(part)) + tail, re.DOTALL)
    if part in ("*", "**") and not folder_only:
        return Pattern(regex, "", everything=True)
    if not _MAGIC.search(part):
        return Pattern(regex, "", name=part, only_inside=folder_only)
    if part[0] == "*" and len(part) > 1 and not _MAGIC.search(part[1:]):
        return Pattern(regex, "", suffix=part[1:], only_inside=folder_only)
    return Pattern(regex, "")


def _literal(parts: list[str]) -> str:
    """The folders before the first wildcard."""
    found = []
    for part in parts[:-1]:
        if _MAGIC.search(part):
            break
        found.append(part + "/")
    return "".join(found)


def _join(parts: list[str], *, ranges: bool = False) -> str:
    """Components to a regular expression; `**` stands for any number of folders, none included.

    Between two `**` the leftmost place is as good as any, so what was matched there is never
    tried again (atomic groups): matching stays quadratic at worst, however hostile the pattern.
    """
    chunks: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            chunks.append([])
        else:
            chunks[-1].append(_component(part, ranges=ranges))
    first, *others = ["/".join(chunk) for chunk in chunks]
    if not others:
        return first
    *middle, last = others
    text = first + "/" if first else ""
    text += "".join(rf"(?>(?:[^/]*/)*?{chunk}/)" for chunk in middle if chunk)
    return text + (rf"(?:.*/)?{last}" if last else r".+")


def _component(part: str, *, ranges: bool = False) -> str:
    """One component to a regular expression; between two `*` too, the leftmost place will do."""
    if part == "*":
        return r"[^/]+"
    pieces = [""]
    place = 0
    while place < len(part):
        char = part[place]
        if char == "*":
            pieces.append("")
        elif char == "\\" and place + 1 < len(part):
            place += 1
            pieces[-1] += re.escape(part[place])
        elif char == "?":
            pieces[-1] += r"[^/]"
        elif char == "[" and ranges and (end := _range_end(part, place)):
            pieces[-1] += _range(part[place + 1 : end])
            place = end
        else:
            pieces[-1] += re.escape(char)
        place += 1
    if len(pieces) == 1:
        return pieces[0]
    inner = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{inner}[^/]*{pieces[-1]}(?=/|\\Z)"


def _range(inner: str) -> str:
    negated = inner[0] in "^!"
    body = re.sub(r"([\\\[\]&~|^])", r"\\\1", inner[1:] if negated else inner)
    return f"(?!/)[{'^' if negated else ''}{body}]"


def _range_end(part: str, start: int) -> int:
    """Index of the bracket that closes a range; 0 where none does."""
    first = start + 2 if part[start + 1 : start + 2] in ("^", "!") else start + 1
    end = part.find("]", first + 1)
    return max(end, 0)


def compile_gitlab(pattern: str) -> Pattern:
    """Compile a pattern as GitLab reads it; an exclusion's `!` is left out.

    Raises
    ------
    PatternError
        It is no pattern: empty, too many wildcards, a range that does not end in order.
    """
    bare = pattern.removeprefix("!")
    if not bare or bare.count("*") > MAX_STARS or len(bare) > 4096:
        raise PatternError("the pattern is empty or has too many `*`")
    if bare == "*":
        return Pattern(re.compile(r".*", re.DOTALL), "", everything=True)
    anchored = bare.startswith("/")
    folder_only = bare.endswith("/")
    parts = [part for part in bare.split("/") if part]
    if folder_only:
        parts += ["**", "*"]
    if not anchored:
        parts.insert(0, "**")
    try:
        # With FNM_PATHNAME only `**/` crosses folders; at the end `**` is a plain `*`.
        if parts and parts[-1] == "**":
            parts[-1] = "*"
        regex = re.compile(_join(parts, ranges=True), re.DOTALL)
    except re.error as error:
        raise PatternError(f"the range is malformed ({error})") from error
    return Pattern(regex, _literal(parts))


class Matcher:
    """Finds the last of many patterns that matches a path.

    Most patterns name a folder, a file name or an extension: those are looked up, not tried. What
    holds for everything below a folder is worked out once a folder.
    """

    def __init__(self, patterns: list[Pattern]) -> None:
        self._patterns = patterns
        self._everything = max((i for i, p in enumerate(patterns) if p.everything), default=-1)
        self._names: dict[str, list[int]] = {}
        self._suffixes: dict[str, list[int]] = {}
        self._folders: dict[str, list[int]] = {}
        for place, pattern in reversed(list(enumerate(patterns))):
            if pattern.everything:
                continue
            if pattern.name:
                self._names.setdefault(pattern.name, []).append(place)
            elif pattern.suffix:
                self._suffixes.setdefault(pattern.suffix, []).append(place)
            else:
                self._folders.setdefault(pattern.folder, []).append(place)
        self._lengths = sorted({len(suffix) for suffix in self._suffixes})
        self._below: dict[str, tuple[int, list[int]]] = {"": (self._everything, self._folders.get("", []))}

    def matches(self, place: int, path: str) -> bool:
        """Whether the pattern at a place matches a path."""
        return self._patterns[place].regex.fullmatch(path) is not None

    def last(self, path: str) -> int:
        """Index of the last pattern that matches a path; -1 where none does."""
        folder, slash, name = path.rpartition("/")
        best, candidates = self._inherit(folder + slash)
        best = max(best, self._component(name, only_inside=False))
        for place in candidates:
            if place <= best:
                break
            if self._patterns[place].regex.fullmatch(path):
                return place
        return best

    def _component(self, name: str, *, only_inside: bool) -> int:
        """The last pattern that one component decides; with `only_inside` it is a folder on the way."""
        best = -1
        for place in self._names.get(name, ()):
            if place > best and (only_inside or not self._patterns[place].only_inside):
                best = place
        for length in self._lengths:
            if length > len(name):
                break
            for place in self._suffixes.get(name[-length:], ()):
                if place > best and (only_inside or not self._patterns[place].only_inside):
                    best = place
        return best

    def _inherit(self, folder: str) -> tuple[int, list[int]]:
        """For a folder (with its slash): the last pattern all of it matches, and those to be tried."""
        missing = []
        while folder not in self._below:
            missing.append(folder)
            folder = folder[: folder.rfind("/", 0, -1) + 1]
        best, candidates = self._below[folder]
        for child in reversed(missing):
            name = child[len(folder) : -1]
            best = max(best, self._component(name, only_inside=True))
            if own := self._folders.get(child):
                candidates = sorted([*candidates, *own], reverse=True)
            self._below[child] = (best, candidates)
            folder = child
        return best, candidates
