"""The distributions of this environment: versions, which modules each brings, what each requires."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import PurePosixPath

from maestro_selection.recording import Distribution
from maestro_selection.requirements import normalised

# Extras that name what a distribution's own developers use: the distribution itself needs none of it.
DEVELOPING = frozenset(
    (
        *(
            "dev",
            "develop",
            "devel",
            "development",
            "ci",
            "release",
            "qa",
            "lint",
            "linting",
            "style",
            "format",
        ),
        *(
            "test",
            "tests",
            "testing",
            "check",
            "checks",
            "cover",
            "coverage",
            "enabler",
            "bench",
            "benchmark",
        ),
        *("doc", "docs", "documentation", "typing", "type", "types", "mypy", "benchmarks"),
    )
)
# Of setuptools and coverage, which are known to be part of every run.
KNOWN_STARTS = frozenset(("distutils-precedence.pth", "a1_coverage.pth"))
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


def distributions() -> dict[str, Distribution]:
    """Every installed distribution, by normalised name."""
    found: dict[str, Distribution] = {}
    starts = _starts()
    for each in metadata.distributions():
        told = each.metadata["Name"]
        if not told or normalised(told) in found:
            continue  # a broken one, or one that an earlier folder of sys.path hides
        if _is_in_place(each):
            continue  # the project itself, as a rule: its files are what is compared
        found[normalised(told)] = Distribution(
            each.version or "",
            tuple(sorted(_modules(each))),
            tuple(sorted(_needed(each.requires or ()))),
            any(entry.group == "pytest11" for entry in each.entry_points) or _is_started(each, starts),
        )
    return dict(sorted(found.items()))


def _is_in_place(distribution: metadata.Distribution) -> bool:
    """Whether it is installed by `pip install -e`."""
    return re.search(r'"editable"\s*:\s*true', distribution.read_text("direct_url.json") or "") is not None


def _starts() -> set[str]:
    """Files by which code runs when the interpreter starts."""
    found = set()
    for folder in filter(os.path.isdir, sys.path):
        for name in os.listdir(folder):
            if name.endswith(".pth") and name not in KNOWN_STARTS and not name.startswith("__editable__"):
                found.add(name)
    return found


def _is_started(distribution: metadata.Distribution, starts: set[str]) -> bool:
    if not starts:
        return False
    record = distribution.read_text("RECORD") or ""
    return any(f"\n{name}," in f"\n{record}" for name in starts)


def _needed(lines: Iterable[str]) -> set[str]:
    """The names that a distribution may use where they are installed."""
    used, developing = set(), set()
    for line in lines:
        named = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
        extras = {normalised(extra) for extra in _EXTRA.findall(line)}
        name = normalised(named.group()) if named else ""
        if not name:
            continue
        if extras and extras <= DEVELOPING:
            developing.add(name)
        elif extras != {"all"}:
            used.add(name)
        else:
            used.add(f"all {name}")
    # What stands under "all" is of another extra as well, as a rule.
    everything = {name[4:] for name in used if name.startswith("all ")}
    return {name for name in used if " " not in name} | (everything - developing)


def _modules(distribution: metadata.Distribution) -> set[str]:
    told = distribution.read_text("top_level.txt")
    if told:
        return {line.strip() for line in told.splitlines() if line.strip()}
    found = set()
    # The record is read as text: as objects, its files cost more than all the rest of a short run.
    for line in (distribution.read_text("RECORD") or "").splitlines():
        path = PurePosixPath(line.split(",", 1)[0].strip('"'))
        first = path.parts[0] if path.parts else ""
        if first in ("..", "") or first.endswith((".dist-info", ".data")) or first == "__pycache__":
            continue
        if len(path.parts) > 1:
            found.add(first)
        elif path.suffix in (".py", ".so", ".pyd"):
            found.add(first.split(".")[0])
    return {name for name in found if name.isidentifier()}


def interpreter() -> tuple[str, str, str]:
    """Version, implementation and platform of this Python."""
    return ".".join(map(str, sys.version_info[:3])), sys.implementation.name, sys.platform
