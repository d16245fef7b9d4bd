"""The product's processes as units of the supervisor."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from backoffice.local.liveness import hung
from backoffice.platform.jobs.brokers import open_broker
from backoffice.platform.jobs.heartbeat import free_leases, worker_name
from backoffice.platform.settings import Settings, SettingsRefused, to_environment
from backoffice.platform.supervisor import OnDeath, Resting, Unit

PROCESSES = ("api", "worker", "dispatcher", "courier")
FREE_FROM, FREE_TO = 20_000, 32_000


def units(settings: Settings, *, workers: int, logs: Path | None = None) -> list[Unit]:
    """One api, dispatcher and courier, and `workers` workers. With `logs`, each writes its lines to a file of its own
    in that folder instead of our standard error."""
    env: Mapping[str, str] = to_environment(settings)
    counts = {"worker": workers}
    return [
        Unit(
            name,
            [sys.executable, "-m", "backoffice.cli", name, *([] if logs is None else ["--log", str(logs)])],
            env,
            counts.get(name, 1),
            partial(hung, settings.state, name),
        )
        for name in PROCESSES
    ]


def freeing(settings: Settings) -> OnDeath:
    """What to do when a child has died: the jobs that a worker held are given back at once, and the messages that it
    had taken and not begun are offered to the others."""
    dsn = settings.dsn("bo_dispatch")

    def on_death(unit: str, pid: int) -> None:
        if unit == "worker":
            dead = worker_name(pid)
            free_leases(dsn, dead)
            with contextlib.closing(open_broker(settings)) as broker:
                broker.free(dead)

    return on_death


def drained(state: Path) -> Path:
    """The file that says that the workers of this machine rest (`backoffice jobs drain`)."""
    return state / "run" / "drained"


def resting(settings: Settings) -> Resting:
    """Whether a unit is to stay stopped."""
    file = drained(settings.state)
    return lambda unit: unit == "worker" and file.exists()


def must_be_free(host: str, port: int, setting: str) -> None:
    """SettingsRefused when somebody listens at this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a closing connection is none
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            raise SettingsRefused(
                f"port {port} of {host} cannot be listened on ({error.strerror}): is another backoffice running here? "
                f"Stop it, or set {setting} to a free port"
            ) from None


def free_port() -> int:
    """A port of loopback that nobody uses at this moment, below those that the system gives to outgoing connections:
    one of these could be taken again before we listen."""
    while True:
        port = FREE_FROM + secrets.randbelow(FREE_TO - FREE_FROM)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
