"""Many strings in two arrays: one UTF-8 blob and where each begins. Fit for a memory map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
Blob = NDArray[np.uint8]


class Strings(Sequence[str]):
    """A read-only list of strings over `blob` (uint8) and `offsets` (int64, one more than strings).

    Lone surrogates, which stand for bytes of names that are not UTF-8, survive.
    """

    __slots__ = ("blob", "offsets")

    def __init__(self, blob: Blob, offsets: Offsets) -> None:
        self.blob = blob
        self.offsets = offsets

    @classmethod
    def of(cls, texts: Sequence[str]) -> Strings:
        """Pack texts."""
        joined = "".join(texts)
        if joined.isascii():
            return cls._packed(joined.encode("ascii"), map(len, texts), len(texts))
        return cls.of_bytes([text.encode("utf-8", "surrogatepass") for text in texts])

    @classmethod
    def of_bytes(cls, parts: Sequence[bytes]) -> Strings:
        """Pack byte strings, which need not be text: read them back with `raw`."""
        return cls._packed(b"".join(parts), map(len, parts), len(parts))

    @classmethod
    def _packed(cls, blob: bytes, lengths: Iterable[int], count: int) -> Strings:
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(np.fromiter(lengths, np.int64, count), out=offsets[1:])
        return cls(np.frombuffer(blob, np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.raw(index).decode("utf-8", "surrogatepass")

    def raw(self, index: int) -> bytes:
        """The bytes of one string."""
        offsets = self.offsets
        size = len(offsets) - 1
        if not -size <= index < size:
            raise IndexError(f"string {index} of {size}")
        at = index if index >= 0 else index + size
        return self.blob[offsets[at] : offsets[at + 1]].tobytes()

    def raws(self) -> list[bytes]:
        """The bytes of all strings; faster than one by one."""
        blob, ends = self.blob.tobytes(), self.offsets.tolist()
        return [blob[a:b] for a, b in pairwise(ends)]

    def joined(self, other: Strings) -> Strings:
        """With all strings of another list behind them."""
        ends = np.concatenate((self.offsets, other.offsets[1:] + self.offsets[-1]))
        return Strings(np.concatenate((self.blob, other.blob)), ends)

    def __iter__(self) -> Iterator[str]:
        blob, ends = self.blob.tobytes(), self.offsets.tolist()
        if blob.isascii():
            text = blob.decode("ascii")
            return (text[a:b] for a, b in pairwise(ends))
        return (blob[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(ends))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Strings):
            return NotImplemented
        return bool(np.array_equal(self.offsets, other.offsets) and np.array_equal(self.blob, other.blob))

    __hash__ = None  # type: ignore[assignment]


class Keys(Sequence[str]):
    """A read-only list of strings of which many begin alike, as the keys of one file's symbols do.

    A key is `stems[stem[i]] + tails[i]`: a quarter of the room that whole keys take.

    Attributes
    ----------
    stems : Strings
        Distinct beginnings: up to a path's `::`, otherwise up to the last slash.
    stem : int of n
        Which of them a key begins with.
    tails : Strings of n
    """

    __slots__ = ("stem", "stems", "tails")

    def __init__(self, stems: Strings, stem: NDArray[Any], tails: Strings) -> None:
        self.stems = stems
        self.stem = stem
        self.tails = tails

    @classmethod
    def of_bytes(cls, parts: Iterable[bytes]) -> Keys:
        """Pack keys."""
        return cls._packed(parts, {})

    @classmethod
    def _packed(cls, parts: Iterable[bytes], stems: dict[bytes, int]) -> Keys:
        stem: list[int] = []
        tails: list[bytes] = []
        for raw in parts:
            at = raw.find(b"::") + 2
            if at < 2:
                at = raw.rfind(b"/") + 1
            stem.append(stems.setdefault(raw[:at], len(stems)))
            tails.append(raw[at:])
        return cls(
            Strings.of_bytes(list(stems)), np.array(stem, np.int32).reshape(-1), Strings.of_bytes(tails)
        )

    def __len__(self) -> int:
        return len(self.stem)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.raw(index).decode("utf-8", "surrogatepass")

    def raw(self, index: int) -> bytes:
        """The bytes of one key."""
        tail = self.tails.raw(index)
        return self.stems.raw(int(self.stem[index])) + tail

    def raws(self) -> list[bytes]:
        """The bytes of all keys; faster than one by one."""
        stems = self.stems.raws()
        return [stems[at] + tail for at, tail in zip(self.stem.tolist(), self.tails.raws(), strict=True)]

    def __iter__(self) -> Iterator[str]:
        stems = list(self.stems)
        pairs = zip(self.stem.tolist(), self.tails, strict=True)
        return (stems[at] + tail for at, tail in pairs)

    def appended(self, parts: Sequence[bytes]) -> Keys:
        """With more keys behind them."""
        if not parts:
            return self
        known = {raw: at for at, raw in enumerate(self.stems.raws())}
        before = len(known)
        more = self._packed(parts, known)
        stems = more.stems if len(more.stems) > before else self.stems
        return Keys(stems, np.concatenate((self.stem, more.stem)), self.tails.joined(more.tails))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Keys):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
