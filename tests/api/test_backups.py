"""`maestro backup` and `maestro restore`: from one tenant's data to another data directory."""

from __future__ import annotations

import json

import pytest
import servers_under_test as servers


@pytest.fixture
def elsewhere(tmp_path, maestro):
    """A data directory of its own, with an embedded server of its own."""
    data = tmp_path / "elsewhere"
    quick = {"MAESTRO_DATA": str(data), "MAESTRO_HEAP": "512m", "MAESTRO_IDLE": "120"}
    own = servers.Embedded(data / "store")
    kept = {name: value for name, value in maestro.environment.items() if "NEO4J" not in name}
    yield type(maestro)({**kept, **quick})
    own.stop()


def test_a_backup_is_restored_elsewhere_and_found_well(maestro, clone, tmp_path, elsewhere):
    clone.git("tag", "first")
    maestro.json("index", str(clone.root))
    before = maestro.json("impact", "tax")
    saved = maestro.json("backup", str(tmp_path / "kept"))
    assert "shop" in saved["repositories"] and saved["facts"] > 0 and saved["findings"] == []
    back = elsewhere.json("restore", str(tmp_path / "kept"))
    assert back["facts"] == saved["facts"] and back["findings"] == []
    after = elsewhere.json("impact", "tax", "--repo", "shop")
    for name in ("reached", "tests", "owners", "indexed", "run"):
        assert after[name] == before[name], name
    assert elsewhere.json("impact", "first", "--repo", "shop")["head"] == before["indexed"]
    assert elsewhere("doctor").exit_code == 0
    again = elsewhere("restore", str(tmp_path / "kept"), "--json")
    assert again.exit_code == 2 and "already" in json.loads(again.stdout)["message"]
    assert elsewhere.json("index", str(clone.root), "--name", "shop")["unchanged"]


def test_what_is_no_backup_is_refused(maestro, tmp_path):
    done = maestro("restore", str(tmp_path))
    assert done.exit_code == 3 and "is not a backup" in " ".join(done.stderr.split())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    done = maestro("backup", str(tmp_path / "full"))
    assert done.exit_code == 2 and "is not empty" in " ".join(done.stderr.split())
