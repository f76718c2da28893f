"""What differs between two versions of a manifest is sorted by who can see it; what is not read is said."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from maestro_selection import manifests, requirements
from maestro_selection.manifests import Difference, compare, is_manifest
from maestro_selection.requirements import ManifestError, only_raised, requirement, same_version

tomllib = pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")

PROJECT = """
[build-system]
requires = ["hatchling>=1.20"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "1.0"
description = "A shop."
dependencies = ["click>=8", "rich"]
classifiers = ["Private"]

[project.optional-dependencies]
docs = ["sphinx"]

[project.scripts]
shop = "shop:main"

[dependency-groups]
dev = ["pytest", "mypy==1.10"]

[tool.ruff]
line-length = 100

[tool.pytest.ini_options]
addopts = "-q"

[tool.uv]
package = true

[tool.poetry.dependencies]
python = "^3.9"
click = "^8.0"

[tool.poetry.group.docs]
dependencies = {sphinx = "^7"}
"""

UV = """
version = 1
requires-python = ">=3.9"

[[package]]
name = "shop"
version = "1.0"
source = {{ editable = "." }}
dependencies = [{{ name = "click" }}, {{ name = "rich" }}]

[[package]]
name = "click"
version = "{click}"
source = {{ registry = "index" }}
wheels = [{{ url = "click.whl", hash = "sha256:1" }}]

[[package]]
name = "rich"
version = "13.0"
dependencies = [{{ name = "pygments", marker = "{marker}" }}]

[[package]]
name = "pygments"
version = "2.17"
"""


def differs(path: str, old: str, new: str) -> Difference:
    return compare(path, old.encode(), new.encode())


def edited(before: str, after: str) -> Difference:
    assert before in PROJECT
    return differs("pyproject.toml", PROJECT, PROJECT.replace(before, after, 1))


@pytest.mark.parametrize(
    "path",
    [
        "pyproject.toml",
        "lib/setup.cfg",
        "setup.py",
        "requirements.txt",
        "requirements-dev.in",
        "requirements/docs.txt",
        "dev-requirements.txt",
        "constraints.txt",
        "requirements.lock",
        "pylock.toml",
        "pylock.dev.toml",
        "uv.lock",
        "a/poetry.lock",
        "pytest.ini",
        "pytest.toml",
        "noxfile.py",
        "Pipfile",
    ],
)
def test_manifests_are_known_by_their_names(path):
    assert is_manifest(path)


@pytest.mark.parametrize(
    "path", ["README.md", "src/lock.py", "notes.txt", "a/requirements.md", "data/uv.lock.json", "setup.sh"]
)
def test_other_files_are_none(path):
    assert not is_manifest(path)


@tomllib
@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('description = "A shop."', 'description = "The shop."', "[project] description"),
        ('version = "1.0"', 'version = "1.1"', "[project] version"),
        ('classifiers = ["Private"]', "classifiers = []", "[project] classifiers"),
    ],
)
def test_metadata_is_for_who_reads_it(before, after, what):
    assert edited(before, after) == Difference(metadata=(what,))


@tomllib
def test_settings_of_a_linter_are_seen_by_no_test():
    assert edited("line-length = 100", "line-length = 90") == Difference(inert=("[tool.ruff]",))


@tomllib
def test_how_it_is_written_is_seen_by_no_test():
    assert edited('["click>=8", "rich"]', '[\n "click>=8",  # why\n "rich",\n]').inert


@tomllib
@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('"-q"', '"-x"', "[tool.pytest]"),
        ("hatchling>=1.20", "setuptools", "[build-system]"),
        ('shop = "shop:main"', 'shop = "shop:other"', "[project] scripts"),
        ('name = "shop"', 'name = "store"', "[project] name"),
        ("package = true", "package = false", "[tool.uv]"),
        ('docs = ["sphinx"]', "", "[project.optional-dependencies] docs"),
        ('version = "1.0"', 'dynamic = ["version"]', "[project] version"),
        ('dev = ["pytest", "mypy==1.10"]', 'dev = [{include-group = "x"}]', "[dependency-groups] dev"),
    ],
)
def test_what_any_test_may_see_is_unknown(before, after, what):
    assert what in edited(before, after).unknown


@tomllib
@pytest.mark.parametrize(
    ("before", "after", "place", "moved"),
    [
        ('"click>=8"', '"click>=8.1"', "[project] dependencies", ["click"]),
        ('["sphinx"]', '["sphinx", "Furo"]', "[project.optional-dependencies] docs", ["furo"]),
        ("mypy==1.10", "mypy==1.11", "[dependency-groups] dev", ["mypy"]),
        ('click = "^8.0"', 'click = "^8.1"', "[tool.poetry] dependencies", ["click"]),
        ('sphinx = "^7"', 'sphinx = "^8"', "[tool.poetry.group.docs]", ["sphinx"]),
    ],
)
def test_lists_of_requirements_tell_which_differ(before, after, place, moved):
    (listing,) = edited(before, after).listings
    assert (listing.place, listing.moved(), listing.locked) == (place, moved, False)


@tomllib
def test_a_lock_tells_versions_and_what_is_needed():
    old = UV.format(click="8.0", marker="")
    (listing,) = differs("uv.lock", old, UV.format(click="8.1", marker="")).listings
    assert (listing.moved(), listing.locked, listing.complete) == (["click"], True, True)
    own = next(each for each in listing.old if each.name == "shop")
    assert own.own
    assert {name for name, _ in own.needs} == {"click", "rich"}
    (listing,) = differs("uv.lock", old, UV.format(click="8.0", marker="sys_platform == 'win32'")).listings
    assert listing.moved() == ["rich"]


@tomllib
def test_what_a_lock_is_made_for_is_unknown():
    old = UV.format(click="8.0", marker="")
    assert differs("uv.lock", old, "resolution-markers = ['a']\n" + old).unknown
    assert differs("uv.lock", old, old + "\n[manifest]\nconstraints = []\n").unknown
    assert differs("uv.lock", old, old.replace(">=3.9", ">=3.10")) == Difference(inert=("no package",))


@tomllib
def test_a_lock_of_poetry_says_when_an_entry_applies():
    text = (
        '[[package]]\nname = "rich"\nversion = "1"\ngroups = [{groups}]\n[package.dependencies]\nx = "{x}"\n'
    )
    (listing,) = differs(
        "poetry.lock", text.format(groups='"main"', x="^1"), text.format(groups='"dev"', x="^2")
    ).listings
    (old,), (new,) = listing.old, listing.new
    assert old.condition != new.condition
    assert old.needs == new.needs == frozenset({("x", "")})


def test_a_lock_of_pipenv():
    old = {"_meta": {"hash": {}}, "default": {"Click": {"version": "==8.0"}}, "develop": {}}
    new = {**old, "default": {"click": {"version": "==8.1"}}}
    (listing,) = differs("Pipfile.lock", json.dumps(old), json.dumps(new)).listings
    assert listing.moved() == ["click"]
    assert [each.pin for each in (*listing.old, *listing.new)] == ["8.0", "8.1"]


def test_a_requirements_file():
    old = "# what for\nclick==8.0 \\\n    --hash=sha256:1\nrich == 13.0  # via shop\n"
    new = "rich==13.0\nclick==8.0 --hash=sha256:1\n"
    assert differs("requirements.txt", old, new).inert
    (listing,) = differs("requirements.txt", old, new.replace("8.0", "8.1")).listings
    assert (listing.moved(), listing.locked, listing.complete) == (["click"], True, False)
    (listing,) = differs("requirements.txt", old, "click>=8\nrich==13.0\n").listings
    assert not listing.locked


def test_options_of_a_requirements_file_are_unknown():
    assert differs("requirements.txt", "click\n", "click\n-r more.txt\n").unknown == ("-r more.txt",)
    assert differs("requirements.txt", "-e .\n", "-e ./lib\n").unknown
    assert differs("requirements.txt", "./a.whl\n", "./b.whl\n").unknown


def test_a_configuration_of_setuptools():
    cfg = "[metadata]\nname = shop\nversion = 1\n[options]\ninstall_requires =\n  click\n  rich>1\n"
    cfg += "[flake8]\nx = 1\n"
    cfg += "[tool:pytest]\naddopts = -q\n[options.extras_require]\ndocs = sphinx\n"

    def to(before: str, after: str) -> Difference:
        return differs("setup.cfg", cfg, cfg.replace(before, after, 1))

    assert to("version = 1", "version = 2").metadata == ("[metadata] version",)
    assert to("version = 1", "version = attr: shop.v").unknown == ("[metadata] version",)
    assert to("name = shop", "name = store").unknown
    assert to("x = 1", "x = 2") == Difference(inert=("[flake8]",))
    assert to("-q", "-x").unknown == ("[tool:pytest]",)
    assert to("rich>1", "rich>2").listings[0].moved() == ["rich"]
    assert to("docs = sphinx", "docs = furo").listings[0].moved() == ["furo", "sphinx"]
    assert to("docs = sphinx", "docs = file: a.txt").unknown
    assert to("[flake8]", "[options.package_data]\n* = *.sql\n[flake8]").unknown


def test_a_setup_script_is_read_and_not_run():
    script = (
        "from setuptools import setup\nsetup(name='a', description='b', install_requires=['x'], ext=f())\n"
    )

    def to(before: str, after: str) -> Difference:
        return differs("setup.py", script, script.replace(before, after, 1))

    assert to("'b'", "'c'").metadata == ("description",)
    assert to("['x']", "['x>1']").listings[0].moved() == ["x"]
    assert to("['x']", "g()").unknown == ("install_requires",)
    assert to("f()", "g()").unknown == ("ext",)
    assert to("from", "import os\nfrom").unknown == ("its code",)
    assert differs("setup.py", script, "setup(\n").unknown
    assert differs("setup.py", script, "setup()\nsetup()\n").unknown
    assert not to("setup(name", "setup( name").unknown


@pytest.mark.parametrize(
    ("path", "bad"),
    [
        ("pyproject.toml", "[project\n"),
        ("pyproject.toml", "project = 1\n"),
        ("pyproject.toml", "[project]\ndependencies = 3\n"),
        ("pyproject.toml", "[project]\ndependencies = ['a b c']\n"),
        ("pyproject.toml", "[project]\ndependencies = [1]\n"),
        ("uv.lock", "package = 1\n"),
        ("uv.lock", "[[package]]\nversion = '1'\n"),
        ("poetry.lock", ""),
        ("Pipfile.lock", "{"),
        ("Pipfile.lock", "[]"),
        ("Pipfile.lock", '{"default": 1}'),
        ("Pipfile.lock", '{"default": {"a": 1}}'),
        ("Pipfile", "packages = 1\n"),
        ("setup.cfg", "no section\n"),
        ("setup.cfg", "[a]\nx = 1\n[a]\n"),
        ("requirements.txt", "a b c\n"),
        ("requirements.txt", "click==\n"),
    ],
)
def test_what_cannot_be_read_is_said(path, bad):
    good = {"Pipfile.lock": '{"default": {}}', "uv.lock": "package = []\n", "poetry.lock": "package = []\n"}
    for old, new in ((good.get(path, ""), bad), (bad, good.get(path, ""))):
        assert differs(path, old, new).unknown


def test_no_text_and_one_side_are_said():
    assert compare("pyproject.toml", b"", b"\xff\xfe").unknown
    assert compare("uv.lock", None, b"").unknown
    assert compare("uv.lock", b"", None).unknown


def test_without_a_reader_of_toml_it_is_said(monkeypatch):
    monkeypatch.setattr(manifests, "tomllib", None)
    (what,) = differs("pyproject.toml", "", "a = 1\n").unknown
    assert "tomllib" in what
    assert differs("requirements.txt", "a\n", "b\n").listings


@given(old=st.text(), new=st.text(), name=st.sampled_from(["pyproject.toml", "uv.lock", "Pipfile.lock"]))
def test_any_text_is_survived(old, new, name):
    found = differs(name, old, new)
    assert old == new or found != Difference()


@given(
    old=st.text(alphabet="ab-=.<>1,;[]@ #\\\n'\"()", max_size=60),
    new=st.text(alphabet="ab-=.<>1,;[]@ #\\\n'\"()", max_size=60),
    name=st.sampled_from(["requirements.txt", "setup.cfg", "setup.py", "tox.ini"]),
)
def test_any_lines_are_survived(old, new, name):
    assert differs(name, old, new) != Difference() or old == new


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_versions_that_differ_by_zeros_are_one(numbers):
    version = ".".join(map(str, numbers))
    assert same_version(version, f"{version}.0.0")
    assert not same_version(version, f"{version}.1")
    assert not same_version(version, f"{version}rc1")


@pytest.mark.parametrize(
    ("old", "new", "version", "same"),
    [
        ("a>=1", "a>=2", "2.5", True),
        ("a", "a>=2", "2.5", True),
        ("a>=1,<3", "a>=2,<3", "2.0", True),
        ("a>=1", "a>=3", "2.5", False),
        ("a>=2", "a>=1", "2.5", False),
        ("a>=2", "a", "2.5", False),
        ("a>=1,<3", "a>=2,<4", "2.5", False),
        ("a>=1", "a>=2; python_version<'3'", "2.5", False),
        ("a>=1", "a[b]>=2", "2.5", False),
        ("a>=1", "a>=2rc1", "2.5", False),
        ("a>=1", "a>=2", "2.5.dev1", False),
        ("a>1", "a>2", "2.5", False),
    ],
)
def test_a_lower_bound_below_what_is_installed_changes_nothing(old, new, version, same):
    assert only_raised((requirement(old),), (requirement(new),), version) is same


@pytest.mark.parametrize(
    ("line", "name", "pin"),
    [
        ("Zope.Interface == 5.0", "zope-interface", "5.0"),
        ("a[b, c]==1.*", "a", ""),
        ("a (>=1,<2) ; extra == 'x'", "a", ""),
        ("a @ https://example.org/a.whl", "a", ""),
        ("a==1,!=2", "a", ""),
    ],
)
def test_requirements_are_read(line, name, pin):
    found = requirement(line)
    assert (found.name, found.pin) == (name, pin)


@pytest.mark.parametrize("line", ["", "==1", "a b", "a ==", "-e .", "a>=1 b"])
def test_what_is_no_requirement_is_refused(line):
    with pytest.raises(ManifestError, match="is no requirement"):
        requirement(line)
    assert requirements.requirements([]) == ()
