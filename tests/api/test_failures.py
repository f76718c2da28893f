from __future__ import annotations

import re

import pytest

from api.failures import TABLE, failure_of, log_path, masked
from api.settings import Settings
from graph import errors


def kinds(root: type) -> list[type]:
    return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]


OURS = [kind for kind in kinds(errors.MaestroError) if kind.__module__ == "graph.errors"]


def test_every_class_of_error_has_a_row():
    assert set(OURS) == set(TABLE)


def test_exit_codes_and_graphql_codes_tell_errors_apart():
    assert len({failure.exit_code for failure in TABLE.values()}) == len(TABLE)
    assert len({failure.code for failure in TABLE.values()}) == len(TABLE)
    assert len({kind.code for kind in TABLE}) == len(TABLE)
    assert all(2 <= failure.exit_code < 126 for failure in TABLE.values())
    assert all(400 <= failure.status < 600 for failure in TABLE.values())


def test_a_subclass_is_told_as_its_nearest_class():
    class StrangeDiff(errors.DiffError):
        pass

    assert failure_of(StrangeDiff("x")) is TABLE[errors.DiffError]
    assert failure_of(KeyError("x")) is TABLE[errors.MaestroError]


def test_errors_of_ours_are_told_as_they_are(tmp_path):
    error = errors.NotFoundError("gone", "look")
    assert masked(error, Settings(data=tmp_path)) is error
    assert not log_path(Settings(data=tmp_path)).exists()


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_foreign_error_is_logged_under_the_id_that_is_told(tmp_path):
    settings = Settings(data=tmp_path, neo4j_password="hunter2")
    told = masked(raised(ValueError("secret detail, hunter2")), settings)
    assert "secret detail" not in str(told)
    identity = re.search(r"id ([0-9a-f]{8})", told.message)
    assert identity
    log = log_path(settings).read_text()
    assert identity[1] in log
    assert "secret detail" in log
    assert "hunter2" not in log


def test_a_foreign_error_is_told_where_no_log_can_be_written(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    told = masked(raised(ValueError("x")), Settings(data=place))
    assert "cannot be written" in told.message
    assert "MAESTRO_DEBUG" in told.hint


@pytest.mark.parametrize("kind", OURS)
def test_every_row_has_words(kind):
    assert TABLE[kind].sentence.endswith(".")
