"""Clones on this machine: what they are called, and which repository was indexed from which."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from graph.errors import InputError
from graph.facts import Scope
from graph.ingest.clone import locate
from graph.ingest.notebook import replace_file
from graph.workspace import Workspace

NAME_LIMIT = 63


def repository_name(place: Path) -> str:
    """What a clone is called where nobody says: its folder's name, without `.git` at its end.

    Raises
    ------
    RepositoryError
        There is no clone at that place.
    """
    folder = locate(place).root.name.removesuffix(".git")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder).strip("-._")[:NAME_LIMIT]
    return name or "repository"


def check_name(name: str) -> str:
    """A repository's name as given.

    Raises
    ------
    InputError
        It could not stand in keys and paths.
    """
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_LIMIT - 1}}}", name):
        raise InputError(
            f"{name!r} cannot name a repository.",
            f"Use letters, digits, dots, dashes and underscores, at most {NAME_LIMIT}.",
        )
    return name


def folders(workspace: Workspace, tenant: str) -> list[Scope]:
    """Repositories that have a folder here, by name."""
    folder = workspace.of(Scope(tenant, "x")).parent
    if not folder.is_dir():
        return []
    return [Scope(tenant, unquote(entry.name)) for entry in sorted(folder.iterdir()) if entry.is_dir()]


def clone_of(workspace: Workspace, scope: Scope) -> Path | None:
    """The clone that a repository was last indexed from."""
    try:
        return Path(os.fsdecode((workspace.of(scope) / "clone").read_bytes()))
    except OSError:
        return None


def remember_clone(workspace: Workspace, scope: Scope, source: Path) -> None:
    """Note which clone a repository was indexed from."""
    replace_file(workspace.of(scope) / "clone", os.fsencode(locate(source).root))


def check_same_clone(workspace: Workspace, scope: Scope, source: Path, named: bool) -> None:
    """Two clones whose folders have one name must not take turns in one place by accident: InputError."""
    known = clone_of(workspace, scope)
    if named or known is None or known == locate(source).root or not known.exists():
        return
    raise InputError(
        f"{scope.repository} is the name of {known}, which is indexed already.",
        "Give this one a name of its own: maestro index PATH --name NAME.",
    )


def room(folder: Path) -> int:
    """Bytes that the files below a folder hold."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:  # gone since it was listed
            continue
    return total
