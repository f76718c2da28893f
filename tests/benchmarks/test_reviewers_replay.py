"""The replay: files it refuses, the reference rankers by hand, and figures end to end."""

from __future__ import annotations

import gzip
import json
import sys

import pytest

from benchmarks import reviewers
from benchmarks.reviewers import References, RowsError, read_rows, scores
from models.reviews import Commit


def row(number: int, **changes: object) -> dict[str, object]:
    reviewers = ["bob"] if number % 2 else ["cleo"]
    fields = {
        "id": "x",
        "time": 86_400 * number,
        "author": "ann",
        "reviewers": reviewers,
        "files": ["a/b.py"],
    }
    return {**fields, **changes}


def written(tmp_path, rows) -> object:
    place = tmp_path / "small.jsonl.gz"
    place.write_bytes(gzip.compress("\n".join(json.dumps(each) for each in rows).encode()))
    return place


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time": "soon"}, "time must be"),
        ({"time": True}, "time must be"),
        ({"time": float("nan")}, "time must be"),
        ({"reviewers": "bob"}, "lists"),
        ({"files": [3]}, "lists"),
        ({"author": None}, "lists"),
        ({"files": None}, "needs time"),
        ({"time": -5.0}, "order of time"),
    ],
)
def test_rows_that_are_none_are_refused_with_their_line(tmp_path, change, said):
    rows = [row(number) for number in range(20)]
    rows[7] |= change
    with pytest.raises(RowsError, match=said):
        read_rows(written(tmp_path, rows))


def test_files_that_are_no_rows_are_refused(tmp_path):
    for name, data in (
        ("cut.gz", gzip.compress(b'{"time": 1}')[:-9]),
        ("plain.gz", b"{}"),
        ("text.gz", gzip.compress(b"not json")),
        ("bytes.gz", gzip.compress(b"\xff\xfe")),
        ("list.gz", gzip.compress(b"[1]")),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RowsError):
            read_rows(tmp_path / name)
    with pytest.raises(RowsError):
        read_rows(tmp_path / "none.gz")
    with pytest.raises(RowsError, match="nothing to score"):
        read_rows(written(tmp_path, [row(1)]))


def test_an_author_is_no_reviewer_of_their_own(tmp_path):
    commits, people = read_rows(
        written(tmp_path, [row(n, reviewers=["ann", "bob", "bob"]) for n in range(12)])
    )
    assert people == 2 and commits[0].reviewers == (1,)


def test_the_references_by_hand():
    references = References()
    for day, author, asked, files in (
        (0, 0, (1,), ("a/x",)),
        (1, 0, (2,), ("a/y",)),
        (200, 0, (2,), ("b/z",)),
    ):
        references.learn(Commit(float(day), author, asked, files))
    found = references.rank(Commit(201.0, 0, (), ("a/x",)))
    assert found["popular"] == [2], "reviews older than 90 days do not count, and the author never does"
    assert found["chrev"] == [1]
    assert found["knn"][0] == 2, "a review of yesterday beats a like one of half a year ago"
    assert references.rank(Commit(201.0, 2, (), ("a/x",)))["chrev"] == [0, 1]


def test_scores_by_hand():
    commits = [Commit(0.0, 0, (1,), ()), Commit(0.0, 0, (2, 3), ()), Commit(0.0, 0, (9,), ())]
    assert scores([[1, 2], [1, 4, 3, 2], []], commits) == pytest.approx(
        (1 / 3, 2 / 3, 2 / 3, (1 + 1 / 3) / 3)
    )


def test_a_whole_run_prints_its_figures_last(tmp_path, capsys, monkeypatch):
    place = written(tmp_path, [row(number) for number in range(60)])
    monkeypatch.setattr(sys, "argv", ["reviewers", str(place)])
    reviewers.main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["benchmark"] == "reviewers" and last["on"] == "small"
    figures = last["figures"]
    assert {
        "mrr",
        "mrr_1d",
        "top1",
        "top3",
        "top5",
        "knn_mrr",
        "gini_really",
        "files_at_risk_plain",
    } <= figures.keys()
    assert figures["top3"] == 1.0, "there are but two who ever review"


def test_a_bad_file_ends_the_run_in_plain_words(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["reviewers", str(tmp_path / "none.gz")])
    with pytest.raises(SystemExit, match=r"Error: .*cannot be read"):
        reviewers.main()
