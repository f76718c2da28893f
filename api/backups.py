"""Backups of everything, and restoring them: see `graph.backup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api import documents, examination
from graph import backup, indexing, restoration
from graph.progress import Progress

if TYPE_CHECKING:
    from api.service import Service


async def save(service: Service, folder: Path, progress: Progress) -> documents.Saved:
    """Save every repository in a new folder."""
    return _document(await backup.save(service.store, service.workspace, folder, progress), ())


async def restore(service: Service, folder: Path, progress: Progress) -> documents.Saved:
    """Put back what was saved, and look at it as `maestro doctor` does."""
    saved = await restoration.restore(service.store, service.workspace, folder, progress)
    wrong: list[str] = []
    for standing in await service.store.repositories():
        if standing.scope in saved.repositories:
            for family in sorted({"code" if name == "owners" else name for name in standing.heads}):
                await indexing.current_arrays(service.store, service.workspace, standing.scope, family)
            checks = await examination.look_at(service, standing)
            wrong += [f"{check.name}: {check.detail}" for check in checks if check.outcome == "wrong"]
    return _document(saved, tuple(wrong))


def _document(saved: backup.Saved, findings: tuple[str, ...]) -> documents.Saved:
    return documents.Saved(
        folder=str(saved.folder),
        repositories=tuple(scope.repository for scope in saved.repositories),
        facts=saved.facts,
        nodes=saved.nodes,
        bytes=saved.bytes,
        findings=findings,
    )
