"""`backoffice jobs watch|drain`: what the API's own operations do not say."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import click

from backoffice.terminal.refusals import Refused, tells

POLL_SECONDS = 0.1
DRAIN_SECONDS = 60.0


@click.command(epilog="BACKOFFICE_PUBLIC_URL says where the API is, BACKOFFICE_API_KEY opens it.")
@click.argument("job")
@click.option("--json", "as_json", is_flag=True, help="print JSON on a terminal too")
@tells
def watch(job: str, as_json: bool) -> None:
    """Follow a job with a progress bar until it has ended; exit status 1 unless it succeeded."""
    from backoffice.terminal.asking import client, refused, wait

    with client() as http:
        answer = http.request("GET", f"/v1/jobs/{job}")
        sys.exit(wait(http, answer, as_json, where=f"/v1/jobs/{job}") if answer.ok else refused(answer))


@click.command()
@click.option("--resume", is_flag=True, help="let `backoffice up` start its workers again")
@tells
def drain(resume: bool) -> None:
    """Have the workers of this machine take nothing more, and wait until they have ended.

    Each finishes what it runs or gives it back at its next step, with no try used up. `backoffice up` leaves them
    stopped until `--resume` or its next start; other machines' workers go on.
    """
    from backoffice.local.liveness import alive
    from backoffice.local.processes import drained
    from backoffice.platform.postgres import choose_state

    named = os.environ.get("BACKOFFICE_STATE")
    state = Path(named) if named else choose_state().path
    if resume:
        drained(state).unlink(missing_ok=True)
        click.echo("workers are started again")
        return
    workers = alive(state, "worker")
    if not workers:
        raise Refused(f"No worker runs here (as far as {state} knows).")
    drained(state).touch()
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + DRAIN_SECONDS
    while left := [pid for pid in workers if _there(pid)]:
        if time.monotonic() > until:
            raise Refused(f"Still at work after {DRAIN_SECONDS:.0f} s: {', '.join(map(str, left))}.")
        time.sleep(POLL_SECONDS)
    click.echo(f"{len(workers)} drained")


def _there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):  # a child that nobody has asked after yet is there in name only
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    return True
