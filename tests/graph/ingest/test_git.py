from __future__ import annotations

import os
import shutil
import threading
import time
from collections import Counter

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.errors import AmbiguousError, CorruptError, DiskError, InputError, NotFoundError, RepositoryError
from graph.ingest.git import Mirror
from graph.ingest.objects import import_objects
from graph.ingest.paths import component_bytes, component_text, is_tame, path_bytes, path_text
from graph.ingest.renames import similarity


def test_a_mirror_reads_what_the_clone_holds(sketch, mirrored):
    first = sketch.commit({"a.py": b"x = 1\n", "d/run": (0o100755, b"#!/bin/sh\n")}, "First\n\nmore")
    second = sketch.commit({"link": (0o120000, b"a.py"), "sub": (0o160000, b"1" * 40)}, "Second")
    mirror = mirrored(sketch)
    head = mirror.head()
    assert (head.id, head.parents, head.summary) == (second, (first,), "Second")
    entries = {entry.path: entry for entry in mirror.files(head.tree)}
    assert {path: e.kind for path, e in entries.items()} == {
        "a.py": "file",
        "d/run": "file",
        "link": "symlink",
        "sub": "submodule",
    }
    assert [e.path for e in entries.values() if e.executable] == ["d/run"]
    assert mirror.blob(entries["a.py"].blob) == b"x = 1\n"
    assert entries["a.py"].size == 6
    assert mirror.submodules(head.tree) == ("sub",)
    assert mirror.entry(head.tree, "d/run") == entries["d/run"]
    assert mirror.entry(head.tree, "d") is None
    assert mirror.entry(head.tree, "d/none/x") is None
    assert mirror.commit(first).summary == "First"
    assert mirror.has(first) and not mirror.has("0" * 40)


def test_names_of_revisions(sketch, mirrored):
    first = sketch.commit({"a": b"1"})
    second = sketch.commit({"a": b"2"})
    sketch.repository.references.create("refs/remotes/origin/feature", first)
    tagger = pygit2.Signature("T", "t@example.com")
    sketch.repository.create_tag("v1.0", first, pygit2.enums.ObjectType.COMMIT, tagger, "one")
    mirror = mirrored(sketch)
    for name, ident in {
        "main": second,
        "HEAD": second,
        "HEAD~1": first,
        "main^": first,
        "origin/feature": first,
        "v1.0": first,
        first: first,
        first[:9]: first,
        "refs/heads/main": second,
    }.items():
        assert mirror.resolve(name).id == ident, name


@pytest.mark.parametrize(
    "name", ["mian", "", "HEAD~9", "deadbeef", "-x", "a b", "main@{1}", "x\0y", "@{u}", ":/x"]
)
def test_a_revision_that_is_not_there(sketch, mirrored, name):
    sketch.commit({"a": b"1"})
    with pytest.raises(NotFoundError) as caught:
        mirrored(sketch).resolve(name)
    if name == "mian":
        assert "main" in caught.value.hint


def test_a_revision_that_is_no_commit(sketch, mirrored):
    sketch.commit({"a": b"1"})
    mirror = mirrored(sketch)
    with pytest.raises(InputError):
        mirror.resolve(mirror.files(mirror.head().tree)[0].blob)


def test_a_short_id_of_several_objects(sketch, mirrored):
    sketch.commit({"a": b"1"})
    seen: dict[str, str] = {}
    number = 0
    while True:
        ident = str(sketch.repository.create_blob(b"%d" % number))
        if ident[:4] in seen:
            break
        seen[ident[:4]] = ident
        number += 1
    with pytest.raises(AmbiguousError):
        mirrored(sketch).resolve(ident[:4])


def test_a_refresh_takes_over_what_is_new_and_forgets_what_went(sketch, mirrored):
    sketch.commit({"a": b"1"})
    sketch.repository.references.create("refs/heads/gone", sketch.repository.head.target)
    assert sorted(mirrored(sketch).names()) == ["gone", "main"]
    sketch.repository.references.delete("refs/heads/gone")
    new = sketch.commit({"a": b"2"})
    mirror = mirrored(sketch)
    assert mirror.names() == ["main"]
    assert mirror.head().id == new


def test_an_unchanged_clone_costs_next_to_nothing(sketch, mirrored):
    for number in range(30):
        sketch.commit({f"f{number}": b"%d" % number})
    mirrored(sketch)
    start = time.process_time()
    mirrored(sketch)
    assert time.process_time() - start < 0.05


def test_an_open_mirror_sees_a_later_refresh(sketch, mirrored):
    sketch.commit({"a": b"1"})
    mirror = mirrored(sketch)
    new = sketch.commit({"a": b"2"})
    sketch.git("gc", "-q", "--prune=now")
    mirrored(sketch)
    assert mirror.resolve("main").id == new
    assert mirror.files(mirror.head().tree)[0].size == 1


def test_packed_names_and_objects(sketch, mirrored):
    first = sketch.commit({"a": b"1" * 5000})
    sketch.git("gc", "-q", "--prune=now")
    assert mirrored(sketch).head().id == first
    second = sketch.commit({"a": b"1" * 4999 + b"2"})
    mirror = mirrored(sketch)
    sketch.git("gc", "-q", "--prune=now")
    shutil.rmtree(sketch.path)
    assert mirror.resolve("HEAD~1").id == first
    assert mirror.resolve("HEAD").id == second
    assert mirror.blob(mirror.files(mirror.head().tree)[0].blob).endswith(b"12")


def test_what_the_clone_dropped_goes_after_its_grace(sketch, mirrored, tmp_path):
    sketch.commit({"a": b"1"})
    mirror = mirrored(sketch)
    scratch = mirror.tree_with(mirror.head().tree, {"b": b"scratch"})
    objects = mirror.directory / "objects"
    import_objects((sketch.path / ".git" / "objects",), objects)
    assert mirror.has(scratch)
    import_objects((sketch.path / ".git" / "objects",), objects, grace=0.0)
    assert not Mirror.open(mirror.directory).has(scratch)
    assert Mirror.open(mirror.directory).files(mirror.head().tree)


def test_a_mirror_on_another_file_system_holds_copies(sketch, mirrored, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    sketch.commit({"a": b"1"})
    mirror = mirrored(sketch)
    assert mirror.blob(mirror.files(mirror.head().tree)[0].blob) == b"1"
    new = sketch.commit({"a": b"2"})
    assert mirrored(sketch).head().id == new
    assert not list(mirror.directory.rglob("incoming-*"))


@pytest.mark.parametrize(
    "where", ["clone", "clone/.git", "clone/d/deep", "tree", "tree/d", "bare.git", "shared"]
)
def test_every_way_a_clone_may_lie(sketch, mirrored, tmp_path, where):
    head = sketch.commit({"d/deep/x.py": b"1"})
    (sketch.path / "d" / "deep").mkdir(parents=True)
    sketch.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    sketch.git("clone", "-q", "--bare", str(sketch.path), str(tmp_path / "bare.git"))
    sketch.git("clone", "-q", "--shared", str(sketch.path), str(tmp_path / "shared"))
    mirror = mirrored(tmp_path / where)
    assert mirror.head().id == head
    assert [e.path for e in mirror.files(mirror.head().tree)] == ["d/deep/x.py"]


def test_a_worktree_has_a_head_of_its_own(sketch, mirrored, tmp_path):
    first = sketch.commit({"a": b"1"})
    sketch.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    second = sketch.commit({"a": b"2"})
    assert mirrored(tmp_path / "tree").head().id == first
    assert mirrored(sketch).head().id == second


def test_a_detached_head(sketch, mirrored):
    first = sketch.commit({"a": b"1"})
    sketch.commit({"a": b"2"})
    sketch.repository.set_head(pygit2.Oid(hex=first))
    assert mirrored(sketch).head().id == first


def test_a_clone_without_commits(sketch, mirrored):
    with pytest.raises(RepositoryError, match="no commit"):
        mirrored(sketch).head()


def test_a_branch_without_commits_beside_others(sketch, mirrored):
    first = sketch.commit({"a": b"1"})
    sketch.repository.references.create("HEAD", "refs/heads/new", force=True)
    mirror = mirrored(sketch)
    assert mirror.resolve("main").id == first
    with pytest.raises(RepositoryError):
        mirror.head()


def test_what_is_no_clone(mirrored, tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ".git").write_text("gitdir: ../nowhere\n")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".git").write_text("hello\n")
    for name, words in {
        "plain": "not in a git repository",
        "none": "nothing at",
        "file": "is a file",
        "broken": "not a git folder",
        "odd": "does not name",
    }.items():
        with pytest.raises(RepositoryError, match=words) as caught:
            mirrored(tmp_path / name)
        assert caught.value.hint
    assert not (tmp_path / "mirror").exists()


def test_formats_that_are_not_read(sketch, mirrored, tmp_path):
    sketch.git("init", "-q", "--object-format=sha256", str(tmp_path / "sha256"))
    with pytest.raises(RepositoryError, match="sha256"):
        mirrored(tmp_path / "sha256")
    sketch.commit({"a": b"1"})
    with open(sketch.path / ".git" / "config", "a") as config:
        config.write("[extensions]\n\trefStorage = reftable\n")
    with pytest.raises(RepositoryError, match="reftable"):
        mirrored(sketch)


def test_a_shallow_clone_says_so(sketch, mirrored, tmp_path):
    sketch.commit({"a": b"1"})
    head = sketch.commit({"a": b"2"})
    sketch.git("clone", "-q", "--depth=1", sketch.path.as_uri(), str(tmp_path / "shallow"))
    mirror = mirrored(tmp_path / "shallow")
    assert mirror.shallow
    assert mirror.head().id == head
    assert mirror.head().parents == ()
    with pytest.raises(NotFoundError) as caught:
        mirror.resolve("HEAD~1")
    assert "unshallow" in caught.value.hint
    sketch.git("fetch", "-q", "--unshallow", cwd=tmp_path / "shallow")
    mirror = mirrored(tmp_path / "shallow")
    assert not mirror.shallow
    assert mirror.resolve("HEAD~1")


def test_a_partial_clone_says_so(sketch, mirrored, tmp_path):
    sketch.commit({"a.py": b"1"})
    sketch.git("config", "uploadpack.allowFilter", "true")
    url = sketch.path.as_uri()
    sketch.git("clone", "-q", "--bare", "--filter=blob:none", url, str(tmp_path / "partial"))
    mirror = mirrored(tmp_path / "partial")
    assert mirror.partial
    entry = mirror.files(mirror.head().tree)[0]
    assert entry.size == -1
    with pytest.raises(RepositoryError, match="partial"):
        mirror.blob(entry.blob)


def test_a_damaged_object_is_told(sketch, mirrored):
    sketch.commit({"a": b"1"})
    blob = sketch.repository.head.peel(pygit2.Tree)["a"].id
    path = sketch.path / ".git" / "objects" / str(blob)[:2] / str(blob)[2:]
    other = sketch.repository.create_blob(b"2")
    content = (sketch.path / ".git" / "objects" / str(other)[:2] / str(other)[2:]).read_bytes()
    path.chmod(0o644)
    path.write_bytes(content)
    with pytest.raises(CorruptError):
        mirrored(sketch).blob(str(blob))


def test_a_damaged_pack_is_told_and_not_kept(sketch, mirrored, tmp_path):
    sketch.commit({"a": b"1"})
    sketch.git("gc", "-q", "--prune=now")
    pack = next((sketch.path / ".git" / "objects" / "pack").glob("*.pack"))
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:-3])
    with pytest.raises(RepositoryError, match="damaged"):
        mirrored(sketch)
    assert not list((tmp_path / "mirror").rglob("*.pack"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_clone_of_another_user(sketch, mirrored):
    head = sketch.commit({"a": b"1"})
    for path in [sketch.path, *sketch.path.rglob("*")]:
        os.chown(path, 12345, 12345)
    assert mirrored(sketch).head().id == head


def test_no_mirror_and_a_mirror_of_another_format(tmp_path, sketch, mirrored):
    with pytest.raises(NotFoundError):
        Mirror.open(tmp_path / "none")
    sketch.commit({"a": b"1"})
    mirror = mirrored(sketch)
    (mirror.directory / "maestro.json").write_text("{")
    with pytest.raises(NotFoundError):
        Mirror.open(mirror.directory)
    assert mirrored(sketch).head()


def test_how_two_trees_differ(sketch, mirrored):
    body = b"".join(b"line %d\n" % n for n in range(50))
    sketch.commit({"same": b"1", "mod": b"1", "gone": b"g", "old/exact": b"moved", "old/near.py": body})
    sketch.commit(
        {
            "mod": b"2",
            "gone": None,
            "old/exact": None,
            "new/exact": b"moved",
            "old/near.py": None,
            "new/near.py": body + b"more\n",
            "fresh": b"f",
            "sub": (0o160000, b"1" * 40),
            "link": (0o120000, b"mod"),
        }
    )
    mirror = mirrored(sketch)
    changes = mirror.changes(mirror.resolve("HEAD~1").tree, mirror.head().tree)
    found = {(c.status, c.old_path, c.new_path, c.kind) for c in changes}
    assert found == {
        ("modified", "mod", "mod", "file"),
        ("deleted", "gone", "", "file"),
        ("added", "", "fresh", "file"),
        ("renamed", "old/exact", "new/exact", "file"),
        ("renamed", "old/near.py", "new/near.py", "file"),
        ("added", "", "sub", "submodule"),
        ("added", "", "link", "symlink"),
    }
    near = next(c for c in changes if c.new_path == "new/near.py")
    assert 90 < near.similarity < 100
    assert mirror.blob(near.old_blob) == body
    assert mirror.changes(None, mirror.resolve("HEAD~1").tree)[0].status == "added"


def test_a_file_that_becomes_a_link_or_a_folder(sketch, mirrored):
    sketch.commit({"a": b"1", "b": b"2"})
    sketch.commit({"a": None, "a/x": b"3", "b": (0o120000, b"a")})
    mirror = mirrored(sketch)
    changes = mirror.changes(mirror.resolve("HEAD~1").tree, mirror.head().tree)
    assert [(c.status, c.old_path or c.new_path, c.kind) for c in changes] == [
        ("deleted", "a", "file"),
        ("added", "a/x", "file"),
        ("added", "b", "symlink"),
        ("deleted", "b", "file"),
    ]


def test_lines_shared_by_two_contents():
    assert similarity(Counter([b"aa\n", b"bb\n"]), Counter([b"aa\n"]), 6) == 50
    assert similarity(Counter(), Counter(), 0) == 0


paths = st.lists(st.sampled_from(["a", "b", "c", "ä.py", "%41", "x y"]), min_size=1, max_size=3).map("/".join)


def fits(files: dict[str, bytes]) -> bool:
    return not any(other.startswith(path + "/") for path in files for other in files)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(paths, st.binary(max_size=3), min_size=1).filter(fits),
    st.dictionaries(paths, st.binary(max_size=3)),
    st.data(),
)
def test_an_edited_tree_is_the_edited_files(tmp_path_factory, sketch_class, before, wanted, data):
    place = tmp_path_factory.mktemp("edit")
    sketch = sketch_class(place / "clone")
    sketch.commit(before)
    mirror = Mirror.refresh(sketch.path, place / "mirror")
    gone = data.draw(st.sets(st.sampled_from(sorted(before))))
    edits = {path_text(p.encode()): None for p in gone} | {
        path_text(p.encode()): c for p, c in wanted.items()
    }
    after = {p: c for p, c in before.items() if p not in gone} | wanted
    if not fits(after):
        return
    tree = mirror.tree_with(mirror.head().tree, edits)
    listed = {path_bytes(e.path).decode(): mirror.blob(e.blob) for e in mirror.files(tree)}
    assert listed == after
    assert tree == str(sketch.tree(after))


def test_edits_that_cannot_be(sketch, mirrored):
    sketch.commit({"a": b"1", "d/x": b"2"})
    mirror = mirrored(sketch)
    tree = mirror.head().tree
    for path in (
        "../x",
        "/x",
        "a//b",
        "",
        ".git/config",
        "d/.GIT/x",
        "a/../b",
        ".",
        "%2E%2E/x",
        "x/",
        "git~1/x",
    ):
        with pytest.raises(InputError):
            mirror.tree_with(tree, {path: b""})
    for edits in ({"none": None}, {"d/none": None}, {"none/x": None}, {"d": None}):
        with pytest.raises(NotFoundError):
            mirror.tree_with(tree, edits)
    for edits in ({"a/x": b""}, {"d": b""}, {"n": b"", "n/x": b""}):
        with pytest.raises(InputError):
            mirror.tree_with(tree, edits)
    assert mirror.files(mirror.tree_with(tree, {"a": None, "d/x": None})) == []


names = st.binary(min_size=0, max_size=12) | st.sampled_from(
    [
        b".",
        b"..",
        b".git",
        b".GIT",
        b".git ",
        b"git~1",
        b"%41",
        b"%",
        b"%%41",
        b"a/b",
        b"",
        b".g\xe2\x80\x8cit",
        b"\n",
    ]
)


@given(names.filter(lambda name: b"\0" not in name))
def test_a_name_becomes_tame_text_and_comes_back(name):
    text = component_text(name)
    assert component_bytes(text) == name
    assert text.encode("utf-8")
    assert text and "/" not in text and text not in (".", "..")
    assert text.isprintable() or not text.isascii()
    assert text.rstrip(" .").lower() != ".git"


@given(st.lists(names.filter(lambda name: b"\0" not in name), min_size=2, max_size=2, unique=True))
def test_two_names_are_two_texts(two):
    assert component_text(two[0]) != component_text(two[1])


def test_how_odd_names_read():
    assert path_text(b"a\nb/\xff.py") == "a%0Ab/%FF.py"
    assert path_text("ä/%41".encode()) == "ä/%2541"
    assert path_text(b"100%/x") == "100%/x"
    assert path_text(b"../x") == "%2E./x"
    assert not is_tame(path_text(b"../x"))
    assert is_tame(path_text(b"a\nb/\xff.py"))
    assert path_bytes("a%0Ab/%FF.py") == b"a\nb/\xff.py"


def test_names_that_are_not_utf8_are_listed(sketch, mirrored):
    sketch.commit({"\udcff.py": b"1", "new\nline.py": b"2"})
    mirror = mirrored(sketch)
    assert [e.path for e in mirror.files(mirror.head().tree)] == ["%FF.py", "new%0Aline.py"]


def test_a_place_that_cannot_be_written(sketch, tmp_path):
    sketch.commit({"a": b"1"})
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DiskError) as caught:
        Mirror.refresh(sketch.path, tmp_path / "taken" / "mirror")
    assert caught.value.hint


def test_a_clone_that_is_repacked_while_it_is_read(sketch, tmp_path):
    sketch.commit({"a": b"0"})
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        while not done.is_set():
            try:
                mirror = Mirror.refresh(sketch.path, tmp_path / "mirror")
                for entry in mirror.files(mirror.head().tree):
                    mirror.blob(entry.blob)
            except BaseException as error:
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(12):
        sketch.commit({"a": b"%d" % number, f"f{number}": b"%d" % number})
        sketch.git("gc", "-q", "--prune=now")
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
