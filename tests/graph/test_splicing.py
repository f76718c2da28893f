"""Arrays and strings spliced, against lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.splicing import dropped, found_in, patched, picked, pruned, raws_of, shifted, without
from graph.strings import Keys, Strings

rows = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=12)
texts = st.lists(st.binary(max_size=6), max_size=12)
WIDTHS = st.sampled_from([np.int32, np.int64])


def offsets(of: list[list[int]], width: type) -> np.ndarray:
    return np.concatenate(([0], np.cumsum([len(row) for row in of], dtype=np.int64))).astype(width)


@given(rows, st.data(), WIDTHS)
def test_rows_that_grow_or_shrink_shift_what_is_behind_them(held, data, width) -> None:
    some = sorted(data.draw(st.sets(st.integers(0, len(held) - 1)))) if held else []
    by = [data.draw(st.integers(-len(held[at]), 5)) for at in some]
    ptr = offsets(held, width)
    found = shifted(ptr, np.array(some, np.int64), np.array(by, np.int64))
    sizes = [len(row) + dict(zip(some, by, strict=True)).get(at, 0) for at, row in enumerate(held)]
    assert found.tolist() == [0, *np.cumsum(sizes).tolist()]
    assert found.dtype == width
    assert ptr.tolist() == offsets(held, width).tolist(), "the old offsets were changed"


@given(rows, rows, st.data(), WIDTHS)
def test_rows_that_go_and_come_leave_the_offsets_of_the_rest(held, more, data, width) -> None:
    some = sorted(data.draw(st.sets(st.integers(0, len(held) - 1)))) if held else []
    sizes = np.array([len(row) for row in more], np.int64)
    found = pruned(offsets(held, width), np.array(some, np.int64), sizes)
    left = [row for at, row in enumerate(held) if at not in some] + more
    assert found.tolist() == offsets(left, width).tolist()
    assert found.dtype == width


@given(st.integers(0, 100_000), st.integers(1, 50), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_marked_values_are_found_across_pieces(count, kinds, seed) -> None:
    chance = np.random.default_rng(seed)
    values = chance.integers(0, kinds, count, np.int32)
    mark = chance.random(kinds) < 0.3
    assert np.array_equal(found_in(mark, values), np.flatnonzero(mark[values]))


def test_offsets_widen_before_they_overflow() -> None:
    found = pruned(np.array([0, 2**30 - 1], np.int32), np.zeros(0, np.int64), np.array([2**30, 2**30]))
    assert found.tolist() == [0, 2**30 - 1, 2**31 - 1, 2**31 - 1 + 2**30]


@given(texts, texts, st.data())
def test_strings_are_dropped_picked_and_put_behind(held, more, data) -> None:
    some = sorted(data.draw(st.sets(st.integers(0, len(held) - 1)))) if held else []
    old, added = Strings.of_bytes(held), Strings.of_bytes(more)
    left = [text for at, text in enumerate(held) if at not in some]
    assert dropped(old, np.array(some, np.int64), added).raws() == left + more
    chosen = data.draw(st.lists(st.integers(0, len(held) - 1))) if held else []
    places = np.array(chosen, np.int64)
    assert picked(old, places).raws() == [held[at] for at in chosen]
    assert raws_of(Keys.of_bytes(held), places) == [held[at] for at in chosen]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(0, 3), st.data())
def test_places_are_patched_and_what_did_not_change_is_not_copied(held, more, data) -> None:
    old = np.array(held, np.int32)
    old.flags.writeable = False
    within = st.lists(st.integers(0, len(held) - 1), unique=True)
    blanked, changed = (np.array(data.draw(within), np.int64) for _ in range(2))
    values = np.array([data.draw(st.integers(0, 9)) for _ in changed], np.int32)
    wanted = held + [-1] * more
    for at in blanked.tolist():
        wanted[at] = -1
    for at, value in zip(changed.tolist(), values.tolist(), strict=True):
        wanted[at] = value
    found = patched(old, len(held) + more, -1, [(blanked, -1), (changed, values)])
    assert found.tolist() == wanted
    assert (found is old) == (wanted == held)


def test_a_tail_takes_the_type_of_the_array_where_that_holds_it() -> None:
    old = np.array([1, 2, 3], np.int8)
    places = np.array([1], np.int64)
    assert without(old, places, np.array([7], np.int32)).dtype == np.int8
    wide = without(old, places, np.array([700], np.int32))
    assert wide.tolist() == [1, 3, 700]
