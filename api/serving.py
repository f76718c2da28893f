"""A service from its first moment to its last: one process, or a front and its readers.

    one      = HTTP, GraphQL and the work in one process
    several  = a front (`api.crew`) and readers (`api.readers`), looked after by `api.workers`

What speaks HTTP and GraphQL is imported in the process that does, and what the command line is made of is
left behind: readers are forked without either, since a part of whatever lies between the things that they
touch becomes their own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, NoReturn

from api import readers, workers
from api.failures import INTERRUPTED, failure_of, masked
from api.rehearsal import rehearse
from api.settings import Settings, read_settings
from graph.errors import CorruptError, InputError, StoreBusyError
from graph.mapping import guard
from graph.memory import loading, modest

if TYPE_CHECKING:
    from api.jobs import Answering


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a loopback address.

    Raises
    ------
    StoreBusyError
        The port is taken.
    InputError
        The port cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1" if host == "localhost" else host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        if isinstance(error, PermissionError):
            raise InputError(
                f"Port {port} may not be used: {error.strerror}.", "Take one above 1023."
            ) from error
        raise StoreBusyError(
            f"{host} port {port} cannot be listened on: {error.strerror}.",
            "Take another with --port, or --port 0 for any free one.",
        ) from error
    return listening


def run(settings: Settings, listening: socket.socket, *, uploads: bool = False, count: int = 1) -> None:
    """Serve until ctrl-C or SIGTERM; with `uploads`, recordings of tests are taken as well.

    `count`: how many processes work on questions. Several have one before them that takes the questions.
    """
    guard(failure_of(CorruptError("")).exit_code)
    modest()
    if count == 1:
        with loading():
            from api.application import alone
        _front(settings, listening, alone(settings), uploads)
        return
    kept = asyncio.run(rehearse(settings))
    inward, outward = socket.socketpair(type=socket.SOCK_DGRAM)

    def front(ready: workers.Ready) -> None:
        with loading():
            from api.crew import Crew
        _front(settings, listening, Crew.open(settings, inward), uploads, ready)

    def reader(ready: workers.Ready) -> None:
        listening.close()
        readers.work(settings, outward, kept, ready)

    with inward, outward:
        workers.run([front, *[reader] * count])


def go_on(listening: socket.socket, count: int) -> NoReturn:
    """Have this process begin again as one that only serves, with several workers at this socket."""
    os.set_inheritable(listening.fileno(), True)
    words = [sys.executable, "-m", "api.serving", str(listening.fileno()), str(count)]
    os.execv(sys.executable, words)  # noqa: S606 - no shell, and nothing of it is anybody's but ours


def main(arguments: Sequence[str]) -> int:
    """What `go_on` goes on with: the socket's number and that of workers. Returns the exit code."""
    settings = Settings()
    try:
        settings = read_settings(os.environ)
        run(settings, socket.socket(fileno=int(arguments[0])), count=int(arguments[1]))
        return 0
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except Exception as caught:
        if settings.debug:
            traceback.print_exception(caught)
        from api.rendering import printable  # it brings the command line's libraries along

        error = masked(caught, settings)
        said = [f"Error: {error.message}", *filter(None, [error.hint])]
        print(*map(printable, said), sep="\n", file=sys.stderr)
        return failure_of(error).exit_code


def _front(
    settings: Settings,
    listening: socket.socket,
    opening: AbstractAsyncContextManager[Answering],
    uploads: bool,
    ready: workers.Ready = lambda: None,
) -> None:
    """Speak HTTP and GraphQL until told to stop, and then do what the signal asks for."""
    with loading():
        from api.application import serve
    for number in reversed(asyncio.run(serve(listening, settings, opening, uploads, ready))):
        signal.raise_signal(number)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
