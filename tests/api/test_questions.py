from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.questions import Question, Subject, subject_of
from graph.errors import InputError


@pytest.mark.parametrize(
    ("asked", "subject"),
    [
        ("main..HEAD", Subject.REVISIONS),
        ("main...feature/x", Subject.REVISIONS),
        ("..HEAD", Subject.REVISIONS),
        ("HEAD", Subject.REVISIONS),
        ("HEAD~2^", Subject.REVISIONS),
        ("HEAD@{1}", Subject.REVISIONS),
        ("5dc781f", Subject.REVISIONS),
        ("5dc781f~1", Subject.REVISIONS),
        ("5dc781", Subject.NAME),
        ("src/app.py:42", Subject.SYMBOL),
        ("./src/app.py:42", Subject.SYMBOL),
        ("../other/app.py:42", Subject.SYMBOL),
        ("src/../app.py", Subject.NAME),
        ("src/app.py::Class.method", Subject.SYMBOL),
        ("Flask.wsgi_app", Subject.NAME),
        ("main", Subject.NAME),
    ],
)
def test_words_become_a_subject(asked, subject):
    assert subject_of(asked) is subject


@given(st.text())
def test_any_words_become_a_subject(asked):
    assert subject_of(asked) in Subject


@pytest.mark.parametrize(
    "wrong", [{"depth": 0}, {"depth": 101}, {"asked": " "}, {"asked": ""}, {"asked": "a\0b"}]
)
def test_a_question_that_cannot_be_asked_is_refused(wrong):
    with pytest.raises(InputError) as caught:
        Question(**{"subject": Subject.SYMBOL, "asked": "x", **wrong})
    assert caught.value.hint
