"""What occurs again in one answer is described once."""

from __future__ import annotations

from api.sharing import once


def test_the_same_object_is_described_once_and_equal_ones_each() -> None:
    asked: list[list[int]] = []

    def describe(thing: list[int]) -> tuple[int, ...]:
        asked.append(thing)
        return tuple(thing)

    described = once(describe)
    first, second = [1], [1]
    assert described(first) is described(first)
    assert described(second) == described(first)
    assert len(asked) == 2


def test_objects_of_a_moment_do_not_stand_in_for_each_other() -> None:
    described = once(tuple)
    assert [described([number]) for number in range(100)] == [(number,) for number in range(100)]
