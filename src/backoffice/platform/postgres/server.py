"""The embedded server: one PostgreSQL per state directory, shared by every process of ours that works in it."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

from backoffice.platform.postgres import process
from backoffice.platform.postgres.account import ENVIRONMENT, server_account
from backoffice.platform.postgres.cluster import SETTINGS, SUPERUSER, Cluster
from backoffice.platform.postgres.refusal import (
    MemoryStillHeld,
    PortTaken,
    PostgresRefused,
    disk_full,
    from_log,
)
from backoffice.platform.postgres.sharing import Sharing
from backoffice.platform.postgres.wheel import programs_for

HOST = "127.0.0.1"
START_SECONDS = 60.0
SOCKET_PATH_LIMIT = 103  # bytes, the smallest sun_path among the systems we know, less its closing zero
LOG_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the server listens: TCP on loopback and the socket folder for roles with a password, the folder alone for
    the superuser."""

    host: str
    port: int
    socket_dir: Path

    def url(self, role: str, password: str, database: str) -> str:
        """`postgresql://role:password@host:port/database`, quoted."""
        who = f"{quote(role, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{who}@{self.host}:{self.port}/{quote(database, safe='')}"


class EmbeddedPostgres:
    """PostgreSQL from the wheel, in `state/postgres/`. Blocking; for the command line and tests.

    Several processes may `start()` on one state directory: the first starts the server, the others share it, and the
    last to `stop()` stops it, whichever it is. A process that is killed leaves the server running; the next one
    adopts it. Use one instance from one thread."""

    def __init__(self, state: Path, port: int | None = None, *, settings: Mapping[str, str] | None = None) -> None:
        """`state`: an existing folder that the server's account can reach (`choose_state`, `throwaway_state`).
        `port`: None takes the running server's, else a free one. `settings`: postgresql.conf names and values."""
        self.state = state.resolve()
        self.port = port
        self.settings = {**SETTINGS, **(settings or {})}
        self.notices: list[str] = []
        self.address: ServerAddress | None = None
        self.adopted = False
        self._cluster: Cluster | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._sharing = Sharing(self.state)

    def start(self) -> ServerAddress:
        """Start, share or adopt the server; returns when it accepts connections. After a crash of the server a second
        call starts it again on the same port. Raises PostgresRefused with a sentence that says what to do."""
        cluster = self._cluster = self._cluster or self._open_cluster()
        with self._sharing.changing():
            try:
                self._sharing.take()
                cluster.prepare()
                running = process.find_running(cluster.data)
                if running is not None and self.port not in (None, running.port):
                    if not self._sharing.alone():
                        raise PostgresRefused(
                            f"The server of {cluster.home} is in use on port {running.port}: stop the backoffice that "
                            f"runs it, or use its port instead of {self.port}."
                        )
                    self._end(running.pid)
                    running = None
                self.adopted = running is not None
                self.address = self._adopt(cluster, running) if running else self._start_fresh(cluster)
            except BaseException:
                self._sharing.drop()
                raise
        self.port = self.address.port
        return self.address

    def stop(self, *, immediate: bool = False) -> None:
        """Leave the server; the last one out stops it (fast shutdown, open transactions roll back). `immediate` is
        the plug pulled out, for fault tests: at once, whoever else uses it, with recovery at the next start."""
        cluster = self._cluster
        if cluster is None or not self._sharing.taken:
            return
        with self._sharing.changing():
            running = process.find_running(cluster.data)
            if running is not None and (immediate or self._sharing.alone()):
                self._end(running.pid, immediate=immediate)
            self._sharing.drop()
        self.address = None

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._cluster is not None and process.find_running(self._cluster.data) is not None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id."""
        running = process.find_running(self._cluster.data) if self._cluster else None
        return running.pid if running else None

    def admin_dsn(self, database: str = "postgres") -> str:
        """For psycopg: the superuser through the socket, let in because the system says who we are (peer). The server
        at the other end must be run by its own account too, so that nobody else's socket is taken for it."""
        if self.address is None or self._cluster is None:
            raise PostgresRefused("The embedded PostgreSQL is not started: call start() first.")
        parts = {
            "host": str(self.address.socket_dir),
            "port": str(self.address.port),
            "user": SUPERUSER,
            "dbname": database,
            "requirepeer": self._cluster.account.name,
        }
        return " ".join(f"{name}='{_escaped(value)}'" for name, value in parts.items())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _open_cluster(self) -> Cluster:
        home = self.state / "postgres"
        account = server_account(home)
        if not self.state.is_dir():
            raise PostgresRefused(f"{self.state} is not a folder: make it, then start again.")
        if not account.reaches(self.state):
            raise PostgresRefused(
                f"The account {account.name}, which runs PostgreSQL, cannot reach {self.state}: choose a state "
                f"directory that every user can enter."
            )
        programs = programs_for(account)
        if programs.notice:
            self.notices.append(programs.notice)
        return Cluster(home, account, programs)

    def _adopt(self, cluster: Cluster, running: process.Running) -> ServerAddress:
        """A server that was starting when its supervisor died is waited for; one that hangs is a refusal."""
        address = ServerAddress(HOST, running.port, running.socket_dir)
        until = time.monotonic() + START_SECONDS
        while not self._accepts(cluster, address):
            if process.is_gone(running.pid):
                return self._start_fresh(cluster)
            if time.monotonic() > until:
                raise PostgresRefused(
                    f"The server of {cluster.home} (process {running.pid}) runs but does not answer: end it with "
                    f"`kill -INT {running.pid}` and start again."
                )
            time.sleep(0.02)
        return address

    def _start_fresh(self, cluster: Cluster) -> ServerAddress:
        sockets = self._socket_dir(cluster)
        until = time.monotonic() + START_SECONDS
        tries = 0
        while True:
            tries += 1
            port = self.port if self.port is not None else _free_port()
            process.forget_stale(cluster.data, sockets)
            try:
                return self._start_once(cluster, ServerAddress(HOST, port, sockets), until)
            except PortTaken:
                if self.port is not None or tries >= 5:  # a free port can be taken before we are there
                    raise
            except MemoryStillHeld:
                if tries >= 100:
                    raise
                time.sleep(0.1)

    def _start_once(self, cluster: Cluster, address: ServerAddress, until: float) -> ServerAddress:
        settings = {
            **self.settings,
            "listen_addresses": address.host,
            "port": str(address.port),
            "unix_socket_directories": f'"{address.socket_dir}"',
        }
        argv = [str(cluster.programs / "postgres"), "-D", str(cluster.data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        with _open_log(cluster.log) as log:
            before = log.seek(0, os.SEEK_END)
            # A session of its own: Ctrl-C at the terminal reaches us, and the server stops after all others.
            child = subprocess.Popen(  # noqa: S603 - argv is a list made here, no shell
                argv,
                cwd="/",
                env=ENVIRONMENT,
                user=cluster.account.switch_user,
                group=cluster.account.switch_group,
                extra_groups=cluster.account.switch_groups,
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                while not self._accepts(cluster, address):
                    if child.poll() is not None:
                        log.seek(before)
                        raise from_log(
                            log.read().decode(errors="replace"), data=cluster.data, log=cluster.log, port=address.port
                        )
                    if time.monotonic() > until:
                        raise PostgresRefused(
                            f"PostgreSQL did not answer within {START_SECONDS:.0f} s: see {cluster.log}, then start "
                            f"again."
                        )
                    time.sleep(0.01)
            except BaseException:
                process.end(child.pid, (signal.SIGQUIT, 5), (signal.SIGKILL, 5), child=child)
                raise
        self._child = child
        return address

    def _accepts(self, cluster: Cluster, address: ServerAddress) -> bool:
        probe: list[str | Path] = [cluster.programs / "pg_isready", "-q", "-t", "3"]
        probe += ["-h", address.socket_dir, "-p", str(address.port)]
        return cluster.account.run(probe, timeout=10).returncode == 0

    def _end(self, pid: int, *, immediate: bool = False) -> None:
        child = self._child if self._child is not None and self._child.pid == pid else None
        fast = [] if immediate else [(signal.SIGINT, 8.0)]
        if not process.end(pid, *fast, (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0), child=child):
            raise PostgresRefused(f"The server process {pid} does not end: end it with `kill -KILL {pid}`.")
        self._child = None

    def _socket_dir(self, cluster: Cluster) -> Path:
        """Inside the server's own folder where the path is short enough for a socket, else a private folder under
        /tmp whose name follows from the long one."""
        folder = cluster.home / "run"
        if len(os.fsencode(folder)) + len("/.s.PGSQL.65535") > SOCKET_PATH_LIMIT:
            mark = hashlib.sha256(os.fsencode(cluster.home)).hexdigest()[:12]
            folder = Path("/tmp") / f"backoffice-{mark}"  # noqa: S108 - owner and mode are checked below
        cluster.account.run(["/bin/mkdir", "-m", "700", folder])
        try:
            found = folder.lstat()
        except FileNotFoundError:
            raise PostgresRefused(
                f"The socket folder {folder} cannot be made: free space there, or check who may write to "
                f"{folder.parent}."
            ) from None
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != cluster.account.uid or found.st_mode & 0o022:
            raise PostgresRefused(f"{folder} is not the server's own folder: remove it and start again.")
        return folder


def _open_log(path: Path) -> BinaryIO:
    """Opened for reading and appending; a log past LOG_LIMIT becomes `….log.1` first."""
    try:
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_name(path.name + ".1"))
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full(path) from error
        raise PostgresRefused(
            f"{path} cannot be written ({error.strerror}): start as the user that owns it, or in another folder."
        ) from error
    return os.fdopen(descriptor, "r+b", buffering=0)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
