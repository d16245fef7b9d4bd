"""Where state lies: `.backoffice/` in the working directory, or else a state directory that is named on start."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backoffice.platform.postgres.account import server_account
from backoffice.platform.postgres.refusal import PostgresRefused
from backoffice.platform.postgres.wheel import SYSTEM_STATE

FOLDER = ".backoffice"


@dataclass(frozen=True, slots=True)
class StatePlace:
    """`notice` is a sentence to print on start where state does not lie in the working directory."""

    path: Path
    notice: str | None = None


def choose_state(working: Path | None = None) -> StatePlace:
    """The state directory for a working directory (the current one by default); it exists afterwards.

    It is `.backoffice/` where the server's account can reach it, else a folder named after the working directory
    under /var/lib/backoffice (root) or the user's state directory; the same folder gets the same answer as long as its
    permissions stay. Raises PostgresRefused where there is no place at all."""
    working = (working or Path.cwd()).resolve()
    inside = working / FOLDER
    account = server_account(inside / "postgres")
    reason = f"{working} cannot be written to"
    try:
        open_folder(inside)
    except OSError:
        pass
    else:
        if os.access(inside, os.W_OK | os.X_OK) and account.reaches(inside):
            return StatePlace(inside)
        reason = f"{account.name} cannot reach {inside}" if account.demoted else f"{inside} belongs to somebody else"
        with contextlib.suppress(OSError):
            inside.rmdir()  # only when it is empty, as we have just made it
    name = f"{working.name or 'root'}-{hashlib.sha256(os.fsencode(working)).hexdigest()[:12]}"
    outside = (SYSTEM_STATE if account.demoted else _user_state()) / name
    try:
        outside.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        open_folder(outside)
    except OSError as error:
        raise PostgresRefused(
            f"There is no place for the database: {reason}, and {outside} cannot be made ({error.strerror}). Start in "
            f"a folder that you can write to, or set BACKOFFICE_DATABASE_URL."
        ) from error
    if not account.reaches(outside):
        raise PostgresRefused(
            f"There is no place for the database: {reason}, and {account.name} cannot reach {outside} either. Start in "
            f"a folder that every user can enter, or set BACKOFFICE_DATABASE_URL."
        )
    return StatePlace(outside, f"State is kept in {outside}, because {reason}.")


@contextlib.contextmanager
def throwaway_state() -> Iterator[Path]:
    """A state directory for tests, benchmarks and one-off runs: reachable by the server's account, deleted at the
    end. Stop the server before the end."""
    account = server_account()
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - mkdtemp makes it private
        path = Path(tempfile.mkdtemp(prefix="backoffice-", dir=parent))
        path.chmod(0o711)  # entered by the server's account, listed by nobody else
        if account.reaches(path):
            break
        path.rmdir()
    else:
        raise PostgresRefused("No temporary folder can be reached by the server's account: set TMPDIR to one that can.")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def open_folder(path: Path) -> None:
    """Make a folder of ours that others may enter but not list (its files have modes of their own). One that is
    there already keeps its permissions."""
    try:
        path.mkdir()
    except FileExistsError:
        return
    path.chmod(0o711)  # after a mask of 077 too, and only because it is new and ours


def _user_state() -> Path:
    configured = os.environ.get("XDG_STATE_HOME")
    return (Path(configured) if configured else Path.home() / ".local" / "state") / "backoffice"
