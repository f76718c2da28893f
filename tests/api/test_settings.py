from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.settings import Settings, read_settings
from graph.errors import InputError

MALFORMED = {
    "data": ["relative/folder", ".", "~nobody-is-called-so/maestro"],
    "tenant": ["two words", "../up", "-dash", "a" * 64],
    "neo4j_uri": ["localhost:7687", "http://localhost", "bolt://", "bolt://user:secret@host"],
    "neo4j_user": ["line\nend"],
    "neo4j_password": ["bell\a"],
    "neo4j_database": ["a b", "/"],
    "heap": ["1", "1t", "-1g", "12m", "g", "01g", "1 g"],
    "idle": ["0", "-1", "soon", "nan", "inf", "604801"],
    "engine": ["perhaps", "2"],
    "engine_idle": ["0", "-5", "later", "inf", "604801"],
    "history": ["maybe"],
    "deadline": ["0", "never"],
    "absences": ["relative.jsonl", "."],
    "keep": ["0", "-3", "1.5", "many", "1000001"],
    "debug": ["loud"],
}
GOOD = {
    "data": ("/var/lib/maestro", Path("/var/lib/maestro")),
    "tenant": ("acme", "acme"),
    "neo4j_uri": ("neo4j+s://db.example:7687", "neo4j+s://db.example:7687"),
    "neo4j_user": ("me", "me"),
    "neo4j_password": ("pass word", "pass word"),
    "neo4j_database": ("code", "code"),
    "heap": ("2G", "2g"),
    "idle": ("0.5", 0.5),
    "engine": ("off", False),
    "engine_idle": ("60", 60.0),
    "history": ("no", False),
    "deadline": ("5", 5.0),
    "absences": ("/etc/away.jsonl", Path("/etc/away.jsonl")),
    "keep": ("7", 7),
    "debug": ("1", True),
}
NAMES = [entry.name for entry in fields(Settings)]


def variable(name: str) -> str:
    return f"MAESTRO_{name.upper()}"


def environment(name: str, value: str) -> dict[str, str]:
    return {"MAESTRO_NEO4J_PASSWORD": "x", variable(name): value}


def test_every_setting_is_tried_here():
    assert set(NAMES) == set(MALFORMED) == set(GOOD)


@pytest.mark.parametrize("name", NAMES)
def test_a_good_value_is_taken(name):
    text, value = GOOD[name]
    assert getattr(read_settings(environment(name, text)), name) == value


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in MALFORMED.items() for v in values])
def test_a_malformed_value_is_refused_by_name(name, value):
    with pytest.raises(InputError) as caught:
        read_settings(environment(name, value))
    assert variable(name) in caught.value.message
    assert caught.value.hint


@given(st.sampled_from(NAMES), st.text(max_size=40))
def test_any_text_is_taken_or_refused(name, text):
    try:
        settings = read_settings(environment(name, text))
    except InputError:
        return
    settings.store().check()


def test_an_empty_variable_counts_as_not_set():
    assert read_settings({variable(name): "" for name in NAMES}) == Settings()


def test_a_name_that_means_nothing_is_refused_with_the_near_one():
    with pytest.raises(InputError, match="MAESTRO_NEO4J_PASSWORD"):
        read_settings({"MAESTRO_NEO4J_PASWORD": "x"})


def test_variables_of_tests_are_not_ours():
    assert read_settings({"MAESTRO_TEST_NEO4J_URI": "bolt://x", "PATH": "/bin"}) == Settings()


def test_an_address_without_a_password_is_refused():
    with pytest.raises(InputError, match="MAESTRO_NEO4J_PASSWORD"):
        read_settings({"MAESTRO_NEO4J_URI": "bolt://localhost"})


def test_the_password_is_not_shown():
    settings = read_settings({"MAESTRO_NEO4J_PASSWORD": "hunter2"})
    assert "hunter2" not in repr(settings)
    with pytest.raises(InputError) as caught:
        read_settings({"MAESTRO_NEO4J_PASSWORD": "hunter2\a"})
    assert "hunter2" not in str(caught.value)


def test_every_setting_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{variable(name)}`" not in page] == []
