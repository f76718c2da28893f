"""The web application: GraphQL and recordings from programs on this machine, and a health check."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.asgi import GraphQL

from api import __version__, documents, selection, workers
from api.failures import failure_of, masked
from api.graphql.context import Context, begin
from api.graphql.schema import schema
from api.rehearsal import rehearse
from api.service import Service
from api.settings import Settings
from graph.errors import CorruptError, InputError, MaestroError, PolicyError, StoreBusyError
from graph.facts import Scope as Repository
from graph.incidence import Incidence
from graph.mapping import guard
from graph.memory import modest
from graph.recordings import LIMIT

T = TypeVar("T")

LARGEST = 16 * 1024 * 1024
"""Bytes of a question at most: a diff is part of one."""
JSON = "application/json"
BYTES = "application/octet-stream"
_LATER = ("graph.incidence_file", "graph.overlay", "numpy.ma")
"""Modules that come with the first questions; workers share what was imported before they were forked."""
NAMES = ("localhost", "127.0.0.1", "[::1]")
"""Names that this machine calls itself by."""


class _Graph(GraphQL[Context, None]):
    """Strawberry's application, with our context."""

    def __init__(self, service: Service) -> None:
        super().__init__(schema, graphql_ide=None, allow_queries_via_get=False, subscription_protocols=())
        self._service = service

    async def get_context(self, request: Any, response: Any) -> Context:
        """A context of its own for each request."""
        return begin(self._service)


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


async def beside(work: Callable[[], T], /) -> T:
    """Run a computation in a thread, so that other requests are answered meanwhile."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def create(
    settings: Settings,
    service: Service | None = None,
    *,
    uploads: bool = False,
    kept: dict[Repository, Incidence] | None = None,
) -> ASGIApp:
    """The application; it opens the service itself unless it is handed one.

    `uploads`: take recordings that are sent, which change what is answered from then on.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if service is not None:
            app.router.routes[:] = routes(service, uploads)
            yield
            return
        async with Service.open(settings, offload=beside, stays=True, kept=kept) as opened:
            app.router.routes[:] = routes(opened, uploads)
            yield

    return Guard(Starlette(lifespan=lifespan))


def routes(service: Service, uploads: bool) -> list[Route]:
    """Where what is answered."""
    turn = anyio.Lock()

    async def health(request: Request) -> Response:
        try:
            status = await service.status()
        except Exception as error:
            return refused(masked(error, service.settings))
        names = [each.name for each in status.repositories]
        return JSONResponse({"status": "well", "version": __version__, "repositories": names})

    async def upload(request: Request) -> Response:
        try:
            if not uploads:
                raise PolicyError(
                    "This service takes no recordings.", "Start it with: maestro serve --uploads"
                )
            data = await request.body()
            # One after another: shards of a run are sent at once, and a repository has one writer.
            async with turn:
                received = await selection.receive(service, request.path_params["repository"], data)
        except Exception as error:
            return refused(masked(error, service.settings))
        return Response(documents.encode(received), media_type=JSON)

    return [
        Route("/graphql", _Graph(service), methods=["POST"]),
        Route("/health", health, methods=["GET"]),
        Route("/repositories/{repository}/recordings", upload, methods=["POST"]),
    ]


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

    `count`: how many processes answer, see `api.workers`.
    """
    guard(failure_of(CorruptError("")).exit_code)
    modest()
    kept = anyio.run(_rehearsed, settings) if count > 1 else None
    config = uvicorn.Config(
        create(settings, uploads=uploads, kept=kept),
        log_level="info" if settings.debug else "warning",
        access_log=settings.debug,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    if count == 1:
        uvicorn.Server(config).run(sockets=[listening])
        return

    def serve() -> None:
        server = uvicorn.Server(config)
        server.run(sockets=[listening])
        if not server.started:
            raise SystemExit(1)  # uvicorn has said why

    config.load()
    for name in _LATER:
        import_module(name)
    workers.run(count, serve)


async def _rehearsed(settings: Settings) -> dict[Repository, Incidence]:
    """Arrays of all repositories, once a service has answered out of them (see `api.rehearsal`).

    It also starts the store, and fails in words where there is none.
    """
    async with Service.open(settings, offload=beside) as service:
        app = Guard(Starlette(routes=routes(service, False)))
        await rehearse(app, service.kept)
        return service.kept
