"""The embedded server's life: joined, adopted, left, stopped; and every way in which it cannot be had."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from graph import embedded, java, lease
from graph.errors import DiskError, InputError, PolicyError, StoreBusyError, StoreUnavailableError
from graph.settings import StoreSettings
from graph.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.apart]

ROOT = Path(__file__).parents[2]
JOIN = """
import sys, time
from pathlib import Path
from graph import embedded
from graph.settings import StoreSettings
settings = StoreSettings(Path(sys.argv[1]), idle_seconds=float(sys.argv[2]))
print(embedded.join(settings).server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def place(tmp_path):
    """Settings of a data directory of our own; whatever serves it is stopped afterwards."""
    settings = StoreSettings(tmp_path / "data", heap="256m", idle_seconds=0)
    yield settings
    found = lease.load(settings.data_dir)
    with suppress(StoreUnavailableError, StoreBusyError):
        embedded.stop(settings)
    for process in [found.watcher, found.server] if found else []:
        gone(process)


def gone(process: lease.Process, seconds: float = 15.0) -> bool:
    """Wait until a process is gone."""
    end = time.monotonic() + seconds
    while process.alive() and time.monotonic() < end:
        time.sleep(0.05)
    return not process.alive()


class Other:
    """Another process that has joined."""

    def __init__(self, settings: StoreSettings) -> None:
        words = [str(settings.data_dir), str(settings.idle_seconds)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOIN, *words],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self.server = int(self.process.stdout.readline())

    def end(self, number: int) -> None:
        os.killpg(self.process.pid, number)
        self.process.wait()


def test_processes_share_a_server_and_the_last_one_out_stops_it(place) -> None:
    first, second = Other(place), Other(place)
    seat = embedded.join(place)
    try:
        assert first.server == second.server == seat.server.pid
        held = lease.load(place.data_dir)
        assert len(held.clients) == 3
        first.end(signal.SIGKILL)
        embedded.leave(place, seat)
        time.sleep(2 * 0.5 + 0.5)
        assert seat.server.alive()
    finally:
        second.end(signal.SIGKILL)
    assert gone(seat.server) and gone(held.watcher)
    assert lease.load(place.data_dir) is None


def test_server_outlives_the_end_and_the_interrupt_of_who_started_it(place) -> None:
    warm = replace(place, idle_seconds=60)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        other = Other(warm)
        other.end(number)
        assert embedded.join(warm).server.pid == other.server


def test_orphan_is_adopted(place) -> None:
    seat = embedded.join(place)
    watcher = lease.load(place.data_dir).watcher
    os.kill(watcher.pid, signal.SIGKILL)
    assert gone(watcher) and seat.server.alive()
    again = embedded.join(place)
    assert again.server == seat.server
    adopted = lease.load(place.data_dir).watcher
    assert adopted != watcher and adopted.alive()
    for one in (seat, again):
        embedded.leave(place, one)
    assert gone(seat.server) and gone(adopted)


def test_orphan_that_is_left_is_stopped(place) -> None:
    seat = embedded.join(place)
    watcher = lease.load(place.data_dir).watcher
    os.kill(watcher.pid, signal.SIGKILL)
    assert gone(watcher)
    embedded.leave(place, seat)
    assert gone(seat.server)


def test_server_stays_for_its_idle_time(place) -> None:
    warm = replace(place, idle_seconds=3)
    seat = embedded.join(warm)
    embedded.leave(warm, seat)
    time.sleep(1.2)
    assert seat.server.alive()
    assert embedded.join(warm).server == seat.server
    assert embedded.stop(warm) and not seat.server.alive()
    assert embedded.stop(warm) is False


async def test_server_that_was_killed_is_started_anew_with_its_data(place, scope) -> None:
    async with Store.open(place) as store:
        await store.migrate()
        run = await store.begin(scope, commit="c", tree="t", families=("code",))
        await store.flip(run)
        server = lease.load(place.data_dir).server
        os.kill(server.pid, signal.SIGKILL)
        assert gone(server)
        with pytest.raises(StoreUnavailableError, match=r"embedded server is gone. Its last words"):
            await store.head(scope)
    async with Store.open(place) as store:
        assert (await store.head(scope)).number == 1
        assert lease.load(place.data_dir).server != server


def test_secret_is_kept(place) -> None:
    seat = embedded.join(place)
    assert stat.S_IMODE((place.data_dir / "lease.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(place.data_dir.stat().st_mode) == 0o700
    assert not (place.data_dir / "password").exists()
    process = psutil.Process(seat.server.pid)
    said = " ".join(
        [*process.cmdline(), *process.environ().values(), repr(seat), repr(lease.load(place.data_dir))]
    )
    assert seat.secret not in said
    for log in place.data_dir.glob("*.log"):
        assert seat.secret not in log.read_text(errors="replace")


def test_server_listens_on_loopback_only(place) -> None:
    seat = embedded.join(place)
    listening = [
        c for c in psutil.Process(seat.server.pid).net_connections() if c.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 2
    assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", ""])
async def test_address_that_others_can_reach_is_refused(place, host) -> None:
    with pytest.raises(PolicyError, match="loopback only"):
        async with Store.open(replace(place, host=host)):
            pass
    assert not place.data_dir.exists()


@pytest.mark.parametrize("heap", ["", "much", "0m", "1t", "-5m", "1g -XX:+Evil"])
def test_heap_that_is_no_size_is_refused(place, heap) -> None:
    with pytest.raises(InputError, match="not a size"):
        embedded.join(replace(place, heap=heap))


def test_taken_port(place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StoreBusyError, match=f"Port {port} on 127.0.0.1 is taken"):
            embedded.join(replace(place, port=port))
    assert f":{port}" in embedded.join(replace(place, port=port)).uri


def test_disk_that_is_almost_full(place) -> None:
    with pytest.raises(DiskError, match="MiB left of"):
        embedded.join(replace(place, free_bytes=1 << 60))


def test_place_that_cannot_be_written(place, tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for wrong in (file, file / "below", Path("/proc/maestro")):
        with pytest.raises(DiskError, match="Nothing can be written"):
            embedded.join(replace(place, data_dir=wrong))


def test_java_that_falls_shows_its_last_words(place) -> None:
    with pytest.raises(StoreUnavailableError, match=r"(?s)ended while it started.*last words.*heap"):
        embedded.join(replace(place, heap="900000g"))
    assert lease.load(place.data_dir) is None or not lease.load(place.data_dir).server.alive()


def test_start_that_takes_too_long(place) -> None:
    with pytest.raises(StoreUnavailableError, match="did not answer within"):
        embedded.join(replace(place, start_seconds=0.2))
    held = lease.load(place.data_dir)
    # Nobody came in time: the watcher ends it by itself.
    assert held is None or gone(held.server)


def test_data_that_another_server_holds(place) -> None:
    seat = embedded.join(replace(place, idle_seconds=60))
    held = lease.load(place.data_dir)
    os.kill(held.watcher.pid, signal.SIGKILL)
    assert gone(held.watcher)
    lease.drop(place.data_dir)
    try:
        with pytest.raises(StoreBusyError, match="Another server holds the data"):
            embedded.join(place)
    finally:
        os.kill(seat.server.pid, signal.SIGKILL)
    assert gone(seat.server)
    assert embedded.join(place).server != seat.server


def test_lost_lease_of_a_watched_server(place) -> None:
    seat = embedded.join(replace(place, idle_seconds=60))
    held = lease.load(place.data_dir)
    (place.data_dir / "lease.json").write_text("{ damaged")
    try:
        with pytest.raises(StoreBusyError, match="no lease says how to join it"):
            embedded.join(place)
    finally:
        os.kill(held.watcher.pid, signal.SIGTERM)
    assert gone(seat.server)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"version": 1}',
        '{"version": 99, "server": {}}',
        '{"version": 1, "server": 3, "watcher": [], "clients": 7}',
    ],
)
def test_damaged_lease_counts_as_none(tmp_path, text) -> None:
    (tmp_path / "lease.json").write_text(text)
    assert lease.load(tmp_path) is None


async def test_wrong_secret_in_the_lease(place) -> None:
    embedded.join(replace(place, idle_seconds=60))
    path = place.data_dir / "lease.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secret": "not it"}))
    with pytest.raises(StoreUnavailableError, match="refused the log-in"):
        async with Store.open(place):
            pass


def test_process_is_told_from_a_later_one_with_its_id() -> None:
    here = lease.Process.this()
    assert here.alive()
    assert not replace(here, started=here.started - 60).alive()
    assert not lease.Process(2**22 - 3, 0.0).alive()


def test_platform_without_the_wheel(place, monkeypatch) -> None:
    monkeypatch.setattr(java, "_DISTRIBUTION", "arcadedb-for-nobody")
    with pytest.raises(StoreUnavailableError, match="MAESTRO_NEO4J_URI"):
        embedded.join(place)


def test_command_line_names_the_password_file_and_never_the_password(tmp_path) -> None:
    order = java.Order(tmp_path, tmp_path / "password", "127.0.0.1", 1, 2, "1g", 60.0)
    line = java.command(java.find_wheel(), order)
    assert f"-Darcadedb.server.rootPasswordPath={tmp_path / 'password'}" in line
    assert not any("rootPassword=" in word for word in line)


def test_log_tail_leaves_stack_frames_out(tmp_path) -> None:
    log = tmp_path / "log"
    log.write_text("one\n\tat a.b.C(D.java:1)\n\ntwo\n\t... 3 more\n" + "x" * 10)
    assert embedded.log_tail(log) == "one\ntwo\n" + "x" * 10
    assert embedded.log_tail(log, 1) == "x" * 10
    assert embedded.log_tail(tmp_path / "none") == ""
