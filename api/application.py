"""The web application: GraphQL and recordings from programs on this machine, and a health check."""

from __future__ import annotations

import math
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import anyio
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.asgi import GraphQL
from uvicorn.server import HANDLED_SIGNALS

from api import __version__, documents
from api.failures import failure_of, masked
from api.graphql.context import Context, begin
from api.graphql.schema import schema
from api.jobs import Answering, Local, ReceiveJob, StatusJob
from api.service import Service
from api.settings import Settings
from graph.errors import InputError, MaestroError, PolicyError
from graph.offload import beside, in_turn
from graph.recordings import LIMIT

LARGEST = 16 * 1024 * 1024
"""Bytes of a question at most: a diff is part of one."""
JSON = "application/json"
BYTES = "application/octet-stream"
NAMES = ("localhost", "127.0.0.1", "[::1]")
"""Names that this machine calls itself by."""


class _Graph(GraphQL[Context, None]):
    """Strawberry's application, with our context."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(schema, graphql_ide=None, allow_queries_via_get=False, subscription_protocols=())
        self._answering = answering

    async def get_context(self, request: Any, response: Any) -> Context:
        """A context of its own for each request."""
        return begin(self._answering)


class Guard:
    """Lets in what a program on this machine sends, and no web page.

    A page on the internet can make a browser send requests to loopback addresses. It can do so
    under a name of its own that resolves to 127.0.0.1 (so the Host header must be one of ours),
    and it can send forms without asking first (so only kinds of content are taken that no form has,
    and a foreign Origin is refused). There are no CORS headers: a browser keeps answers from foreign pages.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 4xx, or hand on."""
        if scope["type"] == "http":
            request = Request(scope)
            takes = taken_at(request.url.path)
            refusal = _refusal(request, takes)
            if refusal is not None:
                await refused(refusal)(scope, receive, send)
                return
            try:
                receive = await _whole(receive, takes)
            except _TooLargeError as error:
                await refused(error)(scope, receive, send)
                return
        elif scope["type"] != "lifespan":
            return  # websockets: nothing here speaks them
        await self._app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Takes:
    """What a path takes: a kind of content, and at most so many bytes of it."""

    kind: str
    most: int
    hint: str

    def too_large(self) -> _TooLargeError:
        """The error that says so."""
        return _TooLargeError(f"The request is larger than {self.most >> 20} MB.", self.hint)


QUESTION = Takes(JSON, LARGEST, "Ask about a range instead.")
UPLOAD = Takes(BYTES, LIMIT, "Record fewer tests in each file.")


def taken_at(path: str) -> Takes:
    """What the path of a request takes."""
    return UPLOAD if path.startswith("/repositories/") else QUESTION


class _TooLargeError(InputError):
    """A request that is larger than what its path takes."""

    code = "input.too-large"


def _refusal(request: Request, takes: Takes) -> MaestroError | None:
    host = request.headers.get("host", "")
    if _without_port(host) not in NAMES:
        return PolicyError(f"Maestro is not called {host!r}.", "Use localhost or 127.0.0.1.")
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return PolicyError("Web pages may not ask Maestro.", "Ask from a program.")
    if request.method == "POST":
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != takes.kind:
            named = "JSON is" if takes.kind == JSON else "the bytes of a file are"
            return InputError(f"Only {named} taken here.", f"Send content-type: {takes.kind}.")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > takes.most:
            return takes.too_large()
    return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


async def _whole(receive: Receive, takes: Takes) -> Receive:
    """The whole body, no more than is taken whatever its headers said, then what comes after it."""
    parts: list[bytes] = []
    total, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        total += len(parts[-1])
        more = message.get("more_body", False)
        if total > takes.most:
            raise takes.too_large()
    waiting: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def refused(error: MaestroError) -> Response:
    """An error outside GraphQL, as JSON with the status of `api.failures.TABLE`."""
    failure = failure_of(error)
    status = 413 if isinstance(error, _TooLargeError) else failure.status
    body = {"errors": [{"message": error.message, "extensions": {"code": failure.code, "hint": error.hint}}]}
    return Response(msgspec.json.encode(body), status, media_type=JSON)


Opening = AbstractAsyncContextManager[Answering]
"""What answers, once it is entered."""


def application(answering: Answering, uploads: bool = False) -> ASGIApp:
    """The application; with `uploads` recordings are taken, which change what is answered from then on."""
    return Guard(Starlette(routes=routes(answering, uploads)))


@asynccontextmanager
async def alone(settings: Settings) -> AsyncIterator[Local]:
    """A service in this process answers, and keeps what it may be asked again."""
    async with Service.open(settings, offload=beside, stays=True) as service:
        yield Local(service, in_turn())


async def serve(
    listening: socket.socket,
    settings: Settings,
    opening: Opening,
    uploads: bool,
    ready: Callable[[], None],
) -> list[int]:
    """Answer at a socket until SIGINT or SIGTERM; hands back the signals that came.

    Parameters
    ----------
    ready : callable
        Called once what answers is open.

    Raises
    ------
    MaestroError
        What answers cannot be opened.
    """
    async with opening as answering:
        ready()
        config = uvicorn.Config(
            application(answering, uploads),
            lifespan="off",
            log_level="info" if settings.debug else "warning",
            access_log=settings.debug,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        server = _Server(config)
        await server.serve(sockets=[listening])
    return server.told


class _Server(uvicorn.Server):
    """Ends at a signal as uvicorn does, which raises it again at once: here what answers is closed first."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told: list[int] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have `handle_exit` told, for as long as this is entered."""
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, and end."""
        self.told.append(sig)
        super().handle_exit(sig, frame)


def routes(answering: Answering, uploads: bool) -> list[Route]:
    """Where what is answered."""
    turn = anyio.Lock()
    settings = answering.settings

    async def health(request: Request) -> Response:
        try:
            status = await answering.answer(StatusJob(), time.monotonic() + settings.deadline)
        except Exception as error:
            return refused(masked(error, settings))
        names = [each.name for each in status.repositories]
        return JSONResponse({"status": "well", "version": __version__, "repositories": names})

    async def upload(request: Request) -> Response:
        try:
            if not uploads:
                raise PolicyError(
                    "This service takes no recordings.", "Start it with: maestro serve --uploads"
                )
            job = ReceiveJob(request.path_params["repository"], await request.body())
            # One after another: shards of a run are sent at once, and a repository has one writer.
            async with turn:
                received = await answering.answer(job, math.inf)
        except Exception as error:
            return refused(masked(error, settings))
        return Response(documents.encode(received), media_type=JSON)

    return [
        Route("/graphql", _Graph(answering), methods=["POST"]),
        Route("/health", health, methods=["GET"]),
        Route("/repositories/{repository}/recordings", upload, methods=["POST"]),
    ]
