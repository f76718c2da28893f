"""A command line and a service on the server under test, and a small repository to ask about."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import servers_under_test as servers
from typer.testing import CliRunner, Result

from api.command import app
from api.settings import Settings, read_settings

FILES = {
    "CODEOWNERS": "* @everyone\n/shop/prices.py @money\n",
    "README.md": "# A shop\n",
    "shop/__init__.py": "",
    "shop/prices.py": (
        'RATE = 7\n\n\ndef tax(amount):\n    """What the state takes."""\n    return amount * RATE\n\n\n'
        "def total(amount):\n    return amount + tax(amount)\n"
    ),
    "shop/cart.py": (
        "from shop.prices import total\n\n\nclass Cart:\n    def sum(self, amounts):\n"
        "        return sum(total(a) for a in amounts)\n\n\ndef idle():\n    return 1\n"
    ),
    "tests/test_cart.py": (
        "from shop.cart import Cart, idle\n\n\ndef test_sum():\n    assert Cart().sum([1]) == 8\n\n\n"
        "def test_idle():\n    assert idle() == 1\n"
    ),
}
TAX = "    return amount * RATE\n"


class Clone:
    """A git repository made by the real git, with nothing of this machine's settings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        who = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org"}
        environment = {
            **os.environ,
            **who,
            **{name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self, message: str, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()


@dataclass
class Maestro:
    """The command line as a person has it, in this process."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, input: str | None = None) -> Result:
        runner = CliRunner(env={**dict.fromkeys(_ours(), None), **self.environment})
        return runner.invoke(app, list(arguments), input=input, catch_exceptions=False)

    def json(self, *arguments: str, input: str | None = None) -> Any:
        done = self(*arguments, "--json", input=input)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    @property
    def settings(self) -> Settings:
        return read_settings(self.environment)


def _ours() -> list[str]:
    return [name for name in os.environ if name.startswith("MAESTRO_")]


@pytest.fixture(scope="session")
def service_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables that lead to a server and a data folder which these tests have for themselves.

    `maestro backup` and `maestro doctor` look at all that is there: what others leave in a store is no fault.
    """
    data = tmp_path_factory.mktemp("api")
    made = servers.make(os.environ, data / "store")
    settings = made.settings
    known = {"MAESTRO_DATA": str(data), "MAESTRO_HEAP": "768m"}
    if settings.uri is not None:
        known["MAESTRO_NEO4J_URI"] = settings.uri
        known["MAESTRO_NEO4J_USER"] = settings.user
        known["MAESTRO_NEO4J_PASSWORD"] = settings.password
        known["MAESTRO_NEO4J_DATABASE"] = settings.database
    try:
        made.start()
        yield known
    finally:
        made.stop()


@pytest.fixture
def tenant() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def maestro(service_environment: dict[str, str], tenant: str) -> Maestro:
    """A command line that shares nothing but the server.

    It reads without the type engine, which takes a second to start and which `indexed` asks.
    """
    return Maestro({**service_environment, "MAESTRO_TENANT": tenant, "MAESTRO_ENGINE": "off"})


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A repository with one commit."""
    made = Clone(tmp_path / "shop")
    made.commit("A shop", FILES)
    return made


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A repository with a history; nobody changes it."""
    made = Clone(tmp_path_factory.mktemp("clones") / "shop")
    made.commit("A shop", FILES)
    made.git("tag", "first")
    prices = FILES["shop/prices.py"]
    made.commit("Round the tax", {"shop/prices.py": prices.replace(TAX, "    return round(amount * RATE)\n")})
    made.git("tag", "second")
    made.commit("Say more", {"README.md": "# A shop\n\nIt sells.\n"})
    return made


@pytest.fixture(scope="session")
def indexed(service_environment: dict[str, str], shop: Clone) -> Maestro:
    """A command line whose store holds `shop`, resolved by the type engine; for tests that only ask."""
    maestro = Maestro({**service_environment, "MAESTRO_TENANT": f"shared{os.getpid()}"})
    done = maestro("index", str(shop.root))
    assert done.exit_code == 0, done.output
    return maestro
