"""Compose file, image, set-up script: what can be held without an engine."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "dirname", "env", "pwd", "cat", "cksum", "mkdir", "rm", "awk", "sed")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def test_every_service_is_unprivileged_and_watched(compose):
    for name, service in compose["services"].items():
        user = service["user"].partition(":")[0]
        assert user.isdecimal() and int(user) > 0, name
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["healthcheck"]["test"]
        assert service["volumes"]


def test_images_are_pinned(compose):
    for service in compose["services"].values():
        assert re.search(r":\d+\.\d+\.\d+", service["image"])
    assert re.search(
        r"^ARG PYTHON=\d+\.\d+\.\d+-", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_there_is_no_default_password(compose):
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    uses = re.findall(r"\$\{[A-Z0-9_]*PASSWORD[^}]*\}", text)
    assert len(uses) >= 2
    assert all(":?" in use for use in uses)


def test_nothing_is_published_beyond_this_machine(compose):
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_named_volumes_are_declared(compose):
    used = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service["volumes"]
        if re.match(r"[a-z]", volume)
    }
    assert used == set(compose["volumes"])


def test_the_image_runs_unprivileged_from_hashed_wheels():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes --no-deps" in text
    assert re.search(r"^USER [1-9]\d*:", text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    copied = set(re.findall(r"^COPY (\w+) /opt/maestro/", text, re.MULTILINE))
    assert {"api", "graph", "models", "cypher"} <= copied
    copied |= set(re.findall(r"^COPY (\S+/\w+) /opt/maestro/", text, re.MULTILINE))
    assert "clients/pytest-maestro/src/maestro_selection" in copied
    assert all(f"!{name}" in (ROOT / ".dockerignore").read_text(encoding="utf-8") for name in copied)


def setup(place: Path, tools: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tools / "sh"), "scripts/setup", "run"],
        cwd=place,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def bare(tmp_path):
    """A checkout and a PATH with tools and no Python."""
    place, tools = tmp_path / "checkout", tmp_path / "tools"
    (place / "scripts").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(ROOT / "scripts" / "setup", place / "scripts" / "setup")
    shutil.copy(ROOT / "requirements.txt", place)
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))
    return place, tools


def fake(place: Path, text: str) -> None:
    place.write_text(f"#!{shutil.which('sh')}\n{text}\n")
    place.chmod(place.stat().st_mode | stat.S_IXUSR)


def test_a_missing_python_is_told(bare):
    done = setup(*bare)
    assert done.returncode == 1
    assert "needs Python 3.11 or later" in done.stderr


def test_an_old_python_and_a_name_that_starts_nothing_are_passed_over(bare):
    fake(bare[1] / "python3.13", "echo 'no such version' >&2; exit 127")
    fake(bare[1] / "python3", "exit 1")
    done = setup(*bare)
    assert done.returncode == 1
    assert "needs Python 3.11 or later" in done.stderr


def test_a_python_without_venv_is_told(bare):
    fake(bare[1] / "python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    done = setup(*bare)
    assert done.returncode == 1
    assert "python3-venv" in done.stderr


def test_what_was_cut_off_is_begun_again(bare):
    place, tools = bare
    venv = place / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "left-over").write_text("")
    (venv / "installing").write_text("")
    fake(tools / "python3", 'case "$1" in -m) mkdir -p .venv/bin; echo made >.venv/made; exit 3 ;; esac')
    assert setup(place, tools).returncode == 3
    assert not (venv / "left-over").exists()
    assert (venv / "made").exists()
    assert (venv / "installing").exists()


RECORDING_PYTHON = """
case "$1" in
    -m) case "$2" in
        venv) mkdir -p .venv/bin; cat "$0" >.venv/bin/python; chmod +x .venv/bin/python ;;
        pip) echo "$@" >>asked; [ "$3" != check ] || exit "${BROKEN:-0}" ;;
    esac ;;
    -) cat >/dev/null ;;
esac
"""


def test_what_is_pinned_is_installed_without_asking_for_newer_releases(bare):
    # A resolver looks at the newest release of what is required with an extra, and refuses it unhashed.
    place, tools = bare
    (tools / "chmod").symlink_to(shutil.which("chmod"))
    fake(tools / "python3", RECORDING_PYTHON)
    assert setup(place, tools).returncode == 0
    install, check = (place / "asked").read_text().splitlines()
    assert {"--require-hashes", "--no-deps"} <= set(install.split())
    assert check.startswith("-m pip check")


def test_pins_that_do_not_fit_together_are_told(bare):
    place, tools = bare
    (tools / "chmod").symlink_to(shutil.which("chmod"))
    fake(tools / "python3", RECORDING_PYTHON.replace("${BROKEN:-0}", "1"))
    done = setup(place, tools)
    assert done.returncode == 1
    assert "does not fit together" in done.stderr
    assert not (place / ".venv" / "installed-run").exists()
