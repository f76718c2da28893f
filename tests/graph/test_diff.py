"""Reading diffs: hard headers, odd bytes, and errors that say where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.diff import parse, unquote
from graph.errors import DiffError

HUNK = b"@@ -1 +1 @@\n-a\n+b\n"


def one(data: bytes):
    (patch,) = parse(data)
    return patch


def test_git_header_with_index_line():
    patch = one(b"diff --git a/x.py b/x.py\nindex 12..34 100644\n--- a/x.py\n+++ b/x.py\n" + HUNK)
    assert (patch.old, patch.new, patch.new_mode) == ("a/x.py", "b/x.py", "100644")
    assert patch.hunks[0].lines == ((b"-", b"a\n"), (b"+", b"b\n"))
    assert patch.hunks[0].at == 5


def test_plain_diff_with_time_stamps_and_blanks():
    patch = one(b"--- my dir/a.py\t2024-01-01 00:00:00.1 +0000\n+++ my dir/a.py\t2024-01-02\n" + HUNK)
    assert (patch.old, patch.new) == ("my dir/a.py", "my dir/a.py")


def test_epoch_means_that_there_was_no_file():
    patch = one(b"--- a.py\t1970-01-01 00:00:00.000000000 +0000\n+++ a.py\t2024-01-02\n@@ -0,0 +1 @@\n+b\n")
    assert (patch.old, patch.new) == (None, "a.py")


@pytest.mark.parametrize("word", ["rename", "copy"])
def test_renames_and_copies_carry_names_without_prefix(word: str):
    text = f"diff --git a/o l d b/n e w\nsimilarity index 100%\n{word} from o l d\n{word} to n e w\n"
    patch = one(text.encode())
    assert (patch.old, patch.new, patch.exact, patch.copied) == ("o l d", "n e w", True, word == "copy")


def test_rename_with_edit_keeps_its_exact_names():
    patch = one(b"diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/y\n" + HUNK)
    assert (patch.old, patch.new, len(patch.hunks)) == ("x", "y", 1)


def test_header_alone_names_a_file_with_blanks():
    patch = one(b"diff --git a/my file b/my file\nold mode 100644\nnew mode 100755\n")
    assert (patch.old, patch.new, patch.old_mode, patch.new_mode) == (
        "a/my file",
        "b/my file",
        "100644",
        "100755",
    )


def test_empty_new_and_deleted_files():
    new = one(b"diff --git a/x b/x\nnew file mode 100644\nindex 0000000..e69de29\n")
    old = one(b"diff --git a/x b/x\ndeleted file mode 100644\nindex e69de29..0000000\n")
    assert (new.old, new.new) == (None, "b/x")
    assert (old.old, old.new) == ("a/x", None)


def test_quoted_names_are_bytes():
    quoted = b'diff --git "a/\\303\\251\\t\\377.py" "b/\\303\\251\\t\\377.py"\n'
    patch = one(quoted + b'--- "a/\\303\\251\\t\\377.py"\n+++ "b/\\303\\251\\t\\377.py"\n' + HUNK)
    assert patch.new is not None
    assert patch.new.encode("utf-8", "surrogateescape") == b"b/\xc3\xa9\t\xff.py"


def test_unquote_knows_every_escape():
    assert unquote(rb'"\a\b\t\n\v\f\r\"\\\101"') == b'\a\b\t\n\v\f\r"\\A'
    assert unquote(b'no"quotes') == b'no"quotes'


def test_missing_newline_on_either_side():
    mark = b"\\ No newline at end of file\n"
    both = one(b"--- x\n+++ x\n@@ -1 +1 @@\n-a\n" + mark + b"+b\n" + mark)
    assert both.hunks[0].lines == ((b"-", b"a"), (b"+", b"b"))


def test_removed_lines_that_look_like_headers():
    patch = one(b"--- x\n+++ x\n@@ -1,2 +1,2 @@\n--- sql\n+++ plus\n c\n")
    assert patch.hunks[0].lines == ((b"-", b"-- sql\n"), (b"+", b"++ plus\n"), (b" ", b"c\n"))


def test_carriage_returns_are_content_and_odd_bytes_survive():
    patch = one(b"--- x\n+++ x\n@@ -1 +1 @@\n-a\r\n+b\x0c\x85\xff\r\n")
    assert patch.hunks[0].lines == ((b"-", b"a\r\n"), (b"+", b"b\x0c\x85\xff\r\n"))


def test_empty_line_is_empty_context():
    patch = one(b"--- x\n+++ x\n@@ -1,3 +1,3 @@\n-a\n+b\n\n c\n")
    assert patch.hunks[0].before == [b"a\n", b"\n", b"c\n"]


def test_mail_around_patches_is_passed_over():
    mail = b"From abc\nSubject: x\n\n---\n x | 2 +-\n\n"
    patches = parse(mail + b"diff --git a/x b/x\n--- a/x\n+++ b/x\n" + HUNK + b"-- \n2.1\n\n" + mail)
    assert [patch.new for patch in patches] == ["b/x"]


def test_binary_patches_are_marked():
    text = parse(
        b"diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n"
        b"diff --git a/y b/y\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZQ%\n\nliteral 1\nIcmZQ%\n\n"
    )
    assert [(patch.new, patch.binary) for patch in text] == [("b/x", True), ("b/y", True)]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"  \n"])
def test_empty_diff_changes_nothing(data: bytes):
    assert parse(data) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello\nworld\n", "not a unified diff"),
        (b"@@ -1 +1 @@\n-a\n+b\n", "no file was named"),
        (b"--- x\n+++ x\n@@ -1,3 +1,3 @@\n-a\n+b\n", "Hunk 1 of x (line 3 of the diff)"),
        (b"--- x\n+++ x\n@@ -1,2 +1,2 @@\n-a\n+b\n*c\n", "Hunk 1 of x"),
        (b"--- x\n+++ x\n@@ -1 +1,2 @@\n-a\n-b\n+c\n", "Hunk 1 of x"),
        (b"--- /dev/null\n+++ /dev/null\n" + HUNK, "name no file"),
        (b"diff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1,1 -1,1 +1,1 @@@\n- a\n", "combined diff"),
    ],
)
def test_bad_diffs_say_where(data: bytes, message: str):
    with pytest.raises(DiffError) as caught:
        parse(data)
    assert message in caught.value.message
    assert caught.value.hint


PIECES = [
    *(b"diff --git a/x b/x\n", b"--- a/x\n", b"+++ b/x\n", b"@@ -1,2 +1 @@\n", b" c\n", b"-a\n", b"+b\n"),
    *(b"\\ No\n", b"rename from x\n", b"rename to y\n", b"new file mode 100644\n", b"GIT binary patch\n"),
    *(b"\r\n", b"\n", b'--- "\\9', b"deleted file mode 1\n", b"@@ -0,0 +1,99999999 @@\n", b"--- /dev/null\n"),
    *(b"@@@ \n", b"\x00", b"index 1..2 3\n"),
]


@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join)))
def test_any_bytes_parse_or_raise_a_diff_error(data: bytes):
    try:
        patches = parse(data)
    except DiffError as error:
        assert error.message
    else:
        assert all(patch.old is not None or patch.new is not None for patch in patches)
