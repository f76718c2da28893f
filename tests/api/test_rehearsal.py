"""What a service of several processes works on before its readers are forked."""

from __future__ import annotations

import asyncio

from api import documents, rehearsal
from api.jobs import ImpactJob, NodeJob, PathsJob, SearchJob
from api.service import Service


def test_every_repository_is_opened_and_every_job_goes_well(indexed) -> None:
    async def run() -> tuple[set[str], list[type], list[tuple[bool, object]]]:
        async with Service.open(indexed.settings) as service:
            names = {scope.repository for scope in await service.repositories()}
            kept = await rehearsal.rehearse(indexed.settings)
            assert {scope.repository for scope in kept} == names
            scope, arrays = max(kept.items(), key=lambda item: item[1].edge_count)
            jobs = list(rehearsal._jobs(scope, arrays))
            return names, [type(job) for job in jobs], await rehearsal._work(service, jobs)

    names, asked, answers = asyncio.run(run())
    assert "shop" in names
    assert set(asked) == {ImpactJob, NodeJob, PathsJob, SearchJob}
    assert asked.count(ImpactJob) <= rehearsal.ASKED
    assert len(answers) == len(asked)
    for kind, (well, answer) in zip(asked, answers, strict=True):
        assert well, (kind, answer)
    assert any(isinstance(answer, documents.Impact) and answer.reached for _, answer in answers)


def test_a_job_that_goes_wrong_ends_no_rehearsal(indexed) -> None:
    async def run() -> list[tuple[bool, object]]:
        async with Service.open(indexed.settings) as service:
            return await rehearsal._work(
                service, [NodeJob("no such thing", "shop"), SearchJob("tax", "shop", 3, "")]
            )

    (well, error), (then, found) = asyncio.run(run())
    assert not well
    assert getattr(error, "code", "") == "input.not-found"
    assert then
    assert isinstance(found, documents.Found)
