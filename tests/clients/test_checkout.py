"""The state of a checkout: what is on disk, as git counts it."""

from __future__ import annotations

import pytest
from pytest_maestro.checkout import Checkout
from pytest_maestro.installed import distributions
from pytest_maestro.places import Place


@pytest.fixture
def project(new_project):
    return new_project({"a.py": "A = 1\n", "deep/b.txt": "b\n", ".gitignore": "ignored\n"})


def test_files_are_as_they_are_on_disk(project):
    checkout = Checkout.around(str(project.root / "deep"))
    assert checkout.root == str(project.root)
    files, dirty = checkout.files()
    assert not dirty
    assert files["a.py"] == project.git("rev-parse", "HEAD:a.py")
    project.write({"a.py": "A = 2\n", "new.py": "N = 1\n", "ignored": "x", "two words\n.txt": "x"})
    (project.root / "deep" / "b.txt").unlink()
    files, dirty = checkout.files()
    assert dirty
    assert files["a.py"] == project.git("hash-object", "a.py")
    assert files["new.py"] == project.git("hash-object", "new.py")
    assert files.keys() == {"a.py", "new.py", ".gitignore", "two words\n.txt"}
    assert checkout.blobs(["ignored", "nothing"]).keys() == {"ignored"}


def test_staged_edits_and_later_ones(project):
    project.write({"a.py": "A = 3\n"})
    project.git("add", "a.py")
    assert Checkout.around(str(project.root)).files()[0]["a.py"] == project.git("hash-object", "a.py")
    project.write({"a.py": "A = 4\n"})
    assert Checkout.around(str(project.root)).files()[0]["a.py"] == project.git("hash-object", "a.py")


def test_a_virtual_environment_that_is_not_ignored_is_no_part(project):
    project.write({".venv/pyvenv.cfg": "", ".venv/lib/x.py": "", "tool/env/pyvenv.cfg": "", "tool/t.py": ""})
    checkout = Checkout.around(str(project.root))
    assert checkout.files()[0].keys() == {"a.py", "deep/b.txt", ".gitignore", "tool/t.py"}
    diff = checkout.diff(checkout.commit(), 5)
    assert "tool/t.py" in diff
    assert "pyvenv" not in diff


def test_the_diff_has_what_is_not_tracked(project):
    project.write({"a.py": "A = 5\n", "new.txt": "new\n"})
    checkout = Checkout.around(str(project.root))
    diff = checkout.diff(checkout.commit(), 5)
    assert "-A = 1\n+A = 5\n" in diff
    assert "+++ b/new.txt\n" in diff
    assert checkout.diff(checkout.commit(), 0) is None
    assert checkout.diff("0" * 40, 5) is None


def test_roots_and_distance(project):
    first = project.git("rev-parse", "HEAD")
    project.commit({"a.py": "A = 6\n"})
    checkout = Checkout.around(str(project.root))
    assert checkout.roots() == (first,)
    assert checkout.distance(first) == 1
    assert checkout.distance("0" * 40) is None
    assert checkout.text(checkout.files()[0]["a.py"]) == b"A = 6\n"


def test_a_shallow_clone_has_no_roots(project, tmp_path):
    project.commit({"a.py": "A = 7\n"})
    project.git("clone", "-q", "--depth", "1", f"file://{project.root}", str(tmp_path / "shallow"))
    assert Checkout.around(str(tmp_path / "shallow")).roots() == ()


def test_a_clone_without_commits(tmp_path, new_project):
    made = type(new_project({}))(tmp_path / "empty")
    made.write({"a.py": ""})
    checkout = Checkout.around(str(made.root))
    assert (checkout.commit(), checkout.roots()) == ("", ())
    assert checkout.files() == ({"a.py": made.git("hash-object", "a.py")}, True)


def test_a_folder_without_git(tmp_path):
    (tmp_path / "a.py").write_text("A = 1\n")
    (tmp_path / "__pycache__").mkdir()
    checkout = Checkout.around(str(tmp_path))
    assert not checkout.git
    assert checkout.files()[0].keys() == {"a.py"}
    assert checkout.text("0" * 40) is None


def test_places(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    place = Place.at(str(tmp_path / "link"))
    assert place.relative(str(tmp_path / "real" / "a.py")) == "a.py"
    assert place.relative(str(tmp_path / "link" / "b" / ".." / "a.py")) == "a.py"
    assert place.relative(str(tmp_path / "link")) == "."
    assert place.relative(str(tmp_path / "other.py")) == ""
    assert place.relative(str(tmp_path / "link" / "site-packages" / "a.py")) == ""


def test_distributions_are_told():
    found = distributions()
    assert found["pytest"].version == pytest.__version__
    assert "pytest" in found["pytest"].modules
    assert "pluggy" in found["pytest"].requires
    assert found["hypothesis"].plugin
