"""`maestro doctor`: is everything as it should be?"""

from __future__ import annotations

from typing import Annotated

import anyio
import typer

from api import documents
from api.commands.running import Json, failing
from api.console import answers, messages, showing
from api.failures import UNHEALTHY
from api.listing import print_health


def doctor(
    json: Json = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild damaged array files and sweep unfinished runs.")
    ] = False,
) -> None:
    """Look at the server, the versions, the stored facts, the arrays and the disk.

    Ends with 1 when something is wrong.
    """
    with failing(json) as settings:
        from api.examination import examine

        with showing(messages()) as meter:
            health = anyio.run(examine, settings, repair, meter)
        if json:
            typer.echo(documents.encode(health))
        else:
            print_health(answers(), health)
    if not health.well:
        raise typer.Exit(UNHEALTHY)
