"""The embedded PostgreSQL of `backoffice up`: started again when it dies. The processes come back by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backoffice.platform.postgres import EmbeddedPostgres, PostgresRefused

LOOK_SECONDS = 0.5
AGAIN_SECONDS = 5.0  # after a start that was refused: the disk is still full
STOP_SECONDS = 2.0


@contextmanager
def kept_alive(server: EmbeddedPostgres, say: Callable[[str], None]) -> Iterator[None]:
    """Watch the server for the life of the block, from a thread. Nobody else may start or stop it meanwhile."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            if server.alive():
                continue
            say("PostgreSQL has ended by itself; starting it again")
            while not ended.is_set():
                try:
                    server.start()
                except PostgresRefused as refused:
                    say(f"{refused} Next try in {AGAIN_SECONDS:.0f} s.")
                    ended.wait(AGAIN_SECONDS)
                else:
                    say("PostgreSQL is back")
                    break

    thread = threading.Thread(target=watch, name="keeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(STOP_SECONDS)
