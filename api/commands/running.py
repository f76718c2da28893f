"""How every command runs: settings, the service, progress, errors and exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import traceback
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.text import Text

from api import documents
from api.console import Meter, interrupted, messages, showing
from api.failures import INTERRUPTED, failure_of, masked
from api.rendering import printable
from api.settings import Settings, read_settings
from graph.errors import AmbiguousError, CorruptError, MaestroError
from graph.memory import loading

if TYPE_CHECKING:
    from api.ahead import Ahead
    from api.service import Service

Range = Annotated[str, typer.Argument(metavar="A..B", help="A range of commits, or one; HEAD when left out.")]
Diff = Annotated[
    str, typer.Option("--diff", metavar="FILE", help="A diff instead; `-` reads standard input.")
]
Rev = Annotated[str, typer.Option("--rev", help="The revision that the diff was made on.")]
Json = Annotated[bool, typer.Option("--json", help="Print a document for programs (docs/json.md).")]
Repo = Annotated[
    str, typer.Option("--repo", metavar="NAME", help="Which repository; needed only where there are several.")
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of", metavar="DATE|REV", help="As it was then: a date, a time, or a revision that was indexed."
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="Show everything, not a screenful.")]

Work = Callable[["Service", Meter], Awaitable[documents.Document]]


def answer(work: Work, json: bool, resuming: str = "", ahead: Ahead | None = None) -> documents.Document:
    """Open the service, do the work, print the document where JSON was asked for, and return it.

    An error ends the process with the exit code of `api.failures.TABLE`; ctrl-C with 130.

    Parameters
    ----------
    resuming : str
        What to say after ctrl-C about what becomes of the work.
    ahead : callable, optional
        What to begin to read while the store starts (see `api.ahead`).
    """
    with failing(json, resuming) as settings:
        document = anyio.run(_work, settings, work, ahead)
        if json:
            typer.echo(documents.encode(document))
        return document
    raise AssertionError("unreachable")


async def _work(settings: Settings, work: Work, ahead: Ahead | None) -> documents.Document:
    # Only now: the service brings numpy and the driver along, which --help does not need.
    with loading():
        from api.service import Service
        from graph.mapping import guard

    guard(failure_of(CorruptError("")).exit_code)
    asyncio.get_running_loop().set_exception_handler(_unheard)
    with showing(messages()) as meter:
        async with Service.open(settings, meter, ahead=ahead) as service:
            return await work(service, meter)


@contextlib.contextmanager
def failing(json: bool, resuming: str = "") -> Iterator[Settings]:
    """Read the settings for a `with` block and turn what goes wrong in it into words and an exit code."""
    settings = Settings()
    interrupted.clear()  # not at the end: what was cut off is still being cleared away then
    before = signal.signal(signal.SIGINT, _stop)
    try:
        settings = read_settings(os.environ)
        yield settings
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        raise _stopped(resuming) from None
    except Exception as caught:
        error = _single(caught)
        if settings.debug:
            traceback.print_exception(caught)
        if interrupted.is_set():  # ctrl-C cut off what was under way, and that failed in its own words
            raise _stopped(resuming) from None
        told = masked(error, settings)
        tell(told, json)
        raise typer.Exit(failure_of(told).exit_code) from None
    finally:
        signal.signal(signal.SIGINT, before)


def _unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a task failed with that nobody waits for; after ctrl-C that is because it was cut off."""
    if not interrupted.is_set():
        loop.default_exception_handler(context)


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop where the work is. asyncio would wait for its next pause, and resolving has none for seconds."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a second ctrl-C cuts off what cleans up
    interrupted.set()
    raise KeyboardInterrupt


def _stopped(resuming: str) -> typer.Exit:
    """Say what becomes of the work."""
    messages().print(Text(f"Stopped. {resuming}".strip(), style="note"))
    return typer.Exit(INTERRUPTED)


def _single(error: BaseException) -> BaseException:
    """The first error of ours in a group (task groups wrap what their tasks raise)."""
    while isinstance(error, BaseExceptionGroup):
        ours = [each for each in error.exceptions if isinstance(each, MaestroError | BaseExceptionGroup)]
        error = (ours or list(error.exceptions))[0]
    return error


def tell(error: MaestroError, json: bool) -> None:
    """Say an error: as a document on standard output, or in words on standard error."""
    candidates = error.candidates if isinstance(error, AmbiguousError) else ()
    listed = () if candidates and candidates[0] in error.message else candidates
    if json:
        typer.echo(
            documents.encode(
                documents.Failed(
                    code=error.code,
                    message=error.message,
                    hint=error.hint,
                    exit_code=failure_of(error).exit_code,
                    candidates=candidates,
                )
            )
        )
        return
    console = messages()
    console.print(Text.assemble(("Error: ", "bad"), printable(error.message)))
    for candidate in listed[:10]:
        console.print(Text(f"  {printable(candidate)}"))
    if len(listed) > 10:
        console.print(Text(f"  and {len(listed) - 10} more", style="quiet"))
    if error.hint:
        console.print(Text(printable(error.hint), style="quiet"))
