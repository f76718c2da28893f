"""The distributions of this environment: versions, which modules each brings, what each requires."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import PurePosixPath

from maestro_selection.recording import Distribution


def normalised(name: str) -> str:
    """A distribution's name as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions() -> dict[str, Distribution]:
    """Every installed distribution, by normalised name."""
    found: dict[str, Distribution] = {}
    for each in metadata.distributions():
        told = each.metadata["Name"]
        if not told or normalised(told) in found:
            continue  # a broken one, or one that an earlier folder of sys.path hides
        if _is_in_place(each):
            continue  # the project itself, as a rule: its files are what is compared
        found[normalised(told)] = Distribution(
            each.version or "",
            tuple(sorted(_modules(each))),
            tuple(sorted({_required(line) for line in each.requires or ()})),
            any(entry.group == "pytest11" for entry in each.entry_points),
        )
    return dict(sorted(found.items()))


def _is_in_place(distribution: metadata.Distribution) -> bool:
    """Whether it is installed by `pip install -e`."""
    return re.search(r'"editable"\s*:\s*true', distribution.read_text("direct_url.json") or "") is not None


def _required(line: str) -> str:
    named = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
    return normalised(named.group()) if named else ""


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
