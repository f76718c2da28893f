"""Copies of arrays and strings with some places left out, changed, or more put behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import spread
from graph.strings import Keys, Strings

Longs = NDArray[np.int64]

_MANY = 6
"""Where more than one in 2**6 places goes, a mask is quicker than the runs between them."""
_PIECE = 1 << 15
"""Values that are looked up at a time."""
_NARROWEST = 1 << 30
"""Offsets up to here are int32 in files; sums of two still fit."""


def appended(old: Strings, added: Sequence[bytes]) -> Strings:
    """With more strings behind them."""
    if not added:
        return old
    return old.joined(Strings.of_bytes(added))


def dropped(old: Strings, places: Longs, added: Strings) -> Strings:
    """Without the strings at these places, which ascend, and with others behind them."""
    starts = old.offsets[places]
    gone = spread(starts, old.offsets[places + 1] - starts)
    offsets = pruned(old.offsets, places, np.diff(added.offsets))
    return Strings(without(old.blob, gone, added.blob), offsets)


def picked(old: Strings, places: NDArray[Any]) -> Strings:
    """The strings at these places, in this order."""
    starts = old.offsets[places].astype(np.int64)
    sizes = old.offsets[places + 1] - starts
    return Strings(old.blob[spread(starts, sizes)], np.concatenate(([0], np.cumsum(sizes))))


def raws_of(keys: Keys, places: NDArray[Any]) -> list[bytes]:
    """The bytes of some keys; faster than one by one."""
    return Keys(keys.stems, keys.stem[places], picked(keys.tails, places)).raws()


def replaced(old: Strings, changed: Mapping[int, bytes]) -> Strings:
    """With other strings at some places."""
    moved = {at: text for at, text in sorted(changed.items()) if old.raw(at) != text}
    if not moved:
        return old
    sizes = np.diff(old.offsets)
    pieces: list[NDArray[np.uint8]] = []
    for (before, text), (at, _) in pairwise([(-1, b""), *moved.items(), (len(old), b"")]):
        pieces += [np.frombuffer(text, np.uint8), old.blob[old.offsets[before + 1] : old.offsets[at]]]
    for at, text in moved.items():
        sizes[at] = len(text)
    return Strings(np.concatenate(pieces), np.concatenate(([0], np.cumsum(sizes))))


def found_in(mark: NDArray[np.bool_], values: NDArray[Any]) -> Longs:
    """The places of values that are marked, ascending.

    Looking up widens every value; piece by piece that stays in the processor's cache.
    """
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(values), _PIECE):
        found.append(np.flatnonzero(mark.take(values[start : start + _PIECE])) + start)
    return np.concatenate(found)


def shifted(ptr: NDArray[Any], rows: Longs, by: NDArray[Any]) -> NDArray[Any]:
    """Offsets of rows, where these, which ascend, came to have so many more entries (or fewer).

    Adding steps is several times quicker than counting all rows anew.
    """
    lengths = np.diff(np.concatenate(([0], rows + 1, [len(ptr)])))
    steps = np.concatenate(([0], np.cumsum(by))).astype(ptr.dtype)
    found: NDArray[Any] = ptr + np.repeat(steps, lengths)
    return found


def pruned(ptr: NDArray[Any], rows: Longs, sizes: NDArray[Any] | None = None) -> NDArray[Any]:
    """Offsets of rows without these, which ascend, and with rows of other sizes behind them."""
    if len(rows):
        kept = without(ptr, rows + 1)
        ended = np.cumsum(ptr[rows + 1] - ptr[rows])
        lengths = np.diff(np.concatenate(([0], rows + 1 - np.arange(len(rows)), [len(kept)])))
        ptr = kept - np.repeat(np.concatenate(([0], ended)).astype(ptr.dtype), lengths)
    if sizes is None:
        return ptr
    tail = int(ptr[-1]) + np.cumsum(sizes, dtype=np.int64)
    wide = len(tail) and int(tail[-1]) > _NARROWEST
    return np.concatenate((ptr, tail if wide else tail.astype(ptr.dtype)))


def patched(
    old: NDArray[Any], size: int, blank: int, changes: Sequence[tuple[NDArray[Any], Any]]
) -> NDArray[Any]:
    """The array with so many places, new ones blank, and with other values at some.

    The later of two changes of a place holds. Where nothing changed it is the array itself, which may be
    mapped: then its checksum is known, and it need not be copied.
    """
    if size > len(old):
        tail = np.full((size - len(old), *old.shape[1:]), blank, old.dtype)
        found = np.concatenate((old, tail))
        for at, values in changes:
            found[at] = values
        return found
    touched = np.unique(np.concatenate([at for at, _ in changes]))
    few = old[touched]
    for at, values in changes:
        few[np.searchsorted(touched, at)] = values
    if np.array_equal(few, old[touched]):
        return old
    found = old.copy()
    found[touched] = few
    return found


def _alike(tail: NDArray[Any], array: NDArray[Any]) -> NDArray[Any]:
    """The tail in the type of the array, where that holds its values: files have narrow columns."""
    if not len(tail):
        return tail.astype(array.dtype, copy=False)
    if tail.dtype == array.dtype or not np.issubdtype(array.dtype, np.integer):
        return tail
    held = np.iinfo(array.dtype)
    fits = held.min <= int(tail.min()) and int(tail.max()) <= held.max
    return tail.astype(array.dtype) if fits else tail


def without(array: NDArray[Any], places: Longs, tail: NDArray[Any] | None = None) -> NDArray[Any]:
    """The array without these places, which ascend, and with a tail: copied once, run by run."""
    if not len(places) and tail is None:
        return array
    if tail is not None:
        tail = _alike(tail, array)
    if len(places) > len(array) >> _MANY:
        kept = np.delete(array, places, axis=0)
        return kept if tail is None else np.concatenate((kept, tail))
    edges = np.concatenate(([-1], places, [len(array)])).tolist()
    runs = [array[a + 1 : b] for a, b in pairwise(edges) if a + 1 < b]
    return np.concatenate([*runs, array[:0] if tail is None else tail])
