"""`maestro export`: facts as rows for other programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from api import documents
from api.commands.running import AsOf, Json, Repo, answer
from api.console import Meter
from api.rendering import printable

if TYPE_CHECKING:
    from api.service import Service


def export(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="calls, imports, references, inherits, ...")],
    repo: Repo = "",
    as_of: AsOf = "",
    json: Json = False,
) -> None:
    """Every hyperedge of a kind, as rows: file and first line of both ends, and the tier.

    Without `--json` the rows are tab-separated.

    **Examples**

    - `maestro export calls --json > calls.json`
    - `maestro export imports | sort | uniq -c`
    """

    async def work(service: Service, meter: Meter) -> documents.Document:
        return await service.export(kind, repo, as_of=as_of, progress=meter)

    found = answer(work, json)
    assert isinstance(found, documents.Export)
    if not json:
        lines = ("\t".join(printable(str(cell)) for cell in row) for row in found.rows)
        sys.stdout.writelines(f"{line}\n" for line in lines)
