"""What a service is asked before its workers are forked."""

from __future__ import annotations

import json

import anyio
from starlette.applications import Starlette

from api.application import Guard, routes
from api.rehearsal import ASKED, rehearse
from api.service import Service


def test_every_repository_is_opened_and_every_question_is_answered(indexed) -> None:
    answers: list[tuple[int, dict[str, object]]] = []

    async def run() -> set[str]:
        async with Service.open(indexed.settings) as service:
            inner = Guard(Starlette(routes=routes(service, False)))

            async def app(scope, receive, send):
                status = []

                async def listening(message):
                    if message["type"] == "http.response.start":
                        status.append(message["status"])
                    elif message["body"]:
                        answers.append((status[0], json.loads(message["body"])))
                    await send(message)

                await inner(scope, receive, listening)

            await rehearse(app, service.kept)
            return {scope.repository for scope in service.kept}

    names = anyio.run(run)
    assert names == {each["name"] for each in answers[0][1]["data"]["repositories"]}
    assert 2 <= len(answers) <= ASKED + 1
    for status, answer in answers:
        assert status == 200 and "errors" not in answer, answer
