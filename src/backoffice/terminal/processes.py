"""`backoffice api|worker|dispatcher|courier|up|health`: the processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from backoffice.terminal.refusals import Refused, tells

LOG_HELP = "append its lines to a file of its own in this folder, instead of standard error"


def _command(name: str, means: str) -> click.Command:
    @click.command(name=name, help=f"{means} Settings come from the environment.")
    @click.option("--log", "log", type=click.Path(file_okay=False, path_type=Path), help=LOG_HELP)
    @tells
    def run(log: Path | None) -> None:
        sys.exit(_run(name, log))

    return run


api = _command("api", "Answer HTTP requests.")
worker = _command("worker", "Do the jobs that the dispatcher releases.")
dispatcher = _command("dispatcher", "Release jobs fairly, fire schedules, sweep leases.")
courier = _command("courier", "Deliver webhooks.")


def _run(name: str, log: Path | None) -> int:
    import importlib

    from backoffice.local.liveness import telling
    from backoffice.local.processes import must_be_free
    from backoffice.platform.observed import observed
    from backoffice.platform.settings import from_environment
    from backoffice.platform.unreachable import must_answer, sentence

    supervised = "BACKOFFICE_UNIT_NUMBER" in os.environ
    if log is not None:
        _write_to(log / f"{name}-{os.environ.get('BACKOFFICE_UNIT_NUMBER', '0')}.log")
    settings = from_environment()
    if name == "api":
        must_be_free(settings.host, settings.port, "BACKOFFICE_PORT")
    if not supervised:  # a child says so with status 1, and is started again until the database is back
        must_answer(settings.dsn("bo_dispatch" if name == "dispatcher" else "bo_app"))
    main = importlib.import_module(f"backoffice.{name}").main
    try:
        with (
            telling(settings.state, name),
            observed(settings, name, int(os.environ.get("BACKOFFICE_UNIT_NUMBER", "0"))),
        ):
            return main() or 0
    except Exception as error:
        told = sentence(error) if supervised else None
        if told is None:
            raise
        click.echo(f"backoffice: {told}", err=True)
        return 1


def _write_to(file: Path) -> None:
    """From here on standard output and standard error are this file."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refused(f"The log file {file} cannot be written ({error.strerror}).") from None
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


@click.command()
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="worker processes")
@tells
def up(workers: int) -> None:
    """Serve: API, workers, dispatcher and courier under one supervisor, until Ctrl-C.

    Starts the embedded PostgreSQL, unless BACKOFFICE_DATABASE_URL names another (to be made ready with `backoffice db
    setup`). The queue lies in it, unless BACKOFFICE_BROKER_URL names a RabbitMQ. The API listens on port 8000
    (BACKOFFICE_PORT), the embedded PostgreSQL on 8032 (BACKOFFICE_POSTGRES_PORT), both on 127.0.0.1. All settings:
    infra/README.md.
    """
    from backoffice.local.up import up as serve

    sys.exit(serve(workers, click.echo))


@click.command()
@click.argument("process", type=click.Choice(["api", "worker", "dispatcher", "courier"]))
@tells
def health(process: str) -> None:
    """Ask whether a process of this machine is well; exit status 1 when it is not.

    The api is asked over HTTP (/readyz). Of the others each loop writes down in the state directory when it last did
    its work: reached the database, the broker. Twenty seconds without are too many.
    """
    if process == "api":
        from backoffice.platform.api_client import ApiClient, Unreachable
        from backoffice.platform.settings import Settings, read_port

        host = os.environ.get("BACKOFFICE_HOST", Settings.host)
        host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - not listening here
        at = f"http://{host}:{read_port(os.environ, 'BACKOFFICE_PORT', Settings.port)}"
        try:
            answer = ApiClient(at, None, timeout=5).request("GET", "/readyz")
        except Unreachable as error:
            _report(False, str(error))
        _report(answer.ok, answer.body.decode(errors="replace"))
    from backoffice.local.liveness import health as told
    from backoffice.platform.postgres import choose_state

    named = os.environ.get("BACKOFFICE_STATE")
    _report(*told(Path(named) if named else choose_state().path, process))


def _report(well: bool, told: str) -> NoReturn:
    click.echo(told)
    sys.exit(0 if well else 1)
