"""The application as test clients take it: it opens and closes what answers by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.types import ASGIApp

from api.application import Guard, alone, routes
from api.settings import Settings


def create(settings: Settings, *, uploads: bool = False) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with alone(settings) as answering:
            app.router.routes[:] = routes(answering, uploads)
            yield

    return Guard(Starlette(lifespan=lifespan))
