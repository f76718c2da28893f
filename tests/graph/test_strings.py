"""Lists of strings over two arrays, and keys that share their beginnings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.strings import Keys, Strings

TEXTS = st.lists(st.text(max_size=8))
RAWS = st.lists(
    st.lists(
        st.sampled_from([b"local/toy:", b"a/", b"b.py", b"::", b":", b"f", b"\xc3\xa9", b"\xed\xb2\x80"])
    ).map(b"".join)
)


@given(TEXTS, TEXTS)
def test_strings_joined_are_those_of_both(first: list[str], second: list[str]) -> None:
    assert list(Strings.of(first).joined(Strings.of(second))) == first + second


@given(RAWS, RAWS)
def test_keys_are_given_back_whatever_they_begin_with(first: list[bytes], second: list[bytes]) -> None:
    keys = Keys.of_bytes(first).appended(second)
    whole = first + second
    texts = [raw.decode("utf-8", "surrogatepass") for raw in whole]
    assert len(keys) == len(whole)
    assert keys.raws() == whole
    assert [keys.raw(at) for at in range(len(whole))] == whole
    assert list(keys) == texts
    assert keys[:] == texts
    assert keys == Keys.of_bytes(whole)


def test_a_beginning_is_kept_once() -> None:
    keys = Keys.of_bytes([b"t/r:a/b.py::f", b"t/r:a/b.py::g"]).appended([b"t/r:a/b.py::h", b"t/r:a/b.py"])
    assert list(keys.stems) == ["t/r:a/b.py::", "t/r:a/"]
    assert keys != Keys.of_bytes([b"t/r:a/b.py::f"])
    assert keys != 1


def test_a_key_that_is_not_there_is_refused() -> None:
    keys = Keys.of_bytes([b"a"])
    assert keys.raw(-1) == b"a"
    for at in (1, -2):
        with pytest.raises(IndexError):
            keys.raw(at)
