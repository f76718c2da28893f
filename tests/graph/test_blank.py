"""The database that new data directories begin with: what a server would make of nothing, or passed over."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from graph import blank, embedded, java, watcher
from graph.errors import DiskError, StoreUnavailableError
from graph.settings import StoreSettings
from graph.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.apart]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A blank database, made in a folder of our own."""
    wheel = replace(java.find_wheel(), home=tmp_path_factory.mktemp("wheel"))
    (wheel.home / "maestro-blank-0123456789abcdef").mkdir()
    assert blank.find(wheel) is None
    return wheel, blank.make(wheel)


@pytest.fixture
def place(tmp_path):
    """Settings of a data directory of our own; its server is stopped afterwards."""
    settings = StoreSettings(tmp_path / "data", heap="256m")
    yield settings
    embedded.stop(settings)


def kept(data: Path) -> Path:
    return data / "server" / "databases" / java.DATABASE


async def told(settings: StoreSettings) -> tuple[bool, list[dict[str, object]], dict[str, object]]:
    """Whether there was something to migrate, the migrations, and what the server says of its schema."""
    async with Store.open(settings) as store:
        moved = await store.migrate()
        noted = await store.read("status/migrations")
    embedded.stop(settings)
    said = json.loads((kept(settings.data_dir) / "schema.json").read_text("utf-8"))
    for described in said["types"].values():  # indexes are named after the moment they were made
        described["indexes"] = list(described["indexes"].values())
    return moved, sorted(noted, key=lambda row: row["number"]), said


def test_it_takes_the_place_of_others_and_is_for_this_server_and_schema(made, monkeypatch) -> None:
    wheel, folder = made
    assert blank.find(wheel) == folder
    assert [each.name for each in wheel.home.iterdir()] == [folder.name]
    assert blank.find(replace(wheel, version="1")) is None
    monkeypatch.setitem(java.OPTIONS, "bucketDefaultPageSize", "65536")
    assert blank.find(wheel) is None


def test_a_schema_that_moved_passes_it_over(made, monkeypatch) -> None:
    wheel, _ = made
    monkeypatch.setattr(blank.migrations, "constraints", lambda: {"Other": "CREATE CONSTRAINT"})
    assert blank.find(wheel) is None


async def test_a_store_begins_with_what_migrating_makes(made, place, tmp_path, monkeypatch) -> None:
    _, folder = made
    monkeypatch.setattr(blank, "find", lambda wheel: folder)
    begun = await told(place)
    monkeypatch.setattr(blank, "find", lambda wheel: None)
    migrated = await told(replace(place, data_dir=tmp_path / "bare"))
    assert (begun[0], migrated[0]) == (False, True)
    assert begun[1:] == migrated[1:]


async def test_an_older_store_keeps_what_it_has(made, place, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(blank, "find", lambda wheel: None)
        await told(place)
    before = kept(place.data_dir).stat().st_ino
    monkeypatch.setattr(blank, "find", lambda wheel: made[1])
    assert (await told(place))[0] is False
    assert kept(place.data_dir).stat().st_ino == before


def test_a_copy_is_there_whole_or_not_at_all(made, tmp_path, monkeypatch) -> None:
    _, folder = made
    home = tmp_path / "server"
    broken = home / ".blank.0.draft" / java.DATABASE  # a copy that was broken off
    broken.mkdir(parents=True)
    (broken / "schema.json").write_text("{")
    copy = shutil.copyfile

    def full(source: Path, target: Path) -> None:
        if source.name == "schema.json":
            raise OSError(28, "No space left on device")
        copy(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        watcher._begin_with(folder, home)
    assert [each.name for each in home.iterdir()] == ["databases"] and not list(home.rglob("*.bucket"))
    watcher._begin_with(tmp_path / "gone", home)
    assert not list((home / "databases").iterdir())
    watcher._begin_with(folder, home)
    copied = home / "databases" / java.DATABASE
    assert {each.name: each.read_bytes() for each in copied.iterdir()} == {
        each.name: each.read_bytes() for each in folder.iterdir()
    }
    (copied / "schema.json").write_text("{}")
    watcher._begin_with(folder, home)
    assert (copied / "schema.json").read_text() == "{}"


def test_what_stops_it_from_being_made_is_told(made, tmp_path, monkeypatch) -> None:
    wheel, folder = made
    with pytest.raises(DiskError, match="cannot be written"):
        blank.make(replace(wheel, home=tmp_path / "nowhere"))

    def fails(settings: StoreSettings) -> None:
        raise StoreUnavailableError("The embedded server did not start.", "")

    monkeypatch.setattr(embedded, "join", fails)
    with pytest.raises(StoreUnavailableError, match="did not start"):
        blank.make(wheel)
    assert [each.name for each in wheel.home.iterdir()] == [folder.name]
    monkeypatch.setattr(java, "find_wheel", lambda: wheel)
    assert java.made_or_told(blank.make) == 1


def test_set_up_and_the_image_make_it() -> None:
    for where in ("scripts/setup", "Dockerfile"):
        assert "python -m graph.blank" in (ROOT / where).read_text(encoding="utf-8")


def test_no_new_data_directory_does_without_it_here() -> None:
    assert blank.find(java.find_wheel()) is not None, "run scripts/setup"
