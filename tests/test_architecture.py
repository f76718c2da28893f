"""What the tree promises about itself: direction of imports, no machine's own paths, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "graph": {"graph"},
    "models": {"models", "graph.schema", "graph.incidence", "graph.errors"},
    "api": {"api", "models", "graph"},
    "benchmarks": {"benchmarks", "api", "models", "graph"},
}
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "base", "common", "misc"}
MACHINE_PATHS = re.compile(r"/(?:home|Users)/[a-z]\w*/|/tmp/[a-z]|/work/|/opt/wheels|\.pyenv")
LONGEST = 400


def sources() -> list[Path]:
    return sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(allowed + ".")


def test_imports_run_one_way():
    wrong = []
    for path in sources():
        package = path.relative_to(ROOT).parts[0]
        for name in imported(path):
            ours = name.partition(".")[0] in {*MAY_IMPORT, "tests"}
            parent = any(within(allowed, name) for allowed in MAY_IMPORT[package])
            if ours and not parent and not any(within(name, allowed) for allowed in MAY_IMPORT[package]):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_readers_never_see_the_store():
    readers = (ROOT / "graph" / "ingest").rglob("*.py")
    wrong = [path for path in readers if any(within(name, "graph.store") for name in imported(path))]
    assert not wrong


def test_nothing_is_called_what_says_nothing():
    wrong = [path for path in sources() if path.stem in FORBIDDEN_NAMES]
    assert not wrong


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not in a clone")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_file_names_a_machine():
    wrong = []
    for path in tracked():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        wrong += [f"{path.relative_to(ROOT)}: {found[0]}" for found in MACHINE_PATHS.finditer(text)]
    assert not wrong


def test_requirements_are_hashed_and_name_no_index():
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE)
        pinned = re.findall(r"^[a-z0-9].*$", text, re.MULTILINE)
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned)
        assert text.count("--hash=sha256:") >= len(pinned)


def test_direct_requirements_are_the_pinned_ones():
    for name in ("requirements", "requirements-dev"):
        asked = re.findall(
            r"^[a-z0-9][^\s;#]*", (ROOT / f"{name}.in").read_text(encoding="utf-8"), re.MULTILINE
        )
        pinned = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
        assert asked
        assert [line for line in asked if f"{line} \\" not in pinned] == []


def test_the_core_stays_small():
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert not re.search(r"^(torch|tensorflow|jax|pandas|scipy)\b", pinned, re.MULTILINE)


def test_long_files_are_noticed():
    for path in sources():
        length = len(path.read_text(encoding="utf-8").splitlines())
        if length > LONGEST:
            warnings.warn(f"{path.relative_to(ROOT)} has {length} lines", stacklevel=1)


def test_every_variable_that_is_named_is_a_setting():
    from dataclasses import fields

    from api.settings import PREFIX, Settings

    known = {PREFIX + entry.name.upper() for entry in fields(Settings)}
    told = [*sources(), ROOT / "README.md", ROOT / "docker-compose.yml", ROOT / "Dockerfile"]
    wrong = {
        name
        for path in told
        for name in re.findall(r"\bMAESTRO_[A-Z0-9_]+", path.read_text(encoding="utf-8"))
        if name not in known and not name.startswith("MAESTRO_TEST_")
    }
    assert wrong <= {"MAESTRO_X_Y", "MAESTRO_TEST_"}
