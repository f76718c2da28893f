"""Random edits of a real clone, as people make them: lines, names, files, merges, branches.

Each edit is a function of the clone and a `random.Random`; it changes the working tree and says in a few
words what it did, or nothing where it found nothing to do. `Edited` commits what came of it. The same
seed on the same clone gives the same edits.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

_DEF = re.compile(r"^([ \t]*)(async def|def|class) (\w+)", re.M)
_MANY = 200
"""Files that a merge touches, where there are so many."""


class Edited:
    """A clone that is edited and committed through git itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *words: str) -> str:
        """Run git in the clone."""
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        calm = ("-c", "advice.detachedHead=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0")
        done = subprocess.run(
            ["git", *who, *calm, *words], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def files(self, ending: str = ".py") -> list[str]:
        """Tracked files, sorted."""
        return sorted(name for name in self.git("ls-files", "-z").split("\0") if name.endswith(ending))

    def read(self, name: str) -> str:
        """Text of a file; what is not UTF-8 is kept as it is."""
        return (self.path / name).read_text("utf-8", "surrogateescape")

    def write(self, name: str, text: str) -> None:
        """Replace or make a file."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8", "surrogateescape")

    def commit(self, why: str) -> str:
        """Commit all there is; the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--no-verify", "-m", why or "Nothing")
        return self.git("rev-parse", "HEAD")

    def reset(self, commit: str) -> None:
        """Go to a commit, whatever the working tree holds."""
        self.git("checkout", "-q", "-f", "--detach", commit)
        self.git("clean", "-qfdx")


Edit: TypeAlias = Callable[[Edited, random.Random], str]


def _lines(clone: Edited, chance: random.Random) -> tuple[str, list[str], list[int]]:
    """A file, its lines, and the places of those inside of functions that a statement can be put before."""
    name = chance.choice(clone.files())
    lines = clone.read(name).split("\n")
    inside = [
        at
        for at, line in enumerate(lines)
        if at and re.match(r"[ \t]+(return|self\.|[a-z_]+ = |if |for )", line) and lines[at - 1].endswith(":")
    ]
    return name, lines, inside


def one_line(clone: Edited, chance: random.Random) -> str:
    """A statement more in a function, that calls a function of the same file."""
    name, lines, inside = _lines(clone, chance)
    if not inside:
        return ""
    at = chance.choice(inside)
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    known = [found[3] for found in _DEF.finditer("\n".join(lines)) if not found[1]] or ["len"]
    lines.insert(at, f"{indent}{chance.choice(known)}(None)  # {chance.randrange(1 << 30)}")
    clone.write(name, "\n".join(lines))
    return f"a line in {name}"


def fewer_lines(clone: Edited, chance: random.Random) -> str:
    """A line less, whatever that breaks."""
    name, lines, inside = _lines(clone, chance)
    if not inside:
        return ""
    del lines[chance.choice(inside)]
    clone.write(name, "\n".join(lines))
    return f"a line less in {name}"


def rename(clone: Edited, chance: random.Random) -> str:
    """A function or class called otherwise, in its file or wherever its name is written."""
    name = chance.choice(clone.files())
    found = [match[3] for match in _DEF.finditer(clone.read(name))]
    if not found:
        return ""
    old = chance.choice(found)
    new = f"{old}_{chance.randrange(100)}"
    everywhere = chance.random() < 0.7
    word = re.compile(rf"\b{re.escape(old)}\b")
    for each in clone.files() if everywhere else [name]:
        text = clone.read(each)
        if word.search(text):
            clone.write(each, word.sub(new, text))
    return f"{old} is {new} {'everywhere' if everywhere else f'in {name}'}"


def move(clone: Edited, chance: random.Random) -> str:
    """A file in another folder or by another name; half the time those who import it follow."""
    name = chance.choice(clone.files())
    folders = sorted({str(Path(each).parent) for each in clone.files()})
    stem = f"{Path(name).stem}_{chance.randrange(100)}" if chance.random() < 0.5 else Path(name).stem
    target = str(Path(chance.choice(folders)) / f"{stem}.py")
    if target == name or (clone.path / target).exists():
        return ""
    clone.git("mv", name, target)
    if chance.random() < 0.5:
        word = re.compile(rf"\b{re.escape(Path(name).stem)}\b")
        for each in clone.files():
            text = clone.read(each)
            if word.search(text):
                clone.write(each, word.sub(stem, text))
    return f"{name} is {target}"


def delete(clone: Edited, chance: random.Random) -> str:
    """A file less."""
    names = clone.files()
    if len(names) < 4:
        return ""
    name = chance.choice(names)
    (clone.path / name).unlink()
    return f"no {name}"


def add(clone: Edited, chance: random.Random) -> str:
    """A file more: much like another, and that imports a third."""
    names = clone.files()
    source, used = chance.choice(names), Path(chance.choice(names))
    target = str(Path(source).parent / f"{Path(source).stem}_more_{chance.randrange(100)}.py")
    module = ".".join(used.with_suffix("").parts).removeprefix("src.")
    clone.write(target, f"import {module}\n\n{clone.read(source)}")
    return f"{target} is new"


def signature(clone: Edited, chance: random.Random) -> str:
    """A decorator, a parameter or a base class more."""
    name = chance.choice(clone.files())
    text = clone.read(name)
    found = [match for match in _DEF.finditer(text) if "\n" not in match[0]]
    if not found:
        return ""
    match = chance.choice(found)
    others = [other[3] for other in found if other[2] == match[2] and not other[1]] or ["object"]
    if match[2] == "class" and chance.random() < 0.6:
        more = re.sub(
            r"^(\s*class \w+)(\(|:)", rf"\1({chance.choice(others)}\2", text[match.start() :], count=1
        )
        more = re.sub(r"^(\s*class \w+\(\w+)(\()", r"\1, ", more, count=1)
        more = re.sub(r"^(\s*class \w+\(\w+):", r"\1):", more, count=1)
        text = text[: match.start()] + more
    else:
        text = f"{text[: match.start()]}{match[1]}@{chance.choice(others)}\n{text[match.start() :]}"
    clone.write(name, text)
    return f"{match[3]} of {name} is declared otherwise"


def broken(clone: Edited, chance: random.Random) -> str:
    """A file that does not parse."""
    name = chance.choice(clone.files())
    text = clone.read(name)
    at = chance.randrange(len(text) + 1)
    clone.write(name, f"{text[:at]}\n)){text[at:]}")
    return f"{name} does not parse"


def mended(clone: Edited, chance: random.Random) -> str:
    """Files that were broken, as they were."""
    names = [name for name in clone.files() if "\n))" in clone.read(name)]
    for name in names:
        clone.write(name, clone.read(name).replace("\n))", ""))
    return f"{len(names)} files parse again" if names else ""


def merged(clone: Edited, chance: random.Random) -> str:
    """A merge: hundreds of files get a line more."""
    names = clone.files()
    chosen = chance.sample(names, min(_MANY, len(names)))
    stamp = chance.randrange(1 << 30)
    for place, name in enumerate(chosen):
        clone.write(name, f"{clone.read(name)}\n\nMERGED_{stamp}_{place} = {place}\n")
    return f"a merge of {len(chosen)} files"


def switched(clone: Edited, chance: random.Random) -> str:
    """Another branch: the tree of some commit of the past, all at once."""
    commits = clone.git("rev-list", "--first-parent", "-n", "400", "origin/HEAD").split()
    commit = chance.choice(commits)
    clone.git("rm", "-rqf", "--ignore-unmatch", ".")
    clone.git("checkout", "-q", "-f", commit, "--", ".")
    return f"as at {commit[:10]}"


def settings(clone: Edited, chance: random.Random) -> str:
    """What configures tests and packages says something else."""
    names = [name for name in ("pyproject.toml", "setup.cfg", "tox.ini") if (clone.path / name).exists()]
    name = chance.choice(names or ["pytest.ini"])
    text = clone.read(name) if names else "[pytest]\n"
    if chance.random() < 0.5 and "testpaths" in text:
        text = re.sub(r"(testpaths\s*=\s*).*", rf'\1["tests", "more_{chance.randrange(9)}"]', text)
    else:
        text += f"\n# {chance.randrange(1 << 30)}\n"
    clone.write(name, text)
    return f"{name} says otherwise"


def fixture(clone: Edited, chance: random.Random) -> str:
    """A fixture more, in a conftest, that stands before another of its name; and a test with parameters."""
    folders = sorted({str(Path(name).parent) for name in clone.files() if "test" in name})
    if not folders:
        return ""
    place = str(Path(chance.choice(folders)) / "conftest.py")
    text = clone.read(place) if (clone.path / place).exists() else "import pytest\n"
    known = re.findall(r"@pytest\.fixture[^\n]*\ndef (\w+)", text) or ["thing"]
    name = chance.choice(known)
    clone.write(place, f"{text}\n\n@pytest.fixture\ndef {name}():\n    return {chance.randrange(100)}\n")
    test = str(Path(place).parent / f"test_more_{chance.randrange(5)}.py")
    clone.write(
        test,
        "import pytest\n\n\n"
        f'@pytest.mark.parametrize("x", [{chance.randrange(9)}, 2])\ndef test_{name}({name}, x):\n'
        f"    assert {name} != x\n",
    )
    return f"a fixture {name} in {place}"


def nothing(clone: Edited, chance: random.Random) -> str:
    """What no reader reads."""
    clone.write(f"NOTES-{chance.randrange(4)}.txt", f"{chance.randrange(1 << 30)}\n")
    return "notes"


EDITS: tuple[tuple[Edit, int], ...] = (
    (one_line, 8), (fewer_lines, 3), (rename, 6), (move, 4), (delete, 2), (add, 3), (signature, 4),
    (broken, 1), (mended, 2), (merged, 1), (switched, 1), (settings, 1), (fixture, 2), (nothing, 1),
)  # fmt: skip


def edit(clone: Edited, chance: random.Random) -> str:
    """One random edit, committed; what it was."""
    choices, weights = zip(*EDITS, strict=True)
    what = ""
    for _ in range(20):
        what = chance.choices(choices, weights)[0](clone, chance)
        if what:
            break
    clone.commit(what)
    return what
