"""How several processes share one server: locks that the system lets go of when their process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backoffice.platform.postgres.refusal import PostgresRefused

WAIT_SECONDS = 90.0


class Sharing:
    """`change` is held while the server is started, adopted or stopped; `users` is held shared by whoever uses it."""

    def __init__(self, state: Path) -> None:
        self._change = state / "postgres.change.lock"
        self._users = state / "postgres.users.lock"
        self._share: int | None = None

    @property
    def taken(self) -> bool:
        return self._share is not None

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Only one process at a time gets past this."""
        lock = _open(self._change)
        try:
            until = time.monotonic() + WAIT_SECONDS
            while not _lock(lock, fcntl.LOCK_EX):
                if time.monotonic() > until:
                    raise PostgresRefused(
                        f"Another backoffice has been starting or stopping PostgreSQL for {WAIT_SECONDS:.0f} s: end "
                        f"the process that holds {self._change}, then start again."
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(lock)

    def take(self) -> None:
        if self._share is None:
            self._share = _open(self._users)
            _lock(self._share, fcntl.LOCK_SH)

    def drop(self) -> None:
        if self._share is not None:
            os.close(self._share)
            self._share = None

    def alone(self) -> bool:
        """Whether we are the last user; to be asked inside `changing()`, where nobody can join meanwhile."""
        if self._share is None:
            return False
        alone = _lock(self._share, fcntl.LOCK_EX)
        _lock(self._share, fcntl.LOCK_SH)
        return alone


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise PostgresRefused(
            f"{path} cannot be opened ({error.strerror}): start as the user that owns {path.parent}, or in "
            f"another folder."
        ) from error


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
