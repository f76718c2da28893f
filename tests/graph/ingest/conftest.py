"""Clones made on the spot, through the object database: any name and any tree can be written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ObjectType

from graph.ingest.git import Mirror

Content = bytes | tuple[int, bytes] | None


class Sketch:
    """A repository under construction: `commit` changes files (None: delete; a tuple: mode and data)."""

    def __init__(self, path: Path, *, bare: bool = False) -> None:
        self.path = path
        self.repository = pygit2.init_repository(str(path), bare=bare, initial_head="main")
        self.files: dict[str, Content] = {}
        self.clock = 1_700_000_000

    def write(self, kind: ObjectType, data: bytes) -> pygit2.Oid:
        return self.repository.odb.write(kind, data)

    def tree(self, files: Mapping[str, Content]) -> pygit2.Oid:
        rows: dict[bytes, tuple[int, bytes]] = {}
        folders: dict[str, dict[str, Content]] = {}
        for path, content in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(name, {})[rest] = content
                continue
            mode, data = content if isinstance(content, tuple) else (0o100644, content)
            raw = name.encode("utf-8", "surrogateescape")
            if mode == 0o160000:
                rows[raw] = (mode, bytes.fromhex(data.decode()))
            else:
                rows[raw] = (mode, self.write(ObjectType.BLOB, data).raw)
        for name, inner in folders.items():
            rows[name.encode("utf-8", "surrogateescape")] = (0o040000, self.tree(inner).raw)
        return self.raw_tree(rows)

    def raw_tree(self, rows: Mapping[bytes, tuple[int, bytes]]) -> pygit2.Oid:
        order = sorted(rows.items(), key=lambda item: item[0] + (b"/" if item[1][0] == 0o040000 else b""))
        return self.write(ObjectType.TREE, b"".join(b"%o %s\0%s" % (m, n, i) for n, (m, i) in order))

    def commit(
        self,
        changes: Mapping[str, Content] | None = None,
        message: str = "Change",
        *,
        author: tuple[str, str] = ("Ada", "ada@example.com"),
        parents: list[str] | None = None,
        ref: str | None = "refs/heads/main",
        tree: pygit2.Oid | None = None,
    ) -> str:
        for path, content in (changes or {}).items():
            if content is None:
                del self.files[path]
            else:
                self.files[path] = content
        if parents is None:
            known = ref and ref in self.repository.references
            parents = [str(self.repository.references[ref].target)] if known else []
        self.clock += 60
        lines = [f"tree {tree or self.tree(self.files)}", *(f"parent {p}" for p in parents)]
        signed = f"{author[0]} <{author[1]}> {self.clock} +0000"
        data = "\n".join([*lines, f"author {signed}", f"committer {signed}", "", message]).encode(
            "utf-8", "surrogateescape"
        )
        ident = self.write(ObjectType.COMMIT, data)
        if ref:
            self.repository.references.create(ref, ident, force=True)
        return str(ident)

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git itself, where only it can make what a test needs."""
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *words],
            cwd=cwd or self.path,
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(self.path), "GIT_CONFIG_NOSYSTEM": "1"},
        )
        return done.stdout.strip()


@pytest.fixture(scope="session")
def sketch_class() -> type[Sketch]:
    """For tests of many examples, which cannot take a fresh fixture each."""
    return Sketch


@pytest.fixture
def sketch(tmp_path: Path) -> Sketch:
    return Sketch(tmp_path / "clone")


@pytest.fixture
def sketches(tmp_path: Path) -> Callable[..., Sketch]:
    return lambda name, bare=False: Sketch(tmp_path / name, bare=bare)


@pytest.fixture
def mirrored(tmp_path: Path) -> Callable[[Sketch | Path], Mirror]:
    """Refresh the one mirror of a test from a sketch or a path."""

    def refresh(source: Sketch | Path) -> Mirror:
        return Mirror.refresh(source.path if isinstance(source, Sketch) else source, tmp_path / "mirror")

    return refresh
