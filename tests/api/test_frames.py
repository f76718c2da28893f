"""Messages between processes arrive whole or not at all, and impacts are what they were."""

from __future__ import annotations

import pickle
import socket

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.documents import Changed, Hub, Impact, Owning, Reached, Step, Symbol, Unread
from api.frames import Pipe, packed, unpacked
from api.tables import pack, unpack
from graph.errors import AmbiguousError, DeadlineError

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
symbols = st.builds(Symbol, key=words, kind=words, sort=words, name=words, path=words, line=st.integers(0, 9))


@st.composite
def impacts(draw) -> Impact:
    """Impacts whose proofs share steps, whose steps share nodes."""
    nodes = draw(st.lists(symbols, min_size=1, max_size=5))
    node = st.sampled_from(nodes)
    said = dict.fromkeys(("edge", "tier", "role", "form", "path", "side"), words)
    steps = draw(
        st.lists(
            st.builds(Step, source=node, target=node, line=st.integers(0, 9), **said), min_size=1, max_size=5
        )
    )
    proofs = st.lists(st.sampled_from(steps), max_size=4).map(tuple)
    reached = st.lists(
        st.builds(Reached, symbol=node, distance=st.integers(0, 9), tier=words, proof=proofs), max_size=5
    ).map(tuple)
    return Impact(
        repository=draw(words),
        asked=draw(words),
        changed=draw(
            st.lists(st.builds(Changed, symbol=node, reasons=st.just(("body",))), max_size=2).map(tuple)
        ),
        silent=draw(st.lists(st.builds(Unread, path=words, reason=words), max_size=1).map(tuple)),
        reached=draw(reached),
        tests=draw(reached),
        possible={"name": draw(st.integers(0, 9))},
        owners=draw(st.lists(st.builds(Owning, owner=words), max_size=1).map(tuple)),
        hubs=draw(st.lists(st.builds(Hub, symbol=node, dependents=st.integers(0, 9)), max_size=1).map(tuple)),
        notes=draw(st.lists(words, max_size=1).map(tuple)),
        seconds=draw(st.floats(0, 1)),
    )


def shared(found: Impact) -> list[list[int]]:
    """Which nodes and steps are one object, by the order in which they come."""
    things = [
        thing
        for each in (*found.reached, *found.tests)
        for thing in (
            each.symbol,
            *each.proof,
            *(end for step in each.proof for end in (step.source, step.target)),
        )
    ]
    first: dict[int, int] = {}
    return [[first.setdefault(id(thing), place)] for place, thing in enumerate(things)]


@given(impacts())
def test_an_impact_comes_out_as_it_went_in(found):
    came = unpack(pack(found))
    assert came == found
    assert shared(came) == shared(found)


@given(impacts())
def test_an_impact_travels_within_other_values(found):
    well, came = unpacked(packed((True, found)))
    assert well
    assert came == found


def test_half_a_character_travels_too():
    found = Impact(repository="r", asked="a\udcff", reached=())
    assert unpacked(packed(found)) == found


def test_every_field_of_what_travels_as_tables_is_known():
    """A field more has to be put into the tables too."""
    assert Step.__struct_fields__ == (
        "source", "target", "edge", "tier", "role", "form", "path", "line", "side",
    )  # fmt: skip
    assert Reached.__struct_fields__ == ("symbol", "distance", "tier", "proof")
    assert {field.name for field in msgspec.structs.fields(Impact)} >= {"reached", "tests"}


@pytest.mark.parametrize(
    "error",
    [AmbiguousError("Two fit.", "Say which.", ("a", "b")), DeadlineError("Late.", "Ask for less.")],
)
def test_errors_keep_what_they_say(error):
    came = unpacked(packed((False, error)))[1]
    assert type(came) is type(error)
    assert (came.message, came.hint) == (error.message, error.hint)
    assert getattr(came, "candidates", None) == getattr(error, "candidates", None)


def test_messages_arrive_in_order_and_whole():
    async def run() -> list[tuple[int, bytes]]:
        ends = [await Pipe.over(end) for end in socket.socketpair()]
        large = b"x" * 3_000_000
        came: list[tuple[int, bytes]] = []

        async def send() -> None:
            for number in range(3):
                await ends[0].send(number, large[: number * 1_000_000])
            ends[0].close()

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            while (message := await ends[1].receive()) is not None:
                came.append(message)
        ends[1].close()
        return came

    came = anyio.run(run)
    assert [(number, len(data)) for number, data in came] == [(0, 0), (1, 1_000_000), (2, 2_000_000)]


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 20])
def test_a_message_that_breaks_off_is_none(cut):
    async def run() -> tuple[int, bytes] | None:
        ours, theirs = socket.socketpair()
        whole = (7).to_bytes(8, "little") + (10).to_bytes(8, "little") + b"0123456789"
        theirs.sendall(whole[:cut])
        theirs.close()
        pipe = await Pipe.over(ours)
        try:
            return await pipe.receive()
        finally:
            pipe.close()

    assert anyio.run(run) is None


def test_sending_to_an_end_that_is_gone_is_no_failure():
    async def run() -> None:
        ours, theirs = socket.socketpair()
        theirs.close()
        pipe = await Pipe.over(ours)
        for _ in range(3):
            await pipe.send(1, b"x" * 100_000)
        assert await pipe.receive() is None
        pipe.close()

    anyio.run(run)


def test_what_is_no_impact_is_pickled_as_ever():
    assert unpacked(pickle.dumps([1, "a"])) == [1, "a"] == unpacked(packed([1, "a"]))
