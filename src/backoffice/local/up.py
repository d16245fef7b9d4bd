"""`backoffice up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

from backoffice.local.keeping import kept_alive
from backoffice.local.place import DATABASE_URL, Place, open_place
from backoffice.local.processes import drained, freeing, must_be_free, resting, units
from backoffice.platform import observed
from backoffice.platform.postgres.refusal import PORT_SETTING
from backoffice.platform.settings import PORTS, Settings, read_number, read_port
from backoffice.platform.supervisor import Supervisor

POSTGRES_PORT = 8032
DRAIN_SECONDS = "8"  # Ctrl-C is done within 10


def up(workers: int, say: Callable[[str], None], environ: Mapping[str, str] | None = None) -> int:
    """Serve until a signal; the exit status of the supervisor. Raises SettingsRefused, PostgresRefused, StateRefused
    with a sentence before anything listens."""
    env = dict(os.environ if environ is None else environ)
    host = env.get("BACKOFFICE_HOST", Settings.host)
    must_be_free(host, read_port(env, "BACKOFFICE_PORT", Settings.port), "BACKOFFICE_PORT")
    metrics = int(read_number(env, "BACKOFFICE_METRICS_PORT", 0, 0, PORTS[1]))
    for taken in range(metrics, metrics + len(observed.PLACES) + workers - 1) if metrics else ():
        must_be_free(host, taken, "BACKOFFICE_METRICS_PORT")
    embedded = not env.get(DATABASE_URL)
    port = read_port(env, PORT_SETTING, POSTGRES_PORT) if embedded else None
    with open_place(env, port=port, defaults={"BACKOFFICE_DRAIN_SECONDS": DRAIN_SECONDS}) as place:
        for line in _told(place):
            say(line)
        drained(place.settings.state).unlink(missing_ok=True)  # whoever starts everything wants workers
        supervised = units(place.settings, workers=workers)
        supervisor = Supervisor(supervised, freeing(place.settings), resting=resting(place.settings))
        with nullcontext() if place.embedded is None else kept_alive(place.embedded, say):
            status = supervisor.run()
        say("stopped" if status == 0 else f"stopped, with exit status {status}")
        return status


def _told(place: Place) -> list[str]:
    settings = place.settings
    shown = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - not listening here
    lines = [*place.notices, f"API          http://{shown}:{settings.port}  (is it ready? /readyz)"]
    if place.embedded is not None and place.embedded.address is not None:
        address = place.embedded.address
        lines.append(f"PostgreSQL   {address.host}:{address.port}, embedded, in {place.state}/postgres")
    else:
        lines.append(f"PostgreSQL   {settings.database_url.removeprefix('postgresql://')}")
    if settings.broker_url:
        lines.append(f"RabbitMQ     {settings.broker_url.rpartition('@')[2].partition('/')[0]}")
    command = sys.argv[0] if Path(sys.argv[0]).name == "backoffice" else "backoffice"  # as it was called
    return [
        *lines,
        f"Data         {place.state}  (keys and secrets; back it up together with the database)",
        f"Documents    {settings.storage_url}",
        f"Firms        {command} tenants apply",
        f"Keys         {command} keys create --tenant northwind-staffing/test --person dana-whitfield",
        "Stop         Ctrl-C (finishes what is under way, at most 10 s)",
    ]
