"""What goes wrong with a database server, each as one sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

PORT_SETTING = "BACKOFFICE_POSTGRES_PORT"


class PostgresRefused(Exception):
    """The server cannot be had. `str()` of it is a sentence for the person at the terminal; exit status 2."""


class PortTaken(PostgresRefused):
    """Another program listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} on 127.0.0.1 is taken by another program: stop that program or name a free port "
            f"in {PORT_SETTING}."
        )
        self.port = port


class MemoryStillHeld(PostgresRefused):
    """Processes of a killed server have not ended yet; it passes within a moment."""


def disk_full(where: Path) -> PostgresRefused:
    return PostgresRefused(
        f"The disk that holds {where} is full: free some space there (or start in a folder on another disk) "
        f"and start again; what was committed before is kept."
    )


def other_version(data: Path, found: str, ours: str) -> PostgresRefused:
    return PostgresRefused(
        f"{data} was made by PostgreSQL {found} and this release runs PostgreSQL {ours}: dump it with a PostgreSQL "
        f"{found} and load the dump into a new one, or, if it holds nothing to keep, delete it and start again."
    )


def from_log(text: str, *, data: Path, log: Path, port: int) -> PostgresRefused:
    """The sentence for what the server or initdb wrote before it gave up. `text` is its output, in English."""
    if "could not create any TCP/IP sockets" in text or "Address already in use" in text:
        return PortTaken(port)
    if "No space left on device" in text or "Check free disk space" in text:  # the latter after half a page
        return disk_full(data)
    if "pre-existing shared memory block" in text:
        return MemoryStillHeld(
            f"Processes of an earlier server still use {data}: wait a moment and start again; if it stays so, "
            f"end the postgres processes that name this folder."
        )
    if "database files are incompatible" in text:
        return PostgresRefused(
            f"{data} was made by a PostgreSQL that this release cannot read: move it away and start again, "
            f"or start the release that made it and dump it first."
        )
    if "could not create shared memory segment" in text or "could not resize shared memory segment" in text:
        return PostgresRefused(
            "The system grants too little shared memory: free memory or give the container a larger /dev/shm "
            "(docker run --shm-size=256m), then start again."
        )
    last = [line.strip() for line in text.splitlines() if line.strip()][-3:]
    said = " / ".join(last) or "nothing"
    return PostgresRefused(f"PostgreSQL did not start; its last words were: {said}. The whole log is {log}.")
