"""A clone made to run something, or to lead outside, when it is read."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ObjectType

from graph.errors import MaestroError, RepositoryError
from graph.facts import Scope
from graph.ingest.git import Mirror
from graph.ingest.history import read_history
from graph.ingest.owners import read_owners
from graph.ingest.walk import walk

SCOPE = Scope("t", "r")

CONFIG = """
[core]
    fsmonitor = {run}
    hooksPath = {hooks}
    sshCommand = {run}
    editor = {run}
    pager = {run}
    gitProxy = {run}
    askPass = {run}
    attributesFile = {attributes}
    worktree = {outside}
    alternateRefsCommand = {run}
[alias]
    log = !{run}
    fetch = !{run}
[credential]
    helper = !{run}
[diff]
    external = {run}
[diff "evil"]
    textconv = {run}
    command = {run}
[merge "evil"]
    driver = {run}
[filter "evil"]
    clean = {run}
    smudge = {run}
    process = {run}
    required = true
[gpg]
    program = {run}
[include]
    path = {included}
[includeIf "gitdir:/"]
    path = {included}
[uploadpack]
    packObjectsHook = {run}
[protocol "ext"]
    allow = always
[remote "origin"]
    url = ext::{run}
    uploadpack = {run}
    receivepack = {run}
    vcs = evil
[url "ext::{run}"]
    insteadOf = /
[submodule "sub"]
    url = ext::{run}
    update = !{run}
    active = true
[gc]
    auto = 1
[maintenance]
    auto = true
[pack]
    packSizeLimit = 1
[transfer]
    fsckObjects = false
[trailer "evil"]
    command = {run}
[interactive]
    diffFilter = {run}
"""
ATTRIBUTES = b"* filter=evil diff=evil merge=evil text eol=crlf ident working-tree-encoding=UTF-16\n"
HOOKS = ("post-checkout", "post-merge", "pre-commit", "reference-transaction", "fsmonitor-watchman", "update")
HOOKS += ("pre-receive", "post-receive", "pre-auto-gc", "post-index-change", "proc-receive", "post-update")


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A program that leaves a canary when run, also under the names of git's helpers on PATH."""
    canary = tmp_path / "canary"
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("run", "git", "ssh", "git-upload-pack", "sh", "gpg", "git-remote-ext", "git-remote-evil"):
        (programs / name).write_text(f"#!/bin/sh\n: > {canary}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(programs / "run"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(programs / "run"))
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[core]\n\tfsmonitor = {programs / 'run'}\n\tpager = {programs / 'run'}\n"
    )
    monkeypatch.setenv("HOME", str(home))
    return canary


_SPAWNED: list[str] = []
_WATCH = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.forkpty",
    "os.startfile",
}
sys.addaudithook(lambda event, args: _SPAWNED.append(f"{event} {args}") if event in _WATCH else None)


def set_traps(sketch, tmp_path: Path) -> None:
    """Every setting and file by which a repository can name a program."""
    git = sketch.path / ".git"
    outside = tmp_path / "outside"
    outside.mkdir(exist_ok=True)
    run = tmp_path / "programs" / "run"
    included = tmp_path / "included"
    included.write_text(f"[core]\n\tfsmonitor = {run}\n[alias]\n\tstatus = !{run}\n")
    attributes = tmp_path / "attributes"
    attributes.write_bytes(ATTRIBUTES)
    words = {"run": run, "hooks": git / "hooks", "attributes": attributes, "outside": outside}
    with open(git / "config", "a") as config:
        config.write(CONFIG.format(**words, included=included))
    (git / "info").mkdir(exist_ok=True)
    (git / "info" / "attributes").write_bytes(ATTRIBUTES)
    (git / "hooks").mkdir(exist_ok=True)
    for name in HOOKS:
        (git / "hooks" / name).write_text(run.read_text())
        (git / "hooks" / name).chmod(0o755)


def photograph(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, modification time and content of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def read_all(source: Path, directory: Path) -> tuple[Mirror, list[str]]:
    """Everything the indexer asks of a repository; returns every path that came up."""
    mirror = Mirror.refresh(source, directory)
    head = mirror.head()
    found = walk(mirror, head.tree, SCOPE)
    history = read_history(mirror, head.id, SCOPE)
    owners = read_owners(mirror, head.tree, SCOPE, found.languages)
    paths = [entry.path for entry in mirror.files(head.tree)]
    for change in mirror.changes(None, head.tree):
        paths.append(change.new_path)
    for facts in (found.diagnoses, history.facts, owners):
        for fact in facts:
            values = dict(fact.props)
            if "path" in values:
                paths.append(str(values["path"]))
    mirror.resolve("main")
    mirror.tree_with(head.tree, {"a.py": b"edited\n"})
    for source_file in found.sources:
        mirror.blob(source_file.blob)
    return mirror, paths


def assert_inside(paths: list[str], root: Path) -> None:
    for path in paths:
        parts = path.split("/")
        assert all(part not in ("", ".", "..") for part in parts), path
        assert all(part.rstrip(". ").lower() not in (".git", "git~1") for part in parts), path
        assert Path(os.path.normpath(root / path)).is_relative_to(root), path
        assert path.encode("utf-8") and "\n" not in path and "\0" not in path


def test_nothing_is_run_and_nothing_leads_outside(sketch, tmp_path, trap):
    sketch.commit(
        {
            "a.py": b"x = 1\n",
            ".gitattributes": ATTRIBUTES,
            ".gitmodules": b'[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c touch\n\tupdate = !touch\n',
            "sub": (0o160000, b"1" * 40),
            "passwd.py": (0o120000, b"/etc/passwd"),
            "up": (0o120000, b"../../.."),
            "loop": (0o120000, b"loop"),
            ".github/CODEOWNERS": b"* @a\n../* @b\n/../../etc/passwd @c\n.git/ @d\n",
            ".mailmap": b"Evil <../../evil> <ada@example.com>\n",
        }
    )
    sketch.commit({"a.py": b"x = 2\n"}, "Two\n\nCo-authored-by: ../../evil <../../x>\n")
    set_traps(sketch, tmp_path)
    before = photograph(sketch.path), photograph(tmp_path / "outside")
    _SPAWNED.clear()
    mirror, paths = read_all(sketch.path, tmp_path / "mirror")
    assert _SPAWNED == []
    assert not trap.exists()
    assert (photograph(sketch.path), photograph(tmp_path / "outside")) == before
    assert_inside(paths, tmp_path / "root")
    assert mirror.blob(mirror.entry(mirror.head().tree, "a.py").blob) == b"x = 2\n"
    config = (tmp_path / "mirror" / "config").read_text()
    assert "fsmonitor" not in config and "evil" not in config
    assert not (tmp_path / "mirror" / "hooks").exists()


def test_the_trap_would_snap(sketch, tmp_path, trap):
    """The canary is worth something: git itself, run in such a clone, leaves it."""
    sketch.commit({"a.py": b"x = 1\n", ".gitattributes": ATTRIBUTES})
    set_traps(sketch, tmp_path)
    git = next(
        place
        for folder in os.environ["PATH"].split(":")[1:]
        if os.access(place := os.path.join(folder, "git"), os.X_OK)
    )
    os.spawnl(os.P_WAIT, git, "git", "-C", str(sketch.path), "checkout", "-f", "-q", "main")
    assert trap.exists()


NAMES = [
    b"..",
    b".",
    b"../evil.py",
    b".git",
    b"a//b.py",
    b"/etc/passwd",
    b".GIT",
    b"git~1",
    b"",
    b".git.",
    b"x/../y.py",
]
NAMES += [
    b"\xff\xfe.py",
    b"new\nline.py",
    b"tab\t.py",
    b".g\xe2\x80\x8cit",
    b"..\\evil.py",
    b"a" * 5000 + b".py",
]


def test_crafted_trees_stay_inside(sketch, tmp_path, trap):
    blob = sketch.write(ObjectType.BLOB, b"x = 1\n").raw
    inner = sketch.raw_tree({name: (0o100644, blob) for name in [*NAMES, b"config"]}).raw
    rows = {name: (0o040000, inner) for name in NAMES} | {b"a.py": (0o100644, blob)}
    # A name may come twice, and the library that writes must not be asked whether it may.
    data = b"".join(
        b"%o %s\0%s" % (mode, name, ident) for name, (mode, ident) in [*rows.items(), *rows.items()]
    )
    sketch.commit({}, "One")
    sketch.commit({}, "Two", tree=sketch.write(ObjectType.TREE, data))
    mirror, paths = read_all(sketch.path, tmp_path / "mirror")
    assert_inside(paths, tmp_path / "root")
    found = walk(mirror, mirror.head().tree, SCOPE)
    assert any(fact.key.endswith("!file.unsafe-name") for fact in found.diagnoses if hasattr(fact, "key"))
    assert len(mirror.files(mirror.head().tree)) == len(NAMES) * (len(NAMES) + 1) + 1
    assert not trap.exists()


def test_malformed_objects_are_errors(sketch, tmp_path):
    for tree in (b"100644 a", b"junk", b"100644 a\0short"):
        sketch.commit({}, "Bad", tree=sketch.write(ObjectType.TREE, tree))
        with pytest.raises(MaestroError):
            read_all(sketch.path, tmp_path / "mirror")
    ident = sketch.write(ObjectType.COMMIT, b"tree of nonsense\n\n")
    sketch.repository.references.create("refs/heads/main", ident, force=True)
    with pytest.raises(MaestroError):
        read_all(sketch.path, tmp_path / "mirror")


def test_a_tree_without_end_is_refused_in_time(sketch, tmp_path):
    blob = sketch.write(ObjectType.BLOB, b"").raw
    tree = sketch.raw_tree({b"%d.py" % n: (0o100644, blob) for n in range(10)})
    for _ in range(12):
        tree = sketch.raw_tree({b"%d" % n: (0o040000, tree.raw) for n in range(10)})
    sketch.commit({}, tree=tree)
    mirror = Mirror.refresh(sketch.path, tmp_path / "mirror")
    start = time.process_time()
    for ask in (mirror.files, lambda tree: mirror.changes(None, tree), mirror.paths):
        with pytest.raises(RepositoryError, match="files or"):
            ask(mirror.head().tree)
    assert time.process_time() - start < 30


def test_a_tree_without_bottom_is_refused(sketch, tmp_path):
    tree = sketch.raw_tree({b"a.py": (0o100644, sketch.write(ObjectType.BLOB, b"").raw)})
    for _ in range(1100):
        tree = sketch.raw_tree({b"d": (0o040000, tree.raw)})
    sketch.commit({}, tree=tree)
    mirror = Mirror.refresh(sketch.path, tmp_path / "mirror")
    with pytest.raises(RepositoryError):
        mirror.files(mirror.head().tree)


def test_alternates_lead_to_object_folders_only(sketch, tmp_path):
    head = sketch.commit({"a.py": b"1\n"})
    secret = tmp_path / "secret"
    (secret / "ab").mkdir(parents=True)
    (secret / "ab" / ("c" * 38)).write_text("password")
    (secret / "objects").write_text("a file")
    objects = sketch.path / ".git" / "objects"
    (objects / "info").mkdir(exist_ok=True)
    lines = [
        str(secret),
        str(secret / "objects"),
        "/",
        "/etc",
        ".",
        "../objects",
        "../../../secret",
        "#x",
        "",
        "a\0b",
    ]
    (objects / "info" / "alternates").write_text("\n".join(lines * 20))
    mirror = Mirror.refresh(sketch.path, tmp_path / "mirror")
    assert mirror.head().id == head
    assert not list((tmp_path / "mirror").rglob("c" * 38))


@pytest.mark.parametrize("make", ["link", "pipe", "folder"])
def test_objects_that_are_no_files_are_refused(sketch, tmp_path, make):
    sketch.commit({"a.py": b"1\n"})
    secret = tmp_path / "secret"
    secret.write_text("password")
    folder = sketch.path / ".git" / "objects" / "ab"
    folder.mkdir(exist_ok=True)
    place = folder / ("c" * 38)
    match make:
        case "link":
            place.symlink_to(secret)
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
    with pytest.raises(MaestroError):
        Mirror.refresh(sketch.path, tmp_path / "mirror")
    assert not any(path.name == place.name for path in (tmp_path / "mirror").rglob("*"))


def test_names_that_lead_elsewhere_are_left_behind(sketch, tmp_path):
    head = sketch.commit({"a.py": b"1\n"})
    git = sketch.path / ".git"
    secret = tmp_path / "secret"
    secret.write_text(head)
    with open(git / "packed-refs", "w") as packed:
        packed.write(
            f"{head} refs/heads/../../../evil\n{head} refs/heads/a..b\n{head} /etc/passwd\nnonsense\n"
        )
        packed.write(f"{head} refs/heads/good\n{'f' * 40} refs/heads/missing\n")
    (git / "refs" / "heads" / "linked").symlink_to(secret)
    os.mkfifo(git / "refs" / "heads" / "pipe")
    (git / "refs" / "heads" / "loop").write_text("ref: refs/heads/loop\n")
    (git / "refs" / "heads" / "large").write_text("x" * 1_000_000)
    (git / "shallow").symlink_to("/etc/passwd")
    mirror = Mirror.refresh(sketch.path, tmp_path / "mirror")
    assert sorted(mirror.names()) == ["good", "main"]
    assert not mirror.shallow


@pytest.mark.parametrize(
    "text",
    [
        "ref: ../../../../etc/passwd\n",
        "ref: refs/heads/../../x\n",
        "ref: /etc/passwd\n",
        "ref: refs/heads/a b\n",
    ],
)
def test_a_head_that_leads_elsewhere_has_no_commit(sketch, tmp_path, text):
    sketch.commit({"a.py": b"1\n"})
    (sketch.path / ".git" / "HEAD").write_text(text)
    with pytest.raises(RepositoryError):
        Mirror.refresh(sketch.path, tmp_path / "mirror").head()
    (sketch.path / ".git" / "HEAD").write_text("nonsense")
    with pytest.raises(RepositoryError, match="neither"):
        Mirror.refresh(sketch.path, tmp_path / "mirror")


def test_a_common_folder_that_is_none(sketch, tmp_path):
    sketch.commit({"a.py": b"1\n"})
    (sketch.path / ".git" / "commondir").write_text("/etc\n")
    with pytest.raises(RepositoryError, match="not a git folder"):
        Mirror.refresh(sketch.path, tmp_path / "mirror")


def test_indexes_that_nothing_verifies_stay_behind(sketch, tmp_path):
    sketch.commit({"a.py": b"1\n"})
    sketch.git("gc", "-q")
    info = sketch.path / ".git" / "objects" / "info"
    (info / "commit-graph").write_bytes(b"CGPH nonsense")
    (sketch.path / ".git" / "objects" / "pack" / "multi-pack-index").write_bytes(b"MIDX nonsense")
    Mirror.refresh(sketch.path, tmp_path / "mirror")
    kept = {path.suffix for path in (tmp_path / "mirror" / "objects").rglob("*") if path.is_file()}
    assert kept == {".pack", ".idx"}


def test_the_library_obeys_no_settings_of_the_user():
    for level in (
        pygit2.enums.ConfigLevel.GLOBAL,
        pygit2.enums.ConfigLevel.SYSTEM,
        pygit2.enums.ConfigLevel.XDG,
    ):
        assert pygit2.settings.search_path[level] == ""
