"""Small real projects, and runs of pytest on them with the plugin, each in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from maestro_selection.recording import Recording, read

SOURCE = Path(__file__).resolve().parents[2] / "clients" / "pytest-maestro" / "src"
TIME = 300
OTHERS = {"-n": "xdist", "--cov": "pytest_cov"}
"""Plugins by the option that they are for."""
AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
"""Where it is empty, every plugin that is installed is loaded into every run, which takes a second."""


@dataclass
class Ran:
    """A run of pytest: its exit status and all it printed."""

    status: int
    text: str


class Project:
    """A folder with a git repository and tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def copied(self, root: Path) -> Project:
        """The same project elsewhere, its recording included."""
        shutil.copytree(self.root, root)
        made = Project.__new__(Project)
        made.root = root
        return made

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")

    def commit(self, files: Mapping[str, str] | None = None) -> str:
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    def pytest(
        self, *words: str, environment: Mapping[str, str] | None = None, every_plugin: bool = False
    ) -> Ran:
        """Run pytest with the plugin, not installed, and of the others with those that the words are for."""
        given = {AUTOLOAD: "" if every_plugin else "1", **(environment or {})}
        plain = ("-p", "pytest_maestro.plugin", "-p", "no:cacheprovider")
        others = [part for sign, name in OTHERS.items() if _says(words, sign) for part in ("-p", name)]
        return self.python("-m", "pytest", *plain, *others, *words, environment=given)

    def python(self, *words: str, environment: Mapping[str, str] | None = None) -> Ran:
        """Run Python in the project's folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
        path = os.pathsep.join([str(SOURCE), str(self.root / "src"), str(self.root)])
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env={
                **kept,
                "PYTHONPATH": path,
                "PYTHONDONTWRITEBYTECODE": "1",
                AUTOLOAD: "1",
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIME,
        )
        return Ran(done.returncode, done.stdout)

    def failing(self) -> tuple[Ran, set[str]]:
        """Run all tests without the plugin: the run, and the ids of those that did not pass."""
        ran = self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE", "tests")
        return ran, set(re.findall(r"^(?:FAILED|ERROR) (\S+)", ran.text, re.MULTILINE))

    @property
    def place(self) -> Path:
        return self.root / ".maestro" / "recording"

    def recording(self) -> Recording:
        return read(self.place)

    def line(self, path: str, text: str) -> int:
        """The number of the only line that holds a text."""
        lines = (self.root / path).read_text(encoding="utf-8").splitlines()
        (number,) = (number for number, line in enumerate(lines, 1) if text in line)
        return number


def _says(words: tuple[str, ...], option: str) -> bool:
    return any(word == option or word.startswith((f"{option}=", f"{option}-")) for word in words)


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mapping[str, str]], Project]:
    """Makes a project with a first commit."""

    def make(files: Mapping[str, str]) -> Project:
        project = Project(tmp_path_factory.mktemp("project") / "repository")
        project.commit(files)
        return project

    return make
