"""Copies of arrays and strings with some places left out, changed, or more put behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.adjacency import spread
from graph.strings import Strings

Longs = NDArray[np.int64]

_MANY = 6
"""Where more than one in 2**6 places goes, a mask is quicker than the runs between them."""


def appended(old: Strings, added: Sequence[bytes]) -> Strings:
    """With more strings behind them."""
    if not added:
        return old
    return old.joined(Strings.of_bytes(added))


def dropped(old: Strings, places: Longs) -> Strings:
    """Without the strings at these places, which ascend."""
    starts = old.offsets[places]
    sizes = np.diff(old.offsets)
    offsets = np.zeros(len(sizes) - len(places) + 1, np.int64)
    np.cumsum(without(sizes, places), out=offsets[1:])
    return Strings(without(old.blob, spread(starts, sizes[places])), offsets)


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


def without(array: NDArray[Any], places: Longs, tail: NDArray[Any] | None = None) -> NDArray[Any]:
    """The array without these places, which ascend, and with a tail: copied once, run by run."""
    if not len(places) and tail is None:
        return array
    if len(places) > len(array) >> _MANY:
        kept = np.delete(array, places, axis=0)
        return kept if tail is None else np.concatenate((kept, tail))
    edges = np.concatenate(([-1], places, [len(array)])).tolist()
    runs = [array[a + 1 : b] for a, b in pairwise(edges) if a + 1 < b]
    return np.concatenate([*runs, array[:0] if tail is None else tail])
