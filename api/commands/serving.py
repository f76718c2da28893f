"""`maestro serve`: the same answers over GraphQL."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer
from rich.text import Text

from api.commands.running import failing
from api.console import messages
from graph.errors import PolicyError


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine's own.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7600,
    uploads: Annotated[
        bool,
        typer.Option(
            "--uploads", help="Take recordings of tests from any program on this machine (docs/tests.md)."
        ),
    ] = False,
    workers: Annotated[int, typer.Option(metavar="N", help="Processes that work on questions.")] = 1,
) -> None:
    """Answer over GraphQL at /graphql, for programs on this machine.

    One process answers unless more --workers are asked for: then another takes the questions and hands each
    to the one that has least to do, and one that dies is replaced without a question being lost.

    There is no authentication yet, so anything but a loopback address is refused.

    **Example**

    - `curl -s localhost:7600/graphql -H 'content-type: application/json' -d '{"query":
      "{ repositories { name } }"}'`
    """
    with failing(False) as settings:
        check_loopback(host)
        from api.serving import go_on, listen, run
        from api.workers import check

        check(workers, uploads)
        listening = listen(host, port)
        address = f"http://{_shown(host)}:{listening.getsockname()[1]}/graphql"
        messages().print(Text(f"Maestro answers at {address} (ctrl-C stops it)"))
        if workers > 1:
            go_on(listening, workers)
        run(settings, listening, uploads=uploads)


def check_loopback(host: str) -> None:
    """Refuse every address but this machine's own.

    Raises
    ------
    PolicyError
        Others could reach that address, and there is no authentication to keep them out.
    """
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise PolicyError(
            f"Maestro does not listen on {host}: anyone who reaches it could read every indexed name.",
            "Listen on 127.0.0.1 and put a proxy with authentication before it.",
        )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
