"""`maestro backup` and `maestro restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from api import documents
from api.commands.running import Json, answer
from api.console import Meter, answers
from api.listing import size
from api.rendering import plural

if TYPE_CHECKING:
    from api.service import Service

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the backup.")]


def backup(folder: Folder, json: Json = False) -> None:
    """Save every repository's facts, mirror and recordings in a new folder, while others read and write.

    Nothing of the store's own files is in it: it can be restored into the embedded server and into Neo4j.
    Array files and caches are left out, since they are built from the facts.

    **Example**

    - `maestro backup ~/backups/maestro-2026-01-31`
    """

    async def work(service: Service, meter: Meter) -> documents.Document:
        from api import backups

        return await backups.save(service, folder, meter)

    found = answer(work, json, f"{folder} is no backup: remove it.")
    assert isinstance(found, documents.Saved)
    if not json:
        _print(found, "saved in")


def restore(folder: Folder, json: Json = False) -> None:
    """Put back what `maestro backup` saved, into a store and data directory without these repositories.

    Every byte of the backup is examined first. Ends with the findings of `maestro doctor`, if it has any.

    **Example**

    - `MAESTRO_DATA=~/new maestro restore ~/backups/maestro-2026-01-31`
    """

    async def work(service: Service, meter: Meter) -> documents.Document:
        from api import backups

        return await backups.restore(service, folder, meter)

    found = answer(work, json, "No repository is visible before all of it is back; run it again.")
    assert isinstance(found, documents.Saved)
    if not json:
        _print(found, "restored from")


def _print(found: documents.Saved, verb: str) -> None:
    names = ", ".join(found.repositories) or "nothing"
    text = f"{names} {verb} {found.folder}: {plural(found.facts, 'fact')}, {plural(found.nodes, 'thing')}, "
    answers().print(Text.assemble(("✓ ", "good"), text, size(found.bytes)))
    for line in found.findings:
        answers().print(Text(line, style="note"))
