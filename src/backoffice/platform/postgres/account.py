"""Who runs the server. PostgreSQL refuses to run as root, so root starts it as an account without privileges."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backoffice.platform.postgres.refusal import PostgresRefused

# An account that an operator made for us comes first; `nobody` is on every system and has the passwd entry that
# initdb asks for.
UNPRIVILEGED = ("backoffice", "nobody")
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's account under which PostgreSQL runs. `demoted`: we are root and it is not."""

    name: str
    uid: int
    gid: int
    demoted: bool

    @property
    def switch_user(self) -> int | None:
        return self.uid if self.demoted else None

    @property
    def switch_group(self) -> int | None:
        return self.gid if self.demoted else None

    @property
    def switch_groups(self) -> Sequence[int] | None:
        return () if self.demoted else None

    def run(
        self, argv: Sequence[str | Path], *, text_in: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this account, from `/`, with nothing of our environment; output as text."""
        try:
            return subprocess.run(  # noqa: S603 - argv is a list made here, no shell
                [str(part) for part in argv],
                cwd="/",
                env=ENVIRONMENT,
                user=self.switch_user,
                group=self.switch_group,
                extra_groups=self.switch_groups,
                input=text_in,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except PermissionError as error:
            if self.demoted and not _can_become(self):
                raise PostgresRefused(
                    f"PostgreSQL does not run as root, and this root may not become {self.name}: start as an ordinary "
                    f"user, or point BACKOFFICE_DATABASE_URL at a running PostgreSQL."
                ) from error
            raise

    def reaches(self, folder: Path) -> bool:
        """Whether this account can enter `folder`. Asked of the system itself, which knows ACLs and mounts too."""
        found = self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], timeout=10)
        return found.returncode == 0

    def write(self, file: Path, text: str) -> None:
        """Write a private file in a folder of this account. As root we leave it to the account, so that a link which
        it might plant there leads nowhere that it could not write itself. Raises OSError."""
        done = self.run(["/bin/sh", "-c", 'umask 077; cat > "$1"', "sh", file], text_in=text)
        if done.returncode != 0:
            full = "No space left" in done.stdout
            raise OSError(errno.ENOSPC if full else errno.EACCES, done.stdout.strip(), str(file))


def server_account(existing: Path | None = None) -> Account:
    """The account to run PostgreSQL as: ourselves, or, as root, the owner of the data folder that is already there,
    else the first of UNPRIVILEGED. Raises PostgresRefused where there is none."""
    if os.geteuid() != 0:
        try:
            me = pwd.getpwuid(os.geteuid())
        except KeyError as error:
            raise PostgresRefused(
                f"The user id {os.geteuid()} has no entry in the password file, which PostgreSQL needs: run as a user "
                f"that has one (docker run --user root, or useradd), or set BACKOFFICE_DATABASE_URL."
            ) from error
        return Account(me.pw_name, me.pw_uid, me.pw_gid, demoted=False)
    if existing is not None and existing.exists() and (uid := existing.stat().st_uid) != 0:
        try:
            owner = pwd.getpwuid(uid)
        except KeyError as error:
            raise PostgresRefused(
                f"{existing} belongs to the user id {uid}, which has no entry in the password file: add that user, "
                f"or move the folder away and start again."
            ) from error
        return Account(owner.pw_name, owner.pw_uid, owner.pw_gid, demoted=True)
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        if found.pw_uid != 0:
            return Account(found.pw_name, found.pw_uid, found.pw_gid, demoted=True)
    raise PostgresRefused(
        "PostgreSQL does not run as root and there is no account named backoffice or nobody to run it as: "
        "make one (useradd --system backoffice), or set BACKOFFICE_DATABASE_URL."
    )


def _can_become(account: Account) -> bool:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", "exit 0"],
            user=account.uid,
            group=account.gid,
            extra_groups=(),
            cwd="/",
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
