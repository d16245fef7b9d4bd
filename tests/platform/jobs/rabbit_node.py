"""A RabbitMQ node of the tests' own: free ports, its own data folder, its own epmd; ended with them."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from backoffice.platform.jobs.rabbitmq_broker import rabbitmq_broker

BOOT_SECONDS = 90.0


class RabbitNode:
    """`start`, `kill` and `start` again on the same data; `end` for good."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self._dist_port, self._epmd_port = free_port(), free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Boot, and wait until it accepts connections. Once more when the first try fails: after a kill, its name may
        still be taken for a moment."""
        try:
            self._boot()
        except AssertionError:
            self.kill()
            time.sleep(1)
            self._boot()

    def _boot(self) -> None:
        log = self._folder / "boot.log"
        (self._folder / "plugins").write_text("[].")
        (self._folder / "node.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
        )
        (self._folder / "env.sh").write_text("")
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [program()], env={**os.environ, **self._environment()}, stdout=out, stderr=out, start_new_session=True
            )
        until = time.monotonic() + BOOT_SECONDS
        while b"startup complete" not in log.read_bytes():
            assert self._process.poll() is None, log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < until, log.read_text(errors="replace")[-3000:]
            time.sleep(0.05)

    def declare(self) -> None:
        """The queue."""
        broker = rabbitmq_broker(self.url)
        broker.slots()
        broker.close()

    def settle(self) -> None:
        """Stop in order and start again, before the first kill: a node knows its quorum queues after a kill only once
        it has written their directory, which it does every three minutes and when it stops."""
        self._signal(signal.SIGTERM)
        self.start()

    def kill(self) -> None:
        """As if the machine had lost its power."""
        self._signal(signal.SIGKILL)

    def end(self) -> None:
        self._signal(signal.SIGKILL)
        epmd = shutil.which("epmd")
        if epmd is not None:
            subprocess.run(
                [epmd, "-kill"], env={**os.environ, **self._environment()}, capture_output=True, check=False, timeout=10
            )

    def _signal(self, number: int) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)  # its own session: the script and the node
        self._process.wait(30)
        self._process = None

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"bo_test_{os.getpid()}@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "node"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.sh"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # may be ended while it still knows a node's name
        }


def program() -> str:
    """The server's own script: the one on Debian's PATH would become the user `rabbitmq` and cannot reach us."""
    own = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(own) if own.exists() else "rabbitmq-server"


def free_port() -> int:
    """A free port below those that the system gives to outgoing connections: one of these could be taken while the
    node is down."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
