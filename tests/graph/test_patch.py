"""Applying diffs: whatever git prints gives git's bytes; what does not fit says what was expected."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.diff import parse
from graph.errors import DiffError
from graph.ingest.git import Mirror
from graph.patch import apply, patch_tree

WHO = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
Files = dict[str, bytes]


def applied(files: Files, diff: bytes) -> Files:
    edit = apply(parse(diff), files.get)
    after = {**files, **edit.contents}
    return {path: content for path, content in after.items() if content is not None}


def git(root: Path, *words: str) -> bytes:
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false", *words],
        cwd=root,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(root), "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", **WHO},
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def write(root: Path, files: Files) -> None:
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def git_diff(root: Path, before: Files, after: Files, *flags: str) -> bytes:
    git(root, "init", "-q")
    write(root, before)
    git(root, "add", "-A", "-f")
    tree = git(root, "write-tree").decode().strip()
    for path in before:
        (root / path).unlink()
    write(root, after)
    git(root, "add", "-A", "-f")
    return git(root, "diff", "--cached", "--no-color", "--no-ext-diff", *flags, tree)


LINES = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"-- d\n", b"++ e\n", b"\n", b"\x0c\xff\n", b" \n"]),
    max_size=12,
)
CONTENT = st.builds(lambda lines, end: b"".join(lines) + end, LINES, st.sampled_from([b"", b"z", b"\\"]))
TREES = st.dictionaries(
    st.sampled_from(["a/a", "b/b", "m y.py", "é.py", 'q"\t.py', "n\nl"]), CONTENT, max_size=4
)


@given(
    before=TREES,
    after=TREES,
    flags=st.lists(
        st.sampled_from(["-M", "-C", "--find-copies-harder", "-U0", "-U1", "--no-prefix", "-W", "--text"]),
        max_size=3,
    ).filter(lambda flags: not {"-U0", "-W"} <= set(flags)),  # git applies those as `--unidiff-zero` alone
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_git_prints_gives_what_git_had(before: Files, after: Files, flags: list[str], tmp_path_factory):
    diff = git_diff(tmp_path_factory.mktemp("repository"), before, after, *flags)
    assert applied(before, diff) == after


PLAIN = b"--- x.py\n+++ x.py\n"
TEXT = b"".join(b"%d\n" % n for n in range(1, 21))


def test_offset_is_found_where_the_context_is_unique():
    diff = PLAIN + b"@@ -3,3 +3,3 @@\n 8\n-9\n+nine\n 10\n"
    assert applied({"x.py": TEXT}, diff)["x.py"] == TEXT.replace(b"9\n", b"nine\n", 1)


def test_offset_carries_over_to_the_next_hunk():
    diff = PLAIN + b"@@ -2,3 +2,3 @@\n 8\n-9\n+nine\n 10\n@@ -6,3 +6,3 @@\n 12\n-13\n+x\n 14\n"
    assert b"12\nx\n14" in applied({"x.py": TEXT}, diff)["x.py"]


def test_two_places_that_fit_are_refused():
    with pytest.raises(DiffError, match=r"Hunk 1 of x\.py"):
        applied({"x.py": b"0\n" + b"a\nb\nc\n" * 2 + b"z\n"}, PLAIN + b"@@ -6,3 +6,3 @@\n a\n-b\n+B\n c\n")


def test_no_fuzz_and_the_error_names_the_line():
    with pytest.raises(DiffError) as caught:
        applied({"x.py": TEXT}, PLAIN + b"@@ -8,3 +8,3 @@\n 8\n-neun\n+nine\n 10\n")
    assert caught.value.message == (
        "Hunk 1 of x.py (@@ -8,3 +8,3 @@, line 3 of the diff) does not apply: "
        r"expected 'neun\n' at line 9, found '9\n'."
    )
    assert "Give the revision" in caught.value.hint


def test_line_ends_are_named_as_the_difference():
    with pytest.raises(DiffError) as caught:
        applied({"x.py": b"a\r\nb\r\n"}, PLAIN + b"@@ -1 +1 @@\n-a\n+c\n")
    assert "Only the line ends differ" in caught.value.hint


def test_past_the_end():
    with pytest.raises(DiffError, match="the file ends before it"):
        applied({"x.py": b"a\n"}, PLAIN + b"@@ -1,2 +1,2 @@\n a\n-b\n+c\n")


def test_a_diff_of_the_files_end_fits_only_there():
    with pytest.raises(DiffError, match="goes on"):
        applied({"x.py": b"0\na\nb\nc\n"}, PLAIN + b"@@ -2,2 +2,2 @@\n a\n-b\n+B\n")


@pytest.mark.parametrize(
    ("diff", "message"),
    [
        (b"--- a/gone.py\n+++ b/gone.py\n@@ -1 +1 @@\n-a\n+b\n", "no such file"),
        (b"--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+b\n", "adds x.py"),
        (b"--- a/x.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-1\n-2\n", "holds more"),
        (b"--- /dev/null\n+++ b/../x.py\n@@ -0,0 +1 @@\n+b\n", "no path inside a repository"),
        (b"--- /dev/null\n+++ /etc/x.py\n@@ -0,0 +1 @@\n+b\n", "no path inside a repository"),
        (b"--- /dev/null\n+++ b/.GIT/hooks/x\n@@ -0,0 +1 @@\n+b\n", "no path inside a repository"),
        (b"diff --git a/q b/r\nrename from q\nrename to r\n", "no such file"),
    ],
)
def test_patches_that_do_not_fit_the_tree(diff: bytes, message: str):
    with pytest.raises(DiffError) as caught:
        applied({"x.py": TEXT}, diff)
    assert message in caught.value.message
    assert caught.value.hint


def test_names_with_prefixes_of_any_kind_or_none():
    hunk = b"@@ -1 +1 @@\n-a\n+b\n"
    for old, new in [(b"a/d/x", b"b/d/x"), (b"d/x", b"d/x"), (b"old/d/x", b"new/d/x"), (b"i/d/x", b"w/d/x"),
                     (b"d/x.orig", b"d/x")]:  # fmt: skip
        assert applied({"d/x": b"a\n"}, b"--- %s\n+++ %s\n" % (old, new) + hunk) == {"d/x": b"b\n"}


def test_names_are_settled_by_what_is_there():
    assert applied({"a/x": b"a\n"}, b"--- a/x\n+++ a/x\n@@ -1 +1 @@\n-a\n+b\n") == {"a/x": b"b\n"}
    assert applied({"x": b"a\n"}, b"--- a/x\n+++ a/x\n@@ -1 +1 @@\n-a\n+b\n") == {"x": b"b\n"}


def test_swapped_names_start_from_the_old_tree():
    swap = b"".join(
        b"diff --git a/%s b/%s\nsimilarity index 100%%\nrename from %s\nrename to %s\n" % (a, b, a, b)
        for a, b in [(b"x", b"y"), (b"y", b"x")]
    )
    assert applied({"x": b"1\n", "y": b"2\n"}, swap) == {"x": b"2\n", "y": b"1\n"}


def test_the_same_file_twice_is_applied_in_order():
    step = b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-%s\n+%s\n"
    assert applied({"x": b"a\n"}, step % (b"a", b"b") + step % (b"b", b"c")) == {"x": b"c\n"}


def test_content_that_a_diff_does_not_tell_is_named():
    edit = apply(
        parse(
            b"diff --git a/x.png b/x.png\nindex 1..2 100644\nBinary files a/x.png and b/x.png differ\n"
            b"diff --git a/link b/link\nnew file mode 120000\n"
            b"--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc\n"
            b"\\ No newline at end of file\n"
        ),
        {"x.png": b"\0"}.get,
    )
    assert edit.unread == ("x.png", "link")
    assert edit.contents == {}


def test_mode_change_alone_keeps_content():
    edit = apply(parse(b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n"), {"x": b"1\n"}.get)
    assert edit.contents == {"x": b"1\n"}


def test_submodules_are_named_and_left_alone():
    text = (
        b"diff --git a/lib b/lib\nindex 1111111..2222222 160000\n--- a/lib\n+++ b/lib\n"
        b"@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n"
    )
    assert apply(parse(text), {}.get) == ({}, ("lib",))


def test_added_and_taken_away_again_is_nothing():
    text = b"--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+b\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n"
    assert apply(parse(text), {}.get) == ({}, ())


def test_a_tree_is_made_in_the_mirror(tmp_path: Path):
    work, quoted = tmp_path / "work", "é\t.py"
    diff = git_diff_of_commit(
        work, {"a.py": b"1\n", quoted: b"x = 1\n"}, {"b/c.py": b"1\n", quoted: b"x = 2\n"}
    )
    mirror = Mirror.refresh(work, tmp_path / "mirror.git")
    tree = mirror.head().tree
    done = patch_tree(mirror, tree, diff)
    after = {entry.path: mirror.blob(entry.blob) for entry in mirror.files(done.tree)}
    assert after == {"b/c.py": b"1\n", "é%09.py": b"x = 2\n"}
    assert done.paths == ("a.py", "b/c.py", "é%09.py")
    assert patch_tree(mirror, tree, b"").tree == tree


def git_diff_of_commit(root: Path, before: Files, after: Files) -> bytes:
    root.mkdir()
    diff = git_diff(root, before, after)
    git(root, "reset", "-q")
    for path in after:
        (root / path).unlink()
    write(root, before)
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", "before")
    return diff
