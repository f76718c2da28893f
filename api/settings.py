"""What can be set from outside: one frozen value, read from the environment once and passed down."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import platformdirs

from graph.errors import InputError
from graph.settings import StoreSettings

T = TypeVar("T")

DATA = platformdirs.user_data_path("maestro")
"""Where data goes unless it is said otherwise."""
PREFIX = "MAESTRO_"
FOREIGN = ("MAESTRO_TEST_",)
"""Beginnings of variables that are not ours to read: those of the tests."""

_YES = {"1": True, "true": True, "yes": True, "on": True}
_NO = {"0": False, "false": False, "no": False, "off": False}
_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


def _folder(text: str) -> Path:
    return _rooted(text, "/var/lib/maestro")


def _file(text: str) -> Path:
    return _rooted(text, "/etc/maestro/absences.jsonl")


def _rooted(text: str, example: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("a path in the home folder of a user who is known here") from error
    if not path.is_absolute():
        raise ValueError(f"a path that begins at the root, such as {example}")
    return path


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", text):
        raise ValueError("letters, digits, dots, dashes and underscores, at most 63")
    return text


def _uri(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError(f"an address such as bolt://localhost:7687 (one of {', '.join(_SCHEMES)})")
    if parts.username or parts.password:
        raise ValueError("an address without a password in it; that goes into MAESTRO_NEO4J_PASSWORD")
    return text


def _heap(text: str) -> str:
    found = re.fullmatch(r"([1-9]\d{0,5})([mg])", text.lower())
    if not found or int(found[1]) * (1024 if found[2] == "g" else 1) < 256:
        raise ValueError("a size such as 512m or 2g, 256m at least")
    return text.lower()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 7 * 86_400:
        raise ValueError("a number of seconds above 0 and up to 604800 (a week)")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise ValueError("a whole number from 1 to 1000000")
    return int(text)


def _switch(text: str) -> bool:
    known = {**_YES, **_NO}
    if text.lower() not in known:
        raise ValueError("on or off (1/0, true/false, yes/no)")
    return known[text.lower()]


def _text(text: str) -> str:
    if any(character < " " for character in text):
        raise ValueError("text without control characters")
    return text


def _setting(parse: Callable[[str], T], default: T, shown: str, sentence: str, secret: bool = False) -> Any:
    metadata = {"parse": parse, "shown": shown, "sentence": sentence, "secret": secret}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; a field `x_y` is read from `MAESTRO_X_Y`. See docs/settings.md."""

    data: Path = _setting(  # noqa: RUF009 - a path does not change
        _folder,
        DATA,
        "the user's data folder",
        "Folder of mirrors, arrays, caches, logs and the embedded server's files.",
    )
    tenant: str = _setting(_name, "local", "local", "Whose repositories these are; part of every key.")
    neo4j_uri: str = _setting(
        _uri, "", "none", "Address of a Neo4j to keep the hypergraph in; without it the embedded server does."
    )
    neo4j_user: str = _setting(_text, "neo4j", "neo4j", "User at that Neo4j.")
    neo4j_password: str = _setting(
        _text, "", "none", "That user's password; it is never logged.", secret=True
    )
    neo4j_database: str = _setting(_name, "", "the server's default", "Database at that Neo4j.")
    heap: str = _setting(_heap, "1g", "1g", "Java heap of the embedded server.")
    idle: float = _setting(
        _seconds, 300.0, "300", "Seconds without a client after which the embedded server stops."
    )
    engine: bool = _setting(
        _switch, True, "on", "Resolve Python with the type engine; off leaves it to our own reader alone."
    )
    engine_idle: float = _setting(
        _seconds,
        900.0,
        "900",
        "Seconds without a question about a change after which a service ends the type engine that it "
        "keeps, and forgets what it read; the next such question starts it anew.",
    )
    history: bool = _setting(
        _switch, True, "on", "Read the history too: authors, renames, what changes together."
    )
    deadline: float = _setting(_seconds, 30.0, "30", "Seconds that one question of the service may take.")
    absences: Path | None = _setting(  # noqa: RUF009 - a path does not change
        _file, None, "none", "File that says who is away and not to be asked for reviews (docs/reviews.md)."
    )
    keep: int = _setting(_count, 50, "50", "Runs of a repository whose retired facts `maestro prune` keeps.")
    debug: bool = _setting(
        _switch, False, "off", "Show the traceback of an unexpected failure, and log more."
    )

    def store(self) -> StoreSettings:
        """Where the store is, as `graph` wants to know it."""
        return StoreSettings(
            data_dir=self.data / "store",
            uri=self.neo4j_uri or None,
            user=self.neo4j_user,
            password=self.neo4j_password,
            database=self.neo4j_database,
            heap=self.heap,
            idle_seconds=self.idle,
        )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read all settings from an environment; an empty variable counts as not set.

    Raises
    ------
    InputError
        A value cannot be used, or a variable of ours has a name that means nothing (a typo must
        not pass for a default).
    """
    known = {PREFIX + entry.name.upper(): entry for entry in fields(Settings)}
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name.startswith(FOREIGN):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all settings."
            raise InputError(f"There is no setting {name}.", hint)
        if text.strip():
            values[known[name].name] = _parsed(name, text.strip(), known[name].metadata)
    if "neo4j_uri" in values and not values.get("neo4j_password"):
        raise InputError(
            "MAESTRO_NEO4J_URI is set, but MAESTRO_NEO4J_PASSWORD is not.",
            "Set the password of that Neo4j, or take the address away to use the embedded server.",
        )
    return Settings(**values)


def _parsed(name: str, text: str, metadata: Mapping[str, Any]) -> Any:
    try:
        return metadata["parse"](text)
    except ValueError as error:
        shown = "what it holds" if metadata["secret"] else repr(text)
        raise InputError(f"{name} cannot be {shown}.", f"Give {error}.") from None
